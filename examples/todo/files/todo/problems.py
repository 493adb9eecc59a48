"""Errors that clients can handle: problem details (RFC 9457) for programs."""

import json
from collections.abc import Mapping
from http.client import responses

from fastapi import Response

from .logging import request_id

MEDIA_TYPE = "application/problem+json"
TEXT = {"type": "string"}
# For `responses` of a router: FastAPI describes its own errors, which the service does not send.
DESCRIPTION: dict[str, object] = {
    "description": "An error, as problem details (RFC 9457)",
    "content": {
        MEDIA_TYPE: {
            "schema": {
                "type": "object",
                "required": ["type", "title", "status", "detail", "request_id"],
                "properties": {
                    **dict.fromkeys(("type", "title", "detail", "request_id"), TEXT),
                    "status": {"type": "integer"},
                    "errors": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "properties": dict.fromkeys(("in", "pointer", "detail"), TEXT),
                        },
                    },
                },
            }
        }
    },
}


class Problem(Exception):
    """Base class: a subclass is one kind of problem.

    Args:
        detail: what happened, for people.
        members: what a program needs to know, as JSON types.
    """

    status = 400

    def __init__(self, detail: str, **members: object) -> None:
        super().__init__(detail)
        self.detail, self.members = detail, members


def problem_response(
    status: int,
    detail: str,
    members: Mapping[str, object] = {},
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return problem details of the type `about:blank`: their title is the status."""
    content = {
        **members,
        "type": "about:blank",
        "title": responses.get(status, "Error"),
        "status": status,
        "detail": detail,
        "request_id": request_id(),
    }
    # In ASCII: names of members come from the client, and not every text can be UTF-8.
    return Response(json.dumps(content), status, headers, media_type=MEDIA_TYPE)
