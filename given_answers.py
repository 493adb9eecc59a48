"""Answers given on a command line or by a stamp: check them, and hand them over to cookiecutter."""

import sys
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from cookiecutter.prompt import YesNoPrompt

from template_extension import check_choice, checked, refuse

YES_OR_NO = {*YesNoPrompt.yes_choices, *YesNoPrompt.no_choices}


def check_given(answers: Mapping[str, str], questions: Mapping[str, Any]) -> None:
    """Refuse what cookiecutter would ignore or show a traceback for."""
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
    if isinstance(default, list):
        check_choice(name, value, default)
    if isinstance(default, str) and name != "project_slug":  # which cookiecutter says how it tidied
        checked(value, name)


def as_templates(answers: Mapping[str, str], context: Mapping[str, Any]) -> dict[str, str]:
    """Return templates for the answers to the questions of a cookiecutter.json.

    cookiecutter renders texts that it is given; so `<< 7*7 >>` would become 49. It does not render
    choices.
    """
    signs = context.get("_jinja2_env_vars", {})
    start = signs.get("variable_start_string", "{{")
    end = signs.get("variable_end_string", "}}")
    return {
        name: f"{start} {string_literal(value)} {end}" if isinstance(context[name], str) else value
        for name, value in answers.items()
    }


def string_literal(value: str) -> str:
    """Return `value` as a string literal of Jinja."""
    escaped = value.encode("unicode_escape").decode("ascii").replace('"', '\\"')
    return f'"{escaped}"'
