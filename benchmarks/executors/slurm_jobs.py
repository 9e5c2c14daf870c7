"""Jobs on a Slurm cluster through submitit, each with a shard of a run: asked for, followed, and how they ended."""

from __future__ import annotations

import json
import math
import shutil
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.sweeps.crew import threads_each
from piva.config import SlurmSettings
from piva.disk import write_atomically
from piva.errors import COMPLETE, SOME_FAILED, ConfigError, MachineError

if TYPE_CHECKING:
    from submitit import Job

SUBMITTED = "jobs.json"
"""In the folder of the logs: which jobs were submitted last."""


def check_installed() -> None:
    """Raises ConfigError without submitit."""
    if find_spec("submitit") is None:
        raise ConfigError('--executor slurm: submitit is not installed; pip install "piva[slurm]"')


def check_cluster(settings: SlurmSettings) -> None:
    """Raises MachineError where no job can be submitted."""
    if settings.cluster == "slurm" and not (shutil.which("sbatch") and shutil.which("srun")):
        raise MachineError(
            "there is no Slurm on this machine (no sbatch): start it where there is, as on a login node, "
            "or try it out here with --slurm.cluster local"
        )


@dataclass(frozen=True)
class ShardJob:
    """A job, and what it does."""

    shard: str
    """As in --shard."""
    job: Job[int]

    @property
    def state(self) -> str:
        """What the cluster says of it: pending, running, timeout, ..."""
        return (self.job.state.split() or ["unknown"])[0].lower()

    @property
    def log(self) -> Path:
        return Path(self.job.paths.stderr)

    def trouble(self) -> str | None:
        """Of a job that is over: why it is not through with its shard; None where it is."""
        from submitit.core.utils import FailedJobError, UncompletedJobError

        try:
            code = self.job.result()
        except FailedJobError:
            return "broke off with an error"
        except UncompletedJobError:
            return f"is gone without a word ({self.state})"
        if code in (COMPLETE, SOME_FAILED):
            return None
        return f"ended with {code}: {_last_line(self.log)}"


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
    return lines[-1] if lines else "it said nothing"


def do_shard(words: Sequence[str], threads: int) -> int:
    """What a job does: `piva` with these words; the exit code. Told to stop, it ends as with Ctrl-C."""

    def stop(number: int, frame: Any) -> None:
        signal.signal(number, signal.SIG_IGN)
        signal.raise_signal(signal.SIGINT)

    signal.signal(signal.SIGINT, signal.default_int_handler)
    for told in (signal.SIGTERM, signal.SIGUSR2):  # cancelled or preempted; its time is nearly over
        signal.signal(told, stop)
    import torch

    from piva.cli import main

    torch.set_num_threads(threads)
    sys.argv = ["piva", *words]  # which is what the record names
    return main(words)


def submit(settings: SlurmSettings, folder: Path, name: str, commands: Mapping[str, Sequence[str]]) -> list[ShardJob]:
    """Submits an array.

    Args:
        folder: for logs, and what the jobs are told.
        name: of the array.
        commands: shard -> words after `piva`.

    Raises:
        MachineError: the cluster refuses.
    """
    from submitit.core.utils import FailedJobError

    threads = settings.cpus if settings.cluster == "slurm" else min(settings.cpus, threads_each(len(commands)))
    try:
        made = _executor(settings, folder, name).map_array(do_shard, commands.values(), [threads] * len(commands))
    except (FailedJobError, OSError) as problem:
        raise MachineError(f"the jobs cannot be submitted: {str(problem).strip()}") from problem
    jobs = [ShardJob(shard, job) for shard, job in zip(commands, made, strict=True)]
    facts = {"cluster": settings.cluster, "jobs": {job.shard: job.job.job_id for job in jobs}}
    write_atomically(folder / SUBMITTED, json.dumps(facts, indent=2).encode() + b"\n")
    return jobs


def in_queue(folder: Path) -> list[ShardJob]:
    """Jobs submitted earlier that Slurm still has."""
    file = folder / SUBMITTED
    facts: dict[str, Any] = json.loads(file.read_bytes()) if file.exists() else {}
    if facts.get("cluster") != "slurm":
        return []  # nobody can be asked about processes
    from submitit import SlurmJob

    jobs = [ShardJob(shard, SlurmJob(folder, job_id)) for shard, job_id in facts["jobs"].items()]
    return [job for job in jobs if not job.job.done(force_check=True) and job.state != "unknown"]


def script(settings: SlurmSettings, folder: Path, name: str, jobs: int) -> str:
    """What sbatch would get; made on any machine."""
    from submitit.slurm import slurm

    command = f"{sys.executable} -u -m submitit.core._submit {folder}"
    many = {"map_count": jobs} if jobs > 1 else {}
    return slurm._make_sbatch_string(command, folder, **(_parameters(settings, name) | many))


def _executor(settings: SlurmSettings, folder: Path, name: str) -> Any:
    from submitit import LocalExecutor, SlurmExecutor

    if settings.cluster == "local":
        executor: Any = LocalExecutor(folder)
        executor.update_parameters(timeout_min=60 * settings.hours, gpus_per_node=settings.gpus)
    else:
        executor = SlurmExecutor(folder)
        executor.update_parameters(**_parameters(settings, name))
    return executor


def _parameters(settings: SlurmSettings, name: str) -> dict[str, Any]:
    """Options of sbatch, as submitit names them; those given by hand win."""
    asked = {
        "job_name": name,
        "partition": settings.partition,
        "time": math.ceil(60 * settings.hours),
        "cpus_per_task": settings.cpus,
        "gpus_per_node": settings.gpus or None,
        "mem": f"{math.ceil(1024 * settings.mem_gb)}MB",
    }
    pairs = [option.lstrip("-").partition("=") for option in settings.options]
    given = {option.replace("-", "_"): value if equals else True for option, equals, value in pairs}
    return {name: value for name, value in asked.items() if value is not None} | {"additional_parameters": given}
