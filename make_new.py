"""Run cookiecutter for `make new`, after a check of the answers on the command line."""

import json
import sys
from pathlib import Path

import click
from cookiecutter.cli import main as cookiecutter

from given_answers import as_templates, check_given
from template_stamp import TEMPLATE, questions


def main(arguments: list[str]) -> None:
    """Check the arguments, then run cookiecutter with them and exit."""
    try:
        command = cookiecutter.make_context("make new", [str(TEMPLATE), *arguments])
    except click.UsageError as error:
        sys.exit(f"ARGS: {error.format_message()}")
    except click.exceptions.Exit as done:  # after --help
        sys.exit(done.exit_code)
    check_output(command.params["output_dir"])
    answers = command.params["extra_context"] or {}
    check_given(answers, questions())
    context = json.loads((TEMPLATE / "cookiecutter.json").read_text("utf-8"))
    # cookiecutter does not replay a project together with answers, not even with none.
    command.params["extra_context"] = as_templates(answers, context) if answers else None
    try:
        with command:
            cookiecutter.invoke(command)
    except click.Abort:  # Ctrl+C at a question
        sys.exit("Aborted!")


def check_output(folder: str) -> None:
    """Refuse a folder inside the template, which would become a part of it."""
    if Path(folder).resolve().is_relative_to(TEMPLATE.resolve()):
        sys.exit(f"OUT={folder} is inside the template; choose a folder outside it")


if __name__ == "__main__":
    main(sys.argv[1:])
