"""`piva score RUN`: scores a stored run again, with other metrics; nothing is edited."""

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from piva.commands.arguments import parse
from piva.config import MetricFlags, runtime
from piva.errors import SOME_FAILED, ConfigError
from piva.registry import resolve

if TYPE_CHECKING:
    from benchmarks.running.plan import Plan
    from piva.data.pie_bench import Case
    from piva.records import RunFolder, RunRecord

ABOUT = """\
Score the stored images of a run again, without editing. The run then has the scores asked for, and no others.

example: piva score RUN --profile official --clip ViT-L-14/openai
"""


class ScoreConfig(MetricFlags):
    """What `piva score` does."""

    run: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")] = runtime()
    """A run's folder, or the beginning of its key."""

    runs: Path = runtime(Path("runs"))
    """Folder that holds all runs."""

    root: Path | None = runtime(None)
    """Folder of the benchmark's data; the one that the run was made from otherwise."""

    device: str = runtime("cpu")
    """Where the metrics run: auto, cpu, cuda, cuda:1, mps."""


def main(arguments: Sequence[str]) -> int:
    """Exit code: complete, or some cases of the run have no score."""
    config = parse(ScoreConfig, "score", arguments, ABOUT)
    from benchmarks import SCENE_BENCHMARKS
    from benchmarks.models import load_scorer
    from benchmarks.running.saying import conclude
    from piva.devices import pick_device
    from piva.records import RunFolder, find_run, read_cases, read_run

    path = find_run(config.run, config.runs)
    record, device = read_run(path), str(pick_device(config.device, "--device"))
    if record.benchmark in SCENE_BENCHMARKS:
        from piva.commands.score_scenes import main as score_scenes

        return score_scenes(config, path, device)
    benchmark, root = _data(record, config.root)
    cases = benchmark.cases(root, ids=list(read_cases(path)))
    scorer = load_scorer(device, config, benchmark.pictures)
    with RunFolder(path) as folder:
        record = _rescored(read_run(path), root, scorer)
        plan = _plan(path, record, cases)
        if plan.remains:
            _execute(folder, record, plan, device, scorer)
    code = conclude(path, plan)
    return code if len(plan.rescore) + len(plan.done) == len(plan.cases) else SOME_FAILED


def _data(record: "RunRecord", given: Path | None) -> tuple[Any, Path]:
    """The run's benchmark, and the folder of its data.

    Raises:
        ConfigError: the run is of another version of the benchmark, or the data are not where they were.
    """
    from benchmarks import BENCHMARKS

    benchmark = resolve("benchmark", BENCHMARKS, record.benchmark)
    if record.benchmark_version != benchmark.version():
        versions = f"version {record.benchmark_version}, this program has version {benchmark.version()}"
        raise ConfigError(f"the run is of {record.benchmark} {versions}: its cases are others")
    kept = Path(record.root) if Path(record.root).is_dir() else None
    return benchmark, benchmark.locate(given or kept, record.split)


def _rescored(record: "RunRecord", root: Path, scorer: Any) -> "RunRecord":
    """The record with the scorer's metrics and their key."""
    from piva.keys import score_key

    key = score_key(record.edit_key, scorer.spec)
    facts = {"score_key": key, "metrics": dict(scorer.spec), "root": str(root.resolve())}
    return record.model_copy(update=facts)


def _plan(path: Path, record: "RunRecord", cases: "Sequence[Case]") -> "Plan":
    """What is to be scored; cases without an image, or whose source changed, are left as they are, and said."""
    from benchmarks.pictures.launch import plan_run

    plan = plan_run(path, record, cases, batch_size=1, overwrite="retry-errors")
    parts = [f"{len(plan.rescore)} images to score"]
    parts += [f"{len(plan.done)} have these scores"] if plan.done else []
    parts += [f"{plan.edits} cases have no image of their present source, and are left as they are"] * (plan.edits > 0)
    print(f"{path}: " + ", ".join(parts), file=sys.stderr)
    return replace(plan, batches=())


def _execute(folder: "RunFolder", record: "RunRecord", plan: "Plan", device: str, scorer: Any) -> None:
    from benchmarks.pictures.runner import Job, execute
    from benchmarks.running.launches import launching
    from benchmarks.running.progress import Bar
    from piva.data.images import image_size

    def size(case: "Case") -> tuple[int, int]:
        return image_size(folder.path / str(plan.edited[case.id].image))

    with launching(record, folder, plan.cases, 1, device) as record, Bar(record.method, len(plan.rescore), 1) as bar:
        execute(Job(folder, record, size, _no_edit, scorer, (bar,)), plan)


def _no_edit(inputs: Sequence[Any], on_step: Any) -> list[Any]:
    raise AssertionError("a plan without batches asks for no edit")
