"""The command line of an update."""

import argparse
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from given_answers import check_given
from template_stamp import TEMPLATE, address

from .commands import UpdateError, git
from .merging import changed_paths, commit_render, merge
from .project import (
    Project,
    stamp_and_package,
    stamped_answers,
    with_address,
    with_stamp_of,
)
from .rendering import Source, format_like
from .report import Report
from .versions import base_version, passed_over, wanted_version

MERGED, LEFT, REFUSED = 0, 1, 2


def main(arguments: list[str]) -> int:
    """Return 0 after a clean merge, 1 if it left conflicts, 2 if nothing was merged.

    With `--check` return 1 if there is a newer version, and merge nothing.
    """
    parser = argparse.ArgumentParser(prog="make update", allow_abbrev=False)
    parser.add_argument("project", type=Path)
    parser.add_argument("--template", type=Path, default=TEMPLATE)
    parser.add_argument("--to", default="")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("answers", nargs="*", metavar="name=value")
    options = parser.parse_intermixed_args(arguments)
    try:
        return update(options)
    except (UpdateError, SystemExit) as refusal:  # the second one is that of an answer
        print(refusal, file=sys.stderr)
        return REFUSED


def update(options: argparse.Namespace) -> int:
    """Merge, or only look, and print what was done."""
    template = options.template.absolute()
    project = Project(options.project.absolute())
    answers = parsed(options.answers)
    base = base_version(template, project)
    wanted = wanted_version(template, base, options.to)
    if wanted == base and (other := passed_over(template, base)):
        print(f"{other} does not contain {base.name}; to merge it nevertheless: TO={other}")
    if options.check or (wanted == base and not answers):
        print(f"{base.name} -> {wanted.name}" if wanted != base else f"{base.name} is the newest")
        return LEFT if wanted != base else MERGED
    with TemporaryDirectory() as folder:
        old = Source(template, base, Path(folder, "base"))
        new = Source(template, wanted, Path(folder, "theirs"))
        report = merge_versions(project, old, new, answers)
    print(report)
    return LEFT if report.outcome.conflicts else MERGED


def parsed(arguments: list[str]) -> dict[str, str]:
    """Return the answers of a command line."""
    for argument in arguments:
        if "=" not in argument:
            raise UpdateError(f"ARGS: {argument!r} is not of the form name=value")
    answers = dict(argument.split("=", 1) for argument in arguments)
    if "project_slug" in answers:
        raise UpdateError(
            "project_slug: rename the package in the project; docs/updates.md says how"
        )
    return answers


def merge_versions(project: Project, old: Source, new: Source, answers: dict[str, str]) -> Report:
    """Render both versions, merge the difference and return what came of it."""
    new_answers = stamped_answers(project.stamp, new.questions) | answers
    check_given(new_answers, new.questions)
    base = old.render(stamped_answers(project.stamp, old.questions))
    theirs = new.render(new_answers)
    is_formatted = all(format_like(project, render) for render in (base, theirs))
    stamp = restamp(project, base, theirs, origin(new.template))
    old_commit = commit_render(project, base, f"Plinth {old.version.name}")
    new_commit = commit_render(project, theirs, f"Plinth {new.version.name}", old_commit)
    return Report(
        project=project,
        title=f"Plinth {old.version.name} -> {new.version.name}",
        edited=changed_paths(project, old_commit, f"{stamp['project_slug']}/_internal"),
        added=stamped_answers(stamp, new.questions.keys() - new_answers.keys()),
        is_formatted=is_formatted,
        outcome=merge(project, new_commit),
    )


def restamp(project: Project, base: Path, theirs: Path, address: str) -> dict[str, Any]:
    """Give the base the stamp of the project, so that the merge replaces it by the new one.

    A clone in a local folder does not know the template's address; the project's stamp does.
    Return the new stamp.
    """
    old, new = base / "pyproject.toml", theirs / "pyproject.toml"
    old.write_text(with_stamp_of(old.read_text("utf-8"), project.pyproject), "utf-8")
    address = address or project.stamp.get("template", "")
    text = with_address(new.read_text("utf-8"), address)
    new.write_text(text, "utf-8")
    return stamp_and_package(text)[0]


def origin(template: Path) -> str:
    """Return the address of the template that its clone names."""
    return address(git(template, "config", "--get", "remote.origin.url", ok=(0, 1)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
