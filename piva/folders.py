"""Folders that are there whole or not at all, whoever else writes them; and where the cache is."""

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path


def cache_folder() -> Path:
    """`$PIVA_CACHE`, else `~/.cache/piva`."""
    given = os.environ.get("PIVA_CACHE")
    return Path(given) if given else Path.home() / ".cache" / "piva"


def write_once(folder: Path, write: Callable[[Path], None]) -> None:
    """Let `write` fill a draft beside `folder`, then move it there in one step.

    Two processes may do so at once: the first one wins, and the other's identical copy is dropped.

    Raises:
        OSError: the disk refuses.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        write(draft)
        draft.chmod(0o755)
        try:
            draft.rename(folder)
        except OSError:
            if not folder.is_dir():
                raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)
