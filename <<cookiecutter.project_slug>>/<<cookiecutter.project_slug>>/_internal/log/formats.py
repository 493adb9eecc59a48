"""Formats of a line, and the default of their colours."""

from typing import Literal

LogFormat = Literal["json", "pretty", "console"]
DEFAULT_STYLE = "dark-or-light"  # of this package; all other styles are Pygments' own
