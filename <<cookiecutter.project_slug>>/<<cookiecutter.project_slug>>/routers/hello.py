"""An example to delete: a response, a validation error and an unhandled exception to try."""

from fastapi import APIRouter
from loguru import logger

router = APIRouter(tags=["hello"])


@router.get("/hello")
async def hello() -> dict[str, str]:
    """Greet the world."""
    logger.info("greeting the world")
    return {"message": "Hello World"}


@router.get("/divide")
async def divide(a: int, b: int) -> float:
    """Divide `a` by `b`; nothing prevents a division by zero."""
    return a / b
