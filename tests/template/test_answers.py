"""Which answers are refused, and how the others are derived and escaped."""

import ast
import json
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from packaging.utils import canonicalize_name
from poetry.core.json import validate_object

from template_extension import (
    DEPENDENCIES,
    EMAIL,
    PROJECT,
    SLUG,
    TAKEN,
    authors,
    checked,
    distribution,
    markdown,
    pystring,
    slugify,
    toml,
)
from tests.renders import (
    AWKWARD_NAMES,
    CONTEXT,
    TEMPLATE,
    command,
    environment,
    files,
    render,
    run,
)
from tests.strategies import ALLOWED, ANY

BAD_ANSWERS = {
    "name-empty": ("project_name", ""),
    "name-only-spaces": ("project_name", "   "),
    "name-only-no-break-spaces": ("project_name", "\u00a0\u3000"),
    "name-only-joiners": ("project_name", "\u200d\ufe0f"),
    "name-space-before": ("project_name", " My Service"),
    "name-space-after": ("project_name", "My Service "),
    "name-too-long": ("project_name", "n" * 61),
    "name-line-feed": ("project_name", "My\nService"),
    "name-last-line-feed": ("project_name", "My Service\n"),
    "name-carriage-return": ("project_name", "My\rService"),
    "name-vertical-tab": ("project_name", "My\vService"),
    "name-form-feed": ("project_name", "My\fService"),
    "name-next-line": ("project_name", "My\u0085Service"),
    "name-line-separator": ("project_name", "My\u2028Service"),
    "name-paragraph-separator": ("project_name", "My\u2029Service"),
    "name-tab": ("project_name", "My\tService"),
    "name-escape": ("project_name", "My\x1b[31mService"),
    "name-delete": ("project_name", "My\x7fService"),
    "name-right-to-left-override": ("project_name", "My\u202eService"),
    "name-isolate": ("project_name", "My\u2066Service"),
    "name-zero-width-space": ("project_name", "My\u200bService"),
    "name-byte-order-mark": ("project_name", "\ufeffMy Service"),
    "name-surrogate": ("project_name", "My\udcffService"),
    "name-noncharacter": ("project_name", "My\uffffService"),
    "description-too-long": ("description", "d" * 201),
    "description-line-feed": ("description", "One.\nTwo."),
    "description-only-spaces": ("description", " "),
    "author-too-long": ("author_name", "a" * 81),
    "author-line-separator": ("author_name", "Zo\u2028ë"),
    "author-surrogate": ("author_name", "Zo\ud800"),
    "email-without-at": ("author_email", "zoe"),
    "email-without-dot": ("author_email", "a@b"),
    "email-two-at": ("author_email", "a@b@example.com"),
    "email-without-name": ("author_email", "@example.com"),
    "email-leading-dot": ("author_email", ".a@example.com"),
    "email-double-dot": ("author_email", "a..b@example.com"),
    "email-last-dot": ("author_email", "a.@example.com"),
    "email-with-name": ("author_email", "Zoe <zoe@example.com>"),
    "email-space": ("author_email", "zoe @example.com"),
    "email-line-feed": ("author_email", "zoe@example.com\n"),
    "email-too-long": ("author_email", f"{'a' * 250}@example.com"),
    "slug-empty": ("project_slug", ""),
    "slug-only-spaces": ("project_slug", "  "),
    "slug-tab": ("project_slug", "my\tservice"),
    "slug-dot": ("project_slug", "my.service"),
    "slug-leading-hyphen": ("project_slug", "-api"),
    "slug-kelvin": ("project_slug", "\u212aelvin"),
    "slug-taken-in-lower-case": ("project_slug", "FastAPI"),
    "slug-taken-with-hyphens": ("project_slug", "Pydantic-Core"),
    "slug-digit": ("project_slug", "3d"),
    "slug-underscore": ("project_slug", "_private"),
    "slug-only-underscores": ("project_slug", "__"),
    "slug-accent": ("project_slug", "zoë"),
    "slug-arabic-digit": ("project_slug", "a\u0661"),
    "slug-line-feed": ("project_slug", "a\n"),
    "slug-too-long": ("project_slug", "s" * 31),
    "slug-300-characters": ("project_slug", "s" * 300),
    "slug-parent": ("project_slug", "../x"),
    "slug-far-away": ("project_slug", "../x/y/z"),
    "slug-nested": ("project_slug", "a/b/c"),
    "slug-absolute": ("project_slug", "/tmp/plinth-abs"),
    "slug-here": ("project_slug", "."),
    "slug-code": ("project_slug", 'a"; import os; print("INJ") #'),
    "slug-keyword": ("project_slug", "class"),
    "slug-async": ("project_slug", "async"),
    "slug-standard-library": ("project_slug", "logging"),
    "slug-newer-standard-library": ("project_slug", "compression"),
    "slug-older-standard-library": ("project_slug", "cgi"),
    "slug-start-up": ("project_slug", "sitecustomize"),
    "slug-test": ("project_slug", "test"),
    "slug-tests": ("project_slug", "tests"),
    "slug-makefile": ("project_slug", "makefile"),
    "slug-dependency": ("project_slug", "fastapi"),
    "slug-dependency-with-underscore": ("project_slug", "fastapi_"),
    "slug-indirect-dependency": ("project_slug", "pydantic_core"),
    "slug-distribution": ("project_slug", "python_dotenv"),
    "slug-dependency-on-windows": ("project_slug", "win32_setctime"),
    "slug-development-dependency": ("project_slug", "pytest"),
}

