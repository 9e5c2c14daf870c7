"""What a prompt must not be, wherever it comes from: a file of cases, a list of edits, a flag."""

import re

CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
"""Control characters other than tab and line ends: no text encoder knows them, and a terminal obeys them."""


def text_problem(text: str) -> str | None:
    """Why this is no text that can be recorded and shown, or None."""
    control = CONTROL.search(text)
    if control is not None:
        return f"holds the control character U+{ord(control[0]):04X}"
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return "holds half of a surrogate pair"
    return None


def prompt_problem(prompt: str) -> str | None:
    """Why nothing can be edited towards this, or None; [ ], which mark words, are no words themselves."""
    if not prompt.replace("[", "").replace("]", "").strip():
        return "is empty"
    return text_problem(prompt)


def sound_prompt(prompt: str) -> str:
    """The prompt itself; for pydantic.

    Raises:
        ValueError: see `prompt_problem`.
    """
    problem = prompt_problem(prompt)
    if problem is not None:
        raise ValueError(problem)
    return prompt


def sound_text(text: str) -> str:
    """The text itself; for pydantic.

    Raises:
        ValueError: see `text_problem`.
    """
    problem = text_problem(text)
    if problem is not None:
        raise ValueError(problem)
    return text
