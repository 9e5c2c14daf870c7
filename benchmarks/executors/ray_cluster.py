"""A Ray cluster to work on: one that runs, or one on this machine for as long as a run takes."""

from __future__ import annotations

import importlib.util
import logging
import math
import os
import signal
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from piva.config import RaySettings
from piva.errors import ConfigError, MachineError

STORE_BYTES = 200 * 2**20
"""Of a local cluster, for what workers say: small pictures. Ours; without it Ray takes 30 % of the memory."""
SECONDS_TO_ANSWER = 5.0
QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_DEDUP_LOGS_SKIP_REGEX": "."}
"""Ray reports to nobody, and prints nothing of its own between our lines; both are read when it is imported."""
AT_OUR_PRIORITY = {"RAY_worker_niceness": "0"}
"""Of a local cluster; otherwise its workers give way (nice 15) to whatever else this machine does."""


def check_cluster(settings: RaySettings) -> None:
    """Raises what is wrong before any work.

    Raises:
        ConfigError: Ray is not installed, or the address is none.
        MachineError: nothing answers there; Ray itself would try for minutes.
    """
    if importlib.util.find_spec("ray") is None:
        raise ConfigError('--executor ray needs Ray: pip install "piva[ray]"')
    if settings.address in (None, "auto"):
        return
    host, _, port = str(settings.address).rpartition(":")
    if not (host and port.isdigit()) or "/" in host:
        raise ConfigError(f"--ray.address {settings.address}: it is auto, or HOST:PORT as `ray start --head` prints it")
    try:
        socket.create_connection((host.strip("[]"), int(port)), SECONDS_TO_ANSWER).close()
    except (OSError, OverflowError) as problem:
        raise MachineError(f"no Ray cluster answers at --ray.address {settings.address}: {problem}") from problem


@contextmanager
def joined(settings: RaySettings, local_cpus: float) -> Iterator[None]:
    """We are part of a cluster meanwhile; a local one ends with it.

    Args:
        local_cpus: that a local one has.

    Raises:
        MachineError: it cannot be joined, or started.
    """
    os.environ |= QUIET if settings.address else QUIET | AT_OUR_PRIORITY
    import ray

    if settings.address is None:
        where: dict[str, Any] = {
            "address": "local",
            "num_cpus": math.ceil(local_cpus),
            "object_store_memory": STORE_BYTES,
        }
    else:
        where = {"address": settings.address}
    try:
        with _own_handler():
            ray.init(**where, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    except (OSError, RuntimeError, ValueError) as problem:  # what Ray raises has no common base
        named = f"join the Ray cluster {settings.address}" if settings.address else "start Ray on this machine"
        raise MachineError(f"cannot {named}: {str(problem).strip().splitlines()[0]}") from problem
    try:
        yield
    finally:
        ray.shutdown()


@contextmanager
def _own_handler() -> Iterator[None]:
    """Ray sets a handler for SIGTERM; what a process does on a signal is not its business."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)


def resources() -> list[Mapping[str, float]]:
    """What each living node of the cluster has: "CPU", "GPU", ..."""
    import ray

    return [node["Resources"] for node in ray.nodes() if node["Alive"]]


def gpus_each(settings: RaySettings, device: str, nodes: Sequence[Mapping[str, float]]) -> float:
    """GPUs that a worker takes; unless told otherwise one, where there is any and the device is left open."""
    if settings.gpus is not None:
        return settings.gpus
    return 1.0 if device.split(":")[0] in ("auto", "cuda") and any(node.get("GPU") for node in nodes) else 0.0


def places(nodes: Sequence[Mapping[str, float]], cpus: float, gpus: float) -> int:
    """Workers that there is room for at once, each on one node; other users of the cluster aside."""
    wanted = {name: each for name, each in (("CPU", cpus), ("GPU", gpus)) if each > 0}
    return sum(min(math.floor(node.get(name, 0) / each + 1e-6) for name, each in wanted.items()) for node in nodes)
