"""The READMEs and the pages in docs/ agree with the code."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.renders import COMBINATIONS, TEMPLATE, THOROUGH, command, files, run, settings
from tests.serving import serve

README = (TEMPLATE / "README.md").read_text("utf-8")
ANSWERS = "Shop API\n\nSells things.\nZoë Smith\nzoe@example.com\n3\n1\ny\ny\ny\n"


def blocks(text: str, language: str) -> list[str]:
    """Return the fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def targets(makefile: Path) -> set[str]:
    """Return the targets of a Makefile."""
    return set(re.findall(r"^([a-z0-9-]+):", makefile.read_text(), re.MULTILINE))


def pages(root: Path) -> list[Path]:
    """Return the README and the pages in docs/ beside it."""
    return [root / "README.md", *sorted((root / "docs").glob("*.md"))]


def test_transcript(tmp_path: Path, home: Path) -> None:
    """The transcript shows the prompts and the summary that a user sees."""
    shown = next(block for block in blocks(README, "text") if "[1/" in block)
    done = subprocess.run(
        [command("cookiecutter"), TEMPLATE, "--config-file", settings(home)],
        cwd=tmp_path,
        env=os.environ | {"PWD": str(tmp_path), "COLUMNS": "200"},
        input=ANSWERS,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=True,
    )
    for line in shown.splitlines():
        question = line.partition("): ")[0]
        assert question.removesuffix("…") in done.stdout, line


def test_tree(bake: Callable[..., Path]) -> None:
    """Every file and folder of the tree is in a project with all options."""
    shown = next(block for block in blocks(README, "text") if block.startswith("shop_api/"))
    entries = [line[:28] for line in shown.splitlines()[1:]]
    names = {name for entry in entries for name in entry.split() if name != "…"}
    paths = [f"/{path}" for path in files(bake(**COMBINATIONS["all"]))]
    for name in {name.replace("shop_api", "my_service") for name in names}:
        assert any(f"/{name}" in path for path in paths), name


@pytest.mark.parametrize("folder", ["template", *THOROUGH])
def test_make_targets(folder: str, install: Callable[[str], Path]) -> None:
    """Every target that the README or docs/ name is in the Makefile, under a comment."""
    root = TEMPLATE if folder == "template" else install(folder)
    shown = [block for page in pages(root) for block in blocks(page.read_text("utf-8"), "sh")]
    named = set(re.findall(r"\bmake ([a-z][a-z0-9-]*)", "".join(shown)))
    makefile = root / "Makefile"
    assert named
    assert named <= targets(makefile)
    for target in targets(makefile):
        assert re.search(rf"^# .*\n{target}:", makefile.read_text(), re.MULTILINE), target


@pytest.mark.parametrize("combination", THOROUGH)
def test_commands_without_make(combination: str, bake: Callable[..., Path]) -> None:
    """The README has the commands of every target."""
    project = bake(**COMBINATIONS[combination])
    makefile = (project / "Makefile").read_text("utf-8").replace("$(UV)", "uv")
    makefile = makefile.replace("$(GREENLETS) ", "")
    readme = (project / "README.md").read_text("utf-8")
    rows = dict(re.findall(r"^\| `make ([a-z-]+).*?` \| (.+) \|$", readme, re.MULTILINE))
    assert rows.keys() == targets(project / "Makefile") - {"help"}
    assert f"python -m update ../{project.name}`" in rows.pop(
        "update"
    )  # make does it in the template
    for target, cell in rows.items():
        recipe = re.search(rf"^{target}:.*\n((?:\t.*\n)+)", makefile, re.MULTILINE)
        assert recipe
        shown = re.findall("`(.*? .*?)`", cell.replace("uv add httpx", "uv add "))
        lines = recipe[1].replace("\\\n", "").splitlines()
        run_by_make = [line for line in lines if "coverage erase" not in line]
        for line, text in zip(run_by_make, shown, strict=True):
            assert text in line


@pytest.mark.parametrize("combination", COMBINATIONS)
def test_links(combination: str, bake: Callable[..., Path]) -> None:
    """Every relative link leads to a file, and the README links to every page in docs/."""
    project = bake(**COMBINATIONS[combination])
    linked = {
        page: {(page.parent / target).resolve() for target in relative_links(page)}
        for page in pages(project)
    }
    for page, targets in linked.items():
        assert all(target.exists() for target in targets), page
    readme, *others = linked
    assert linked[readme] >= {page.resolve() for page in others}


