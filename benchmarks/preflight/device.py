"""Who else is on a run's device, and whether its memory will do.

The memory is an estimate from shapes (`piva.memory`), which takes seconds of reckoning; so it is kept in the cache
folder, and not made at all for small pictures on a CPU, which always fit.
"""

from __future__ import annotations

import csv
import json
import os
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psutil
import torch

from benchmarks.identity_rows import IDENTITY_ROWS
from piva.disk import write_atomically
from piva.folders import cache_folder
from piva.keys import digest
from piva.methods.sds import SDS
from piva.sampling import SAMPLERS

if TYPE_CHECKING:
    from piva.memory import Memory

SMALL = 128 * 128
"""Pixels of a picture that fits on any CPU. Ours."""
SECONDS_TO_ANSWER = 5.0
"""What nvidia-smi has to say something. Ours."""


@dataclass(frozen=True)
class Short:
    """Memory that will not do."""

    sentence: str
    never_fits: bool
    """Not even a single case, on a GPU that nobody else uses."""


@dataclass(frozen=True)
class RoomOnDevice:
    """Bytes of a device's memory."""

    free: int
    """Of use to this process: what nobody has, and what it has itself."""
    total: int


def busy(device: torch.device) -> list[str]:
    """A sentence where other processes compute on the GPU; none where that cannot be seen."""
    if device.type != "cuda":
        return []
    rows = _nvidia_smi("--query-compute-apps=pid,process_name,used_memory", device)
    others = [row for row in rows if row[0] != str(os.getpid())]
    if not others:
        return []
    named = ", ".join(f"{','.join(name)} (pid {pid}, {memory} MiB)" for pid, *name, memory in others)
    return [f"other processes are on {device}: {named}; the run may be slow, or short of memory"]


def picture_memory(prior: Any, method: Any, batch: int, sharing: int = 1) -> Short | None:
    """Where a batch of pictures will not fit: what would; None where it fits, or that cannot be told.

    Args:
        prior: loaded, or what is known of it.
        sharing: workers that have the device together.
    """
    method = SDS() if method.name in SAMPLERS else method  # whose call is of as many rows, without gradient too
    small = prior.device.type == "cpu" and prior.image_size[0] * prior.image_size[1] <= SMALL
    shape = _shape(prior)
    room = None if small or shape is None or method.name in IDENTITY_ROWS else _room(prior.device)
    if room is None:
        return None
    free = room.free // sharing
    many = kept_estimate(shape, method, batch, prior)
    if many.needed <= free:
        return None
    one = many if batch == 1 else kept_estimate(shape, method, 1, prior)
    each = max(1, (many.peak - one.peak) // max(1, batch - 1))
    fits = 1 + (free - one.needed) // each if one.needed <= free else 0
    of = f"{batch} pictures together take" if batch > 1 else "a picture takes"
    workers = f" for each of {sharing} workers" if sharing > 1 else ""
    said = f"{of} about {_gib(many.needed)} of {prior.device}, which has {_gib(free)} free{workers}"
    if fits:
        advice = f"--batch-size {fits} would fit; otherwise batches are halved when memory runs out"
    else:
        advice = "not even --batch-size 1 fits: make room there, take another device, or --prior.dtype float16"
    never = prior.device.type == "cuda" and one.peak > room.total
    return Short(f"{said}: {advice} (an estimate)", never)


def kept_estimate(shape: Any, method: Any, batch: int, prior: Any) -> Memory:
    """`piva.memory.estimate`, from the cache folder where it was made before."""
    from piva.memory import VERSION, Memory, estimate

    facts = {
        "version": VERSION, "torch": torch.__version__, "unet": dict(shape.unet), "vae": dict(shape.vae),
        "text": dict(shape.text_encoder), "method": method.name, "settings": method.model_dump(mode="json"),
        "batch": batch, "dtype": str(prior.dtype), "size": list(prior.image_size),
    }  # fmt: skip
    file = cache_folder() / "memory" / f"{digest(json.loads(json.dumps(facts, default=str)))}.json"
    if file.is_file():
        return Memory(**json.loads(file.read_bytes()))
    found = estimate(shape, method, batch, prior.dtype, prior.image_size)
    with suppress(OSError):  # a cache that may only be read
        write_atomically(file, json.dumps(vars(found)).encode())
    return found


def _shape(prior: Any) -> Any:
    """The configurations of its networks; None where it is no Stable Diffusion."""
    from piva.priors.shapes import PriorShape
    from piva.priors.stable_diffusion import StableDiffusionPrior

    return PriorShape.of(prior) if isinstance(prior, StableDiffusionPrior) else getattr(prior, "shape", None)


def _room(device: torch.device) -> RoomOnDevice | None:
    if device.type == "cpu":
        memory = psutil.virtual_memory()
        return RoomOnDevice(memory.available + psutil.Process().memory_info().rss, memory.total)
    if device.type != "cuda":
        return None
    if torch.cuda.is_initialized():
        free, total = torch.cuda.mem_get_info(device)
        return RoomOnDevice(free + torch.cuda.memory_reserved(device), total)
    for row in _nvidia_smi("--query-gpu=memory.free,memory.total", device):
        if all(field.isdigit() for field in row):  # "[N/A]" on a part of a GPU
            free, total = (int(field) * 2**20 for field in row)
            return RoomOnDevice(free, total)
    return None


def _nvidia_smi(query: str, device: torch.device) -> list[list[str]]:
    """The lines of its answer for this GPU; none where it is not there, or has nothing to say."""
    words = ["nvidia-smi", query, "--format=csv,noheader,nounits", f"--id={_id(device)}"]
    try:
        answer = subprocess.run(words, capture_output=True, text=True, timeout=SECONDS_TO_ANSWER, check=True)
    except (OSError, subprocess.SubprocessError):
        return []
    return [[field.strip() for field in row] for row in csv.reader(answer.stdout.splitlines()) if row]


def _id(device: torch.device) -> str:
    """What nvidia-smi calls it: it numbers all GPUs, torch those in CUDA_VISIBLE_DEVICES, which may name them."""
    shown = os.environ.get("CUDA_VISIBLE_DEVICES")
    index = device.index or 0
    names = shown.split(",") if shown else []
    return names[index].strip() if index < len(names) else str(index)


def _gib(size: int) -> str:
    return f"{size / 2**30:,.1f} GiB"
