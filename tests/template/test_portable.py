"""`make portable`: the template with `{{ }}`, which Windows can check out."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import pytest

from given_answers import as_templates
from make_portable import Source, export, export_branch
from tests.renders import (
    AWKWARD_NAMES,
    COMBINATIONS,
    PAIRWISE,
    PYTHON_VERSIONS,
    command,
    commit,
    contents,
    environment,
    files,
    git,
    run,
    settings,
)

TEXTS = ("project_name", "author_name", "description")
# Every combination with three awkward names; together they have all names.
NAMES = [*AWKWARD_NAMES.values()] * 2
CASES = {name: NAMES[3 * number : 3 * number + 3] for number, name in enumerate(PAIRWISE)}

# Names of devices, which Windows reserves with any extension.
RESERVED = {"CON", "PRN", "AUX", "NUL"} | {f"{d}{n}" for d in ("COM", "LPT") for n in range(1, 10)}

ENVIRONMENT = {
    "variable_start_string": "<<",
    "variable_end_string": ">>",
    "block_start_string": "# <%",
    "block_end_string": "%>",
    "comment_start_string": "<#",
    "comment_end_string": "#>",
    "trim_blocks": True,
    "lstrip_blocks": True,
}

# Lines of a template file, and what they render to with the name `x`.
LINES = {
    "variable": ("<< cookiecutter.name >>", "x"),
    "filter": ("<<cookiecutter.name|upper>>", "X"),
    "two braces": ("{{ $labels.job }}", "{{ $labels.job }}"),
    "github": ("${{ github.sha }}", "${{ github.sha }}"),
    "many braces": ("{{{ {{{{ }}}", "{{{ {{{{ }}}"),
    "block and comment of Jinja": ("{% if x %} {# y #}", "{% if x %} {# y #}"),
    "brace before": ("{<< cookiecutter.name >>}", "{x}"),
    "two braces before": ("{{<< cookiecutter.name >>}}", "{{x}}"),
    "three braces before": ("{{{<< cookiecutter.name >>}}}", "{{{x}}}"),
    "brace and space before": ("{ << cookiecutter.name >> }", "{ x }"),
    "f-string": ('f"{name!r:{{<< 1 + 1 >>}}}"', 'f"{name!r:{{2}}}"'),
    "end in quotes": ("""<< "a >> b" ~ 'c >>' >>""", "a >> bc >>"),
    "braces in quotes": ("""<< "}}" ~ '{{' >>""", "}}{{"),
    "dictionary": ("<< {'a': {'b': 1}} >>", "{'a': {'b': 1}}"),
    "tight dictionary": ("<<{'a': {'b': 1}}['a']>>", "{'b': 1}"),
    "trimmed": ("a <<- ' {{ ' ->> b", "a {{ b"),
    "comment": ("a<# {{ << #>b", "ab"),
    "apostrophe in a comment": ("it's <# it's #><< 1 >>", "it's 1"),
    "block": ("# <% if '{{' == '%>' %>\nno\n# <% endif %>\n{{ yes }}", "{{ yes }}"),
    "raw": ("# <% raw %>\n<< a >> {{ b }}\n# <% endraw %>\nc", "\n<< a >> {{ b }}\nc"),
    "line ends": ("{{ a }}\r", "{{ a }}\r"),
}


@pytest.fixture
def portable(clone: Path, tmp_path: Path) -> Path:
    """The portable template of the working tree."""
    export(clone, "HEAD", tmp_path / "portable")
    return tmp_path / "portable"


# Renders projects in one process that imports the template's own modules.
RENDER = """
import json, sys
from cookiecutter.main import cookiecutter
template, config, projects = json.load(sys.stdin)
for output, answers in projects.items():
    cookiecutter(
        template, no_input=True, extra_context=answers, output_dir=output, config_file=config
    )
