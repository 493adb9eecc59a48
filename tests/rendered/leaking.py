"""A service that handles its input carelessly: routes that plant secrets in the log."""

import asyncio
import dataclasses
import logging
import threading
import warnings
from typing import Annotated, Any

from fastapi import BackgroundTasks, Header, WebSocket
from loguru import logger
from pydantic import BaseModel, ConfigDict, field_validator

from my_service.logging import bind_request
from my_service.main import app


class Account(BaseModel):
    """A body whose validator quotes the secret."""

    model_config = ConfigDict(extra="allow")
    user: str
    password: str

    @field_validator("password")
    @classmethod
    def check(cls, value: str) -> str:
        """Reject short passwords with an error that quotes them."""
        if len(value) < 8:
            raise ValueError(f"{value!r} is too short")
        return value


@dataclasses.dataclass
class Session:
    """A session with its key."""

    user: str
    session_key: str
    api_key: str


@app.post("/accounts")
async def accounts(account: Account) -> None:
    """Log a body, as a whole and in parts."""
    logger.info("account {account}", account=account)
    logging.getLogger("library").warning("got %r", account.model_dump())
    raise PermissionError(f"{account.password} is known") from KeyError(account.password)


@app.get("/headers")
async def headers(
    authorization: Annotated[str, Header()], cookie: Annotated[str, Header()], token: str
) -> None:
    """Log the parts of a request."""
    bind_request(token=token, session=Session("ann", "visible", token))
    pairs = [(b"authorization", authorization.encode()), (b"cookie", cookie.encode())]
    logger.info("headers", pairs=pairs, text=f"Authorization: {authorization}\nCookie: {cookie}")
    warnings.warn(f"token={token}", stacklevel=1)
    error = ValueError(f"https://ann:{token}@example.com/?api_key={token}")
    error.add_note(f"token: {token}")
    raise error


@app.get("/later")
async def later(secret: str, background: BackgroundTasks) -> None:
    """Fail after the response, in a thread, and in a task that is never awaited."""

    def work(access_token: str) -> Any:
        raise RuntimeError({"access_token": access_token})

    async def lost() -> None:
        work(secret)

    thread = threading.Thread(target=work, args=(secret,))
    thread.start()
    thread.join()
    task = asyncio.create_task(lost())
    await asyncio.wait({task})
    background.add_task(work, secret)


@app.websocket("/socket")
async def socket(websocket: WebSocket, token: str) -> None:
    """Fail with a value of the query string."""
    await websocket.accept()
    raise RuntimeError(f"token={token}")
