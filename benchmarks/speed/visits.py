"""One visit of some cases: by the literal twin, or by ours in batches, cold and then warm."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any, Literal

from benchmarks.pictures.runner import Job, OnStep, execute
from benchmarks.reference import literal
from benchmarks.running.plan import compose
from benchmarks.speed.contenders import COLD, WARM, Contender
from benchmarks.speed.split import HARNESS, Split, splitting
from benchmarks.speed.world import World
from piva.data.pie_bench import load_image
from piva.editing import EditInput, EditOutput, edit_batch
from piva.records import RunFolder, RunRecord, read_cases
from piva.row_store import RowStore
from piva.sampling import SAMPLERS
from piva.sampling.batch import sample_batch
from piva.scores import RowCache, SourceRows
from piva.tracking import open_mirror

Keep = Literal["memory", "disk", "nowhere"]
"""Where source rows are kept from one visit to the next."""
_UNBOUNDED = 2**50  # bytes: a cache too small for what comes round again holds none of it when it does


@dataclass(frozen=True)
class Visit:
    """What it took, per case."""

    seconds: float  # of an edit
    rows_forward: float  # of a step, without gradient due
    rows_backward: float  # of a step, with a backward pass
    psi_rows: int = 0  # trained before the first step
    split: dict[str, float] | None = None  # section -> seconds of an edit


class NoScores:
    """A scorer that scores nothing: metrics are not what is measured."""

    def score_batch(self, inputs: Sequence[Any]) -> list[Any]:
        """No values."""
        return [SimpleNamespace(values={}, reasons={}) for _ in inputs]


def literal_visit(world: World, contender: Contender, steps: int, careful: bool) -> Visit:
    """Every case by itself, as public code does it."""
    prior, cases = world.literal_prior, world.batches(1)
    gc.collect()
    started = world.now()
    for case in cases:
        source = EditInput(case.id, load_image(case, prior.image_size), case.src, case.tgt)
        made = literal.edit(prior, contender.literal, source, steps=steps, seed=0, careful=careful)
    seconds = (world.now() - started) / len(cases)
    return Visit(seconds, made.rows_scored / steps, made.rows_trained / steps)


def our_visits(world: World, contender: Contender, steps: int, size: int, split: bool = False) -> dict[str, Visit]:
    """Two visits by ours in batches of `size`: one to cases never seen, then one that finds what the first left."""
    with visiting(world, steps, size, "memory", split) as visits:
        return {COLD: visits.one(COLD, contender.first), WARM: visits.one(WARM, contender.later)}


@contextmanager
def visiting(world: World, steps: int, size: int, keep: Keep, split: bool = False) -> Iterator[Visits]:
    """Visits to cases never seen: no prompt is encoded, no psi stored, no source row kept."""
    with TemporaryDirectory() as folder:
        world.forget()
        yield Visits(world, Path(folder), _cache(keep, Path(folder), world), steps, size, split)


def _cache(keep: Keep, folder: Path, world: World) -> SourceRows | None:
    if keep == "memory":
        return RowCache(_UNBOUNDED)
    return RowStore(folder / "rows", _UNBOUNDED, world.device) if keep == "disk" else None


@dataclass(frozen=True)
class Visits:
    """`piva run` of some cases, as often as asked, with what it keeps between times."""

    world: World
    folder: Path
    cache: SourceRows | None
    steps: int
    size: int
    is_split: bool

    def one(self, name: str, method: Any) -> Visit:
        """The cases edited, written and recorded under a name of their own.

        Raises:
            RuntimeError: a case failed.
        """
        cases, outputs = self.world.batches(self.size), list[EditOutput]()
        prior: Any = self.world.prior
        record, mirror = self._record(name, method), open_mirror(self.world.options.tracker)
        watch = Split(self.world.now)

        def edit(inputs: Sequence[EditInput], on_step: OnStep) -> Sequence[EditOutput]:
            if method.name in SAMPLERS:
                made = watch.around(HARNESS, sample_batch)(
                    prior, method, inputs, steps=self.steps, seed=0, on_step=on_step
                )
            else:
                made = watch.around(HARNESS, edit_batch)(
                    prior, method, inputs, steps=self.steps, seed=0, on_step=on_step, cache=self.cache,
                    psi_store=self.folder / "psi",
                )  # fmt: skip
            if isinstance(self.cache, RowStore):
                self.cache.flush()
            outputs.extend(made)
            return made

        path = self.folder / name
        with RunFolder(path) as folder:
            mirror.start(record, path)
            job = Job(folder, record, lambda case: prior.image_size, edit, NoScores(), (mirror,))
            gc.collect()
            parts = splitting(watch, prior, method) if self.is_split else nullcontext()
            with parts, watch:
                execute(job, compose(cases, self.size, {}, record.score_key, path))
            mirror.finish()
        for case in read_cases(path).values():
            if case.status != "ok":
                raise RuntimeError(f"case {case.case_id} failed\n{case.traceback}")
        made = method.made(self.steps) if method.name in SAMPLERS else self.steps
        return _visit(outputs, made, watch, self.is_split)

    def _record(self, name: str, method: Any) -> RunRecord:
        return RunRecord(
            edit_key=name, score_key="none", benchmark="speed", benchmark_version=1, root="", method=method.name,
            method_version=method.VERSION, settings=method.model_dump(mode="json"), prior={}, steps=self.steps, seed=0,
            metrics={},
        )  # fmt: skip


def _visit(outputs: Sequence[EditOutput], steps: int, watch: Split, is_split: bool) -> Visit:
    """Costs per case; all cases of a visit cost the same rows."""
    n, one = len(outputs), outputs[0]
    forward = one.unet_rows - one.unet_rows_backward
    split = {name: seconds / n for name, seconds in watch.seconds.items()} if is_split else None
    return Visit(watch.total / n, forward / steps, one.unet_rows_backward / steps, one.psi_rows, split)
