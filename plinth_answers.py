"""What Plinth allows as an answer, and how an answer is written down in the files of the project.

cookiecutter loads `Answers` as a Jinja extension (`_extensions` in cookiecutter.json).
"""

import keyword
import re
import sys
import unicodedata
from collections.abc import Callable
from typing import Any, NoReturn

from jinja2 import Environment
from jinja2.ext import Extension

SLUG_LENGTH = 30
TEXT_LENGTHS = {
    "project_name": 60,
    "description": 200,
    "author_name": 80,
    "author_email": 254,
}

# Persian words and emoji families need the joiners; all other invisible characters hide something.
JOINERS = "\N{ZERO WIDTH NON-JOINER}\N{ZERO WIDTH JOINER}"
INVISIBLE = {"Cc", "Cf", "Cs", "Zl", "Zp"}

SLUG = re.compile(r"[a-z][a-z0-9_]*")

# The build backend's own rule for a local part and a dotted domain, without blanks and brackets.
EMAIL = re.compile(r"(?!\.|.*\.\.|.*\.@)[^@\s<>]+@[^@\s<>]+\.[^@\s<>]+")

# `sys.stdlib_module_names` tells about the Python that runs cookiecutter; these come or go from
# 3.11 to 3.15, or are missing from it.
STANDARD_LIBRARY = sys.stdlib_module_names | set(
    """
    aifc annotationlib asynchat asyncore audioop cgi cgitb chunk compression crypt distutils
    imghdr imp lib2to3 mailcap msilib nis nntplib ossaudiodev pipes profiling sitecustomize smtpd
    sndhdr spwd sunau telnetlib test usercustomize uu xdrlib
    """.split()
)

# Import and distribution names of all that the project installs, directly or not, and of what
# installs it. A package of that name would be imported instead; a distribution of that name would
# depend on itself.
DEPENDENCIES = set(
    """
    annotated_doc annotated_types anyio ast_serialize certifi click colorama coverage dotenv
    fastapi h11 h2 hpack httpcore httpx hypercorn hyperframe idna iniconfig librt loguru mypy
    mypy_extensions mypyc opentelemetry opentelemetry_api orjson packaging pathspec pip pluggy
    poetry poetry_core priority prometheus_client py pydantic pydantic_core pydantic_settings
    pygments pytest pytest_cov python_dotenv ruff sentry_sdk setuptools sniffio stackprinter
    starlette typing_extensions typing_inspection urllib3 uv uvicorn watchfiles websockets wsproto
    """.split()
)

# Names at the top of the project, with those that only a file system without case confuses,
# and folders that version control or a tool takes for its own output.
PROJECT = set(
    """
    build caddyfile conftest dist dockerfile docs env htmlcov license makefile monitoring smoke
    tests venv
    """.split()
)

TAKEN = set(keyword.kwlist) | STANDARD_LIBRARY | DEPENDENCIES | PROJECT


# --- Refusing -----------------------------------------------------------------------------------


def checked(value: object, answer: str) -> str:
    """Return `value` if it is allowed for `answer`; otherwise end with one line that says why."""
    if not isinstance(value, str):
        refuse(answer, value, "is no text", "text in quotes")
    if answer == "project_slug":
        check_slug(value)
    else:
        check_text(value, answer)
    if answer == "author_email":
        check_email(value)
    return value


def check_slug(value: str) -> None:
    """Refuse what cannot be the name of the folder, the package and the distribution alike."""
    if len(value) > SLUG_LENGTH or not SLUG.fullmatch(value):
        allowed = f"a letter, then letters, digits and _, all of a-z, at most {SLUG_LENGTH} in all"
        refuse("project_slug", value, "is no usable name", allowed)
    if is_taken(value):
        allowed = f"any name that is not, such as {slugify(value)!r}"
        refuse("project_slug", value, "is taken by Python, a dependency or the project", allowed)


def check_text(value: str, answer: str) -> None:
    """Refuse what is too long, hides characters or would leave stray blanks in the files."""
    at_least = "1 to" if answer == "project_name" else "at most"
    allowed = f"{at_least} {TEXT_LENGTHS[answer]} characters in one line, no blank at either end"
    if answer == "project_name" and not any(map(is_visible, value)):
        refuse(answer, value, "is empty", allowed)
    if len(value) > TEXT_LENGTHS[answer]:
        refuse(answer, value, f"has {len(value)} characters", allowed)
    if hidden := next(filter(is_hidden, value), ""):
        problem = f"holds a line break or hidden character, U+{ord(hidden):04X}"
        refuse(answer, value, problem, allowed)
    if value != value.strip():
        refuse(answer, value, "begins or ends with a blank", allowed)


def check_email(value: str) -> None:
    """Refuse an address that the build backend of the project would not read."""
    if value and not EMAIL.fullmatch(value):
        allowed = "an address such as name@example.com, or nothing"
        refuse("author_email", value, "is no e-mail address", allowed)


def refuse(answer: str, value: object, problem: str, allowed: str) -> NoReturn:
    """End cookiecutter with one line on standard error and exit code 1, before anything is written.

    `SystemExit`, since cookiecutter prints its own exceptions to standard output, and cruft lets
    them end in a traceback.
    """
    shown = repr(value)
    if len(shown) > 60:
        shown = f"{shown[:57]}..."
    raise SystemExit(f"{answer}: {shown} {problem}; allowed is {allowed}")


