"""The service's routers, in the order in which they are matched: the busiest first."""

from fastapi import APIRouter

from .health import router as health_router
from .hello import router as hello_router

routers: list[APIRouter] = [
    hello_router,
    health_router,
]
