"""From settings to a run over pictures that can start: its record, its plan, and the function that edits a batch."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.depth import Depths, depth_digest, reads_depth
from benchmarks.identity_rows import IDENTITY_ROWS
from benchmarks.pictures.runner import Edit, OnStep
from benchmarks.pictures.under_way import checkpoint_of
from benchmarks.pie_bench import Benchmark
from benchmarks.running.making import Making, run_record
from benchmarks.running.plan import Plan, compose
from piva.config import Overwrite, RunConfig
from piva.data.pie_bench import Case
from piva.editing import EditInput, EditOutput, edit_batch
from piva.folders import cache_folder
from piva.records import RunRecord, read_cases
from piva.sampling import SAMPLERS


def editor(
    method: Any,
    prior: Any,
    steps: int,
    seed: int,
    row_cache_gb: float = 0,
    depths: Depths | None = None,
    image_every: int = 0,
    run: Path | None = None,
) -> Edit:
    """The function that edits a batch: a method's loop, a sampler, or an identity row.

    Args:
        depths: of cases that bring none.
        image_every: steps between two that show images.
        run: folder where a batch that is under way is kept.
    """
    from piva.row_store import RowStore

    rows = RowStore(cache_folder() / "rows", int(row_cache_gb * 2**30), prior.device) if row_cache_gb else None

    def edit(inputs: Sequence[EditInput], on_step: OnStep) -> Sequence[EditOutput]:
        if method.name in IDENTITY_ROWS:
            return list(method.edit(prior, inputs))
        if method.name in SAMPLERS:
            from piva.sampling.batch import sample_batch

            return sample_batch(prior, method, inputs, steps=steps, seed=seed, on_step=on_step, image_every=image_every)
        if depths is not None:
            inputs = [replace(case, depth=depths(case.case_id)) for case in inputs]
        kept = None if run is None else checkpoint_of(run, [case.case_id for case in inputs])
        outputs = edit_batch(
            prior, method, inputs, steps=steps, seed=seed, on_step=on_step, image_every=image_every, cache=rows,
            psi_store=cache_folder() / "psi", checkpoint=kept,
        )  # fmt: skip
        if rows is not None:
            rows.flush()
        return outputs

    return edit


def describe(
    benchmark: Benchmark, root: Path, config: RunConfig, method: Any, prior: Any, scorer: Any, seed: int
) -> RunRecord:
    """The record of a run, with both keys; its folder may hold an earlier launch of it."""
    steps, seed = (0, 0) if method.name in IDENTITY_ROWS else (config.steps, seed)
    facts = config.prior.model_dump(mode="json") | {"name": prior.name, "fingerprint": prior.fingerprint}
    depth = depth_digest(root) if reads_depth(method) else None
    data = {"depth": depth} if depth else {}
    return run_record(
        benchmark, root, Making(method.name, method, facts, steps, seed, prior.image_size, data), scorer.spec
    )


def plan_run(
    path: Path, record: RunRecord, cases: Sequence[Case], batch_size: int, overwrite: Overwrite = "only-missing"
) -> Plan:
    """What remains of `cases`, given what the run's folder holds. Raises as `compose`."""
    return compose(cases, batch_size, read_cases(path), record.score_key, path, overwrite=overwrite)
