"""Parts of a benchmark: the cases of each edit type, of each group of types, of each scene."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import polars as pl

from piva.data.edit_types import EDIT_GROUPS, group_of, type_title
from reports.reading import Run

By = Literal["type", "scene", "group"]


@dataclass(frozen=True)
class Part:
    """Some of the cases that runs have."""

    by: By
    title: str
    """Such as "6 change-colour", "appearance", "red-cube"."""
    ids: frozenset[str]


def parts(runs: Sequence[Run], by: By) -> list[Part]:
    """The parts of all cases that any run has a record of; none where the cases have no such thing (images no scene).

    A case without a record, in none of the runs, is in no part: nothing says what it is.
    """
    cases = pl.concat([run.table.select("case_id", "type_id", "scene") for run in runs]).unique("case_id")
    found: dict[str, set[str]] = {}
    for case_id, type_id, scene in cases.sort("case_id").iter_rows():
        title = {"type": type_title(type_id), "group": group_of(type_id), "scene": _scene(case_id, type_id, scene)}[by]
        if title is not None:
            found.setdefault(title, set()).add(case_id)
    groups = list(EDIT_GROUPS)
    order = sorted(found, key=lambda title: (groups.index(title) if title in groups else len(groups), title))
    return [Part(by, title, frozenset(found[title])) for title in order]


def _scene(case_id: str, type_id: str, scene: str | None) -> str | None:
    """The scene of a case; of an older record, which does not say, from the case's id: SCENE-group or SCENE-number."""
    if scene is not None or type_id not in EDIT_GROUPS:
        return scene
    return re.sub(rf"-(?:{re.escape(type_id)}|\d+)$", "", case_id)
