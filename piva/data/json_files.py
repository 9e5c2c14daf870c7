"""JSON that others wrote: read carefully, with keys that are given twice noticed and not forgotten."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

MAX_BYTES = 256 * 2**20
"""Ours. PIE-Bench's mapping file is a few megabytes; one past this is not a list of cases or cameras."""


class JsonObject(dict):
    """A JSON object that remembers the keys it was given twice."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        self.repeated = [key for key, times in Counter(key for key, _ in pairs).items() if times > 1]


def read_json(path: Path, root: Path | None = None) -> tuple[Any, str | None]:
    """What the file holds, its objects as JsonObject; or None and the sentence that says why it can't be read.

    Args:
        root: the resolved folder that no link may lead out of; None for a file that the user names.
    """
    name = path.name
    try:
        if root is not None and not path.resolve().is_relative_to(root):
            return None, f"{name} leads out of the data folder"
        if path.stat().st_size > MAX_BYTES:
            return None, f"{name} is larger than {MAX_BYTES // 2**20} MiB"
        return json.loads(path.read_bytes().decode("utf-8-sig"), object_pairs_hook=JsonObject), None
    except OSError as problem:
        return None, f"{name} can't be read: {problem.strerror or problem}"
    except UnicodeDecodeError as problem:
        return None, f"{name} is not UTF-8 text: {problem}"
    except RecursionError:  # before RuntimeError, which it is one of
        return None, f"{name} is nested too deeply"
    except ValueError as problem:
        return None, f"{name} is not JSON: {problem}"
    except RuntimeError as problem:  # a loop of links
        return None, f"{name} can't be read: {problem}"


def read_object(path: Path, of: str, root: Path | None = None) -> tuple[JsonObject | None, list[str]]:
    """The object (`of` what) in the file, or None; and what is wrong: every key that is given twice is named."""
    content, wrong = read_json(path, root)
    if wrong is None and not isinstance(content, JsonObject):
        wrong = f"{path.name} holds {kind_of(content)} where an object of {of} belongs"
    if wrong is not None:
        return None, [wrong]
    return content, [f"{place}: appears more than once in {path.name}" for place in repeated_keys(content)]


def repeated_keys(content: Any) -> list[str]:
    """Where a key is given twice, at any depth: "frames[3].w"."""
    places, open_parts, seen = [], [("", content)], set()
    while open_parts:
        place, part = open_parts.pop()
        if id(part) in seen:  # YAML may name a part twice, or inside itself
            continue
        if isinstance(part, (JsonObject, list)):
            seen.add(id(part))
        if isinstance(part, JsonObject):
            places += [_below(place, key) for key in part.repeated]
            open_parts += [(_below(place, key), value) for key, value in part.items()]
        elif isinstance(part, list):
            open_parts += [(f"{place}[{number}]", value) for number, value in enumerate(part)]
    return sorted(places)


def shown_key(key: Any) -> str:
    """A key as a sentence shows it: as it is where it is plain, else quoted, escaped and cut."""
    text = str(key)
    return text if text.isascii() and text.isprintable() and len(text) <= 60 else ascii(text[:60])


def kind_of(value: Any) -> str:
    """What a JSON value is, in words."""
    names = {JsonObject: "an object", list: "a list", str: "text", bool: "true or false", type(None): "null"}
    return names.get(type(value)) or f"the number {str(value)[:40]}"


def _below(place: str, key: str) -> str:
    return f"{place}.{shown_key(key)}" if place else shown_key(key)
