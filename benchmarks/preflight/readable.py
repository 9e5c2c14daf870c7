"""Which pictures of a plan can be read: every file's beginning and end are looked at, and what looks odd is decoded.

A file that is cut short, empty, gone or forbidden is found so; one that is damaged in its middle is not. The headers
were parsed when the cases were listed.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.scenes.benchmark import SceneEditCase
from piva.data.images import ImageFileError, read_image
from piva.data.pie_bench import Case
from piva.data.problems import DataError
from piva.data.scene_files import list_scene

THREADS = 16
"""They wait for a disk, or for a network behind it. Ours."""
TAIL = 64
"""Bytes at the end of a file in which a JPEG's end marker is looked for: cameras write a few after it. Ours."""


def unreadable_pictures(cases: Sequence[Case]) -> dict[str, str]:
    """Case id -> why its picture, or its true edit, cannot be read."""
    files = [file for case in cases if not case.fault for file in (case.image_path, case.true_edit_path) if file]
    wrong = unreadable(files)
    found = {}
    for case in cases:
        why = case.fault or wrong.get(case.image_path)
        if why is None and case.true_edit_path is not None and case.true_edit_path in wrong:
            why = f"its true edit: {wrong[case.true_edit_path]}"
        if why is not None:
            found[case.id] = why
    return found


def unreadable_scenes(cases: Sequence[SceneEditCase]) -> dict[str, str]:
    """Edit id -> why its scene, or the capture of its true edit, cannot be read, or it cannot be made at all."""
    sound = [case for case in cases if not case.edit.fault]
    folders = {folder for case in sound for folder in (case.edit.folder, case.edit.truth) if folder is not None}
    wrong = {folder: why for folder in sorted(folders) if (why := _scene_problem(folder)) is not None}
    found = {case.id: case.edit.fault for case in cases if case.edit.fault}
    for case in sound:
        for folder in (case.edit.folder, case.edit.truth):
            if folder in wrong:
                found[case.id] = wrong[folder]
                break
    return found


def unreadable(files: Iterable[Path]) -> Mapping[Path, str]:
    """File -> why it cannot be read."""
    different = list(dict.fromkeys(files))
    with ThreadPoolExecutor(THREADS) as threads:
        odd = [file for file, whole in zip(different, threads.map(_looks_whole, different), strict=True) if not whole]
    return {file: why for file in odd if (why := _decoding_problem(file)) is not None}


def _scene_problem(folder: Path) -> str | None:
    """The first thing that is wrong with a capture, and how many more are."""
    try:
        listing = list_scene(folder.resolve())
        pictures = unreadable(shot.file for shot in (*listing.train, *listing.test))
        problems = [f"{file.name}: {why}" for file, why in pictures.items()]
    except DataError as problem:
        problems = list(problem.problems)
    except OSError as problem:
        problems = [str(problem)]
    more = f", and {len(problems) - 1} more" if len(problems) > 1 else ""
    return f"{folder}: {problems[0]}{more}" if problems else None


def _looks_whole(path: Path) -> bool:
    """Whether a PNG, JPEG or WebP begins and ends as one does."""
    try:
        with path.open("rb") as file:
            head = file.read(12)
            size = os.fstat(file.fileno()).st_size
            file.seek(max(0, size - TAIL))
            tail = file.read()
    except OSError:
        return False
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return tail.endswith(b"IEND\xaeB`\x82")
    if head.startswith(b"\xff\xd8\xff"):
        return b"\xff\xd9" in tail
    return head[:4] == b"RIFF" and head[8:] == b"WEBP" and int.from_bytes(head[4:8], "little") + 8 <= size


def _decoding_problem(path: Path) -> str | None:
    try:
        read_image(path)
    except (ImageFileError, OSError) as problem:
        return str(problem)
    return None