# One of each kind, to show how the command refuses it.
SHOWN_TO_COMMAND = [
    "name-surrogate",
    "name-line-feed",
    "email-without-dot",
    "slug-parent",
    "slug-300-characters",
    "slug-tests",
]

PROMPTS = CONTEXT["__prompts__"].values()
QUESTIONS = len(PROMPTS)

GOOD_ANSWERS = {
    **{f"name-{kind}": ("project_name", name) for kind, name in AWKWARD_NAMES.items()},
    "name-longest": ("project_name", "N" * 60),
    "name-one-character": ("project_name", "李"),
    "description-empty": ("description", ""),
    "description-longest": ("description", "d" * 200),
    "author-empty": ("author_name", ""),
    "author-longest": ("author_name", "a" * 80),
    "email-empty": ("author_email", ""),
    "email-plain": ("author_email", "zoe@example.com"),
    "email-plus": ("author_email", "zoe+plinth@mail.example.co"),
    "email-apostrophe": ("author_email", "o'hara@example.com"),
    "email-unicode": ("author_email", "zoë@exämple.de"),
    "slug-one-letter": ("project_slug", "a"),
    "slug-longest": ("project_slug", "s" * 30),
    "slug-last-underscore": ("project_slug", "billing_"),
    "slug-soft-keyword": ("project_slug", "match"),
    "slug-builtin": ("project_slug", "list"),
    "slug-app": ("project_slug", "app"),
}

# Slugs that are not refused, and what becomes of them.
TIDIED_SLUGS = {
    "todo-api": "todo_api",
    "Todo_API": "todo_api",
    "todo api": "todo_api",
    " Todo  -  API ": "todo_api",
    "T": "t",
    "api-": "api_",
}

SLUGS = {
    "My Service": "my_service",
    "Zoë": "zoe",
    "Größe": "grosse",
    "Æblegrød & Smørrebrød": "aeblegrod_smorrebrod",
    "李雷": "my_service",
    "Сервис": "my_service",
    "李雷 API": "api",
    "😀": "my_service",
    'Bob\'s "Best" API': "bobs_best_api",
    "  --My__Service--": "my_service",
    "3D Printing": "service_3d_printing",
    "Logging": "logging_service",
    "Tests": "tests_service",
    "FastAPI": "fastapi_service",
    "Python dotenv": "python_dotenv_service",
    "The quick brown fox jumps over the lazy dog": "the_quick_brown_fox_jumps_over",
    "A" * 60: "a" * 30,
    "A Rindfleischetikettierungsüberwachungsaufgabe": "a_rindfleischetikettierungsube",
}


def refused(answer: str, value: object) -> str:
    """Return the error for a refused answer."""
    with pytest.raises(SystemExit) as refusal:
        checked(value, answer)
    return str(refusal.value)


