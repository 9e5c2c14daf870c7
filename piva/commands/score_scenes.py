"""`piva score RUN` for a run over scenes: its kept fields are rendered and scored again; nothing is edited."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from piva.errors import SOME_FAILED, ConfigError
from piva.registry import resolve

if TYPE_CHECKING:
    from benchmarks.scenes.work import Workshop
    from piva.records import RunRecord


def main(config: Any, path: Path, device: str) -> int:
    """Exit code: complete, or some edits of the run have no score.

    Args:
        config: `piva.commands.score.ScoreConfig`.
        path: the run's folder.
        device: where scenes are rendered and scored.
    """
    from benchmarks import SCENE_BENCHMARKS
    from benchmarks.running.launches import launching
    from benchmarks.running.progress import Bar
    from benchmarks.running.saying import conclude
    from benchmarks.scenes.launch import load_scene_scorer, plan_scenes
    from benchmarks.scenes.runner import SceneJob, execute
    from benchmarks.scenes.scores import evaluation_ids
    from piva.keys import score_key
    from piva.records import RunFolder, read_cases, read_run

    record = read_run(path)
    benchmark = resolve("benchmark", SCENE_BENCHMARKS, record.benchmark)
    if record.benchmark_version != benchmark.version():
        versions = f"version {record.benchmark_version}, this program has version {benchmark.version()}"
        raise ConfigError(f"the run is of {record.benchmark} {versions}: its edits are others")
    kept = Path(record.root) if Path(record.root).is_dir() else None
    root = benchmark.locate(config.root or kept, record.split)
    cases = benchmark.cases(root, ids=list(read_cases(path)))
    scorer = load_scene_scorer(device, config, benchmark.pictures)
    shop = _workshop(record, device)
    metrics = evaluation_ids(scorer.spec, shop.eval_views)
    with RunFolder(path) as folder:
        facts = {"score_key": score_key(record.edit_key, metrics), "metrics": metrics, "root": str(root.resolve())}
        record = read_run(path).model_copy(update=facts)
        plan = plan_scenes(path, benchmark, record, cases, "retry-errors")
        print(f"{path}: {len(plan.rescore)} scenes to score, {len(plan.done)} have these scores", file=sys.stderr)
        without = plan.edits
        plan = replace(plan, batches=())
        if plan.remains:
            one = launching(record, folder, plan.cases, 1, device)
            with one as record, Bar(record.method, len(plan.rescore), 1) as bar:
                job = SceneJob(folder, record, shop, _no_edit, scorer, 0, (bar,))
                execute(job, plan, bar.note_reconstruction)
    code = conclude(path, plan)
    return SOME_FAILED if without else code


def _workshop(record: "RunRecord", device: str) -> "Workshop":
    """Scenes as the run read them."""
    from benchmarks.scenes.work import Workshop
    from piva.folders import cache_folder
    from piva.modules.reconstruction_settings import ReconstructionSettings

    assert record.scenes is not None
    assert record.image_size is not None
    return Workshop(
        ReconstructionSettings.model_validate(record.scenes["reconstruction"]), cache_folder() / "fields",
        record.image_size, record.scenes["eval_views"], device, record.scenes["downscale"],
    )  # fmt: skip


def _no_edit(*facts: Any, **options: Any) -> Any:
    raise AssertionError("a plan without batches asks for no edit")
