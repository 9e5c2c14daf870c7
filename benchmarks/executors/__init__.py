"""Who does the work of a run: this process, processes of this machine, a Ray cluster; the records are the same.

(Slurm jobs do shards, each a run by itself: `benchmarks.executors.slurm`.)
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from benchmarks.executors.dispatch import Dispatch, Owner
from benchmarks.executors.station import Order, devices_for
from benchmarks.running.plan import Plan
from benchmarks.running.runs import Runs
from benchmarks.running.watching import Watchers

MOST_ON_CPU = 4
"""Workers on a machine without a GPU, unless told otherwise: each has the models in memory. Ours."""


def check_executor(config: Any) -> None:
    """Raises what is wrong with the executor before any work.

    Raises:
        ConfigError: what it needs is not installed.
        PreflightError: it is not there.
    """
    if config.executor == "ray":
        from benchmarks.executors.ray_cluster import check_cluster

        check_cluster(config.ray)
    if config.executor == "slurm":
        from benchmarks.executors.slurm import check_slurm

        check_slurm(config)


def carry_out(runs: Runs, words: Sequence[str], owner: Owner, plan: Plan[Any], watchers: Watchers) -> None:
    """Does what the plan says with the executor that the settings name.

    Args:
        words: the arguments of `piva run`, for workers to read again.

    Raises:
        ConfigError, PreflightError, Stopped: as `Dispatch.work`.
    """
    config = runs.config
    if config.executor == "in-process":
        runs.do(owner.record, plan, owner.folder, watchers)
        return
    units = len(runs.units(plan))
    count = min(config.workers or usual_workers(config.prior.device), units)
    order = Order(tuple(words), owner.record, owner.folder.path.resolve(), threads_each(count))
    if config.executor == "ray":
        from benchmarks.executors.ray_crew import RayCrew

        with RayCrew(order, units, config.workers, config.ray, config.prior.device) as crew:
            Dispatch(crew, runs, owner, plan, watchers).work()
        return
    from benchmarks.executors.processes import Processes

    with Processes(order, devices_for(config.prior.device, count)) as crew:
        Dispatch(crew, runs, owner, plan, watchers).work()


def usual_workers(device: str) -> int:
    """One for each GPU, where the device is left open; else one for each core, MOST_ON_CPU at most."""
    import torch

    gpus = torch.cuda.device_count()
    if gpus and device in ("auto", "cuda"):
        return gpus
    return 1 if gpus and device != "cpu" else min(MOST_ON_CPU, os.cpu_count() or 1)


def threads_each(workers: int) -> int:
    """Torch's threads in this process over the workers, at least one: OMP_NUM_THREADS counts, and one worker works
    just as this process would."""
    import torch

    return max(1, torch.get_num_threads() // workers)
