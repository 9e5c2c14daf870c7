"""Short names for runs: the method, and what sets one apart from others."""

from collections.abc import Sequence
from typing import Any

from piva.keys import flat
from piva.records import RunRecord


def labels_of(records: Sequence[RunRecord]) -> list[str]:
    """A short name for each run: its method, and what sets it apart from the other runs of that method.

    What is None or False is left unsaid.
    """
    names = []
    for record, own, apart in zip(records, map(facts, records), apart_from_siblings(records), strict=True):
        names.append(" ".join([record.method, *said(own, apart)]))
    twice = {name for name in names if names.count(name) > 1}
    return [
        f"{name} {record.edit_key[:6]}" if name in twice else name for name, record in zip(names, records, strict=True)
    ]


def said(own: dict[str, Any], names: Sequence[str]) -> list[str]:
    """The facts with these names, as `name=value`; what is None or False is left unsaid."""
    told = [name for name in names if own[name] is not None and own[name] is not False]
    return [f"{name.rpartition('.')[2]}={own[name]}" for name in told]


def apart_from_siblings(records: Sequence[RunRecord]) -> list[list[str]]:
    """For each run the names of its facts in which the runs of its method differ."""
    siblings: dict[str, list[dict[str, Any]]] = {}
    for record in records:
        siblings.setdefault(record.method, []).append(facts(record))
    apart = {method: _differing(those) for method, those in siblings.items()}
    return [[name for name in facts(record) if name in apart[record.method]] for record in records]


def _differing(those: Sequence[dict[str, Any]]) -> set[str]:
    names = {name for own in those for name in own}
    return {name for name in names if len({str(own.get(name)) for own in those}) > 1}


def facts(record: RunRecord) -> dict[str, Any]:
    """All that may set a run apart, under dotted names."""
    prior = {"prior": record.prior["name"], "dtype": record.prior.get("dtype")}
    run = {"benchmark": record.benchmark, "split": record.split, "steps": record.steps, "seed": record.seed}
    return flat(record.settings) | _scene_facts(record.scenes or {}) | run | prior


def _scene_facts(scenes: dict[str, Any]) -> dict[str, Any]:
    """Settings of a run over scenes; those of the reconstruction by names that no label shortens."""
    own = flat({name: value for name, value in scenes.items() if name not in ("method_defaults", "reconstruction")})
    fitted = flat({"reconstruction": scenes.get("reconstruction", {})})
    return own | {name.replace(".", "_"): value for name, value in fitted.items()}
