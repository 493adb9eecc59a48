"""A served project that gets secrets in every place: its whole output is searched."""

import base64
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from websockets.sync.client import connect

from checks.served import serve

LEAKING = (
    "-c",
    "import my_service._internal.early, runpy, checks.leaking; runpy.run_module('my_service', run_name='__main__')",
)
CANARY = "s3cr3t-canary-é&=%"
ENCODED = quote(CANARY, safe="")
BASIC = base64.b64encode(f"ann:{CANARY}".encode()).decode()
# Parts of the secret, plain and in every encoding.
TRACES = ["s3cr3t", "canary", ENCODED, ENCODED.lower(), BASIC, BASIC[8:24], "pa5s"]


@pytest.mark.parametrize("environment", ["production", "development"])
def test_no_secret_is_in_the_output(environment: str, tmp_path: Path) -> None:
    """No secret shows in lines of requests, settings, tracebacks, threads, tasks and WebSockets."""
    (tmp_path / ".env").write_text(f'LOG_FIELDS={{"client_secret": "{CANARY}"}}\n')
    variables = {"ENV": environment, "LOG_LEVEL": "DEBUG", "DB_PASSWORD": CANARY}
    with serve(tmp_path, *LEAKING, **variables) as service:
        with httpx.Client(base_url=service.url) as client:
            client.post("/accounts", json={"user": "ann", "password": "pa5s"})
            client.post("/accounts", json={"user": [], "password": CANARY, "token": CANARY})
            client.post("/accounts", json={"user": "ann", "password": CANARY, "token": CANARY})
            client.post("/accounts", content=f"password={CANARY}")
            headers = {"authorization": f"Basic {BASIC}", "cookie": f"a=1; session={ENCODED}"}
            client.get("/headers", params={"token": CANARY}, headers=headers)
            referer = {"referer": f"/?token={ENCODED}"}
            client.get("/headers", params={"api_key": CANARY}, headers=referer)
            client.get(f"/nowhere;token={ENCODED}?next={quote(f'https://ann:{CANARY}@host')}")
            client.get("/later", params={"secret": CANARY})
        with connect(f"{service.url.replace('http', 'ws')}/socket?token={ENCODED}"):
            pass
        service.wait_for("log websocket")
        service.stop()
        told = {line["message"] for line in service.lines}
        output = str(service.lines)
    assert {"unhandled exception", "exception after response"} <= told
    assert {"request validation exception", "uncaught exception in a thread"} <= told
    for trace in TRACES:
        assert trace not in output, output[output.find(trace) - 300 :][:400]
    assert output.count("***") > 20
