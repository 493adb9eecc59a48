"""The service's routers, in the order in which they are matched: the busiest first."""

from fastapi import APIRouter

from . import health, hello

routers: list[APIRouter] = [
    hello.router,
    health.router,
]
