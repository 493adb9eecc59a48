"""`python -m tests.platforms FOLDER`: projects with pairs of answers, to try on other platforms.

Windows has no folders named `<<…>>`, so the workflow renders on Linux. Beside the projects is
`serving.py`, which serves the one in the working directory.
"""

import shutil
import sys
import tempfile
from pathlib import Path

from tests.renders import COMBINATIONS, PAIRWISE, TEMPLATE, render


def render_pairs(folder: Path) -> None:
    """Render the projects, named after their answers."""
    folder.mkdir(parents=True)
    shutil.copy(TEMPLATE / "tests" / "serving.py", folder)
    with tempfile.TemporaryDirectory() as home:
        for combination in PAIRWISE:
            output = Path(home) / combination
            output.mkdir()
            project = render(output, Path(home), **COMBINATIONS[combination])
            shutil.move(project, folder / combination)


if __name__ == "__main__":
    render_pairs(Path(sys.argv[1]))
