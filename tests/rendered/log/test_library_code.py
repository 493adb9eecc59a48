"""library_code.py: which frames and classes belong to the service."""

import json
import site
import sysconfig
from pathlib import Path

import pytest

import my_service
from my_service._internal.log.library_code import is_in_app

PACKAGE = Path(my_service.__file__).parent
LIBRARIES = Path(sysconfig.get_path("purelib"))


@pytest.mark.parametrize(
    ("path", "own"),
    [
        (PACKAGE / "main.py", True),
        (PACKAGE / "routers/hello.py", True),
        (PACKAGE / "_internal_tools.py", True),
        (PACKAGE / "_internal/log/sink.py", False),
        (PACKAGE.with_name("my_service_tools") / "x.py", True),
        (LIBRARIES / "my_service_client/x.py", False),
        (Path(site.getusersitepackages()) / "x.py", False),
        (Path("/usr/lib/python3/dist-packages/x.py"), False),
        (PACKAGE.with_name("venv") / "lib/python3/site-packages/x.py", False),
        (PACKAGE.with_name("site-packages.py"), True),
        (Path(json.__file__), False),
    ],
    ids=lambda value: value.name if isinstance(value, Path) else "",
)
def test_frames(path: Path, own: bool) -> None:
    """The package's frames do, except `_internal`; those of Python and other packages do not."""
    assert is_in_app(compile("", str(path), "exec")) is own
