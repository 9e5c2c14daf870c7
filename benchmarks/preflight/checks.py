"""Before any work of a run: its data can be read, its folder written, and disk, device and memory are there for it.

What would end the run is refused at once, and what would only harm it is said; a dry run only says. All of it takes
tenths of a second. (Settings, models and weights are tried by loading them.)
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.costs.calibration import case_bytes
from benchmarks.preflight.device import busy, picture_memory
from benchmarks.preflight.readable import unreadable_pictures, unreadable_scenes
from benchmarks.running.plan import Plan
from benchmarks.scenes.benchmark import SceneEditCase
from benchmarks.scenes.forecast import edits_bytes
from piva.data.pie_bench import Case
from piva.errors import MachineError, PreflightError
from piva.records import RunRecord

FREE_BYTES = 100 * 2**20
"""Room on the disk to leave besides what the cases take."""
NAMED = 5
"""Of the cases that cannot be read, so many are named."""


@dataclass(frozen=True)
class Finding:
    """Something that is not as it should be."""

    sentence: str
    ends: bool = False
    """Whether the run is not to begin."""
    of_machine: bool = False
    """Whether no other run would, either."""


def preflight_pictures(config: Any, prior: Any, plans: Sequence[Plan[Case]], sharing: int = 1) -> None:
    """Looks at what runs over pictures need before they begin, and says on stderr what is amiss.

    Args:
        config: `piva.config.RunConfig` with a `method`.
        prior: of the runs, or what is known of it without its weights.
        plans: of all seeds.
        sharing: workers that have one device together.

    Raises:
        PreflightError: a run cannot succeed as things are; not where `config.dry_run`.
    """
    cases = _to_do(plans)
    needed = sum(plan.edits for plan in plans) * case_bytes((), prior.image_size)
    batch = max((len(batch.cases) for plan in plans for batch in plan.batches), default=0)
    found = [*_data(unreadable_pictures(cases), plans, "images"), *_disk(config.out, needed), *_device(prior)]
    if batch:
        short = picture_memory(prior, config.method, batch, sharing)
        found += [Finding(short.sentence, ends=short.never_fits)] if short else []
    _settle(found, config.dry_run)


def preflight_scenes(
    config: Any, prior: Any, plans: Sequence[Plan[SceneEditCase]], records: Sequence[RunRecord]
) -> None:
    """The same for runs over scenes, whose memory is not reckoned: that of a field's render hangs on the scene.

    Args:
        config: `piva.scenes.config.SceneRunConfig` with a `method`.
        plans: of all seeds.
        records: of the same runs.

    Raises:
        PreflightError: as `preflight_pictures`.
    """
    needed = sum(edits_bytes(plan, record, config) for plan, record in zip(plans, records, strict=True))
    lost = unreadable_scenes(_to_do(plans))
    _settle([*_data(lost, plans, "edits"), *_disk(config.out, needed), *_device(prior)], config.dry_run)


def check_disk(out: Path, needed: int = 0) -> None:
    """Raises MachineError unless `out` can be made, written to, and has room for so many bytes and some more."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out):
            pass
    except OSError as problem:
        raise MachineError(f"cannot write to {out}: {problem}") from problem
    for finding in _disk(out, needed):
        raise MachineError(finding.sentence)


def _to_do(plans: Sequence[Plan[Any]]) -> list[Any]:
    """The cases that a run will open, each once."""
    wanted = [case for plan in plans for batch in plan.batches for case in batch.cases if case.id in batch.wanted]
    again = [case for plan in plans for case in plan.rescore]
    return list({case.id: case for case in (*wanted, *again)}.values())


def _data(problems: Mapping[str, str], plans: Sequence[Plan[Any]], things: str) -> list[Finding]:
    if not problems:
        return []
    count = len({case.id for plan in plans for case in plan.cases})
    named = [f"{id_}: {why}" for id_, why in list(problems.items())[:NAMED]]
    named += [f"and {len(problems) - NAMED} more"] if len(problems) > NAMED else []
    if len(problems) == count:
        return [Finding(f"none of the {count} {things} can be read: {'; '.join(named)}", ends=True)]
    errors = "these cases will be recorded as errors"
    return [Finding(f"{len(problems)} of {count} {things} cannot be read: {'; '.join(named)}: {errors}")]


def _disk(out: Path, needed: int) -> list[Finding]:
    """Whether there is room; the folder need not be there yet."""
    try:
        free = shutil.disk_usage(next(path for path in (out, *out.absolute().parents) if path.exists())).free
    except OSError as problem:
        return [Finding(f"cannot see how much room {out} has: {problem}", ends=True, of_machine=True)]
    short = needed + FREE_BYTES - free
    if short <= 0:
        return []
    takes = f"what is to do takes about {_mb(needed)}" if needed else "a run writes as it goes"
    sentence = f"{out} has {_mb(free)} left; {takes}, and {_mb(FREE_BYTES)} are to stay free"
    return [
        Finding(
            f"{sentence}: free {_mb(short)} at least, or give another folder with --out", ends=True, of_machine=True
        )
    ]


def _device(prior: Any) -> list[Finding]:
    return [Finding(sentence) for sentence in busy(prior.device)]


def _settle(findings: Sequence[Finding], dry_run: bool) -> None:
    ends = [finding for finding in findings if finding.ends]
    for finding in findings:
        if dry_run or not finding.ends:
            print(f"{'a run would be refused' if finding.ends else 'warning'}: {finding.sentence}", file=sys.stderr)
    if ends and not dry_run:
        error = MachineError if any(finding.of_machine for finding in ends) else PreflightError
        raise error("; ".join(finding.sentence for finding in ends))


def _mb(size: int) -> str:
    return f"{max(1, -(-size // 2**20)):,} MB"
