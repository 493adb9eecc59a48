"""Run cookiecutter for `make new`, after a check of the answers on the command line.

cookiecutter ignores an unknown answer, and shows a traceback for a wrong choice.
"""

import sys
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import click
from cookiecutter.cli import main as cookiecutter
from cookiecutter.generate import generate_context
from cookiecutter.prompt import YesNoPrompt

from template_extension import TEXT_LENGTHS, checked, refuse

TEMPLATE = Path(__file__).parent
YES_OR_NO = {*YesNoPrompt.yes_choices, *YesNoPrompt.no_choices}


def main(arguments: list[str]) -> None:
    """Check the arguments, then run cookiecutter with them and exit."""
    arguments = [str(TEMPLATE), *arguments]
    try:
        parameters = cookiecutter.make_context("make new", [*arguments]).params
    except click.UsageError as error:
        sys.exit(f"ARGS: {error.format_message()}")
    except click.exceptions.Exit as done:  # after --help
        sys.exit(done.exit_code)
    check_output(parameters["output_dir"])
    check_answers(parameters["extra_context"] or {})
    cookiecutter(arguments, prog_name="make new")


def check_output(folder: str) -> None:
    """Refuse a folder inside the template, which would become a part of it."""
    if Path(folder).resolve().is_relative_to(TEMPLATE.resolve()):
        sys.exit(f"OUT={folder} is inside the template; choose a folder outside it")


def check_answers(answers: dict[str, str]) -> None:
    """Refuse what cookiecutter would ignore, show a traceback for, or take for a template."""
    context = generate_context(str(TEMPLATE / "cookiecutter.json"))["cookiecutter"]
    questions = {name: default for name, default in context.items() if name[0] != "_"}
    for name, value in answers.items():
        if name not in questions:
            similar = get_close_matches(name, questions, n=1)
            names = f"did you mean {similar[0]}?" if similar else f"they are {', '.join(questions)}"
            shown = name if name.isidentifier() else repr(name)
            sys.exit(f"{shown}: there is no such question; {names}")
        check_answer(name, value, questions[name])


def check_answer(name: str, value: str, default: Any) -> None:
    """Refuse one answer to a question with this default."""
    if isinstance(default, bool) and value.strip().lower() not in YES_OR_NO:
        refuse(name, value, "is neither yes nor no", "yes or no")
    if isinstance(default, list) and value not in default:
        allowed = f"{', '.join(default[:-1])} or {default[-1]}"
        refuse(name, value, "is not one of the choices", allowed)
    if isinstance(default, str) and any(sign in value for sign in ("<<", "# <%", "<#")):
        refuse(name, value, "looks like a template", "without << and <#; or type it when asked")
    if name in TEXT_LENGTHS:
        checked(value, name)


if __name__ == "__main__":
    main(sys.argv[1:])
