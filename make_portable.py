"""Write the template with `{{ }}` in place of `<< >>`, for `make portable` and for releases.

Windows allows no `<` in a file name. The portable template makes the same projects, to the byte.
Files are read from git, so this works where they cannot be checked out.
"""

import json
import re
import sys
from contextlib import suppress
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Any

from template_git import File, find_commit, git, read_files
from template_stamp import address

TEMPLATE = Path(__file__).parent

# Needed only for work on the template, and the decoy for cruft, which finds the real folder here.
UNWANTED = ("{{cookiecutter.cruft}}/", ".ci/", ".github/", "bench/", "tests/")
# The commit and the address of the template, for the stamp of a project.
STAMP = "portable.json"

JINJA_DEFAULTS = {
    "variable_start_string": "{{",
    "variable_end_string": "}}",
    "block_start_string": "{%",
    "block_end_string": "%}",
    "comment_start_string": "{#",
    "comment_end_string": "#}",
}
# Everything up to the end of a tag; between quotes, that end is text.
EXPRESSION = r"""(?:[^"']|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')*?"""


def export(repository: Path, commit: str, target: Path) -> None:
    """Write the portable template of a commit into a folder that is new or empty.

    `commit` is any name that git knows. Raise `ValueError` for another folder, for a commit that
    does not exist or holds no template with `<< >>`, and for what git reports.
    """
    files = portable_files(repository, commit)
    if target.exists() and not is_empty(target):
        raise ValueError(f"{target} is not an empty folder")
    for path, file in files.items():
        made = target / path
        made.parent.mkdir(parents=True, exist_ok=True)
        made.write_bytes(file.content)
        if file.mode == "100755":
            made.chmod(made.stat().st_mode | 0o111)


def export_branch(repository: Path, commit: str, branch: str) -> None:
    """Commit the portable template of a commit on top of a branch, without checking it out.

    A missing branch continues `origin`'s of that name: the commits that projects were made from
    stay. A branch that has a later commit already stays as it is. Raise `ValueError` as `export`
    does.
    """
    files = portable_files(repository, commit)
    tip = f"refs/heads/{branch}"
    parent = find_commit(repository, tip) or find_commit(repository, f"origin/{branch}")
    if parent:
        stamp = git(repository, "show", f"{parent}:{STAMP}")
        if stamp == files[STAMP].content or contains(repository, json.loads(stamp), commit):
            git(repository, "update-ref", tip, parent)
            return
    # Authors and dates are the commit's: the same commit gives the same result everywhere.
    people = "--format=author %an <%ae> %ad%ncommitter %cn <%ce> %cd"
    shown = git(repository, "log", "-1", "--no-show-signature", people, "--date=raw", commit)
    name = git(repository, "describe", "--tags", "--always", commit)
    stream = [f"commit {tip}\n".encode(), shown, data(b"Portable template of " + name)]
    if parent:
        stream.append(f"from {parent}\n".encode())
    stream.append(b"deleteall\n")
    for path, file in files.items():
        stream += [f"M {file.mode} inline {path}\n".encode(), data(file.content)]
    git(repository, "fast-import", "--quiet", typed=b"".join(stream))


def contains(repository: Path, stamp: dict[str, str], commit: str) -> bool:
    """Return whether the commit of a stamp is a later one, which contains this commit."""
    later, earlier = find_commit(repository, stamp["commit"]), find_commit(repository, commit)
    if later in ("", earlier):
        return False
    return not git(repository, "rev-list", "-1", earlier, f"^{later}")


def data(content: bytes) -> bytes:
    """Return bytes as `git fast-import` reads them."""
    return b"data %d\n%b\n" % (len(content), content)


def portable_files(repository: Path, commit: str) -> dict[str, File]:
    """Return the files of the portable template of a commit by their paths."""
    found = find_commit(repository, commit)
    if not found:
        raise ValueError(f"{commit} is not a commit of {repository}")
    files = dict(read_files(repository, found, UNWANTED))
    if "cookiecutter.json" not in files:
        raise ValueError(f"{commit} has no cookiecutter.json")
    template = Source(json.loads(files["cookiecutter.json"].content))
    if template.start == "{{":
        raise ValueError(f"{commit} has {{{{ }}}} already; must have other delimiters")
    made = {
        template.convert(path): File(mode, template.convert_file(path, content))
        for path, (mode, content) in files.items()
    }
    origin = git(repository, "config", "--default=", "--get", "remote.origin.url").decode().strip()
    stamp = json.dumps({"commit": found, "template": address(origin)})
    return made | {STAMP: File("100644", f"{stamp}\n".encode())}


# --- Rewriting ----------------------------------------------------------------------------------


