"""Records of older versions: what is read of them is brought up to date, a version at a time, before it is checked.

What a version changed:

    2   lines of cases name their version; an edit that was kept before it was scored is `unscored`, where version 1 had
        only its error's text; launches say how they ended and who did the work, provenance more of code and machine
"""

from collections.abc import Callable, Mapping
from typing import Any

from piva.errors import ConfigError

VERSION = 2

Content = dict[str, Any]
_UNSCORED_1 = "the edit is kept, and was not scored yet"


def _run_2(content: Content) -> Content:
    """What is new of a run has a default that says that it is not known."""
    return content


def _case_2(content: Content) -> Content:
    unscored = content.get("status") == "error" and str(content.get("error", "")).startswith(_UNSCORED_1)
    return content | {"unscored": unscored}


RUNS: Mapping[int, Callable[[Content], Content]] = {1: _run_2}
CASES: Mapping[int, Callable[[Content], Content]] = {1: _case_2}
"""Version -> what makes the next one of it."""


def upgraded(content: Any, steps: Mapping[int, Callable[[Content], Content]], version: Any) -> Content:
    """The content of a record as this version writes it.

    Args:
        version: the one it was written by.

    Raises:
        ConfigError: a newer version wrote it, or there is no such version.
        ValueError: it is no object.
    """
    if not isinstance(content, dict):
        raise ValueError("not an object")
    if type(version) is not int or (version != VERSION and version not in steps):
        newer = isinstance(version, int) and version > VERSION
        why = "a newer piva wrote it: update piva" if newer else f"this program reads versions 1 to {VERSION}"
        raise ConfigError(f"record version {version}: {why}")
    for number in range(version, VERSION):
        content = steps[number](content)
    return content | {"record_version": VERSION}
