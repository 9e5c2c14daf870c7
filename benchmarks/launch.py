"""From settings to a run that can start: prior and scorer loaded, keys computed, records opened, plan made."""

import sys
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from benchmarks.depth import Depths, depth_digest, reads_depth
from benchmarks.identity_rows import IDENTITY_ROWS
from benchmarks.pie_bench import Benchmark, cache_folder
from benchmarks.plan import Plan, Plannable, compose
from benchmarks.runner import Edit, OnStep
from benchmarks.under_way import checkpoint_of
from piva.config import MetricFlags, Overwrite, PriorConfig, RunConfig
from piva.data.pie_bench import Case
from piva.disk import now
from piva.editing import EditInput, EditOutput, edit_batch
from piva.errors import ConfigError, PreflightError
from piva.instructed import follows_instructions
from piva.keys import edit_facts, key_of, score_key
from piva.provenance import collect
from piva.records import Launch, RunFolder, RunRecord, read_cases, read_run
from piva.sampling import SAMPLERS
from piva.schedule import check_range

if TYPE_CHECKING:
    from piva.metrics.loading import Pictures
    from piva.metrics.scene_scorer import SceneScorer
    from piva.metrics.scorer import Scorer
    from piva.priors.facts import PriorFacts
    from piva.priors.stable_diffusion import StableDiffusionPrior

P = TypeVar("P", "StableDiffusionPrior", "PriorFacts")
S = TypeVar("S", "Scorer", "SceneScorer")


def load_prior(config: PriorConfig, method: Any = None) -> "StableDiffusionPrior":
    """The prior that the settings name: text to image, or an InstructPix2Pix model for a method that asks for one.

    Raises:
        ConfigError: the settings do not fit the model.
        PreflightError: its weights are missing, or cannot be used on the device.
    """
    from piva.allocator import keep_freed_memory
    from piva.priors.stable_diffusion import StableDiffusionPrior

    make = StableDiffusionPrior.from_config
    if follows_instructions(method):
        from piva.priors.instruct_pix2pix import InstructPix2PixPrior

        make = InstructPix2PixPrior.from_config
    prior = _opened(make, config)
    if prior.device.type == "cpu":
        keep_freed_memory()
    return prior


def prior_facts(config: PriorConfig, method: Any = None) -> "PriorFacts":
    """What is known of that prior without its weights. Raises as `load_prior` does."""
    from piva.priors.facts import PriorFacts
    from piva.priors.instruct_pix2pix import InstructPix2PixFacts

    return _opened(InstructPix2PixFacts if follows_instructions(method) else PriorFacts, config)


def _opened(make: "Callable[[PriorConfig], P]", config: PriorConfig) -> "P":
    try:
        return make(config)
    except ConfigError:
        raise
    except (OSError, ValueError, RuntimeError) as problem:
        raise PreflightError(f"cannot load the prior {config.model!r}: {problem}") from problem


def load_scorer(device: str, flags: MetricFlags, pictures: "Pictures") -> "Scorer":
    """Every metric asked for whose weights are there; says which are not. Raises as `loaded` does."""
    from piva.metrics.loading import load

    return loaded(load, device, flags, pictures)


def loaded(
    load: "Callable[[MetricFlags, Pictures, str], S]", device: str, flags: MetricFlags, pictures: "Pictures"
) -> "S":
    """The scorer that `load` makes; says which metrics it lacks.

    Raises:
        ConfigError: a metric or a model does not exist.
        PreflightError: the weights that are there cannot be read.
    """
    try:
        scorer = load(flags, pictures, device)
    except ConfigError:
        raise
    except (OSError, ValueError, RuntimeError) as problem:
        raise PreflightError(f"cannot load the metrics' models: {problem}") from problem
    for reason in dict.fromkeys(scorer.missing.values()):
        names = [name for name, why in scorer.missing.items() if why == reason]
        print(f"not scored: {', '.join(names)}: {reason}", file=sys.stderr)
    return scorer


def check_method(method: Any, prior: Any, steps: int) -> None:
    """Raises ConfigError where the method's settings do not suit the prior, or the number of steps."""
    if method.name in SAMPLERS:
        method.check_steps(steps, len(prior.abar))
    elif method.name not in IDENTITY_ROWS and not follows_instructions(method):
        check_range(method.t_min, method.t_max, len(prior.abar))
        if method.auxiliaries:
            prior.adapter(method.aux, seed=0, case_ids=())  # of no case, which finds the layers and builds nothing


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
            from piva.sampling.course import sample_batch

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
    made = Making(method.name, method, facts, steps, seed, image_size=prior.image_size, depth=depth)
    return run_record(benchmark, root, made, scorer)