class Source:
    """A template with the settings of its cookiecutter.json, and the conversion of its files.

    Only variables change: no file name has a block or a comment.
    """

    def __init__(self, settings: dict[str, Any]) -> None:
        self.settings = settings
        signs = JINJA_DEFAULTS | settings.get("_jinja2_env_vars", {})
        self.start: str = signs["variable_start_string"]
        start, end, block, block_end, comment, comment_end = (
            re.escape(signs[name]) for name in JINJA_DEFAULTS
        )
        self._pattern = re.compile(
            rf"{block}[-+]?\s*raw\s*-?{block_end}.*?{block}[-+]?\s*endraw\s*[-+]?{block_end}"
            rf"|{block}{EXPRESSION}{block_end}"
            rf"|{comment}.*?{comment_end}"
            rf"|{start}(?P<expression>{EXPRESSION}){end}"
            # Braces that mean themselves. A single one would become part of `{{` behind it.
            rf"|(?P<braces>\{{{{2,}}|\{{(?={start}))",
            re.DOTALL,
        )

    def convert(self, text: str) -> str:
        """Return a template with `{{ }}` that renders as `text` does."""
        return self._pattern.sub(self._replace, text)

    @staticmethod
    def _replace(match: re.Match[str]) -> str:
        if match["expression"] is not None:
            return "{{" + match["expression"] + "}}"
        return "{{ '" + match["braces"] + "' }}" if match["braces"] else match[0]

    def convert_file(self, path: str, content: bytes) -> bytes:
        """Return the bytes of a file in the portable template."""
        if path == "cookiecutter.json":
            return f"{json.dumps(self.convert_settings(), indent=4, ensure_ascii=False)}\n".encode()
        if self.is_rendered(path) and b"\0" not in content:
            with suppress(UnicodeDecodeError):  # cookiecutter copies what is not text
                return self.convert(content.decode("utf-8")).encode("utf-8")
        return content

    def is_rendered(self, path: str) -> bool:
        """Return whether cookiecutter renders the file."""
        top, _, inner = path.partition("/")
        if top == "hooks":
            return not inner.startswith("pre_prompt")
        if "cookiecutter" not in top or self.start not in top:
            return top == "templates"
        copied = self.settings.get("_copy_without_render", [])
        parts = [inner, *map(str, PurePosixPath(inner).parents)]
        return not any(fnmatchcase(part, pattern) for part in parts for pattern in copied)

    def convert_settings(self) -> dict[str, Any]:
        """Return the settings with defaults and private answers converted."""
        made = {}
        for name, value in self.settings.items():
            if name == "_jinja2_env_vars":
                made[name] = {key: v for key, v in value.items() if not key.startswith("variable_")}
            # cookiecutter does not render prompts and settings. Patterns of paths are converted
            # as the paths are.
            elif re.match(r"_(?!_|copy_without_render)|__prompts__", name):
                made[name] = value
            else:
                made[name] = self._convert_value(value)
        return made

    def _convert_value(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.convert(value)
        if isinstance(value, list):
            return [self._convert_value(item) for item in value]
        if isinstance(value, dict):
            return {self.convert(name): self._convert_value(item) for name, item in value.items()}
        return value


# --- The command line ---------------------------------------------------------------------------


def main(arguments: list[str]) -> None:
    """Write the portable template of HEAD to a folder, or with `--branch` onto a branch."""
    try:
        if arguments[:-1] == ["--branch"]:
            export_branch(TEMPLATE, "HEAD", arguments[-1])
        elif len(arguments) == 1:
            export_folder(arguments[0])
        else:
            sys.exit("usage: make_portable.py FOLDER, or make_portable.py --branch NAME")
    except (ValueError, OSError) as error:
        sys.exit(str(error))


def export_folder(folder: str) -> None:
    """Write to a folder outside the template, and print one line."""
    target = Path(folder)
    other = "choose a new folder, such as OUT=../plinth-portable"
    if target.resolve().is_relative_to(TEMPLATE.resolve()):
        sys.exit(f"OUT={folder} is inside the template; {other}")
    if target.exists() and not is_empty(target):
        sys.exit(f"OUT={folder} exists and is not empty; {other}")
    export(TEMPLATE, "HEAD", target)
    head = git(TEMPLATE, "rev-parse", "--short", "HEAD").decode("ascii").strip()
    changed = git(TEMPLATE, "status", "--porcelain")
    missing = "; uncommitted changes are not in it" if changed else ""
    print(f"{folder} has the portable template of commit {head}{missing}")


def is_empty(folder: Path) -> bool:
    """Return whether it is a folder without files."""
    return folder.is_dir() and not any(folder.iterdir())


if __name__ == "__main__":
    main(sys.argv[1:])
