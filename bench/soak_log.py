"""Check the log of `make soak` while it is written; none of it is kept."""

import json
from collections import Counter
from typing import Any

from bench.soak_requests import expected_messages, kind_of

SHOWN = 10  # problems
LONGEST = 16_384  # bytes of a line


class LogCheck:
    """Count the lines of requests numbered from 0, and note what is wrong with them.

    Args:
        requests: how many there will be.

    Attributes:
        serving: requests are sent, so that every line belongs to one.
        lines: the number of lines of requests.
        statuses: how many lines of each kind have each status.
        last: the message of the last line.
        problems: what is wrong, at most `SHOWN`.
    """

    def __init__(self, requests: int) -> None:
        self.serving = False
        self.lines = 0
        self.statuses: Counter[tuple[str, int]] = Counter()
        self.last = ""
        self.problems: list[str] = []
        self._seen = bytearray(requests)
        self._messages: Counter[str] = Counter()
        self._rest = b""

    def feed(self, data: bytes) -> None:
        """Check the lines that end in `data`."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._check(line)

    def check_complete(self) -> None:
        """Check that each request has its lines."""
        missing = [number for number, seen in enumerate(self._seen) if not seen]
        if missing:
            self.add_problem(f"{len(missing)} requests without a line, the first: {missing[:5]}")
        expected = expected_messages(len(self._seen))
        if not missing and self._messages != expected:
            self.add_problem(f"lines by message: {self._messages}; expected: {expected}")

    def add_problem(self, problem: str) -> None:
        """Note a problem."""
        if len(self.problems) < SHOWN:
            self.problems.append(problem)

    def _check(self, line: bytes) -> None:
        try:
            fields = json.loads(line)
            self.last = fields["message"]
        except (ValueError, TypeError, KeyError):
            self.add_problem(f"not a JSON object with a message: {line[:200]!r}")
            return
        if len(line) > LONGEST:
            self.add_problem(f"a line of {len(line):,} bytes: {line[:200]!r}")
        if fields.get("request_id"):
            self._messages[self.last] += 1
            if "status_code" in fields:
                self._check_request(fields, line)
        elif self.serving:
            self.add_problem(f"no request id: {line[:200]!r}")

    def _check_request(self, fields: dict[str, Any], line: bytes) -> None:
        self.lines += 1
        number = fields["path_with_query"].rpartition("?n=")[2]
        if not number.isdigit() or int(number) >= len(self._seen):
            self.add_problem(f"not a request of ours: {line[:300]!r}")
            return
        if self._seen[int(number)]:
            self.add_problem(f"a second line: {line[:300]!r}")
        self._seen[int(number)] = 1
        kind, status = kind_of(int(number)), fields["status_code"]
        self.statuses[kind.name, status] += 1
        if status not in kind.statuses or self.last != kind.request_line:
            self.add_problem(f"{kind.name}: {line[:300]!r}")