@dataclass(frozen=True)
class Making:
    """How the images of a run come about, as far as it is known."""

    name: str
    """Of the row: the method's, or what the images of a folder are called."""
    method: Any
    prior: dict[str, Any]
    """Its settings, `name` and `fingerprint`; both "none" for images made elsewhere."""
    steps: int = 0
    seed: int = 0
    image_size: tuple[int, int] | None = None
    files: str | None = None
    """Digest of the images, where they were made elsewhere."""
    depth: str | None = None
    """Digest of the depth files, where there are some and the method reads them."""


def run_record(benchmark: Any, root: Path, made: Making, scorer: Any) -> RunRecord:
    """The record of a run that was never launched, with both keys."""
    split, method = benchmark.split(root), made.method
    data = {"name": benchmark.name, "version": benchmark.version(), "split": split}
    facts = edit_facts(
        benchmark=data | {name: value for name, value in (("files", made.files), ("depth", made.depth)) if value},
        method=made.name,
        method_version=method.VERSION,
        settings=method,
        prior=weights_of(made.prior["fingerprint"], method),
        steps=made.steps,
        seed=made.seed,
    )
    key = key_of(facts)
    return RunRecord(
        edit_key=key,
        score_key=score_key(key, scorer.spec),
        benchmark=benchmark.name,
        benchmark_version=benchmark.version(),
        split=split,
        root=str(root.resolve()),
        method=made.name,
        method_version=method.VERSION,
        settings=method.model_dump(mode="json"),
        prior=made.prior,
        steps=made.steps,
        seed=made.seed,
        image_size=made.image_size,
        metrics=dict(scorer.spec),
        key_facts=facts,
    )


def weights_of(prior: str, method: Any) -> str:
    """Fingerprint of the prior, and of the ControlNet that the method's auxiliaries start from, where one is given."""
    name = method.aux.controlnet if getattr(method, "auxiliaries", ()) else None
    if name is None:
        return prior
    from piva.auxiliary.controlnet import fingerprint

    return f"{prior}+controlnet/{fingerprint(name, method.aux.controlnet_revision)}"


def run_path(out: Path, record: RunRecord) -> Path:
    """`<out>/<benchmark>/<method>-<edit_key>`."""
    return out / record.benchmark / f"{record.method}-{record.edit_key}"


def plan_run(
    path: Path, record: RunRecord, cases: Sequence[Case], batch_size: int, overwrite: Overwrite = "only-missing"
) -> Plan:
    """What remains of `cases`, given what the run's folder holds. Raises as `compose`."""
    return compose(cases, batch_size, read_cases(path), record.score_key, path, overwrite=overwrite)


def launched(
    record: RunRecord, path: Path, cases: Sequence[Plannable], batch_size: int, device: str, config: Any = None
) -> RunRecord:
    """The record with this launch added to those its folder already has.

    Args:
        config: `piva.config.ExecutionFlags` of a run; None where records are only scored.
    """
    earlier = read_run(path).launches if (path / "run.json").exists() else []
    how = {} if config is None else config.model_dump(include={"executor", "workers", "shard", "overwrite"})
    planned = [case.id for case in cases]
    launch = Launch(started=now(), planned=planned, batch_size=batch_size, provenance=collect(device), **how)
    return record.model_copy(update={"launches": [*earlier, launch]})


def ended(record: RunRecord, folder: RunFolder, seconds: float, edited: Collection[str] = ()) -> RunRecord:
    """The record with its last launch completed, which is written, too.

    Args:
        seconds: wall time of the launch.
        edited: ids of the cases that it was to edit; those that it only scored keep the costs of an earlier edit.
    """
    number = len(record.launches) - 1
    own = [case for id_, case in read_cases(folder.path).items() if id_ in edited and case.launch == number]
    peaks = [case.peak_bytes for case in own if case.peak_bytes is not None]
    told = {"ended": now(), "seconds": seconds, "peak_bytes": max(peaks, default=None)}
    last = record.launches[-1].model_copy(update=told)
    record = record.model_copy(update={"launches": [*record.launches[:-1], last]})
    folder.write_run(record)
    return record


@contextmanager
def launching(
    record: RunRecord,
    folder: RunFolder,
    cases: Sequence[Plannable],
    batch_size: int,
    device: str,
    config: Any = None,
    edited: Collection[str] = (),
) -> Iterator[RunRecord]:
    """The record with this launch, which is written now, and completed when it ends, however that is.

    Args:
        edited: ids of the cases that are to be edited.
    """
    started = time.monotonic()
    record = launched(record, folder.path, cases, batch_size, device, config)
    folder.write_run(record)
    try:
        yield record
    finally:
        ended(record, folder, time.monotonic() - started, edited)
