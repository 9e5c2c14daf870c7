"""The two files of a run's records, run.json and cases.jsonl, which belong together: cases name launches by number.

    run.json, cases.jsonl   written as a run goes on, the one atomically, the other line by line
    .merged/                both anew, from a merge: they count from the moment that this folder has its name

A merge that is killed before that moment has changed neither file; one that is killed after it leaves the folder, which
readers see, and whoever next opens the run for writing moves its files to their places.
"""

import errno
import os
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from piva.disk import write_atomically

RUN_FILE, CASES_FILE = "run.json", "cases.jsonl"
MERGED = ".merged"
SHARDS = "shards"
"""Folder in a run's: run folders of several machines, until they are merged."""
BY_OBJECT_FILE = "by_object.json"
"""Of a scene's case, in its folder: the scores of each object, where it is known which pixel shows which."""


def opened(folder: Path, name: str) -> BinaryIO:
    """The file as it counts, for reading.

    Raises:
        FileNotFoundError: there is none, or no such folder any more.
    """
    for path in (folder / MERGED / name, folder / name):
        with suppress(FileNotFoundError, NotADirectoryError):
            return path.open("rb")
    raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(folder / name))


def replace_both(folder: Path, staged: Path, run: bytes, cases: bytes) -> None:
    """Both files have this content, or neither has, however the process ends.

    Args:
        folder: of a run that is open for writing.
        staged: folder on the same disk for what is not decided yet.
    """
    for name, content in ((RUN_FILE, run), (CASES_FILE, cases)):
        write_atomically(staged / MERGED / name, content)
    (staged / MERGED).rename(folder / MERGED)
    settle(folder)


def settle(folder: Path) -> None:
    """Moves what a merge has decided to its place, and cuts a torn last line off.

    Args:
        folder: of a run that nobody else can open for writing.
    """
    for name in (RUN_FILE, CASES_FILE):
        with suppress(FileNotFoundError):
            (folder / MERGED / name).replace(folder / name)
    with suppress(FileNotFoundError):
        (folder / MERGED).rmdir()
    cases = folder / CASES_FILE
    content = cases.read_bytes() if cases.exists() else b""
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        os.truncate(cases, whole)
