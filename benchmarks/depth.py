"""The depth of a benchmark's cases, for methods whose auxiliaries read it.

Beside PIE-Bench's pictures it lies in files, ours: ROOT/depth/<image_path> with .png or .npy for a suffix. PIE-Toybox
needs none: the world that a picture was drawn from is drawn again, and its depth is exact.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from piva.errors import ConfigError
from piva.keys import digest, file_hash

if TYPE_CHECKING:
    from torch import Tensor

    from piva.data.pie_bench import Case

SUFFIXES = (".png", ".npy")
Depths = Callable[[str], "Tensor"]
"""Case id -> scaled inverse depth [1,H,W] of the prior's size, near = 1."""


def reads_depth(method: Any) -> bool:
    """Whether the depth of a case makes a difference to the method."""
    return bool(getattr(method, "auxiliaries", ())) and bool(method.aux.reads_depth)


def depths_of(benchmark: Any, root: Path, cases: Sequence[Case], method: Any, size: tuple[int, int]) -> Depths | None:
    """What reads the depth of these cases; None for a method that needs none.

    Raises:
        ConfigError: a case has none.
    """
    if not reads_depth(method):
        return None
    found = {case.id: benchmark.depth(root, case) for case in cases if case.fault is None}
    without = [id_ for id_, read in found.items() if read is None]
    if without:
        what = f"{len(without)} of {len(found)} cases have no depth, {without[0]} among them"
        raise ConfigError(
            f"--method.aux.kind {method.aux.kind} reads depth, and {what}: put it in {root / 'depth'}, at the path of "
            "the picture with .png or .npy for a suffix, or take --method.aux.depth blank"
        )

    def depth(case_id: str) -> Tensor:
        from piva.data.images import resize_image

        return resize_image(found[case_id](), size)

    return depth


def file_depth(root: Path, case: Case) -> Callable[[], Tensor] | None:
    """What reads the file with a case's depth, if there is one."""
    path = root / "depth" / case.image_path.relative_to(root.resolve() / "annotation_images")
    found = [
        other
        for suffix in SUFFIXES
        if (other := path.with_suffix(suffix)).is_file() and other.resolve().is_relative_to(root.resolve())
    ]

    def read() -> Tensor:
        from piva.data.depth_files import read_depth

        return read_depth(found[0])

    return read if found else None


def depth_digest(root: Path) -> str | None:
    """Of all depth files beside a benchmark's pictures; None where there are none."""
    files = sorted(path for path in (root / "depth").rglob("*") if path.suffix in SUFFIXES)
    return digest({path.relative_to(root).as_posix(): file_hash(path) for path in files}) if files else None