"""


def bake(
    template: Path, output: Path, home: Path, projects: dict[str, dict[str, str]]
) -> dict[str, bytes]:
    """Render projects, each a folder with answers, and return the bytes of each file."""
    (output / ".git").mkdir(parents=True)  # no repository for each project
    context = json.loads((template / "cookiecutter.json").read_text("utf-8"))
    given = {name: as_templates(answers, context) for name, answers in projects.items()}
    typed = json.dumps([str(template), str(settings(home)), given])
    env = environment(home)
    done = run(sys.executable, "-c", RENDER, cwd=output, env=env, typed=typed)
    assert done.returncode == 0, done.stderr
    return contents(output)


def test_renders_the_same(clone: Path, portable: Path, tmp_path: Path, home: Path) -> None:
    """Any two options and every awkward name give the same bytes as the template with `<< >>`."""
    assert {name for names in CASES.values() for name in names} == {*AWKWARD_NAMES.values()}
    projects = {}
    for number, (combination, names) in enumerate(CASES.items()):
        answers = {name: str(value) for name, value in COMBINATIONS[combination].items()}
        answers["python_version"] = PYTHON_VERSIONS[number % len(PYTHON_VERSIONS)]
        projects[combination] = answers | dict(zip(TEXTS, names, strict=True))
    rendered = bake(clone, tmp_path / "a", home, projects)
    assert bake(portable, tmp_path / "b", home, projects) == rendered
    head = git(clone, "rev-parse", "HEAD").encode()
    stamped = [path for path in rendered if path.endswith("/pyproject.toml")]
    assert len(stamped) == len(CASES)
    for path in stamped:
        assert b'commit = "%b"' % head in rendered[path]


def test_paths(portable: Path) -> None:
    """Only what a user needs is there; the folder of the project is the only template."""
    found = {path.name for path in portable.iterdir()}
    assert found >= {"cookiecutter.json", "docs", "hooks", "make_new.py", "portable.json"}
    assert not found & {"tests", "bench", ".ci", ".github"}
    assert {name for name in found if "cookiecutter." in name} == {
        "cookiecutter.json",
        "{{cookiecutter.project_slug}}",
    }


def test_windows_can_check_out(portable: Path) -> None:
    """No path has a character, a name, an end, a twin or a length that Windows refuses."""
    paths = files(portable)
    parts = {part for path in paths for part in path.split("/")}
    assert [part for part in parts if re.search(r'[<>:"\\|?*\x00-\x1f]|[. ]$', part)] == []
    assert [part for part in parts if part.split(".")[0].upper() in RESERVED] == []
    everything = {
        str(p) for path in paths for p in (PurePosixPath(path), *PurePosixPath(path).parents)
    }
    assert len({path.casefold() for path in everything}) == len(everything)
    assert max(map(len, paths)) < 160  # of 260, for the folder of the clone


def test_line_ends(portable: Path) -> None:
    """Every text has `\\n` alone, and `.gitattributes` keeps it so in a clone."""
    texts = [path for path, content in contents(portable).items() if b"\0" not in content]
    assert [path for path in texts if b"\r" in (portable / path).read_bytes()] == []
    assert "* text=auto eol=lf\n" in (portable / ".gitattributes").read_text("utf-8")


def test_names_its_commit(clone: Path, portable: Path) -> None:
    """`portable.json` has the commit of the source; an address only if there is one to share."""
    head = git(clone, "rev-parse", "HEAD")
    stamp = json.loads((portable / "portable.json").read_text("utf-8"))
    assert stamp == {"commit": head, "template": ""}


def test_reads_commits(clone: Path, tmp_path: Path) -> None:
    """The export has the files of the commit as git stores them, with nothing checked out."""
    git(clone, "tag", "first")
    (clone / "hooks/post_gen_project.py").unlink()
    (clone / "run").write_bytes(b"#!/bin/sh\n")
    (clone / "run").chmod(0o755)
    commit(clone, "Second")
    bare = tmp_path / "bare"
    git(tmp_path, "clone", "--quiet", "--bare", str(clone), str(bare))
    export(bare, "first", tmp_path / "first")
    export(bare, "main", tmp_path / "second")
    assert (tmp_path / "first/hooks/post_gen_project.py").exists()
    assert not (tmp_path / "second/hooks").exists()
    assert (tmp_path / "second/run").stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "second/README.md").read_bytes() == (clone / "README.md").read_bytes()


# --- Rewriting


@pytest.fixture
def template(tmp_path: Path) -> Path:
    """A small template in git."""
    template = tmp_path / "template"
    project = template / "<<cookiecutter.name>>"
    project.mkdir(parents=True)
    context = {
        "name": "x",
        "braces": "{{ << cookiecutter.name >> }}",
        "__prompts__": {"name": "Name << {{"},
        "_copy_without_render": ["copied", "<<cookiecutter.name>>.bin"],
        "_jinja2_env_vars": ENVIRONMENT,
    }
    (template / "cookiecutter.json").write_text(json.dumps(context), "utf-8")
    git(template, "init", "--initial-branch", "main")
    return template


def test_literal_braces(template: Path, tmp_path: Path, home: Path) -> None:
    """Braces that mean themselves stay; variables, blocks, comments and raw text still work."""
    project = template / "<<cookiecutter.name>>"
    for number, (line, _) in enumerate(LINES.values()):
        (project / f"{number}.txt").write_bytes(f"{line}\n{line}\n".encode())
    commit(template, "First")
    export(template, "HEAD", tmp_path / "portable")
    rendered = bake(tmp_path / "portable", tmp_path / "b", home, {".": {}})
    assert bake(template, tmp_path / "a", home, {".": {}}) == rendered
    for number, (line, expected) in enumerate(LINES.values()):
        assert rendered[f"x/{number}.txt"] == f"{expected}\n{expected}\n".encode(), line


def test_what_cookiecutter_copies(template: Path, tmp_path: Path, home: Path) -> None:
    """Bytes of binary files and of `_copy_without_render` do not change; prompts neither."""
    project = template / "<<cookiecutter.name>>"
    (project / "copied/deep").mkdir(parents=True)
    text = b"{{ a }} << b >>"
    (project / "copied/deep/a.txt").write_bytes(text)
    (project / "<<cookiecutter.name>>.bin").write_bytes(text)
    (project / "b.bin").write_bytes(b"\0\0" + text)
    (project / "d.bin").write_bytes(b"\xff\xfe\xfd" * 99 + text)
    (project / "c.txt").write_text("<< cookiecutter.braces >>")
    commit(template, "First")
    portable = tmp_path / "portable"
    export(template, "HEAD", portable)
    rendered = bake(portable, tmp_path / "b", home, {".": {}})
    assert bake(template, tmp_path / "a", home, {".": {}}) == rendered
    assert rendered["x/copied/deep/a.txt"] == rendered["x/x.bin"] == text
    assert rendered["x/c.txt"] == b"{{ x }}"
    context = json.loads((portable / "cookiecutter.json").read_text("utf-8"))
    assert context["__prompts__"] == {"name": "Name << {{"}
    assert not [name for name in context["_jinja2_env_vars"] if name.startswith("variable_")]


@pytest.mark.parametrize(
    "environment", [{}, {"variable_start_string": "[[", "variable_end_string": "]]"}]
)
def test_delimiters_come_from_the_settings(environment: dict[str, str]) -> None:
    """Other delimiters, and Jinja's for blocks and comments, are read from cookiecutter.json."""
    source = Source({"_jinja2_env_vars": environment})
    made = source.convert("{% if x %}[[ x ]]{# {{ #}{% endif %}")
    variable = "{{ x }}" if environment else "[[ x ]]"
    assert made == f"{{% if x %}}{variable}{{# {{{{ #}}{{% endif %}}"


