"""Checks of answers, and Jinja filters that derive names from them and escape them.

cookiecutter loads `Answers` as a Jinja extension (`_extensions` in cookiecutter.json).
"""

import keyword
import re
import sys
import unicodedata
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NoReturn

import cookiecutter
from jinja2 import Environment, Template
from jinja2.ext import Extension

if sys.version_info < (3, 11):  # noqa: UP036 - cookiecutter runs with any Python
    raise SystemExit(f"Python {sys.version.split()[0]} is too old; must be 3.11 or newer")

SLUG_LENGTH = 30
TEXT_LENGTHS = {
    "project_name": 60,
    "description": 200,
    "author_name": 80,
    "author_email": 254,
}

# Persian words and emoji families need the joiners; other invisible characters are refused.
JOINERS = "\N{ZERO WIDTH NON-JOINER}\N{ZERO WIDTH JOINER}"
INVISIBLE = {"Cc", "Cf", "Cs", "Zl", "Zp"}

SLUG = re.compile(r"[a-z][a-z0-9_]*")

# The build backend's rule for a local part and a dotted domain, without spaces and brackets.
EMAIL = re.compile(r"(?!\.|.*\.\.|.*\.@)[^@\s<>]+@[^@\s<>]+\.[^@\s<>]+")

# `sys.stdlib_module_names` describes the Python that runs cookiecutter. Python 3.11 to 3.15 add or
# remove the names below, or leave them out of that set.
STANDARD_LIBRARY = sys.stdlib_module_names | set(
    """
    aifc annotationlib asynchat asyncore audioop cgi cgitb chunk compression crypt distutils
    imghdr imp lib2to3 mailcap msilib nis nntplib ossaudiodev pipes profiling sitecustomize smtpd
    sndhdr spwd sunau telnetlib test usercustomize uu xdrlib
    """.split()
)

# Import and distribution names of direct and indirect dependencies, on any platform, and of the
# installers. A project with such a name would shadow the dependency, or depend on itself.
DEPENDENCIES = set(
    """
    annotated_doc annotated_types anyio ast_serialize certifi click colorama coverage dotenv
    fastapi h11 h2 hpack httpcore httpcore2 httpx httpx2 httpx2_jsfetch hypercorn hyperframe
    idna iniconfig librt loguru mypy mypy_extensions mypyc opentelemetry opentelemetry_api
    orjson packaging pathspec pip pluggy poetry poetry_core priority prometheus_client py
    pydantic pydantic_core pydantic_settings pygments pytest pytest_cov python_dotenv ruff
    sentry_sdk setuptools sniffio stackprinter starlette truststore typing_extensions
    typing_inspection urllib3 uv uvicorn watchfiles websockets win32_setctime wsproto
    """.split()
)

# Top-level names of the project, in lower case for file systems that ignore case, and folders
# that .gitignore or a tool treats as build output.
PROJECT = set(
    """
    build caddyfile conftest dist dockerfile docs env htmlcov license makefile monitoring smoke
    tests venv
    """.split()
)

TAKEN = set(keyword.kwlist) | STANDARD_LIBRARY | DEPENDENCIES | PROJECT


# --- Validating ---------------------------------------------------------------------------------


def check_answers(answers: dict[str, Any], questions: dict[str, Any]) -> None:
    """Refuse an invalid answer to one of the questions, as `cookiecutter.json` has them.

    Answers that are still missing are not checked. A slug is replaced by its valid form.
    """
    for name, default in questions.items():
        value = answers.get(name, default)
        if isinstance(default, bool) and not isinstance(value, bool):
            refuse(name, value, "is neither yes nor no", "true or false")
        if isinstance(default, list) and name in answers:
            check_choice(name, value, default)
        if isinstance(default, str) and name in answers:
            answers[name] = checked(value, name)


def check_choice(answer: str, value: object, choices: list[str]) -> None:
    """Refuse a value that is not one of the choices."""
    if value not in choices:
        allowed = f"{', '.join(choices[:-1])} or {choices[-1]}"
        refuse(answer, value, "is not one of the choices", allowed)


def checked(value: object, answer: str) -> str:
    """Return `value` if it is valid for `answer`, else exit with a one-line error.

    A slug is returned without capitals, spaces and hyphens, and one line says so.
    """
    if not isinstance(value, str):
        refuse(answer, value, "is not text", "text in quotes")
    if answer == "project_slug":
        return check_slug(value)
    check_text(value, answer)
    if answer == "author_email":
        check_email(value)
    return value


