"""Values as W&B's agent writes them: Python's own spelling, in one word with the flag (`--seeds=[0, 1]`).

Numbers, text and None are read anyhow. Lists and mappings are taken apart here, and so is True or False for a flag
that otherwise stands alone.
"""

import ast
from collections.abc import Iterator, Sequence
from typing import Any, get_args

import tyro

from piva.config import Settings


def unpacked(arguments: Sequence[str]) -> list[str]:
    """The arguments with lists as words of their own, and mappings (nested parameters of a sweep) as dotted flags.

    `--seeds=[0, 1]` is `--seeds 0 1`, and `--method={'lam': 1, 'aux': {'rank': 8}}` is `--method.lam=1` and
    `--method.aux.rank=8`; the same of two words, `--seeds "[0, 1]"`. A `name` in a mapping is the flag's own value:
    `--method={'name': 'dds', 'guidance': 3}` is `--method=dds` and `--method.guidance=3`.
    """
    words: list[str] = []
    queue = list(arguments)
    while queue:
        word = queue.pop(0)
        flag, equals, text = word.partition("=")
        if word.startswith("--") and not equals and queue and _literal(queue[0]) is not None:
            text = queue.pop(0)
        value = _literal(text)
        words += [word] if value is None or not flag.startswith("--") else _flags(flag, value)
    return words


def _literal(text: str) -> list[Any] | dict[str, Any] | None:
    """The list or mapping that `text` spells; None where it spells none."""
    if not text.startswith(("[", "{")):
        return None
    try:
        found = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return None
    return found if isinstance(found, list | dict) else None


def _flags(flag: str, value: Any) -> list[str]:
    if isinstance(value, dict):
        flags = {name: flag if name == "name" else f"{flag}.{name}" for name in value}
        return [word for name, inner in value.items() for word in _flags(flags[name], inner)]
    return [flag, *map(str, value)] if isinstance(value, list) else [f"{flag}={value}"]


def standing_alone(kind: type[Settings], arguments: Sequence[str]) -> list[str]:
    """The arguments with `--prior.compile` and `--prior.no-compile` for --prior.compile=True and =False."""
    flags = set(_lone_flags(kind, ""))
    words = []
    for word in arguments:
        flag, _, text = word.removeprefix("--").replace("_", "-").partition("=")
        if word.startswith("--") and flag in flags and text in ("True", "False"):
            place, dot, name = flag.rpartition(".")
            words.append(f"--{place}{dot}{'' if text == 'True' else 'no-'}{name}")
        else:
            words.append(word)
    return words


def _lone_flags(kind: type[Settings], prefix: str) -> Iterator[str]:
    """Names of the fields that are true or false, and take no value on the command line."""
    for name, field in kind.model_fields.items():
        flag, inner = prefix + name.replace("_", "-"), field.annotation
        if tyro.conf.FlagConversionOff in (*field.metadata, *get_args(inner)[1:]):
            continue
        if inner is bool:
            yield flag
        elif isinstance(inner, type) and issubclass(inner, Settings):
            yield from _lone_flags(inner, f"{flag}.")
