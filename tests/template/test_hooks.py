"""The hook as a module, and as part of the `cookiecutter` and `cruft` commands."""

import json
import os
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from cookiecutter.utils import create_env_with_context
from hypothesis import given

from template_stamp import stamp
from tests.renders import (
    AWKWARD_NAMES,
    CONTEXT,
    TEMPLATE,
    command,
    commit,
    contents,
    environment,
    files,
    git,
    run,
)
from tests.strategies import ALLOWED

HOOK = TEMPLATE / "hooks" / "post_gen_project.py"
MESSAGE = f"Scaffold with Plinth {stamp()['version']}"
ANSWERS = {"project_name": "My Service", "project_slug": "my_service"}

Bake = Callable[..., Path]


def load(**answers: object) -> ModuleType:
    """Render the hook as cookiecutter does and return it as a module, without running it."""
    jinja = create_env_with_context({"cookiecutter": CONTEXT})
    source = jinja.from_string(HOOK.read_text("utf-8")).render(cookiecutter=ANSWERS | answers)
    module = ModuleType("hook")
    exec(compile(source, HOOK, "exec"), module.__dict__)
    return module


def scaffold(
    cwd: Path, home: Path, *arguments: str, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run the `cookiecutter` command in a folder."""
    (cwd / "out").mkdir(exist_ok=True)
    return run(
        command("cookiecutter"), TEMPLATE, "--no-input", "--output-dir", "out", *arguments,
        cwd=cwd, env=environment(home, PWD=str(cwd), **variables),
    )  # fmt: skip


def hints(printed: str) -> list[str]:
    """Return the hints among the printed lines."""
    return [line for line in printed.splitlines() if line.startswith("Hint: ")]


def fake_git(folder: Path, script: str) -> None:
    """Put a program named git into a folder."""
    (folder / "git").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "git").chmod(0o755)


# --- As a module


@given(ALLOWED)
def test_answers_arrive_unchanged(value: str) -> None:
    """The hook reads every valid answer as data, never as code."""
    assert load(description=value).ANSWERS["description"] == value


def test_hook_has_one_expression() -> None:
    """Answers and stamp enter in one place only, and the unrendered file is valid Python."""
    source = HOOK.read_text("utf-8")
    assert source.count("<<") == source.count(">>") == 1
    compile(source, HOOK, "exec")


def test_declined_option_removes_its_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hook removes only paths that no chosen option needs."""
    hook = load(use_a=False, use_b=True)
    monkeypatch.setattr(hook, "OPTIONS", {"use_a": ("a.py", "a", "c"), "use_b": ("b.py", "b", "c")})
    monkeypatch.setattr(hook, "FILES", ["a.py", "a/x", "b.py", "b/x", "c.py", "c/x"])
    for name in ("a", "b", "c"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x").touch()
        (tmp_path / f"{name}.py").touch()
    monkeypatch.chdir(tmp_path)
    hook.remove_unwanted(set())
    assert files(tmp_path) == {"b/x", "b.py", "c/x", "c.py"}
    assert not (tmp_path / "a").exists()


def test_stale_path_fails_loudly() -> None:
    """A path in OPTIONS that the template does not have stops the render with one line."""
    with pytest.raises(SystemExit) as failure:
        load().remove("gone.py", set())
    assert "gone.py, which does not exist" in str(failure.value)
    assert len(str(failure.value).splitlines()) == 1


@pytest.mark.parametrize("name", AWKWARD_NAMES.values(), ids=AWKWARD_NAMES)
def test_summary_shows_every_answer(name: str) -> None:
    """The summary lists every answer, so that a misspelt name on the command line is visible."""
    lines = load(author_name=name, use_b=True).summary(Path("/srv/x"), []).splitlines()
    assert lines[1:7] == [
        "My Service is ready:",
        "",
        "  project_name  My Service",
        "  project_slug  my_service",
        f"  author_name   {name}",
        "  use_b         True",
    ]


def test_path_to_the_project_is_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The path is relative to the user's folder if that is shorter and safe, else absolute."""
    hook, project = load(), tmp_path / "deep" / "my_service"
    project.mkdir(parents=True)
    (tmp_path / "link").symlink_to(project.parent)
    for start, path in {
        f"{tmp_path}/deep": "my_service",
        f"{tmp_path}": "deep/my_service",
        f"{tmp_path}/deep/other": "../my_service",
        f"{tmp_path}/link": str(project),
        "/": str(project)[1:],
        "": str(project),
    }.items():
        monkeypatch.setenv("PWD", start)
        assert hook.shorter_path(project) == path


def test_git_that_hangs_is_a_hint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A git that hangs is stopped after a time limit."""
    hook = load()
    fake_git(tmp_path, "exec sleep 60")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setattr(hook, "GIT_SECONDS", 0.1)
    assert "did not answer (TimeoutExpired)" in hook.make_repository(tmp_path)


def test_git_that_fails_is_a_hint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hint is one line with the reason that git gave."""
    fake_git(tmp_path, "printf '\\nfatal: disk full\\nmore\\n' >&2; exit 128")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    hint = load().make_repository(tmp_path)
    assert "(fatal: disk full)" in hint
    assert len(hint.splitlines()) == 1


def test_git_that_cannot_start_is_a_hint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A broken git executable does not stop the render."""
    (tmp_path / "git").write_text("\x7fELF")
    (tmp_path / "git").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "did not answer (OSError)" in load().make_repository(tmp_path)


# --- As part of cookiecutter


def test_project_is_a_repository(bake: Bake) -> None:
    """One commit on main has every file, and nothing is left to commit."""
    project = bake()
    assert git(project, "log", "--format=%s|%an") == f"{MESSAGE}|Test"
    assert git(project, "branch", "--show-current") == "main"
    assert git(project, "status", "--porcelain", "--ignored") == ""


def test_without_git(tmp_path: Path, home: Path) -> None:
    """Without git the render succeeds, with a hint that has the command for later."""
    done = scaffold(tmp_path, home, PATH="/nowhere")
    assert (done.returncode, done.stderr) == (0, "")
    assert "git is not installed" in done.stdout
    assert len(hints(done.stdout)) == 1
    assert not (tmp_path / "out/my_service/.git").exists()


def test_without_identity(tmp_path: Path) -> None:
    """Without an identity the hint has a command that commits once a name is filled in."""
    (home := tmp_path / "home").mkdir()
    done = scaffold(tmp_path, home)
    (hint,) = hints(done.stdout)
    assert (done.returncode, done.stderr) == (0, "")
    remedy = hint.partition("To commit: ")[2].replace("…", "zoe@example.com")
    project = tmp_path / "out" / "my_service"
    assert run("sh", "-c", remedy, cwd=project, env=environment(home)).returncode == 0
    assert git(project, "log", "--format=%s|%an") == f"{MESSAGE}|zoe@example.com"


def test_inside_a_repository(tmp_path: Path, home: Path) -> None:
    """Inside a repository, the hook creates no second one and commits nothing."""
    git(tmp_path, "init")
    done = scaffold(tmp_path, home)
    assert done.returncode == 0
    assert hints(done.stdout) == [
        f"Hint: {tmp_path} is already a git repository: commit the project there."
    ]
    assert not (tmp_path / "out/my_service/.git").exists()
    assert git(tmp_path, "status", "--porcelain") == "?? out/"


def test_other_repository_in_the_environment(tmp_path: Path, home: Path) -> None:
    """A render from a git hook or alias does not change the repository of that hook."""
    (other := tmp_path / "other").mkdir()
    git(other, "init")
    before = files(other / ".git")
    done = scaffold(
        tmp_path,
        home,
        GIT_DIR=f"{other}/.git",
        GIT_WORK_TREE=str(other),
        GIT_INDEX_FILE=f"{other}/.git/index",
    )
    assert (done.returncode, hints(done.stdout)) == (0, [])
    assert files(other / ".git") == before
    assert git(tmp_path / "out/my_service", "log", "--format=%s") == MESSAGE


def test_user_who_signs_and_has_hooks(tmp_path: Path) -> None:
    """The commit skips the user's signing and hooks, which can prompt or refuse it."""
    (home := tmp_path / "home").mkdir()
    (hooks := home / "hooks").mkdir()
    (hooks / "pre-commit").write_text("#!/bin/sh\nexit 1\n")
    (hooks / "pre-commit").chmod(0o755)
    (home / ".gitconfig").write_text(
        "[user]\nname = Zoe\nemail = zoe@example.com\n[commit]\ngpgSign = true\n"
        f"[gpg]\nprogram = /nowhere/gpg\n[core]\nhooksPath = {hooks}\n"
    )
    done = scaffold(tmp_path, home)
    assert (done.returncode, hints(done.stdout)) == (0, [])
    assert git(tmp_path / "out/my_service", "log", "--format=%s") == MESSAGE


def test_printed_commands_work(tmp_path: Path, home: Path) -> None:
    """The printed commands work, with spaces in the path, and their targets exist."""
    (start := tmp_path / "a b").mkdir()
    done = scaffold(start, home, "--output-dir", "../c d")
    lines = done.stdout.splitlines()
    enter, go = lines[lines.index("Next:") + 2 :][:2]
    assert (enter, go) == ("  cd '../c d/my_service'", "  make install dev")
    line = f"{enter} && test -e pyproject.toml && {go} --dry-run"
    assert run("sh", "-c", line, cwd=start, env=environment(home)).returncode == 0


@pytest.mark.parametrize("redirection", [">&-", "| true", ">/dev/full"])
def test_summary_cannot_be_written(redirection: str, tmp_path: Path, home: Path) -> None:
    """A closed, broken or full standard output does not delete the project."""
    line = f"{shlex.join([command('cookiecutter'), str(TEMPLATE), '--no-input'])} {redirection}"
    done = run("sh", "-c", line, cwd=tmp_path, env=environment(home))
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "my_service" / "pyproject.toml").exists()


def test_terminal_without_unicode(tmp_path: Path, home: Path) -> None:
    """Characters that the terminal cannot encode are escaped."""
    done = scaffold(tmp_path, home, "project_name=李雷", PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert done.returncode == 0
    assert "  project_name    \\u674e\\u96f7\n" in done.stdout


# --- Into an existing project


def test_overwriting_keeps_files_of_the_owner(tmp_path: Path, home: Path) -> None:
    """With `-f`, folders of options that are off lose only the template's files."""
    scaffold(tmp_path, home, "use_prometheus=yes")
    project = tmp_path / "out" / "my_service"
    (project / "monitoring" / "own.yml").write_text("mine\n")
    done = scaffold(tmp_path, home, "--overwrite-if-exists", "use_prometheus=no")
    assert (done.returncode, done.stderr) == (0, "")
    assert files(project / "monitoring") == {"own.yml"}
    assert not (project / "my_service" / "_internal" / "prometheus").exists()
    assert "use_prometheus = false\n" in (project / "pyproject.toml").read_text("utf-8")
    assert not any("not changed" in hint for hint in hints(done.stdout))
    [said] = [hint for hint in hints(done.stdout) if "removed" in hint]
    assert "existed and were removed, since their option is off: docs/prometheus.md, " in said


def test_skipping_says_so(tmp_path: Path, home: Path) -> None:
    """With `-f -s`, what exists does not change, and one line says so; what is missing is made."""
    scaffold(tmp_path, home, "use_prometheus=yes")
    project = tmp_path / "out" / "my_service"
    (project / "Makefile").unlink()
    (project / "README.md").write_text("mine\n")
    before = contents(project)
    done = scaffold(tmp_path, home, "-f", "-s", "use_sentry=yes", "use_prometheus=no")
    after = contents(project)
    assert (done.returncode, done.stderr) == (0, "")
    assert {path: after[path] for path in before} == before
    assert after.keys() - before.keys() >= {"Makefile", "my_service/sentry.py"}
    [said] = [hint for hint in hints(done.stdout) if "not changed" in hint]
    assert said.startswith(
        "Hint: these files existed and were not changed: .gitattributes, .gitignore, "
    )
    assert said.endswith(" more.")


# --- Under cruft


def test_cruft(clone: Path, tmp_path: Path, home: Path) -> None:
    """`cruft create` creates no repository; check, diff and update work in the user's."""
    cruft = command("cruft")
    env = environment(home)
    created = run(cruft, "create", clone, "--no-input", cwd=tmp_path, env=env)
    assert (created.returncode, created.stdout) == (0, "")
    assert "My Service is ready:" in created.stderr
    project = tmp_path / "my_service"
    assert json.loads((project / ".cruft.json").read_text())["template"] == str(clone)
    assert not (project / ".git").exists()
    git(project, "init")
    commit(project, "First")
    assert run(cruft, "check", cwd=project, env=env).returncode == 0
    shown = run(cruft, "diff", cwd=project, env=env)
    assert (shown.returncode, shown.stdout) == (0, "")

    # An update renders both versions in one process, each with its own filters.
    extension = clone / "template_extension.py"
    extension.write_text(extension.read_text("utf-8") + "\n\nFILTERS += (str.swapcase,)\n")
    (clone / "<<cookiecutter.project_slug>>/new.txt").write_text("<< 'New' | swapcase >>\n")
    commit(clone, "Second")
    updated = run(cruft, "update", "--skip-apply-ask", cwd=project, env=env)
    assert updated.returncode == 0
    assert "Traceback" not in updated.stderr
    assert (project / "new.txt").read_text() == "nEW\n"


def test_cruft_refuses_as_cookiecutter_does(clone: Path, tmp_path: Path, home: Path) -> None:
    """cruft prints one line on standard error, without a traceback, and creates no project."""
    answers = json.dumps({"project_slug": "tests"})
    done = run(
        command("cruft"), "create", clone, "--no-input", "--extra-context", answers,
        cwd=tmp_path, env=environment(home),
    )  # fmt: skip
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("project_slug: 'tests' is taken")
    assert not (tmp_path / "tests").exists()
