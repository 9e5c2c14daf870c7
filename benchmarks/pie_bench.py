"""PIE-Bench, and PIE-Toybox in the same format: where their data lie and which cases they have.

PIE-Bench is the user's own copy (public on request from its authors). PIE-Toybox is written on first use into a
cache folder: `$PIVA_CACHE`, else `~/.cache/piva`. It is deterministic, so that any copy is as good as another.
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from piva.data.pie_bench import Case, read
from piva.errors import ConfigError, PreflightError

TOYBOX_CASES = 200


@dataclass(frozen=True)
class Benchmark:
    """A set of cases in PIE-Bench's format."""

    name: str
    version: Callable[[], int]
    """Raised when case lists, images or masks change."""
    splits: tuple[str, ...]
    locate: Callable[[Path | None, str], Path]
    """(folder given by the user or None, split) -> folder of the data."""

    def cases(self, root: Path, types: Collection[str] = (), ids: Collection[str] = ()) -> list[Case]:
        """The selected cases in the benchmark's own order; an empty selection is all.

        Raises:
            piva.data.pie_bench.DataError: naming every malformed entry.
        """
        return read(root, types=types or None, ids=ids or None)


def cache_folder() -> Path:
    """`$PIVA_CACHE`, else `~/.cache/piva`."""
    given = os.environ.get("PIVA_CACHE")
    return Path(given) if given else Path.home() / ".cache" / "piva"


def toybox_version() -> int:
    """The version that PIE-Toybox's writer states."""
    from piva.toybox.pie_toybox import VERSION

    return VERSION


def locate_pie_bench(root: Path | None, split: str) -> Path:
    """The user's own copy.

    Raises:
        ConfigError: none was given, or it is no PIE-Bench folder.
    """
    if root is None:
        raise ConfigError("pie-bench needs --root, the folder of your copy (the one with mapping_file.json)")
    if not (root / "mapping_file.json").is_file():
        raise ConfigError(f"--root {root}: there is no mapping_file.json in it")
    return root


def locate_pie_toybox(root: Path | None, split: str) -> Path:
    """The user's folder, or the one in the cache, written now if it isn't there."""
    if root is not None:
        return locate_pie_bench(root, split)
    folder = cache_folder() / f"pie-toybox-v{toybox_version()}" / split
    if not (folder / "mapping_file.json").is_file():
        write_once(folder, lambda target: _write_toybox(target, split))
    return folder


def write_once(folder: Path, write: Callable[[Path], None]) -> None:
    """Let `write` fill a temporary folder beside `folder`, then move it there in one step.

    Two processes may do so at once: the first one wins, and the other's identical copy is dropped.

    Raises:
        PreflightError: the disk refuses.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
        try:
            write(temporary)
            temporary.chmod(0o755)
            try:
                temporary.rename(folder)
            except OSError:
                if not folder.is_dir():
                    raise
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    except OSError as problem:
        raise PreflightError(f"cannot write the data to {folder}: {problem}; set PIVA_CACHE elsewhere") from problem


def _write_toybox(folder: Path, split: str) -> None:
    from piva.toybox.pie_toybox import write

    write(folder, "dev" if split == "dev" else "test", n=TOYBOX_CASES)


PIE_TOYBOX = Benchmark("pie-toybox", toybox_version, ("dev", "test"), locate_pie_toybox)
PIE_BENCH = Benchmark("pie-bench", lambda: 1, (), locate_pie_bench)
