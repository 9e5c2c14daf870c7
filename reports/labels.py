"""Short names for runs: the method, and what sets one apart from others."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from piva.keys import flat
from piva.records import RunRecord


def labels_of(records: Sequence[RunRecord]) -> list[str]:
    """A name for each run, no two alike: its method, and what sets it apart from the other runs of that method.

    What is None or False is left unsaid, unless another run's label is this one and more: "piva camera=False" beside
    "piva camera=True". Runs that differ in no fact are told apart by their keys, and by number where even these are the
    same.
    """
    short = _short_names({name for names in apart_from_siblings(records) for name in names})
    named = [
        " ".join([record.method, *(f"{short[name]}={value}" for name, value in told.items())])
        for record, told in zip(records, _told(records), strict=True)
    ]
    digits = 6
    found = _with_keys(named, records, digits)
    longest = max((len(record.edit_key) for record in records), default=0)
    while len(set(found)) < len(found) and digits < longest:
        digits += 2
        found = _with_keys(named, records, digits)
    return [f"{name} ({found[: k + 1].count(name)})" if found.count(name) > 1 else name for k, name in enumerate(found)]


def _told(records: Sequence[RunRecord]) -> list[dict[str, Any]]:
    """The facts that each run's label says, by name."""
    own = []
    for record, names in zip(records, apart_from_siblings(records), strict=True):
        every = facts(record)
        own.append({name: every[name] for name in names})
    plain = [{name: value for name, value in told.items() if not _unsaid(value)} for told in own]
    found = []
    for record, told, plainly in zip(records, own, plain, strict=True):
        siblings = [other for one, other in zip(records, plain, strict=True) if one.method == record.method]
        more = {name for other in siblings if plainly.items() <= other.items() for name in other}
        found.append({name: value for name, value in told.items() if name in plainly or name in more})
    return found


def _unsaid(value: Any) -> bool:
    return value is None or value is False


def _with_keys(named: Sequence[str], records: Sequence[RunRecord], digits: int) -> list[str]:
    """The names, and behind those that several runs have the beginning of the run's key."""
    times = Counter(named)
    return [
        f"{name} {record.edit_key[:digits]}" if times[name] > 1 else name
        for name, record in zip(named, records, strict=True)
    ]


def _short_names(names: set[str]) -> dict[str, str]:
    """Dotted name -> its last part, or as many of them as no other name ends with."""
    found = {}
    for name in names:
        parts = name.split(".")
        endings = [".".join(parts[-count:]) for count in range(1, len(parts) + 1)]
        unique = [
            end for end in endings if not any(other.endswith(f".{end}") or other == end for other in names - {name})
        ]
        found[name] = unique[0] if unique else name
    return found


def said(own: dict[str, Any], names: Sequence[str]) -> list[str]:
    """The facts with these names, as `name=value`; what is None or False is left unsaid."""
    told = [name for name in names if not _unsaid(own[name])]
    return [f"{name.rpartition('.')[2]}={own[name]}" for name in told]


def apart_from_siblings(records: Sequence[RunRecord]) -> list[list[str]]:
    """For each run the names of its facts in which the runs of its method differ."""
    siblings: dict[str, list[dict[str, Any]]] = {}
    for record in records:
        siblings.setdefault(record.method, []).append(facts(record))
    of_scenes = {name for record in records for name in _scene_facts(record.scenes or {})}
    apart = {method: _differing(those, of_scenes) for method, those in siblings.items()}
    return [[name for name in facts(record) if name in apart[record.method]] for record in records]


def _differing(those: Sequence[dict[str, Any]], of_scenes: set[str]) -> set[str]:
    """Names of facts in which some of them differ; that pictures have no settings of scenes is no such fact."""
    names = {name for own in those for name in own}
    values = {name: {str(own.get(name)) for own in those if name in own or name not in of_scenes} for name in names}
    return {name for name, found in values.items() if len(found) > 1}


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