# --- Under cruft, and as a branch


def test_cruft(clone: Path, tmp_path: Path, home: Path) -> None:
    """`cruft create`, check and update work from the branch, without the decoy folder."""
    export_branch(clone, "HEAD", "portable")
    template = tmp_path / "template"
    git(tmp_path, "clone", "--quiet", "--branch", "portable", str(clone), str(template))
    cruft, env = command("cruft"), environment(home)
    created = run(cruft, "create", template, "--no-input", cwd=tmp_path, env=env)
    assert (created.returncode, "Traceback" in created.stderr) == (0, False), created.stderr
    project = tmp_path / "my_service"
    git(project, "init")
    commit(project, "First")
    assert run(cruft, "check", cwd=project, env=env).returncode == 0
    (clone / "<<cookiecutter.project_slug>>/new.txt").write_text("{<< 1 + 1 >>} {{ x }}\n")
    commit(clone, "Second")
    export_branch(clone, "HEAD", "portable")
    git(template, "pull", "--quiet")
    assert run(cruft, "check", cwd=project, env=env).returncode == 1
    updated = run(cruft, "update", "--skip-apply-ask", cwd=project, env=env)
    assert updated.returncode == 0, updated.stderr
    assert (project / "new.txt").read_text() == "{2} {{ x }}\n"


def test_branch_keeps_its_history(clone: Path, portable: Path, tmp_path: Path) -> None:
    """Each export is one commit on top; it holds the same files, and nothing is checked out."""
    export_branch(clone, "HEAD", "portable")
    first = git(clone, "rev-parse", "portable")
    export_branch(clone, "HEAD", "portable")
    assert git(clone, "rev-parse", "portable") == first
    assert (git(clone, "branch", "--show-current"), git(clone, "status", "--porcelain")) == (
        "main",
        "",
    )
    made = tmp_path / "made"
    git(tmp_path, "clone", "--quiet", "--branch", "portable", str(clone), str(made))
    assert contents(made) == contents(portable)

    # In another clone the branch continues that of `origin`.
    other = tmp_path / "other"
    git(tmp_path, "clone", "--quiet", "--branch", "main", str(clone), str(other))
    export_branch(other, "HEAD", "portable")
    assert git(other, "rev-parse", "portable") == first
    (other / "LICENSE").unlink()
    commit(other, "Without a licence")
    git(other, "branch", "--quiet", "--delete", "--force", "portable")
    export_branch(other, "HEAD", "portable")
    assert git(other, "rev-list", "portable").splitlines()[1:] == [first]
    changed = git(other, "diff", "--name-only", first, "portable").splitlines()
    assert changed == ["LICENSE", "portable.json"]