def is_hidden(character: str) -> bool:
    """Tell line breaks, control, formatting and bidi characters, surrogates and noncharacters."""
    if character in JOINERS:
        return False
    code = ord(character)
    return (
        unicodedata.category(character) in INVISIBLE
        or code & 0xFFFE == 0xFFFE
        or 0xFDD0 <= code <= 0xFDEF
    )


def is_visible(character: str) -> bool:
    """Tell whether a reader sees the character by itself: no blank, no joiner, no mark."""
    return unicodedata.category(character)[0] not in "ZMC"


def is_taken(slug: str) -> bool:
    """Tell whether the package or its distribution would have the name of something else."""
    return slug in TAKEN or distribution(slug).replace("-", "_") in TAKEN


# --- Deriving -----------------------------------------------------------------------------------

# Letters that Unicode does not take apart into a Latin letter and an accent.
LATIN = str.maketrans({"æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th"})


def slugify(name: str) -> str:
    """Return a slug that is always allowed, and near to `name` where that has Latin letters."""
    decomposed = unicodedata.normalize("NFKD", name.casefold().translate(LATIN))
    # Without its accents and apostrophes a word stays one word.
    letters = re.sub(r"['’`\u0300-\u036f]", "", decomposed)
    slug = shorten(re.sub(r"[^a-z0-9]+", "_", letters).strip("_"), SLUG_LENGTH)
    if not slug:
        return "my_service"
    if slug[0].isdigit():
        slug = shorten(f"service_{slug}", SLUG_LENGTH)
    return f"{slug}_service" if is_taken(slug) else slug


def shorten(slug: str, length: int) -> str:
    """Cut at the end of a word where that leaves at least half, else in the middle of one."""
    if len(slug) <= length:
        return slug
    end = slug.rfind("_", 0, length + 1)
    return slug[: end if end >= length // 2 else length].rstrip("_")


def distribution(slug: str) -> str:
    """Return the name under which the project is installed: no `_` at the ends, else `-`."""
    return re.sub("_+", "-", slug.strip("_"))


def authors(name: str, email: str) -> str:
    """Return the TOML array for `project.authors`, always one that the build backend can read.

    It parses each author as `name <email>`, so the name loses its angle brackets here.
    """
    plain = " ".join(re.sub("[<>]", " ", name).split()) if re.search("[<>]", name) else name
    fields = {"name": plain, "email": email}
    table = ", ".join(f"{key} = {toml(value)}" for key, value in fields.items() if value)
    return f"[{{ {table} }}]" if table else "[]"


# --- Writing down -------------------------------------------------------------------------------

TOML_ESCAPES = {"\\": r"\\", '"': r"\"", "\t": r"\t", "\n": r"\n", "\r": r"\r"}

# Markup only where it stands: `_` not inside a word, `<` before a tag, `&` before an entity, `\`
# before punctuation, `#` where it would close a heading.
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

# What makes a heading, a quotation, a rule or a list of a line; of a number only its full stop.
MARKED_LINE = re.compile(r"^([0-9]{1,9}(?=[.)](\s|$))|(?=[#>+=-]))")


def toml(value: str) -> str:
    """Return `value` as a TOML basic string (YAML and JSON read it too), escaping what it must."""
    return f'"{"".join(TOML_ESCAPES.get(c) or escape_control(c) for c in value)}"'


def escape_control(character: str) -> str:
    """Return a control character as `\\u....`, any other as it is."""
    return f"\\u{ord(character):04x}" if unicodedata.category(character) == "Cc" else character


def pystring(value: str) -> str:
    """Return `value` as a Python literal that `ruff format` leaves alone and a person can read."""
    quote = "'" if value.count('"') > value.count("'") else '"'
    text = value.replace("\\", "\\\\").replace(quote, f"\\{quote}")
    return f"{quote}{''.join(map(escape_hidden, text))}{quote}"


def escape_hidden(character: str) -> str:
    """Return what a reader cannot see (no-break spaces too) as an escape, the rest as it is."""
    if is_hidden(character) or (character.isspace() and character != " "):
        return character.encode("unicode_escape").decode("ascii")
    return character


def markdown(value: str) -> str:
    """Return `value` so that Markdown shows it unchanged; ordinary text stays as it is."""
    return MARKED_LINE.sub(r"\1\\", MARKUP.sub(r"\\\g<0>", value))


FILTERS: tuple[Callable[..., Any], ...] = (
    checked, slugify, distribution, authors, toml, pystring, markdown,
)  # fmt: skip


class Answers(Extension):
    """Gives the filters above to cookiecutter.json, the template files and the hooks."""

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        environment.filters.update({function.__name__: function for function in FILTERS})
        # The summary at the end of the hook shows the answers in the order of the questions.
        environment.policies["json.dumps_kwargs"] = {"sort_keys": False}
        # `cruft update` renders two versions of the template in one process: without this the
        # second would be read with the filters of the first.
        sys.modules.pop(__name__, None)
