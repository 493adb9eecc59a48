"""The slowest tests of the rendered package: how processes end, and a flood."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.package_tests import SLOW, run_package_tests
from tests.template import THOROUGH


@pytest.mark.parametrize("combination", THOROUGH)
@pytest.mark.parametrize("tests", SLOW)
def test_slow_tests(combination: str, tests: str, install: Callable[[str], Path]) -> None:
    """They pass without options, and with all of them."""
    run_package_tests(install(combination), tests)