def check_slug(value: str) -> str:
    """Return the slug for `todo-api`, "Todo API" or `todo_api`: `todo_api`.

    Refuse one that cannot name the folder, the package and the distribution.
    """
    slug = re.sub("[ -]+", "_", value.strip(" ").lower()) if value.isascii() else value
    if len(slug) > SLUG_LENGTH or not SLUG.fullmatch(slug):
        allowed = f"1 to {SLUG_LENGTH} of a-z, 0-9 and _, the first one a letter"
        refuse("project_slug", value, "is not a valid name", allowed)
    if is_taken(slug):
        allowed = f"another name, such as {slugify(slug)!r}"
        refuse("project_slug", value, "is taken by Python, a dependency or the project", allowed)
    if slug != value:
        with suppress(OSError):  # a closed pipe is no reason to stop
            print(f"project_slug: {value!r} is taken as {slug!r}", flush=True)
    return slug


def check_text(value: str, answer: str) -> None:
    """Refuse text that is too long, has hidden characters or starts or ends with a space."""
    limit = f"{'1 to' if answer == 'project_name' else 'at most'} {TEXT_LENGTHS[answer]}"
    allowed = f"{limit} characters on one line, without a space at the start or end"
    if answer == "project_name" and not any(map(is_visible, value)):
        refuse(answer, value, "is empty", allowed)
    if len(value) > TEXT_LENGTHS[answer]:
        refuse(answer, value, f"has {len(value)} characters", allowed)
    if hidden := next(filter(is_hidden, value), ""):
        problem = f"contains a line break or hidden character, U+{ord(hidden):04X}"
        refuse(answer, value, problem, allowed)
    if value != value.strip():
        refuse(answer, value, "starts or ends with a space", allowed)


def check_email(value: str) -> None:
    """Refuse an address that the build backend would reject."""
    if value and not EMAIL.fullmatch(value):
        allowed = "an address such as name@example.com, or empty"
        refuse("author_email", value, "is not an e-mail address", allowed)


def refuse(answer: str, value: object, problem: str, allowed: str) -> NoReturn:
    """Exit with one line on standard error and exit code 1, before any file is written.

    We raise `SystemExit` because cookiecutter prints its own exceptions to standard output and
    cruft shows a traceback for them.
    """
    shown = repr(value)
    if len(shown) > 60:
        shown = f"{shown[:57]}..."
    raise SystemExit(f"{answer}: {shown} {problem}; must be {allowed}")


def is_hidden(character: str) -> bool:
    """Match line breaks, control, format and bidi characters, surrogates and noncharacters."""
    if character in JOINERS:
        return False
    code = ord(character)
    return (
        unicodedata.category(character) in INVISIBLE
        or code & 0xFFFE == 0xFFFE
        or 0xFDD0 <= code <= 0xFDEF
    )


def is_visible(character: str) -> bool:
    """Return whether the character is visible by itself: not a space, joiner or mark."""
    return unicodedata.category(character)[0] not in "ZMC"


def is_taken(slug: str) -> bool:
    """Return whether the package or its distribution would share a name with something else."""
    return slug in TAKEN or distribution(slug).replace("-", "_") in TAKEN


# --- Deriving -----------------------------------------------------------------------------------

# Letters that Unicode does not decompose into a Latin letter and an accent.
LATIN = str.maketrans({"æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th"})


def slugify(name: str) -> str:
    """Return a valid slug, close to `name` if that has Latin letters."""
    decomposed = unicodedata.normalize("NFKD", name.casefold().translate(LATIN))
    # Drop accents and apostrophes, so that they do not split a word.
    letters = re.sub(r"['’`\u0300-\u036f]", "", decomposed)
    slug = shorten(re.sub(r"[^a-z0-9]+", "_", letters).strip("_"), SLUG_LENGTH)
    if not slug:
        return "my_service"
    if slug[0].isdigit():
        slug = shorten(f"service_{slug}", SLUG_LENGTH)
    return f"{slug}_service" if is_taken(slug) else slug


