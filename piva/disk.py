"""Writing to a disk that may refuse, by a process that may be killed."""

import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from io import BytesIO
from pathlib import Path
from typing import Any

from piva.errors import MachineError
from piva.interrupts import finishing


def now() -> str:
    """UTC, to the second."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def draft_of(path: Path) -> Path:
    """A name beside `path` for a file that becomes it; no other process's, though every container has a process 1."""
    return path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")


def write_atomically(path: Path, content: bytes, wait: bool = True) -> None:
    """The file holds either its old content or all of the new, however the process ends.

    Args:
        wait: until it is on the disk, so that this also holds when the machine loses its power.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = draft_of(path)
    try:
        with draft.open("wb") as file:
            file.write(content)
            file.flush()
            if wait:
                os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


@contextmanager
def disk(path: Path) -> Iterator[None]:
    """Turns a refusal of the disk (full, read-only, no permission) into a MachineError that names the folder."""
    try:
        yield
    except OSError as problem:
        raise MachineError(f"cannot write to {path}: {problem}; what was recorded before is kept") from problem


def write_png(path: Path, image: Any) -> str:
    """SHA-256 of the file that a PIL image was written to; Ctrl-C waits, the disk is not waited for.

    Raises:
        MachineError: the disk refuses.
    """
    buffer = BytesIO()
    image.save(buffer, format="PNG")
    with finishing(), disk(path.parent):
        write_atomically(path, buffer.getvalue(), wait=False)
    return hashlib.sha256(buffer.getvalue()).hexdigest()
