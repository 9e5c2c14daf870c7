"""Renders a split to disk once, in resumable chunks, on every core."""

from __future__ import annotations

import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from rich.progress import track

from piva.toybox.render import render
from piva.toybox.scene import Scene, Split, sample_scene

CHUNK = 512


@dataclass(frozen=True)
class TrainingSet:
    """Pictures and the scenes they show."""

    images: np.ndarray  # uint8 [N, 3, S, S], memory-mapped
    scenes: list[Scene]  # N

    def __len__(self) -> int:
        return len(self.scenes)

    def floats(self, indices: np.ndarray | slice) -> torch.Tensor:
        """Pictures as float32 [B, 3, S, S] in [0, 1]."""
        return torch.from_numpy(np.array(self.images[indices])).float().div_(255)


def load_or_render(
    folder: Path, split: Split, n: int, first_seed: int = 0, size: int = 64, workers: int | None = None
) -> TrainingSet:
    """The scenes first_seed .. first_seed + n - 1 of a split, rendered on the first call.

    Killed in the middle, the next call renders what is missing.

    Args:
        folder: where the pictures are kept, about 12 KB each at 64 px.
        split: "train", "dev" or "test".
        n: how many.
        first_seed: of the first scene.
        size: picture side in pixels.
        workers: processes; None for one a core.
    """
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{split}-{first_seed}-{n}-{size}px"
    pictures, done_file = folder / f"{name}.npy", folder / f"{name}.done"
    shape = (n, 3, size, size)
    if not pictures.exists():
        done_file.unlink(missing_ok=True)
        np.lib.format.open_memmap(pictures, mode="w+", dtype=np.uint8, shape=shape).flush()
    done = set(map(int, done_file.read_text().split())) if done_file.exists() else set()
    missing = [start for start in range(0, n, CHUNK) if start not in done]
    if missing:
        jobs = [(split, first_seed + start, min(CHUNK, n - start), size) for start in missing]
        target = np.lib.format.open_memmap(pictures, mode="r+")
        workers = workers or os.cpu_count() or 1
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_one_thread) as pool:
            chunks = zip(missing, pool.map(_render_chunk, jobs), strict=True)
            for start, images in track(chunks, f"rendering {n} {split} scenes", total=len(missing)):
                target[start : start + len(images)] = images
                target.flush()
                with done_file.open("a") as file:
                    file.write(f"{start}\n")
    scenes = [sample_scene(first_seed + i, split) for i in range(n)]
    return TrainingSet(np.lib.format.open_memmap(pictures, mode="r"), scenes)


def _one_thread() -> None:
    torch.set_num_threads(1)


def _render_chunk(job: tuple[Split, int, int, int]) -> np.ndarray:
    split, first_seed, n, size = job
    image = render([sample_scene(first_seed + i, split) for i in range(n)], size).image
    return image.mul(255).round().byte().numpy()
