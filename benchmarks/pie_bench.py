"""PIE-Bench, and PIE-Toybox in the same format: where their data lie and which cases they have.

PIE-Bench is the user's own copy (public on request from its authors). PIE-Toybox is written on first use into a
cache folder: `$PIVA_CACHE`, else `~/.cache/piva`. It is deterministic, so that any copy is as good as another.
"""

import json
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from benchmarks.depth import file_depth
from piva.data.pie_bench import Case, read
from piva.errors import ConfigError, PreflightError
from piva.folders import cache_folder, write_once
from piva.keys import digest, file_hash

if TYPE_CHECKING:
    from torch import Tensor

TOYBOX_CASES = 200


@dataclass(frozen=True)
class Benchmark:
    """A set of cases in PIE-Bench's format."""

    name: str
    version: Callable[[], int]
    """Raised when case lists, images or masks change."""
    locate: Callable[[Path | None, str | None], Path]
    """(folder given by the user or None, split asked for or None) -> folder of the data."""
    split: Callable[[Path], str | None]
    """Folder of the data -> its split; None where the benchmark has none."""
    depth: Callable[[Path, Case], Callable[[], "Tensor"] | None] = file_depth
    """(folder of the data, case) -> what reads the scaled inverse depth [1,H,W] of its picture; None: there is none."""
    pictures: Literal["toybox", "real"] = "real"
    """What its images are of: it decides which models score them unless a flag does."""

    def cases(self, root: Path, types: Collection[str] = (), ids: Collection[str] = ()) -> list[Case]:
        """The selected cases in the benchmark's own order; an empty selection is all.

        One that is malformed is among them, with its fault.

        Raises:
            piva.data.pie_bench.DataError: the data as a whole are malformed, or every selected case is.
        """
        return read(root, types=types or None, ids=ids or None, lenient=True)


def toybox_version() -> int:
    """The version that PIE-Toybox's writer states."""
    from piva.toybox.pie_toybox import VERSION

    return VERSION


def locate_pie_bench(root: Path | None, split: str | None) -> Path:
    """The user's own copy; one in the hub's parquet form is unpacked into the cache, once.

    Raises:
        ConfigError: none was given, or it is no PIE-Bench folder.
        piva.data.pie_bench.DataError: a parquet file is not what the form promises.
    """
    if root is None:
        raise ConfigError("pie-bench needs --root, the folder of your copy (the one with mapping_file.json)")
    if not (root / "mapping_file.json").is_file():
        from piva.data.pie_bench_parquet import parquet_files, unpack

        if files := parquet_files(root):
            key = digest({file.relative_to(root).as_posix(): file_hash(file) for file in files})
            folder = cache_folder() / f"pie-bench-parquet-{key}"
            if not folder.is_dir():
                _into_cache(folder, lambda target: unpack(root, target))
            return folder
        what = "there is no mapping_file.json in it" if root.is_dir() else "there is no such folder"
        raise ConfigError(f"{root}: {what}")
    return root


def locate_pie_toybox(root: Path | None, split: str | None) -> Path:
    """The user's folder, or the one in the cache (of the test split unless told), written now if it isn't there.

    Raises:
        ConfigError: the user's folder holds another split or version, or no PIE-Toybox.
    """
    if root is not None:
        found = toybox_split(locate_pie_bench(root, split))
        if split not in (None, found):
            raise ConfigError(f"--split {split}: --root {root} holds the {found} split")
        return root
    split = split or "test"
    folder = cache_folder() / f"pie-toybox-v{toybox_version()}" / split
    if not (folder / "mapping_file.json").is_file():
        _into_cache(folder, lambda target: _write_toybox(target, split))
    return folder


def toybox_split(root: Path) -> str:
    """The split that a folder written by `piva toybox write` holds.

    Raises:
        ConfigError: it does not say, or was written by another version.
    """
    try:
        facts = json.loads((root / "dataset.json").read_bytes())
        split, version = facts["split"], facts["version"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        raise ConfigError(f"{root}/dataset.json does not say which split it holds: piva toybox write it anew") from None
    if split not in ("dev", "test") or version != toybox_version():
        wanted = f"dev or test of version {toybox_version()}"
        raise ConfigError(f"{root} holds {split} of version {version}, not {wanted}: piva toybox write it anew")
    return str(split)


def toybox_depth(root: Path, case: Case) -> Callable[[], "Tensor"]:
    """What draws a PIE-Toybox case's world again, for its depth."""

    def read() -> "Tensor":
        from piva.toybox.pie_toybox import source_depth

        return source_depth(case.id, toybox_split(root), case.image_size[0])  # type: ignore[arg-type]

    return read


def _into_cache(folder: Path, write: Callable[[Path], None]) -> None:
    """`piva.folders.write_once`, for a folder of the cache.

    Raises:
        PreflightError: the disk refuses.
    """
    try:
        write_once(folder, write)
    except OSError as problem:
        raise PreflightError(f"cannot write the data to {folder}: {problem}; set PIVA_CACHE elsewhere") from problem


def _write_toybox(folder: Path, split: str) -> None:
    from piva.toybox.pie_toybox import write

    write(folder, "dev" if split == "dev" else "test", n=TOYBOX_CASES)


PIE_TOYBOX = Benchmark(
    "pie-toybox", toybox_version, locate_pie_toybox, toybox_split, depth=toybox_depth, pictures="toybox"
)
PIE_BENCH = Benchmark("pie-bench", lambda: 1, locate_pie_bench, lambda root: None)
