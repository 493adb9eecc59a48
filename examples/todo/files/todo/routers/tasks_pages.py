"""Tasks as pages, which need no JavaScript; a change is a form that redirects to a page.

Endpoints name their session last: it takes a connection, which must not wait for a form's body.
"""

import math
from typing import Annotated, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, HTTPException, Query, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, Field, TypeAdapter, ValidationError
from sqlalchemy.ext.asyncio import AsyncSession

from .. import tasks
from ..csrf import FormFields, read_form
from ..dependencies import Session
from ..downloads import csv_response
from ..forms import TaskForm
from ..pages import page, path_for
from ..schemas import Id, TaskOut
from ..tasks import UnknownPriority

PAGE_SIZE = 20
TABS = {"todo": "To do", "completed": "Completed", "all": "All"}
NOTICES = {
    "created": "The task was created.",
    "saved": "The changes were saved.",
    "completed": "The task is completed.",
    "deleted": "The task was deleted.",
}
ID: TypeAdapter[int] = TypeAdapter(Id)

router = APIRouter(include_in_schema=False)


def read_id(task_id: str) -> int:
    """Return the id in the path; an invalid one is an unknown address."""
    try:
        return ID.validate_python(task_id)
    except ValidationError:
        raise HTTPException(404, "There is no such task.") from None


TaskId = Annotated[int, Depends(read_id)]
Checked = Depends(read_form)


class Place(BaseModel):
    """A place in the list, to which a change returns with a notice of itself."""

    status: Literal["todo", "completed", "all"] = "todo"
    page: Annotated[int, Field(ge=1, le=10**6)] = 1
    notice: Literal["", "created", "saved", "completed", "deleted"] = ""

    @property
    def message(self) -> str:
        """Return the notice's text."""
        return NOTICES.get(self.notice, "")


Here = Annotated[Place, Query()]


def see(request: Request, place: Place, route: str = "show_tasks", **params: object) -> Response:
    """Redirect to a page after a change."""
    query = urlencode(place.model_dump(exclude_defaults=True))
    return RedirectResponse(f"{path_for(request, route, **params)}?{query}".rstrip("?"), 303)


async def form_page(
    request: Request, session: Session, form: TaskForm, task: TaskOut | None, message: str = ""
) -> Response:
    """Return the form of a new task, or of a stored one; status 422 if it has errors."""
    return page(
        request,
        "task.html",
        422 if form.errors else 200,
        form=form,
        task=task,
        priorities=await tasks.list_priorities(session),
        message=message,
    )


@router.get("/")
async def home(request: Request) -> Response:
    """Redirect to the list."""
    return RedirectResponse(path_for(request, "show_tasks"))


@router.get("/tasks/")
async def show_tasks(request: Request, place: Here, session: Session) -> Response:
    """Show a part of the list."""
    wanted = None if place.status == "all" else place.status
    offset = PAGE_SIZE * (place.page - 1)
    found, total = await tasks.list_tasks(session, wanted, PAGE_SIZE, offset)
    last = max(1, math.ceil(total / PAGE_SIZE))
    if place.page > last:  # its last task was completed or deleted
        return see(request, place.model_copy(update={"page": last}))
    return page(
        request,
        "tasks.html",
        place=place,
        tabs=TABS,
        tasks=[TaskOut.model_validate(task) for task in found],
        total=total,
        last=last,
        message=place.message,
    )


@router.get("/tasks/new")
async def show_new_task(request: Request, session: Session) -> Response:
    """Show an empty form."""
    return await form_page(request, session, TaskForm({}), None)


@router.post("/tasks/new")
async def add_task(request: Request, fields: FormFields, session: Session) -> Response:
    """Create a task."""
    form = TaskForm(fields)
    if sent := form.validate():
        try:
            await tasks.create_task(session, sent)
            return see(request, Place(notice="created"))
        except UnknownPriority as error:
            form.errors["priority_id"] = error.detail
    return await form_page(request, session, form, None)


@router.get("/tasks/download/todo")
async def download_todo(session: Session) -> Response:
    """Download the open tasks."""
    return await csv_response(tasks.stream_tasks(session, "todo"), "tasks-todo")


@router.get("/tasks/download/completed")
async def download_completed(session: Session) -> Response:
    """Download the completed tasks."""
    return await csv_response(tasks.stream_tasks(session, "completed"), "tasks-completed")


@router.get("/tasks/{task_id}")
async def show_task(request: Request, task_id: TaskId, place: Here, session: Session) -> Response:
    """Show a task, in the form that changes it."""
    task = await get_task(session, task_id)
    return await form_page(request, session, TaskForm.of(task), task, place.message)


@router.post("/tasks/{task_id}")
async def change_task(
    request: Request, task_id: TaskId, fields: FormFields, session: Session
) -> Response:
    """Change a task."""
    form = TaskForm(fields)
    if sent := form.validate():
        try:
            await tasks.update_task(session, task_id, sent)
            return see(request, Place(notice="saved"), "show_task", task_id=task_id)
        except UnknownPriority as error:
            form.errors["priority_id"] = error.detail
    return await form_page(request, session, form, await get_task(session, task_id))


@router.post("/tasks/{task_id}/completed", dependencies=[Checked])
async def finish_task(request: Request, task_id: TaskId, place: Here, session: Session) -> Response:
    """Complete a task, and return to the place in the list."""
    await tasks.complete_task(session, task_id)
    return see(request, place.model_copy(update={"notice": "completed"}))


@router.get("/tasks/{task_id}/deleted")
async def ask_deletion(
    request: Request, task_id: TaskId, place: Here, session: Session
) -> Response:
    """Ask for a confirmation."""
    return page(request, "delete.html", task=await get_task(session, task_id), place=place)


@router.post("/tasks/{task_id}/deleted", dependencies=[Checked])
async def remove_task(request: Request, task_id: TaskId, place: Here, session: Session) -> Response:
    """Delete a task, and return to the place in the list."""
    await tasks.delete_task(session, task_id)
    return see(request, place.model_copy(update={"notice": "deleted"}))


async def get_task(session: AsyncSession, task_id: int) -> TaskOut:
    """Return a task as pages show it."""
    return TaskOut.model_validate(await tasks.get_task(session, task_id))
