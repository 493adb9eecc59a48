"""`make pictures`: draw what a developer's terminal shows, from a served project, into docs/."""

import os
import pty
import re
import subprocess
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from html import escape
from pathlib import Path
from typing import NamedTuple

from bench import projects
from tests.renders import TEMPLATE

DOCS = TEMPLATE / "docs"
# What is requested in the picture of each format.
PICTURES = {
    "console": ("/hello", "/divide?a=1&b=x", "/divide?a=1&b=0"),
    "pretty": ("/hello",),
}
WIDTH, HEIGHT, MARGIN = 7.225, 17, 12  # of a character and of the space around the text, in pixels
STEPS = (0, 95, 135, 175, 215, 255)  # of red, green and blue in the 256 colours of xterm
STYLE = """
  text { font-family: monospace; font-size: 12px; white-space: pre; fill: #000 }
  .ground { fill: #fff; stroke: #ccc }
  @media (prefers-color-scheme: dark) { text { fill: #ddd } .ground { fill: #000; stroke: #444 } }
"""


class Part(NamedTuple):
    """Text of one look, with colours as in SVG."""

    text: str
    colour: str
    ground: str
    bold: bool


def main() -> None:
    """Draw the picture of each format."""
    with tempfile.TemporaryDirectory() as folder:
        project = projects.install("none", Path(folder))
        for log_format, targets in PICTURES.items():
            shown = served(project, log_format, targets)
            (DOCS / f"{log_format}.svg").write_text(drawn(shown), "utf-8")
            print(f"docs/{log_format}.svg")


def served(project: Path, log_format: str, targets: tuple[str, ...]) -> list[str]:
    """Return the lines that a terminal shows, with their colours, of a project that is served."""
    ours, theirs = pty.openpty()
    variables = projects.variables(
        ENV="development", LOG_FORMAT=log_format, LOG_LEVEL="INFO", PORT="0", TERM="xterm-256color"
    )
    process = subprocess.Popen(
        [projects.python(project), "-m", projects.SLUG], cwd=project, env=variables, stderr=theirs
    )
    os.close(theirs)
    waiting, address, wanted = [*targets], "", []
    for line in lines_of(ours):
        if "stopping" in line:
            break
        if address:
            wanted.append(line)
        found = re.search(r"unning on (http://[0-9.:]+)", line)
        address = found[1] if found else address
        if found or "log request" in line or "unhandled exception" in line:
            if waiting:
                request(address + waiting.pop(0))
            else:
                process.terminate()
    process.wait()
    wanted = [line.replace(str(project.parent), "/srv") for line in wanted]
    # `pretty` has not ended the record of the start, and has begun that of the end.
    return wanted if log_format == "console" else wanted[wanted.index("}") + 1 : -3]


def request(url: str) -> None:
    """Send a request; its response may be an error."""
    with suppress(urllib.error.HTTPError):
        urllib.request.urlopen(url).close()


def lines_of(descriptor: int) -> Iterator[str]:
    """Yield the lines of a terminal until its last writer has ended."""
    rest = b""
    with suppress(OSError):  # EIO: the end, on Linux
        while True:
            rest += os.read(descriptor, 65_536)
            *lines, rest = rest.split(b"\r\n")
            yield from map(bytes.decode, lines)
    os.close(descriptor)


def drawn(lines: list[str]) -> str:
    """Return an SVG of lines with colours."""
    rows = [list(parts(line)) for line in lines]
    columns = max(sum(len(part.text) for part in row) for row in rows)
    width, height = columns * WIDTH + 2 * MARGIN, len(rows) * HEIGHT + 2 * MARGIN
    body = "\n".join(drawn_row(row, number) for number, row in enumerate(rows))
    form = f'xml:space="preserve" viewBox="0 0 {width:.0f} {height}"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {form}>\n'
        f"<style>{STYLE}</style>\n"
        f'<rect class="ground" width="{width:.0f}" height="{height}" rx="6"/>\n{body}\n</svg>\n'
    )


def drawn_row(row: list[Part], number: int) -> str:
    """Return the SVG of a line."""
    x, y, elements = float(MARGIN), MARGIN + (number + 1) * HEIGHT - 5, []
    for part in row:
        width = len(part.text) * WIDTH
        if part.ground:
            place = f'x="{x:.1f}" y="{y - 12}" width="{width:.1f}" height="{HEIGHT}"'
            elements.append(f'<rect {place} fill="{part.ground}"/>')
        look = f' style="fill: {part.colour}"' if part.colour else ""
        look += ' font-weight="bold"' if part.bold else ""
        if text := part.text.strip():
            begin = x + (len(part.text) - len(part.text.lstrip())) * WIDTH
            place = f'x="{begin:.1f}" y="{y}" textLength="{len(text) * WIDTH:.1f}"'
            elements.append(f"<text {place}{look}>{escape(text)}</text>")
        x += width
    return "".join(elements)


def parts(line: str) -> Iterator[Part]:
    """Yield the parts of a line; Pygments resets each look by its codes for the default."""
    colour, ground, bold = "", "", False
    for text, codes in re.findall(r"([^\x1b]*)(?:\x1b\[([0-9;]*)m)?", line):
        if text:
            yield Part(text, colour, ground, bold)
        numbers = re.findall(r"[34]8;5;\d+|\d+", codes)
        for code in numbers:
            kind, _, index = code.partition(";5;")
            if kind == "38":
                colour = rgb(int(index))
            elif kind == "48":
                ground = rgb(int(index))
            elif kind in ("0", "39"):
                colour, ground, bold = "", ground * (kind == "39"), bold and kind == "39"
            elif kind == "49":
                ground = ""
            else:
                bold = kind == "01"


def rgb(code: int) -> str:
    """Return one of the 256 colours as in SVG."""
    gray = 8 + 10 * (code - 232)
    channels = [STEPS[(code - 16) // step % 6] for step in (36, 6, 1)] if code < 232 else [gray] * 3
    return "#" + "".join(f"{channel:02x}" for channel in channels)


if __name__ == "__main__":
    main()