def shorten(slug: str, length: int) -> str:
    """Cut at the end of a word if that leaves at least half of `length`, else inside a word."""
    if len(slug) <= length:
        return slug
    end = slug.rfind("_", 0, length + 1)
    return slug[: end if end >= length // 2 else length].rstrip("_")


def distribution(slug: str) -> str:
    """Return the distribution name: no `_` at the ends, `-` in place of the others."""
    return re.sub("_+", "-", slug.strip("_"))


def authors(name: str, email: str) -> str:
    """Return the TOML array for `project.authors`.

    The build backend parses each author as `name <email>`, so we remove angle brackets from the
    name.
    """
    plain = " ".join(re.sub("[<>]", " ", name).split()) if re.search("[<>]", name) else name
    fields = {"name": plain, "email": email}
    table = ", ".join(f"{key} = {toml(value)}" for key, value in fields.items() if value)
    return f"[{{ {table} }}]" if table else "[]"


# --- Escaping -----------------------------------------------------------------------------------

TOML_ESCAPES = {"\\": r"\\", '"': r"\"", "\t": r"\t", "\n": r"\n", "\r": r"\r"}

# Characters that are markup in their position: `_` not inside a word, `<` before a tag, `&` before
# an entity, `\` before punctuation, `#` that would close a heading.
MARKUP = re.compile(
    r"""
    [`*~\[\]]
    | (?<![^\W_])_ | _(?![^\W_])
    | <(?=[a-zA-Z/!?]|$)
    | &(?=\#?[0-9a-zA-Z]+;)
    | \\(?=[!-/:-@\[-`{-~]|$)
    | (?<=\s)\#(?=\#*$)
    """,
    re.VERBOSE,
)

# Starts a heading, a quotation, a rule or a list; after a number only its full stop is escaped.
MARKED_LINE = re.compile(r"^([0-9]{1,9}(?=[.)](\s|$))|(?=[#>+=-]))")


def toml(value: str) -> str:
    """Return `value` as a TOML basic string, which is valid YAML and JSON as well."""
    return f'"{"".join(TOML_ESCAPES.get(c) or escape_control(c) for c in value)}"'


def escape_control(character: str) -> str:
    """Return a control character as `\\u....`, any other unchanged."""
    return f"\\u{ord(character):04x}" if unicodedata.category(character) == "Cc" else character


def pystring(value: str) -> str:
    """Return `value` as a readable Python literal that `ruff format` does not change."""
    quote = "'" if value.count('"') > value.count("'") else '"'
    text = value.replace("\\", "\\\\").replace(quote, f"\\{quote}")
    return f"{quote}{''.join(map(escape_hidden, text))}{quote}"


def escape_hidden(character: str) -> str:
    """Return an invisible character (no-break spaces too) as an escape, any other unchanged."""
    if is_hidden(character) or (character.isspace() and character != " "):
        return character.encode("unicode_escape").decode("ascii")
    return character


def markdown(value: str) -> str:
    """Escape `value` so that Markdown shows it unchanged; ordinary text needs no escapes."""
    return MARKED_LINE.sub(r"\1\\", MARKUP.sub(r"\\\g<0>", value))


# --- Extending Jinja ----------------------------------------------------------------------------

FILTERS: tuple[Callable[..., Any], ...] = (
    slugify, distribution, authors, toml, pystring, markdown,
)  # fmt: skip


class CheckedTemplate(Template):
    """Checks the answers before each use.

    cookiecutter renders each question with the answers before it, and the name of the project's
    folder before it makes the folder. So an invalid answer ends the run before the next question
    and before any file, whether it was typed, given on the command line or replayed.
    """

    def render(self, *args: Any, **context: Any) -> str:
        """Return the rendered text."""
        extension: Any = self.environment.extensions[Answers.identifier]
        extension.check(context["cookiecutter"])
        return super().render(*args, **context)


class Answers(Extension):
    """Checks answers; adds filters and the stamp for cookiecutter.json, the files and the hook."""

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        version = cookiecutter.__version__
        if [int(part) for part in version.split(".")[:2]] < [2, 6]:
            raise SystemExit(f"cookiecutter {version} is too old; must be 2.6 or newer")
        import template_stamp  # needs a Python that is new enough

        self.questions = template_stamp.questions()
        self.modified = template_stamp.modified
        environment.template_class = CheckedTemplate
        environment.filters.update({function.__name__: function for function in FILTERS})
        functions = (template_stamp.stamp, template_stamp.project_files)
        environment.globals.update({function.__name__: function for function in functions})
        # The hook's summary shows the answers in the order of the questions.
        environment.policies["json.dumps_kwargs"] = {"sort_keys": False}
        # `cruft update` renders two versions of the template in one process. Without this, the
        # second version would get the functions of the first.
        for name in (__name__, template_stamp.__name__):
            sys.modules.pop(name, None)

    def check(self, answers: dict[str, Any]) -> None:
        """Check the answers, and note for the hook which files exist before the first is written.

        cookiecutter sets `_output_dir` once all questions are answered; cruft does not.
        """
        check_answers(answers, self.questions)
        if "_output_dir" in answers and "_modified" not in answers:
            answers["_modified"] = self.modified(answers["_output_dir"], answers["project_slug"])
