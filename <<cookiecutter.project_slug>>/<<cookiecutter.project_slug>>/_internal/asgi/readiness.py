"""Readiness of the service: its state and the checks of its dependencies."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Literal

CHECK_TIMEOUT = 2.0  # seconds

Check = Callable[[], Awaitable[None]]
State = Literal["starting", "ready", "stopping"]

_state: State = "starting"


def set_state(state: State) -> None:
    """Set the state of the service; a stopping service does not become ready again."""
    global _state
    if not (state == "ready" and _state == "stopping"):
        _state = state


async def failing_checks(checks: Mapping[str, Check]) -> dict[str, str]:
    """Return the reasons why the service is not ready, by name of the check; empty if it is ready.

    A check fails if it raises or takes longer than `CHECK_TIMEOUT` seconds.
    """
    if _state != "ready":
        return {"service": _state}
    problems = await asyncio.gather(*(_problem(check) for check in checks.values()))
    return {name: problem for name, problem in zip(checks, problems, strict=True) if problem}


async def _problem(check: Check) -> str:
    try:
        await asyncio.wait_for(check(), CHECK_TIMEOUT)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""