@pytest.mark.parametrize(("answer", "value"), BAD_ANSWERS.values(), ids=BAD_ANSWERS)
def test_a_bad_answer_is_refused_in_one_line(answer: str, value: str) -> None:
    """The line names the answer, the value and what is allowed, and is short."""
    line = refused(answer, value)
    assert line.startswith(f"{answer}: {repr(value)[:57]}")
    assert "; must be " in line
    assert len(line.splitlines()) == 1
    assert line.encode()
    assert len(line) <= 240


@pytest.mark.parametrize(("answer", "value"), BAD_ANSWERS.values(), ids=BAD_ANSWERS)
def test_a_bad_answer_leaves_nothing_on_disk(answer: str, value: str, tmp_path: Path) -> None:
    """The render creates no folder, inside or outside the output, and no replay file."""
    (home := tmp_path / "home").mkdir()
    with pytest.raises(SystemExit):
        render(tmp_path / "deep" / "output", home, **{answer: value})
    assert files(tmp_path) == {"home/cookiecutter.yaml"}
    assert not (tmp_path / "deep").exists()


@pytest.mark.parametrize("kind", SHOWN_TO_COMMAND)
def test_the_command_shows_the_one_line(kind: str, tmp_path: Path) -> None:
    """`cookiecutter` prints only that line, on standard error, and exits with 1."""
    answer, value = BAD_ANSWERS[kind]
    (home := tmp_path / "home").mkdir()
    (output := tmp_path / "output").mkdir()
    done = run(
        command("cookiecutter"), TEMPLATE, "--no-input", f"{answer}={value}",
        cwd=output, env=environment(home),
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.splitlines() == [refused(answer, value)]
    assert files(tmp_path) == set()
    assert list(output.iterdir()) == []


def test_a_bad_answer_ends_the_questions(tmp_path: Path) -> None:
    """The error appears before the next question, not after the last one."""
    done = run(
        command("cookiecutter"), TEMPLATE,
        cwd=tmp_path, env=environment(tmp_path), typed="My Service\n../x\n",
    )  # fmt: skip
    assert done.returncode == 1
    assert f"[2/{QUESTIONS}]" in done.stdout
    assert f"[3/{QUESTIONS}]" not in done.stdout
    assert done.stderr.splitlines() == [refused("project_slug", "../x")]


def test_enter_answers_every_question(tmp_path: Path) -> None:
    """Every default is valid, and the questions appear with their prompts, in their order."""
    done = run(
        command("cookiecutter"), TEMPLATE,
        cwd=tmp_path, env=environment(tmp_path, COLUMNS="200"), typed="\n" * QUESTIONS,
    )  # fmt: skip
    assert done.returncode == 0
    asked = [prompt if isinstance(prompt, str) else prompt["__prompt__"] for prompt in PROMPTS]
    found = [done.stdout.index(f"[{n}/{QUESTIONS}] {prompt}") for n, prompt in enumerate(asked, 1)]
    assert found == sorted(found)
    assert (tmp_path / "my_service").is_dir()


@pytest.mark.parametrize("value", [None, 3, True, ["a"]], ids=repr)
def test_a_value_that_is_not_text_is_refused(value: object) -> None:
    """Numbers and lists from the user's cookiecutter settings are refused in one line too."""
    assert "is not text; must be" in refused("project_name", value)


@pytest.mark.parametrize(("answer", "value"), GOOD_ANSWERS.values(), ids=GOOD_ANSWERS)
def test_a_good_answer_is_kept(answer: str, value: str) -> None:
    """Any script, quotes, joiners and the longest texts come back unchanged."""
    assert checked(value, answer) == value


@pytest.mark.parametrize(("value", "slug"), TIDIED_SLUGS.items(), ids=TIDIED_SLUGS)
def test_a_slug_is_tidied(value: str, slug: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Hyphens, capitals and spaces become what a package can have, and one line says so."""
    assert checked(value, "project_slug") == slug
    assert capsys.readouterr().out == f"project_slug: {value!r} is taken as {slug!r}\n"


@pytest.mark.parametrize("typed", [True, False])
def test_a_tidied_slug_is_used(typed: bool, tmp_path: Path) -> None:
    """Folder, package and summary have the tidied slug, typed or on the command line."""
    answers = () if typed else ("--no-input", "project_slug=Todo-API")
    done = run(
        command("cookiecutter"), TEMPLATE, *answers,
        cwd=tmp_path, env=environment(tmp_path), typed="\nTodo-API\n" + "\n" * QUESTIONS,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("project_slug: 'Todo-API' is taken as 'todo_api'\n") == 1
    assert "  project_slug    todo_api\n" in done.stdout
    project = tmp_path / "todo_api"
    assert (project / "todo_api" / "main.py").exists()
    stamp = tomllib.loads((project / "pyproject.toml").read_text("utf-8"))
    assert stamp["project"]["name"] == "todo-api"
    assert not any(b"Todo-API" in (project / path).read_bytes() for path in files(project))


def test_every_question_has_a_prompt() -> None:
    """Every question and choice has a prompt, without markup that the terminal would hide."""
    questions = {name for name in CONTEXT if not name.startswith("_")}
    assert set(CONTEXT["__prompts__"]) == questions
    assert "[" not in json.dumps(CONTEXT["__prompts__"])
    for name, choices in CONTEXT.items():
        if not name.startswith("_") and isinstance(choices, list):
            assert set(CONTEXT["__prompts__"][name]) == {"__prompt__", *choices}


@given(st.from_regex(EMAIL, fullmatch=True))
def test_build_backend_accepts_every_allowed_address(value: str) -> None:
    """Our pattern allows no address that the backend's schema rejects."""
    project = {"name": "a", "version": "1", "authors": [{"email": value}]}
    assert validate_object(project, "project-schema") == []


@pytest.mark.parametrize(("name", "slug"), SLUGS.items(), ids=SLUGS)
def test_slug_of_a_name(name: str, slug: str) -> None:
    """The slug is what a person would type."""
    assert slugify(name) == slug


@given(st.text(max_size=60) | st.sampled_from(sorted(TAKEN)))
def test_every_name_has_an_allowed_slug(name: str) -> None:
    """Pressing Enter at the second question is always valid."""
    slug = slugify(name)
    assert checked(slug, "project_slug") == slug
    assert not slug.endswith("_")


@given(
    st.from_regex(r"[a-z][a-z0-9_]{0,29}", fullmatch=True, alphabet=st.characters(codec="ascii"))
)
def test_every_slug_has_a_distribution_name(slug: str) -> None:
    """The distribution name is the normalized name that package indexes use."""
    assert canonicalize_name(slug).strip("-") == distribution(slug)


def test_installed_names_are_reserved(install: Callable[[str], Path]) -> None:
    """No project can have the name of a dependency, on any platform, or of a standard module."""
    project = install("all")
    lock = tomllib.loads((project / "uv.lock").read_text("utf-8"))
    # The lock file leaves out what `install` adds for the heavy tests.
    locked = {package["name"] for package in lock["package"]} - {"my-service"}
    done = run(project / ".venv/bin/python", "-c", PRINT_NAMES, cwd=project)
    assert done.returncode == 0, done.stderr
    standard, imports = json.loads(done.stdout)
    names = {name.replace("-", "_") for name in locked}.union(
        standard,
        (name for name, owners in imports.items() if locked & {*map(canonicalize_name, owners)}),
    )
    assert {"fastapi", "prometheus_client", "dotenv", "pytest", "logging"} <= names
    assert {name for name in names if SLUG.fullmatch(name)} - TAKEN == set()


# Prints the standard modules, and the installed packages with their distributions.
PRINT_NAMES = """
import json, sys
from importlib.metadata import packages_distributions
print(json.dumps([sorted(sys.stdlib_module_names), packages_distributions()]))
"""


def test_every_reserved_name_could_be_a_slug() -> None:
    """The lists contain no name that the pattern already refuses."""
    assert {name for name in DEPENDENCIES | PROJECT if not SLUG.fullmatch(name)} == set()


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("My Service", '"My Service"'),
        ('Sean "Bob" O\'Hara', '"Sean \\"Bob\\" O\'Hara"'),
        ("C:\\new", '"C:\\\\new"'),
        ("Zoë 李雷 😀", '"Zoë 李雷 😀"'),
        ("a\tb\nc\x00\x7f\x85", '"a\\tb\\nc\\u0000\\u007f\\u0085"'),
    ],
)
def test_toml(value: str, written: str) -> None:
    """Only characters that TOML forbids are escaped."""
    assert toml(value) == written


