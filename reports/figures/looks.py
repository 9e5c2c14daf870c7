"""Which run looks like what: decided once for all figures of a report, so that a reader learns it once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from piva.methods import METHODS
from piva.registry import resolve
from piva.sampling import SAMPLERS
from reports.figures.style import COLORS, GREY, Look, look
from reports.labels import facts
from reports.reading import Run

NOTHING = Look(GREY, "*", ":", "")
"""Of rows that edit nothing."""


def strength_of(run: Run) -> str | None:
    """The setting that the run's method declares as its strength; None of a method that is not known here."""
    name = run.record.method
    known = METHODS | SAMPLERS
    return str(resolve("method", known, name).strength) if name in known else None


def family_of(run: Run) -> str:
    """What runs have in common that differ only in their method's strength: a curve in a plane is one."""
    record = run.record
    own = facts(record) | {"version": record.method_version}
    own |= {f"prior {name}": record.prior.get(name) for name in ("fingerprint", "image_size")}
    own.pop(strength_of(run) or "", None)
    return f"{run.record.method} {sorted(own.items())}"


def looks_of(runs: Sequence[Run]) -> dict[Path, Look]:
    """Path -> look, the same for the same runs in the same order: a family has one colour, its runs different marks.

    A family has the look of its first run where it is drawn as one.
    """
    families: dict[str, list[Run]] = {}
    for run in runs:
        if not run.is_identity_row:
            families.setdefault(family_of(run), []).append(run)
    found, used = dict[Path, Look](), Counter[int]()
    for place, own in enumerate(families.values()):
        color = place % len(COLORS)
        for run in own:
            found[run.path] = look(color, used[color])
            used[color] += 1
    return {run.path: found.get(run.path, NOTHING) for run in runs}
