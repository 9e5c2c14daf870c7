"""The `command` of a sweep file: W&B's macros, and which commands run piva."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from piva.registry import unknown

MACROS = (
    "env", "interpreter", "program", "args", "args_no_equals", "args_no_hyphens", "args_no_boolean_flags", "args_json",
    "args_append_hydra", "args_override_hydra",
)  # fmt: skip
"""Those that W&B's agent replaces, each where it is the whole word; but for args_json_file, which piva cannot read."""

ENVIRONMENT = re.compile(r"\$\{envvar:([A-Z0-9_]*)\}")
"""Replaced within a word too."""


def unknown_macro(word: str) -> str | None:
    """What is wrong with a word of the command; W&B's agent drops a macro that it does not know, without a word."""
    rest = ENVIRONMENT.sub("", word)
    if rest.startswith("${") and rest.endswith("}") and rest[2:-1] not in MACROS:
        return unknown("macro", rest[2:-1], MACROS)
    return f"{word!r}: W&B replaces a macro only where it is a word by itself" if "${" in rest[1:] else None


def after_piva(command: Sequence[str], program: str) -> list[str] | None:
    """The words after `piva`: "run", the benchmark, flags and macros; None where the command runs something else.

    Args:
        program: of the sweep file; what ${program} stands for.
    """
    words = list(command)
    while words and words[0] in ("${env}", "/usr/bin/env", "env"):
        words.pop(0)
    first, rest = (words[0], words[1:]) if words else ("", [])
    if first == "${interpreter}" or Path(first).name.startswith("python"):
        return rest[2:] if rest[:2] == ["-m", "piva.cli"] else None
    return rest if Path(program if first == "${program}" else first).name == "piva" else None
