"""`piva sweep run FILE`: does the points of a sweep that are missing or failed, without a server."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from piva.commands.arguments import parse, take
from piva.commands.sweep_settings import SweepFlags, check_count, open_board
from piva.config import ExecutionFlags, Executor, RaySettings, SlurmSettings, identity, runtime
from piva.errors import (
    BAD_CONFIGURATION,
    COMPLETE,
    INTERRUPTED,
    PREFLIGHT_FAILED,
    SOME_FAILED,
    ConfigError,
    PreflightError,
)
from piva.interrupts import interruptible

if TYPE_CHECKING:
    from benchmarks.sweeps.board import Board, PointOnDisk

ABOUT = """\
Do the points of a sweep file that are missing or failed, without W&B's server.

Start it as often as you like, on as many machines as see the folder: each worker takes points that nobody has. Stopped
or killed at any moment, the same command goes on. A point whose run was stopped early (early_terminate) stays so; its
own command, which `piva sweep status` shows with --commands, does the rest of its cases.

examples:
  piva sweep run sweeps/lambda-toybox.yaml
  piva sweep run search.yaml --max-runs 30 --sampler gp
  piva sweep run sweeps/lambda-toybox.yaml --workers 2
  piva sweep run sweeps/lambda-toybox.yaml --executor processes --workers-per-run 4
"""


class SweepRunConfig(SweepFlags):
    """What `piva sweep run` does."""

    sampler: Literal["tpe", "gp"] = identity("tpe")
    """What draws the points of a search (method bayes): Optuna's tree of Parzen estimators, or a Gaussian process."""

    workers: int = runtime(1, ge=1)
    """Processes on this machine, which share its cores: more pay where one does not keep the machine busy."""

    executor: Executor = runtime("in-process")
    """Who does the work of each run, as with `piva run`, unless the run's command says so itself."""

    workers_per_run: int | None = runtime(None, ge=1)
    """--workers of each run."""

    ray: RaySettings = runtime(default_factory=RaySettings)

    slurm: SlurmSettings = runtime(default_factory=SlurmSettings)


def main(arguments: Sequence[str]) -> int:
    """Exit code: complete, some points failed or are missing, bad configuration, preflight failed, or interrupted."""
    config = parse(SweepRunConfig, "sweep run", arguments, ABOUT)
    from benchmarks.sweeps.status import counts, sentence

    board = open_board(config)
    check_count(board)
    check_executor(board, config)
    if board.sweep.early_terminate is not None:
        from benchmarks.sweeps.pruning import rungs

        rungs(board.sweep.early_terminate)
    if board.sweep.method != "bayes":
        check_points(board.all())
    try:
        with interruptible():
            code = _crew(board, config) if config.workers > 1 else _worker(board, config)
    except KeyboardInterrupt:
        code = INTERRUPTED
    numbers = counts(board.all(), board.expected)
    print(f"{board.out}: {sentence(numbers)}")
    if code == INTERRUPTED:
        print("interrupted; what is recorded is kept, and the same command goes on", file=sys.stderr)
    return code


def check_points(points: "Sequence[PointOnDisk]") -> None:
    """Raises ConfigError where a point cannot be run anywhere, PreflightError where none can be run here."""
    refused = [found for found in points if found.refused is not None]
    wrong = [found for found in refused if isinstance(found.refused, ConfigError)]
    first = next(iter(wrong or refused), None)
    if first is not None and (wrong or len(refused) == len(points)):
        error = ConfigError if wrong else PreflightError
        raise error(f"{len(wrong or refused)} points cannot be run, the first of them: {first.why}")


def check_executor(board: "Board", config: SweepRunConfig) -> None:
    """Raises ConfigError where the executor cannot do what is asked for."""
    if config.executor == "in-process" and config.workers_per_run is not None:
        raise ConfigError("--workers-per-run: which workers? --executor processes, ray or slurm")
    own = take("--executor", board.sweep.command)[0]
    if (own or config.executor) == "slurm" and board.sweep.early_terminate is not None:
        raise ConfigError("--executor slurm: nobody watches its jobs, so that early_terminate would stop no run early")


def _flags(config: SweepRunConfig) -> list[str]:
    """The flags of `piva run` that name the executor."""
    from benchmarks.sweeps.execution import flags_of

    asked = {name: getattr(config, name) for name in ("executor", "ray", "slurm")}
    return list(flags_of(ExecutionFlags(**asked, workers=config.workers_per_run)))


def _worker(board: "Board", config: SweepRunConfig) -> int:
    """One worker, in this process."""
    from benchmarks.sweeps.execution import executed_by
    from benchmarks.sweeps.search import Memory
    from benchmarks.sweeps.worker import Worker
    from piva.commands.run import main as run

    sweep = board.sweep
    searches = sweep.method == "bayes" or sweep.early_terminate is not None
    memory = Memory(sweep, board.ledger, config.sampler, config.seed) if searches else None
    if not Worker(board, memory, executed_by(run, _flags(config))).work():
        return INTERRUPTED
    return COMPLETE if board.is_complete() else SOME_FAILED


def _crew(board: "Board", config: SweepRunConfig) -> int:
    """Several workers, each in a process of its own."""
    from benchmarks.sweeps.crew import Crew
    from benchmarks.sweeps.execution import flags_of
    from benchmarks.sweeps.status import counts, sentence

    flags = ["--out", str(board.out), "--seed", str(config.seed), "--sampler", config.sampler, "--workers", "1"]
    flags += [] if config.max_runs is None else ["--max-runs", str(config.max_runs)]
    flags += flags_of(config, ("executor", "workers_per_run", "ray", "slurm"))
    logs = board.ledger.folder / "logs"
    command = [sys.executable, "-m", "piva.cli", "sweep", "run", str(config.file), *flags]
    print(f"{config.workers} workers; what they say is in {logs}", file=sys.stderr)
    codes = Crew(command, config.workers, logs).wait(lambda: sentence(counts(board.all(), board.expected)))
    for grave in (BAD_CONFIGURATION, PREFLIGHT_FAILED):
        if grave in codes:
            print(f"a worker ended with {grave}; see {logs}", file=sys.stderr)
            return grave
    return COMPLETE if board.is_complete() else SOME_FAILED