def test_branch_does_not_go_back(clone: Path) -> None:
    """An older release that is published again, or late, leaves the branch as it is."""
    git(clone, "tag", "first")
    (clone / "LICENSE").unlink()
    commit(clone, "Without a licence")
    export_branch(clone, "HEAD", "portable")
    newest = git(clone, "rev-parse", "portable")
    export_branch(clone, "first", "portable")
    assert git(clone, "rev-parse", "portable") == newest


# --- The command


def make_portable(clone: Path, home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `make portable` with this Python."""
    python = f"PYTHON={sys.executable}"
    return run("make", "portable", python, *arguments, cwd=clone, env=environment(home))


def test_command(clone: Path, portable: Path, home: Path, tmp_path: Path) -> None:
    """`make portable` writes to a new or an empty folder, and says what it left out."""
    (tmp_path / "a b").mkdir()
    head = git(clone, "rev-parse", "--short", "HEAD")
    done = make_portable(clone, home, f"OUT={tmp_path}/a b")
    line = f"has the portable template of commit {head}"
    assert (done.stdout, done.stderr) == (f"{tmp_path}/a b {line}\n", "")
    assert contents(tmp_path / "a b") == contents(portable)
    (clone / "new").touch()
    done = make_portable(clone, home, "OUT=../c/d")
    assert done.stdout == f"../c/d {line}; uncommitted changes are not in it\n"
    assert contents(tmp_path / "c/d") == contents(portable)


REFUSED = {
    "default": ((), "OUT=.. exists and is not empty; choose a new folder, such as OUT=../plinth-"),
    "file": (("OUT=../file",), "OUT=../file exists and is not empty; choose a new folder"),
    "inside": (("OUT=docs/x",), "OUT=docs/x is inside the template; choose a new folder, such"),
    "itself": (("OUT=.",), "OUT=. is inside the template; choose a new folder"),
}  # fmt: skip


@pytest.mark.parametrize(("arguments", "line"), REFUSED.values(), ids=REFUSED)
def test_command_refuses(
    arguments: tuple[str, ...], line: str, clone: Path, home: Path, tmp_path: Path
) -> None:
    """A folder that would be overwritten, or become part of the template, gives one line."""
    (tmp_path / "file").touch()
    before = files(tmp_path)
    check_refusal(make_portable(clone, home, *arguments), line)
    assert {path for path in files(tmp_path) - before if "__pycache__" not in path} == set()


def check_refusal(done: subprocess.CompletedProcess[str], line: str) -> None:
    """Check that the command printed one line, and make the one that it failed."""
    said, make_failed = done.stderr.splitlines()
    assert said.startswith(line)
    assert make_failed.startswith("make: ***")
    assert done.stdout == ""


def drop_commits(clone: Path) -> None:
    """Start a branch without a commit."""
    git(clone, "checkout", "--quiet", "--orphan", "new")


def drop_template(clone: Path) -> None:
    """Remove what makes it a template."""
    (clone / "cookiecutter.json").unlink()
    commit(clone, "None")


def link(clone: Path) -> None:
    """Add a symbolic link."""
    (clone / "docs/link.md").symlink_to("decisions.md")
    commit(clone, "Link")


SOURCES: dict[str, tuple[Callable[[Path], object], str]] = {
    "no-repository": (lambda clone: shutil.rmtree(clone / ".git"), "git cat-file failed: fatal: "),
    "no-commit": (drop_commits, "HEAD is not a commit of "),
    "no-template": (drop_template, "HEAD has no cookiecutter.json"),
    "link": (link, "docs/link.md is a symbolic link or a submodule; must be a file"),
}  # fmt: skip


@pytest.mark.parametrize(("change", "line"), SOURCES.values(), ids=SOURCES)
def test_command_refuses_sources(
    change: Callable[[Path], object], line: str, clone: Path, home: Path, tmp_path: Path
) -> None:
    """What cannot be exported gives one line, and nothing is written."""
    change(clone)
    check_refusal(make_portable(clone, home, "OUT=../made"), line)
    assert not (tmp_path / "made").exists()


def test_from_the_portable_template(portable: Path, home: Path, tmp_path: Path) -> None:
    """There, `make new` works and knows the delimiters; `make portable` says what is wrong."""
    git(portable, "init", "--initial-branch", "portable")
    commit(portable, "First")
    tools = f"BIN={Path(sys.executable).parent}"
    new = ("make", "-o", ".venv/new", "new", tools)
    env = environment(home)
    done = run(*new, "ARGS=--no-input 'author_name={{ 7*7 }} << a'", cwd=portable, env=env)
    assert (done.returncode, done.stderr) == (0, "")
    project = (tmp_path / "my_service/pyproject.toml").read_text("utf-8")
    assert 'author_name = "{{ 7*7 }} << a"\n' in project
    check_refusal(make_portable(portable, home, "OUT=../x"), "HEAD has {{ }} already; must have")