@given(ANY)
def test_toml_reads_back(value: str) -> None:
    """TOML and JSON read back the same text."""
    assert tomllib.loads(f"x = {toml(value)}") == {"x": value}
    assert json.loads(toml(value)) == value


@given(ALLOWED)
def test_toml_is_yaml(value: str) -> None:
    """YAML, which allows fewer characters than TOML, reads back every valid answer."""
    assert yaml.safe_load(f"x: {toml(value)}\n") == {"x": value}


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("My Service", '"My Service"'),
        ("O'Hara", '"O\'Hara"'),
        ('"Bob"', "'\"Bob\"'"),
        ('"Bob" O\'Hara', "'\"Bob\" O\\'Hara'"),
        ("'\"", '"\'\\""'),
        ("C:\\new", '"C:\\\\new"'),
        ("Zoë 李雷 😀 👩\u200d👧", '"Zoë 李雷 😀 👩\u200d👧"'),
        ("a\u00a0b\u200bc\n", '"a\\xa0b\\u200bc\\n"'),
    ],
)
def test_pystring(value: str, written: str) -> None:
    """Quotes are those of the formatter; only invisible characters are escaped."""
    assert pystring(value) == written


@settings(max_examples=25)
@given(st.lists(ANY, min_size=40, max_size=40))
def test_pystring_is_formatted_and_reads_back(values: list[str]) -> None:
    """`ruff format` changes no literal, and Python reads back the same text."""
    literals = [pystring(value) for value in values]
    assert [ast.literal_eval(literal) for literal in literals] == values
    source = "".join(f"x = {literal}\n" for literal in literals)
    formatted = subprocess.run(
        [command("ruff"), "format", "--isolated", "--line-length=320", "-"],
        input=source.encode(),
        capture_output=True,
        check=True,
    )
    assert formatted.stdout.decode() == source


