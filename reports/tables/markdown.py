"""Markdown from rows of strings."""

from collections.abc import Iterable, Sequence


def table(titles: Sequence[str], body: Iterable[Sequence[str]]) -> list[str]:
    """The lines of a table."""
    lines = ["| " + " | ".join(titles) + " |", "|" + "---|" * len(titles)]
    return lines + ["| " + " | ".join(text.replace("|", "\\|") for text in row) + " |" for row in body]
