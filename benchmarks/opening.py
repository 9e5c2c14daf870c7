"""From settings to runs that can be planned and done, of pictures or of scenes."""

from __future__ import annotations

from typing import Any

from benchmarks.pictures.runs import PictureRuns
from benchmarks.running.runs import Runs
from benchmarks.scenes.benchmark import SceneBenchmark
from benchmarks.scenes.runs import SceneRuns


def open_runs(benchmark: Any, config: Any, by_workers: bool = False) -> Runs:
    """The runs that the settings ask for, checked.

    Args:
        by_workers: others do the work; no weights are loaded here that they load.

    Raises:
        ConfigError, PreflightError: as `PictureRuns.opened`.
    """
    kind: Any = SceneRuns if isinstance(benchmark, SceneBenchmark) else PictureRuns
    runs: Runs = kind.opened(benchmark, config, by_workers)
    return runs