@pytest.mark.parametrize(
    "value",
    ["My Service", "Sean \"Bob\" O'Hara", "Zoë", "李雷", "😀", "snake_case", "A & B", "I <3 U",
     "C#", "C:\\new", "Hi! (yes)", "50 %", "v1.0", "2 > 1", "a-b"],
)  # fmt: skip
def test_markdown_leaves_ordinary_text_alone(value: str) -> None:
    """Names, scripts, quotes and signs that are not markup in their position need no escape."""
    assert markdown(value) == value


def shown(markup: str) -> tuple[str, str]:
    """Return the tag of a block of Markdown and its text, which has no other markup."""
    block, inline, _ = MarkdownIt("commonmark").enable(["strikethrough", "table"]).parse(markup)
    assert inline.children
    assert {child.type for child in inline.children} <= {"text", "text_special"}
    return block.tag, "".join(child.content for child in inline.children)


@given(ALLOWED)
def test_markdown_shows_the_answer(value: str) -> None:
    """At the start of a line, inside one and as a heading, the reader sees the answer unchanged."""
    assert shown(f"{markdown(value)}") == ("p", value)
    assert shown(f"# {markdown(value)}") == ("h1", value)
    assert shown(f"By {markdown(value)}, (x) ~ * _ `") == ("p", f"By {value}, (x) ~ * _ `")


@pytest.mark.parametrize(
    ("name", "email", "written"),
    [
        ("", "", "[]"),
        ("Zoë", "", '[{ name = "Zoë" }]'),
        ("", "zoe@example.com", '[{ email = "zoe@example.com" }]'),
        ("Zoë", "zoe@example.com", '[{ name = "Zoë", email = "zoe@example.com" }]'),
        ("Zoë <zoe>", "", '[{ name = "Zoë zoe" }]'),
        ("<>", "", "[]"),
    ],
)
def test_authors(name: str, email: str, written: str) -> None:
    """The list has the answers, without angle brackets."""
    assert authors(name, email) == written
