"""YAML that others wrote: plain data only, keys that are given twice noticed and not forgotten."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import yaml

from piva.data.json_files import JsonObject

MAX_BYTES = 16 * 2**20
"""Ours: a list of edits takes kilobytes, and YAML is slow to read."""


class _Loader(yaml.SafeLoader):
    """The safe loader, whose mappings remember the keys they were given twice."""


def _mapping(loader: _Loader, node: yaml.MappingNode) -> JsonObject:
    own = Counter(key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode))  # before "<<" brings in more
    found = JsonObject([])
    found.update(loader.construct_mapping(node, deep=True))
    found.repeated = [key for key, times in own.items() if times > 1]
    return found


_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)


def read_yaml(path: Path, root: Path) -> tuple[Any, str | None]:
    """What the file holds, its mappings as JsonObject; or None and the sentence that says why it can't be read.

    Args:
        root: the resolved folder that no link may lead out of.
    """
    name = path.name
    try:
        if not path.resolve().is_relative_to(root):
            return None, f"{name} leads out of the data folder"
        if path.stat().st_size > MAX_BYTES:
            return None, f"{name} is larger than {MAX_BYTES // 2**20} MiB"
        return yaml.load(path.read_bytes().decode("utf-8-sig"), _Loader), None
    except OSError as problem:
        return None, f"{name} can't be read: {problem.strerror or problem}"
    except UnicodeDecodeError as problem:
        return None, f"{name} is not UTF-8 text: {problem}"
    except RecursionError:
        return None, f"{name} is nested too deeply"
    except yaml.MarkedYAMLError as problem:
        where = f" in line {problem.problem_mark.line + 1}" if problem.problem_mark else ""
        return None, f"{name} is not YAML: {problem.problem}{where}"
    except Exception as problem:  # PyYAML's constructors of dates and numbers fail in ways of their own
        return None, f"{name} is not YAML: {type(problem).__name__}: {str(problem)[:200]!r}"
