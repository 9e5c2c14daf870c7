"""What is no prompt."""

import pytest

from piva.data.prompts import prompt_problem, sound_prompt, sound_text, text_problem


@pytest.mark.parametrize("prompt", ["a cat", "a [cat]", " é 猫 🐈 ", "two\nlines\tand a tab", "x" * 100_000])
def test_prompts(prompt):
    assert prompt_problem(prompt) is None
    assert sound_prompt(prompt) == prompt


@pytest.mark.parametrize(
    ("prompt", "problem"),
    [
        ("", "is empty"),
        (" \t\n\u00a0[ ]", "is empty"),
        ("a\0", "holds the control character U+0000"),
        ("a\x1b[2J", "holds the control character U+001B"),
        ("a\x7f", "holds the control character U+007F"),
        ("a\x9b", "holds the control character U+009B"),
        ("a\udcff", "holds half of a surrogate pair"),
    ],
)
def test_what_is_none(prompt, problem):
    assert prompt_problem(prompt) == problem
    with pytest.raises(ValueError, match=problem.replace("+", r"\+")):
        sound_prompt(prompt)
    if problem != "is empty":
        assert text_problem(prompt) == problem
        with pytest.raises(ValueError, match=problem.replace("+", r"\+")):
            sound_text(prompt)


def test_text_may_be_empty():
    assert sound_text("") == ""
