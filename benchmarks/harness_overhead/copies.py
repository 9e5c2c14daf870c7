"""A run whose edit is a copy of the source: whatever it takes is the harness's."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

from benchmarks import models
from benchmarks.harness_overhead.clock import REST, Clock
from benchmarks.harness_overhead.options import Options
from benchmarks.identity_rows import Copy
from benchmarks.pictures import runner
from benchmarks.pie_bench import PIE_TOYBOX
from benchmarks.running.plan import compose, spread
from piva.data.pie_bench import Case, read
from piva.disk import now
from piva.errors import ConfigError
from piva.metrics.scorer import Scores
from piva.provenance import collect
from piva.records import Launch, RunFolder, RunRecord, read_cases

PLAN, LOAD, IMAGE, SCORE, LINE, SYNC = "plan", "load", "write image", "score", "append line", "wait for disk"
SECTIONS = {
    PLAN: "hashes of sources, prompts and masks",
    LOAD: "reading the source",
    IMAGE: "PNG, SHA-256, temporary file and rename",
    LINE: "the record as JSON, the lock asked, the line written",
    SYNC: "fsync of the line; images are not waited for",
    SCORE: "the metrics",
    REST: "tensors to bytes and back, mask and true edit, records, observers",
}


class Free:
    """Scores that cost nothing."""

    def __init__(self) -> None:
        self.spec = {"nothing": "nothing@1"}

    def score_batch(self, inputs: Sequence[Any]) -> list[Scores]:
        """Zero, for each."""
        return [Scores({"nothing": 0.0}, {}) for _ in inputs]


def cases_of(options: Options) -> list[Case]:
    """Those that are copied.

    Raises:
        ConfigError: there are not so many.
    """
    root = options.root or PIE_TOYBOX.locate(None, "test")
    cases = spread(read(root), options.cases)
    if len(cases) < options.cases:
        raise ConfigError(f"{root} has {len(cases)} cases, not {options.cases}: fewer --cases")
    return cases


def scorers() -> dict[str, Any]:
    """Those that cost nothing, and those of PIE-Toybox."""
    from piva.config import RunConfig

    return {"none": Free(), "PIE-Toybox's": models.load_scorer("cpu", RunConfig(), PIE_TOYBOX.pictures)}


def copied(cases: Sequence[Case], batch_size: int, scorer: Any) -> dict[str, float]:
    """Section -> seconds of a new run over the cases."""
    begun = Launch(started=now(), planned=[c.id for c in cases], batch_size=batch_size, provenance=collect())
    record = RunRecord(
        edit_key="0" * 16, score_key="0" * 16, benchmark="copies", benchmark_version=1, root=".", method="copy",
        method_version=1, settings={}, prior={}, steps=0, seed=0, metrics=dict(scorer.spec), launches=[begun],
    )  # fmt: skip
    with TemporaryDirectory() as folder, RunFolder(Path(folder)) as opened:
        opened.write_run(record)
        clock = Clock()
        score = _Timed(clock, scorer)
        job = runner.Job(
            opened, record, lambda case: case.image_size, lambda inputs, on_step: Copy().edit(None, inputs), score
        )
        with (
            patch.object(runner, "_load", clock.timed(LOAD, runner._load)),
            patch.object(opened, "write_image", clock.timed(IMAGE, opened.write_image)),
            patch.object(opened, "append", clock.timed(LINE, opened.append)),
            patch.object(os, "fsync", clock.timed(SYNC, os.fsync)),
        ):
            with clock.section(PLAN):
                plan = compose(cases, batch_size, read_cases(opened.path), "0" * 16, opened.path)
            runner.execute(job, plan)
            seconds = clock.stop()
        failed = [case.error for case in read_cases(opened.path).values() if case.status != "ok"]
        if failed:
            raise ConfigError(f"{len(failed)} of {len(cases)} cases cannot be copied: {failed[0]}")
    return seconds


class _Timed:
    """A scorer that is a section of a clock."""

    def __init__(self, clock: Clock, scorer: Any) -> None:
        self.spec, self.score_batch = scorer.spec, clock.timed(SCORE, scorer.score_batch)
