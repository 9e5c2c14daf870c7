"""What a tracker shows of a run besides its steps: its settings, its scores so far, the table of its cases."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from piva.metrics.info import INFO
from piva.records import CaseRecord, RunRecord, read_cases
from piva.tracking.mirror import Look, updates_done

SIZES = ("aux_parameters", "aux_bytes")
"""Fields of a case's record that are shown beside its scores: how large psi and phi are."""
PICTURED_CASES = 24
"""Cases of a launch whose pictures are shown, at most."""


def settings(record: RunRecord) -> dict[str, Any]:
    """The run's settings, flat, named as the flags are (`method.aux.rank`); and where its code and numbers came from.

    `code.*` and `machine.*` are those of the last launch; `goal.<metric>` says which way that number is better.
    """
    made = record.launches[-1].provenance if record.launches else None
    nested = {
        "benchmark": record.benchmark, "split": record.split, "steps": record.steps, "seed": record.seed,
        "edit_key": record.edit_key, "score_key": record.score_key, "method": record.settings, "prior": record.prior,
        **(record.scenes or {}),
        "code": {} if made is None else {"commit": made.git_commit, "dirty": made.git_dirty, "piva": made.piva_version},
        "machine": {} if made is None else {"device": made.device, "cpu": made.cpu},
        "metrics": record.metrics, "goal": {name: goal(name) for name in record.metrics},
    }  # fmt: skip
    return {"method": record.method, **dict(_flat(nested))}


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def goal(name: str) -> str | None:
    """minimize, maximize, or "nearest 0"; None where the metric is not known."""
    info = INFO.get(name)
    if info is None:
        return None
    if info.higher_is_better is None:
        return f"nearest {info.best:g}"
    return "maximize" if info.higher_is_better else "minimize"


class Tally:
    """The cases of a run that are recorded with its present scores, and what they come to so far.

    Args:
        folder: of the run; what it holds already counts.
    """

    def __init__(self, record: RunRecord, folder: Path) -> None:
        known = read_cases(folder)
        self.updates = updates_done(record.steps, known.values())
        self.cases = {name: case for name, case in known.items() if case.score_key == record.score_key}
        self._planned = record.launches[-1].planned if record.launches else list(known)

    def add(self, record: CaseRecord) -> None:
        """One case is recorded, for the first time or again."""
        self.cases[record.case_id] = record

    @property
    def scored(self) -> int:
        """Cases that ended well."""
        return sum(case.status == "ok" for case in self.cases.values())

    @property
    def failed(self) -> int:
        """Cases that ended with an error."""
        return sum(case.status == "error" for case in self.cases.values())

    @property
    def is_complete(self) -> bool:
        """Whether every case that the launch planned ended, well or not."""
        return all(name in self.cases for name in self._planned)

    def means(self) -> dict[str, float]:
        """Name -> mean over the cases that ended well and have that number."""
        return {name: sum(found) / len(found) for name, found in self._columns().items()}

    def best(self) -> dict[str, float]:
        """Name -> its value in the case where it is best, of the numbers of which higher or lower is better."""
        choose = {"maximize": max, "minimize": min}
        columns = {name: found for name, found in self._columns().items() if goal(name) in choose}
        return {name: choose[str(goal(name))](found) for name, found in columns.items()}

    def _columns(self) -> dict[str, list[float]]:
        values: dict[str, list[float]] = defaultdict(list)
        for case in self.cases.values():
            for name, value in numbers(case).items():
                if case.status == "ok" and value is not None:
                    values[name].append(value)
        return values

    def table(self) -> tuple[list[str], list[list[Any]]]:
        """(columns, a row for each case)."""
        found = [(case, numbers(case)) for case in self.cases.values()]
        names = sorted({name for _, known in found for name in known})
        rows = [
            [case.case_id, case.type_id, case.status, case.src, case.tgt, *(known.get(name) for name in names)]
            for case, known in found
        ]
        return ["case", "type", "status", "source", "target", *names], rows


def numbers(record: CaseRecord) -> dict[str, float | None]:
    """What is shown of a case: its scores, and its sizes where they are known."""
    sizes = {name: size for name in SIZES if (size := getattr(record, name)) is not None}
    return {**record.metrics, **sizes}


class CoursePoints:
    """The scores of scenes on their way, each point told once: as somebody looked, or at the end from the record."""

    def __init__(self) -> None:
        self._told: set[tuple[str, int]] = set()

    def seen(self, look: Look) -> dict[str, float]:
        """`course/<case>/<name>` -> its value now."""
        self._told |= {(case_id, look.step) for case_id in look.scores}
        return {name: value for case_id, scores in look.scores.items() for name, value in _named(case_id, scores)}

    def rest(self, record: CaseRecord) -> Iterator[tuple[int, dict[str, float]]]:
        """(updates done, the same) for each point of a recorded case that was not told yet: of an earlier launch."""
        columns = record.course or {}
        for k, step in enumerate(columns.get("step", [])):
            if step is not None and (record.case_id, int(step)) not in self._told:
                scores = {name: values[k] for name, values in columns.items() if name != "step"}
                yield int(step), dict(_named(record.case_id, scores))


def _named(case_id: str, scores: Mapping[str, float | None]) -> Iterator[tuple[str, float]]:
    return ((f"course/{case_id}/{name}", value) for name, value in scores.items() if value is not None)


class Pictured:
    """Which cases' pictures are shown: the first PICTURED_CASES of a launch."""

    def __init__(self) -> None:
        self._shown: set[str] = set()

    def shows(self, case_id: str) -> bool:
        """Whether a picture of this case is shown; it then counts as one of them."""
        if len(self._shown) < PICTURED_CASES:
            self._shown.add(case_id)
        return case_id in self._shown


def pair(source: Any, edited: Any) -> Any:
    """Source and edit [3,H,W] as one picture: side by side, or strips of views one below the other."""
    import torch

    _, height, width = source.shape
    return torch.cat([source.cpu(), edited.cpu()], dim=-2 if width >= 2 * height else -1)
