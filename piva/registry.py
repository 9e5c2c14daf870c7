"""Names to objects: one dict of "module:object" strings per kind of thing, and one resolver for all of them."""

import difflib
from collections.abc import Iterable, Mapping
from importlib import import_module
from typing import Any

from piva.errors import ConfigError


def resolve(kind: str, table: Mapping[str, str], name: str) -> Any:
    """The object that `table` lists under `name`; its module is imported only now.

    Args:
        kind: what the names stand for ("method"), for the error's sentence.
        table: name -> "module:object".

    Raises:
        ConfigError: for a name that is not in the table, with the nearest one suggested.
    """
    if name not in table:
        raise ConfigError(unknown(kind, name, table))
    module, _, attribute = table[name].partition(":")
    return getattr(import_module(module), attribute)


def unknown(kind: str, name: str, known: Iterable[str]) -> str:
    """One sentence about a name nobody knows, with the nearest known one or all of them."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    suggestion = f"did you mean {near[0]!r}?" if near else "choose from " + ", ".join(names)
    return f"unknown {kind} {name!r}: {suggestion}"
