"""Tasks as JSON; errors are problem details."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from .. import tasks
from ..dependencies import Session
from ..problems import DESCRIPTION
from ..schemas import Id, PriorityOut, TaskIn, TaskOut, TaskPage
from ..tasks import Status

router = APIRouter(prefix="/api/v1", tags=["tasks"], responses={"default": DESCRIPTION})


@router.get("/tasks")
async def list_tasks(
    session: Session,
    status: Status | None = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
    offset: Annotated[int, Query(ge=0, lt=2**31)] = 0,
) -> TaskPage:
    """Return some of the tasks, in the order in which they are due."""
    found, total = await tasks.list_tasks(session, status, limit, offset)
    items = [TaskOut.model_validate(task) for task in found]
    return TaskPage(items=items, total=total, limit=limit, offset=offset)


@router.post("/tasks", status_code=201)
async def create_task(
    sent: TaskIn, session: Session, request: Request, response: Response
) -> TaskOut:
    """Create a task; `Location` is its address."""
    task = await tasks.create_task(session, sent)
    response.headers["Location"] = request.url_for("get_task", task_id=task.id).path
    return TaskOut.model_validate(task)


@router.get("/tasks/{task_id}")
async def get_task(task_id: Id, session: Session) -> TaskOut:
    """Return a task."""
    return TaskOut.model_validate(await tasks.get_task(session, task_id))


@router.put("/tasks/{task_id}")
async def update_task(task_id: Id, sent: TaskIn, session: Session) -> TaskOut:
    """Replace what a client can change of a task."""
    return TaskOut.model_validate(await tasks.update_task(session, task_id, sent))


@router.put("/tasks/{task_id}/completed")
async def complete_task(task_id: Id, session: Session) -> TaskOut:
    """Mark a task as done; again is no error."""
    return TaskOut.model_validate(await tasks.complete_task(session, task_id))


@router.delete("/tasks/{task_id}", status_code=204)
async def delete_task(task_id: Id, session: Session) -> None:
    """Delete a task."""
    await tasks.delete_task(session, task_id)


@router.get("/priorities")
async def list_priorities(session: Session) -> list[PriorityOut]:
    """Return the priorities, the most urgent first."""
    found = await tasks.list_priorities(session)
    return [PriorityOut.model_validate(priority) for priority in found]
