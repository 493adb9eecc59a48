"""Write a line where the log has not begun or cannot begin: without Loguru, settings or masking."""

import json
import os
import sys
from traceback import FrameSummary

from .timestamps import now


def print_line(level: str, message: str, place: FrameSummary, **fields: str) -> None:
    """Print a line of the log with additional fields; its source is `place`."""
    line = {
        "timestamp": now(),
        "level": level,
        "message": message,
        "source": f"{os.path.basename(place.filename)}:{place.name}:{place.lineno}",
        **fields,
    }
    print(json.dumps(line), file=sys.stderr)
