"""CPU time for redacting hostile texts: run in a project as `python -m bench.hostile`."""

import json
import statistics
from collections.abc import Callable
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from time import process_time
from typing import Any

from my_service._internal.log.redaction import redact, redact_target
from my_service._internal.log.texts import READ_LIMIT

PATTERNS = Path(__file__).parents[1] / "tests" / "rendered" / "patterns.py"
CASES: dict[str, Callable[[str], str]] = {"free text": redact, "query": redact_target}


def load(path: Path) -> Any:
    """Return a module by its path, since the project also has a package `tests`."""
    spec = spec_from_file_location(path.stem, path)
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def cost(function: Callable[[str], str], text: str) -> float:
    """Return the milliseconds of CPU time that a call takes, the best of three."""

    def once() -> float:
        began = process_time()
        function(text)
        return (process_time() - began) * 1e3

    return min(once() for _ in range(3))


def measure(function: Callable[[str], str]) -> dict[str, float]:
    """Return the figures of all hostile texts, at the maximum length that is read."""
    patterns = load(PATTERNS)
    long = [cost(function, text) for unit in patterns.patterns()
            for text in patterns.texts(unit, READ_LIMIT)]  # fmt: skip
    short = [cost(function, text) for unit in patterns.patterns()
             for text in patterns.texts(unit, READ_LIMIT // 10)]  # fmt: skip
    ratios = [a / b for a, b in zip(long, short, strict=True) if a > 1]
    return {
        "texts": len(long),
        "median ms": statistics.median(long),
        "slowest ms": max(long),
        "largest ratio to a tenth of the length": max(ratios, default=0.0),
    }


if __name__ == "__main__":
    print(json.dumps({name: measure(function) for name, function in CASES.items()}))
