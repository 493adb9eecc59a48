"""What endpoints ask for."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends
from sqlalchemy.ext.asyncio import AsyncSession

from . import resources


async def open_session() -> AsyncIterator[AsyncSession]:
    """Open a session for a request, until its response was sent."""
    async with resources.database.session() as session:
        yield session


Session = Annotated[AsyncSession, Depends(open_session)]