def relative_links(page: Path) -> list[str]:
    """Return the targets of a page's links to files, without fragments."""
    return re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text("utf-8"))


@pytest.mark.parametrize("combination", COMBINATIONS)
def test_readme_is_short(combination: str, bake: Callable[..., Path]) -> None:
    """A project's README has at most 900 words, code included."""
    text = (bake(**COMBINATIONS[combination]) / "README.md").read_text("utf-8")
    assert len(text.split()) <= 900


@pytest.mark.parametrize("combination", THOROUGH)
def test_table_of_variables(combination: str, install: Callable[[str], Path]) -> None:
    """The table and sample.env name the variables that the service reads, with their defaults."""
    installed = install(combination)
    printed = run(
        installed / ".venv/bin/python", "-c", PRINT_SETTINGS, cwd=installed.parent
    ).stdout  # fmt: skip
    defaults: dict[str, str] = json.loads(printed)
    table = re.findall(
        r"^\| (`[A-Z].*?) \|.*\| (.*?) ?\|$",
        (installed / "docs/variables.md").read_text("utf-8"),
        re.MULTILINE,
    )
    shown = {
        name: value
        for names, values in table
        for name, value in zip(
            re.findall("`([A-Z_]+)`", names),
            [part.strip("`") for part in values.split(", ")],
            strict=False,
        )
    }
    # The rest is for Docker Compose.
    sample = (installed / "sample.env").read_text().partition("Read by Docker Compose only")[0]
    assert set(re.findall(r"^#([A-Z_]+)=", sample, re.MULTILINE)) == defaults.keys()
    assert shown.keys() == defaults.keys()
    for name, value in defaults.items():
        if name != "LOG_LEVEL":  # depends on ENV, and the table says how
            assert shown[name] == IN_WORDS.get(name, value), name


# Defaults that the table puts into words.
IN_WORDS = {
    "LOG_FORMAT": "json",
    "LOG_LEVELS": "",
    "TRUSTED_PROXIES": "none",
    "SENTRY_DSN": "off",
    "SENTRY_ENVIRONMENT": "ENV",
    "SENTRY_RELEASE": "the package's version",
}


# Prints the defaults as the table writes them.
PRINT_SETTINGS = """
import json
import my_service.main
from my_service._internal.settings.environment import EnvironmentSettings

def text(value):
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return ",".join(map(text, value))
    return f"{value:g}" if isinstance(value, float) else str(value)

def leaves(settings):
    if not settings.__subclasses__():
        yield settings
    for subclass in settings.__subclasses__():
        yield from leaves(subclass)

defaults = {}
for settings in leaves(EnvironmentSettings):
    defaults |= json.loads(settings(_env_file=None).model_dump_json())
print(json.dumps({name.upper(): text(value) for name, value in defaults.items()}))
"""


@pytest.fixture(scope="module")
def log(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The log of a service after one request of each kind."""
    folder = tmp_path_factory.mktemp("log")
    served = serve(installed / ".venv/bin/python", "my_service", folder)
    return "".join(f"{json.dumps(line)}\n" for line in served.lines)


def first_id(log: str) -> str:
    """Return the id of the first request."""
    return next(str(line["request_id"]) for line in map(json.loads, log.splitlines())
                if "request_id" in line)  # fmt: skip


EXPECTED: list[Callable[[str], bool]] = [
    lambda out: (
        [json.loads(line)["message"] for line in out.splitlines()]
        == ["greeting the world", "log request"]
    ),
    lambda out: len(out.splitlines()) == 6 and "/divide?a=1&b=0" in out,
    lambda out: out.count("unhandled exception") == 1 and "\nZeroDivisionError" in out,
]


@pytest.mark.parametrize("number", range(3))
def test_jq(number: int, installed: Path, log: str, tmp_path: Path) -> None:
    """Each jq line of docs/log.md answers its question on a real log."""
    if not shutil.which("jq"):
        pytest.skip("jq is not installed")
    lines = re.findall(r"^jq .*$", (installed / "docs/log.md").read_text("utf-8"), re.MULTILINE)
    assert len(lines) == len(EXPECTED)
    (tmp_path / "service.log").write_text(log)
    line = lines[number].replace("qPQ7dN0sWrA", first_id(log))
    done = run("sh", "-c", line, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert EXPECTED[number](done.stdout), done.stdout
