"""Renders a split to disk once, in resumable chunks, on every core."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from rich.progress import track

from piva.toybox.instructed import instructed_edit
from piva.toybox.render import Rendering, render
from piva.toybox.scene import Scene, Split, sample_scene

CHUNK = 512
Chunk = tuple[Split, int, int, int]
"""Consecutive scenes: split, first seed, how many, picture side in pixels."""


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


@dataclass(frozen=True)
class Geometry:
    """What the pictures of a training set show in space."""

    depth: np.ndarray  # float16 [N, 1, S, S] scene units, larger is farther, memory-mapped
    objects: np.ndarray  # uint8 [N, 1, S, S], 1 where any object is seen, memory-mapped


@dataclass(frozen=True)
class EditedSet(TrainingSet):
    """Pictures and scenes after an edit, and the instruction that leads to them."""

    instructions: list[str]  # N


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
    name = f"{split}-{first_seed}-{n}-{size}px"
    (images,) = _filled([folder / f"{name}.npy"], [(np.uint8, 3)], _images, (split, first_seed, n, size), workers)
    return TrainingSet(images, [sample_scene(first_seed + i, split) for i in range(n)])


def load_or_render_geometry(
    folder: Path, split: Split, n: int, first_seed: int = 0, size: int = 64, workers: int | None = None
) -> Geometry:
    """Depths and objects of the scenes that `load_or_render` draws, kept and resumed alike; 12 KB each at 64 px."""
    name = f"{split}-{first_seed}-{n}-{size}px"
    paths = [folder / f"{name}-{kind}.npy" for kind in ("depth", "objects")]
    kinds = [(np.float16, 1), (np.uint8, 1)]
    return Geometry(*_filled(paths, kinds, _geometry, (split, first_seed, n, size), workers))


def load_or_render_edits(
    folder: Path, split: Split, n: int, first_seed: int = 0, size: int = 64, workers: int | None = None
) -> EditedSet:
    """An edit (`instructed_edit`) of each scene that `load_or_render` draws, kept and resumed alike."""
    path = folder / f"{split}-{first_seed}-{n}-{size}px-edited.npy"
    (images,) = _filled([path], [(np.uint8, 3)], _edited, (split, first_seed, n, size), workers)
    edits = [instructed_edit(first_seed + i, split) for i in range(n)]
    return EditedSet(images, [edit.target for edit in edits], [edit.instruction for edit in edits])


def _filled(
    paths: Sequence[Path],
    kinds: Sequence[tuple[type, int]],
    draw: Callable[[Chunk], tuple[np.ndarray, ...]],
    scenes: Chunk,
    workers: int | None,
) -> list[np.ndarray]:
    """Arrays [n,C,size,size] of `kinds` (type, C), memory-mapped from `paths`, after what was missing was drawn."""
    split, first_seed, n, size = scenes
    paths[0].parent.mkdir(parents=True, exist_ok=True)
    done_file = paths[0].with_suffix(".done")
    if not all(path.exists() for path in paths):
        done_file.unlink(missing_ok=True)
        for path, (dtype, channels) in zip(paths, kinds, strict=True):
            np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=(n, channels, size, size)).flush()
    done = set(map(int, done_file.read_text().split())) if done_file.exists() else set()
    missing = [start for start in range(0, n, CHUNK) if start not in done]
    if missing:
        jobs = [(split, first_seed + start, min(CHUNK, n - start), size) for start in missing]
        targets = [np.lib.format.open_memmap(path, mode="r+") for path in paths]
        workers = workers or os.cpu_count() or 1
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_one_thread) as pool:
            chunks = zip(missing, pool.map(draw, jobs), strict=True)
            for start, arrays in track(chunks, f"rendering {n} {split} scenes", total=len(missing)):
                for target, array in zip(targets, arrays, strict=True):
                    target[start : start + len(array)] = array
                    target.flush()
                with done_file.open("a") as file:
                    file.write(f"{start}\n")
    return [np.lib.format.open_memmap(path, mode="r") for path in paths]


def _one_thread() -> None:
    torch.set_num_threads(1)


def _rendering(chunk: Chunk) -> Rendering:
    split, first_seed, n, size = chunk
    return render([sample_scene(first_seed + i, split) for i in range(n)], size)


def _images(chunk: Chunk) -> tuple[np.ndarray, ...]:
    return (_rendering(chunk).image.mul(255).round().byte().numpy(),)


def _edited(chunk: Chunk) -> tuple[np.ndarray, ...]:
    split, first_seed, n, size = chunk
    after = render([instructed_edit(first_seed + i, split).target for i in range(n)], size)
    return (after.image.mul(255).round().byte().numpy(),)


def _geometry(chunk: Chunk) -> tuple[np.ndarray, ...]:
    rendering = _rendering(chunk)
    return rendering.depth.half().numpy(), rendering.objects.byte().numpy()
