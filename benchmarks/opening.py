"""From settings to runs that can be planned and done, of pictures or of scenes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from benchmarks.pictures.runs import PictureRuns
from benchmarks.running.plan import Plan
from benchmarks.running.recording import Writer
from benchmarks.running.watching import Watchers
from benchmarks.scenes.benchmark import SceneBenchmark
from benchmarks.scenes.runs import SceneRuns
from piva.records import RunRecord


class Runs(Protocol):
    """What `PictureRuns` and `SceneRuns` have in common."""

    @property
    def config(self) -> Any: ...
    @property
    def cases(self) -> list[Any]: ...
    @property
    def prior(self) -> Any: ...
    @property
    def batch_size(self) -> int: ...
    def record(self, seed: int) -> RunRecord: ...
    def plan(self, record: RunRecord, folder: Path) -> Plan[Any]: ...
    def share(self, number: int, of: int) -> frozenset[str]: ...
    def units(self, plan: Plan[Any]) -> list[Plan[Any]]: ...
    def apart(self, plan: Plan[Any]) -> list[Plan[Any]]: ...
    def known(self, case: Any) -> dict[str, Any]: ...
    def do(self, record: RunRecord, plan: Plan[Any], folder: Writer, watchers: Watchers) -> None: ...
    def preflight(self, plans: Sequence[Plan[Any]], records: Sequence[RunRecord]) -> None: ...
    def intentions(self, plan: Plan[Any]) -> list[str]: ...
    def notes(self, plan: Plan[Any]) -> list[str]: ...


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
