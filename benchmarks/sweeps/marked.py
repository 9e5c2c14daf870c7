"""YAML in which every value knows its line, so that what is wrong with a file is said by file, line and key."""

from __future__ import annotations

import json
from collections.abc import Collection
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import yaml

from piva.errors import ConfigError
from piva.registry import unknown

KINDS = {
    yaml.ScalarNode: "a single value",
    yaml.SequenceNode: "a list",
    yaml.MappingNode: "a mapping of keys to values",
}


@dataclass(frozen=True)
class Marked:
    """A value of a YAML file."""

    file: Path
    key: str
    """Where it stands: keys joined by dots; "" is the whole file."""
    node: yaml.Node

    @property
    def line(self) -> int:
        """The line it begins at, from 1."""
        return int(self.node.start_mark.line) + 1

    def wrong(self, what: str) -> NoReturn:
        """Raises ConfigError: "FILE:LINE: key: what"."""
        raise ConfigError(f"{self.file}:{self.line}: {self.key + ': ' if self.key else ''}{what}")

    def value(self) -> Any:
        """What safe YAML makes of it."""
        try:
            found = yaml.SafeLoader("").construct_document(deepcopy(self.node))  # which it changes
            json.dumps(found)  # as records and ledgers keep it
        except yaml.YAMLError as problem:
            self.wrong(str(getattr(problem, "problem", problem)))
        except TypeError:
            self.wrong("is a date, a set or bytes to YAML, which no flag takes: write it in quotes")
        return found

    def mapping(self, known: Collection[str] | None = None) -> dict[str, Marked]:
        """Key -> value, in the file's order; refuses keys given twice, and those not `known`."""
        if not isinstance(self.node, yaml.MappingNode):
            self.wrong(f"must be {KINDS[yaml.MappingNode]}, not {self._kind()}")
        lines: dict[str, int] = {}
        own: dict[str, Marked] = {}
        merged: dict[str, Marked] = {}
        for key_node, node in self.node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                sources = node.value if isinstance(node, yaml.SequenceNode) else [node]
                for source in reversed(sources):  # of several, an earlier one goes before a later one
                    merged |= Marked(self.file, self.key, source).mapping(known)
                continue
            key = Marked(self.file, self.key, key_node)
            name = key.value()
            if not isinstance(name, str):
                key.wrong(f"the key {name!r} must be text")
            if name in own:
                key.wrong(f"{name!r} stands here twice, first in line {lines[name]}")
            if known is not None and name not in known:
                key.wrong(unknown("key", name, known))
            lines[name] = key.line
            own[name] = Marked(self.file, f"{self.key}.{name}" if self.key else name, node)
        return merged | own

    def items(self) -> list[Marked]:
        """The items of a list that is not empty."""
        if not isinstance(self.node, yaml.SequenceNode):
            self.wrong(f"must be a list, not {self._kind()}")
        if not self.node.value:
            self.wrong("must not be empty")
        return [Marked(self.file, f"{self.key}[{place}]", node) for place, node in enumerate(self.node.value)]

    def text(self, choices: Collection[str] | None = None) -> str:
        """Text, one of `choices` where they are given."""
        found = self.value()
        if not isinstance(found, str):
            self.wrong(f"must be text, not {self._shown(found)}")
        if choices is not None and found not in choices:
            self.wrong(unknown(self.key.rpartition(".")[2], found, choices))
        return found

    def number(self, above: float | None = None, least: float | None = None) -> float | int:
        """A number, int or float as it is written; greater than `above`, at least `least`."""
        found = self.value()
        if isinstance(found, bool) or not isinstance(found, int | float):
            hint = ": YAML wants a point before the exponent, 1.0e-4" if _looks_like_number(found) else ""
            self.wrong(f"must be a number, not {self._shown(found)}{hint}")
        if found != found or abs(found) == float("inf"):
            self.wrong("must be a finite number")
        if above is not None and found <= above:
            self.wrong(f"must be above {above:g}, not {found:g}")
        if least is not None and found < least:
            self.wrong(f"must be at least {least:g}, not {found:g}")
        return found

    def integer(self, least: int | None = None) -> int:
        """A whole number."""
        found = self.number(least=least)
        if not isinstance(found, int):
            self.wrong(f"must be a whole number, not {found!r}")
        return found

    def truth(self) -> bool:
        """true or false."""
        found = self.value()
        if not isinstance(found, bool):
            self.wrong(f"must be true or false, not {self._shown(found)}")
        return found

    def _kind(self) -> str:
        return "empty" if self.node.tag == "tag:yaml.org,2002:null" else KINDS[type(self.node)]

    def _shown(self, found: Any) -> str:
        return repr(found) if isinstance(self.node, yaml.ScalarNode) else self._kind()


def read_marked(path: Path) -> Marked:
    """The only document of a YAML file.

    Raises:
        ConfigError: the file cannot be read, is no YAML, or is empty; names the line.
    """
    try:
        node = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except FileNotFoundError:
        raise ConfigError(f"{path}: there is no such file") from None
    except (OSError, UnicodeDecodeError) as problem:
        raise ConfigError(f"{path} cannot be read: {problem}") from problem
    except yaml.MarkedYAMLError as problem:
        line = problem.problem_mark.line + 1 if problem.problem_mark else 1
        raise ConfigError(f"{path}:{line}: no YAML: {problem.problem or problem.context}") from problem
    except yaml.YAMLError as problem:
        raise ConfigError(f"{path}: no YAML: {problem}") from problem
    if node is None:
        raise ConfigError(f"{path} is empty")
    return Marked(path, "", node)


def _looks_like_number(value: Any) -> bool:
    """Whether text is a number to Python: YAML 1.1 takes 1e-4 for text."""
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return isinstance(value, str)
