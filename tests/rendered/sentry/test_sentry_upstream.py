"""A version of the Sentry SDK that moved a name that this package uses ends the start."""

from pathlib import Path

import pytest

from checks.imitated import Change
from checks.refusals import check_refusal, is_pin
from my_service._internal.sentry import reporting

CHANGES = {
    "list of processors renamed": Change("sentry_sdk", "global_event_processors", "_processors", "global_event_processors"),
    "list of processors unused": Change("sentry_sdk.scope", r"(?m)^( +)global_event_processors(,|\.)", r"\1[]\2", "global_event_processors in sentry_sdk.scope"),
    "thread renamed": Change("sentry_sdk.worker", "sentry-sdk.BackgroundWorker", "sentry-sender", "sentry-sdk.BackgroundWorker in sentry_sdk.worker"),
    "function renamed": Change("sentry_sdk", "filename_for_module", "module_path", "filename_for_module"),
    "serializer renamed": Change("sentry_sdk", "json_dumps", "to_json", "json_dumps"),
    "method of a scope renamed": Change("sentry_sdk", "set_new_propagation_context", "new_trace", "Scope.set_new_propagation_context"),
    "slots of a scope gone": Change("sentry_sdk.scope", r"__slots__ =", "_names =", "Scope.__slots__"),
    "attribute of a span renamed": Change("sentry_sdk.tracing", r"\btrace_id\b", "id_of_trace", "Span.trace_id"),
    "method of a span renamed": Change("sentry_sdk", "set_http_status", "set_status_code", "Span.set_http_status"),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_version_that_does_not_fit(change: Change, tmp_path: Path) -> None:
    """The start ends with one line that names the version, what it lacks and the remedy."""
    check_refusal(tmp_path, change, reporting.REQUIREMENT, SENTRY_DSN="http://key@127.0.0.1:9/1")


def test_the_remedy_is_the_pin() -> None:
    """The line suggests the versions that `pyproject.toml` allows."""
    assert is_pin(reporting.REQUIREMENT)
