"""A list of edits of scenes: `edits.yaml` or `edits.json` in a folder whose sub-folders are the scenes.

- scene: bear                       # folder, relative to the file
  source: a photo of a bear statue in the forest
  target: a photo of a polar bear in the forest
  instruction: turn the bear into a polar bear      # optional
  type: translation                 # appearance | addition | translation: Noe's three groups
  id: bear-polar                    # optional
  background: [1, 1, 1]             # optional: colour behind a scene whose pictures have opacity
  truth: true_edits/bear-polar      # optional: folder like the scene's, of the true edit's renders
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from piva.config import Color
from piva.data.problems import DataError, path_inside, validation_sentences
from piva.data.scene_files import is_scene

FILES = ("edits.yaml", "edits.yml", "edits.json")

EditType = Literal["appearance", "addition", "translation"]
"""What looks different; what is new; what turns into something else."""


@dataclass(frozen=True)
class SceneEdit:
    """One edit of one scene."""

    id: str
    scene: str
    """As the file names it."""
    folder: Path
    """Where the scene is."""
    source: str
    target: str
    instruction: str
    """May be empty."""
    type: EditType
    background: tuple[float, float, float] | None = None
    truth: Path | None = None
    """Folder of the true edit's renders, like the scene's."""


class _Entry(BaseModel):
    """One entry of the file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    scene: str = Field(min_length=1)
    source: str = Field(min_length=1)
    target: str = Field(min_length=1)
    type: EditType
    instruction: str = ""
    id: str | None = Field(None, pattern=r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$")  # a folder's name: no ".."
    background: Color | None = None
    truth: str | None = None


def read_edits(file: Path) -> list[SceneEdit]:
    """The edits in `file`, in its order. One without an id is named by its scene and its place in the file, from 1.

    Raises:
        DataError: anything is malformed, or a folder is not there; lists every problem.
    """
    root = file.parent.resolve()
    entries = _entries(file)
    if not isinstance(entries, list) or not entries:
        raise DataError(root, [f"{file.name} is no list of edits"])
    edits: list[SceneEdit] = []
    problems: list[str] = []
    for number, entry in enumerate(entries):
        place = f"{file.name}: [{number}]"
        try:
            edit, wrong = _edit(root, place, number, _Entry.model_validate(entry))
        except ValidationError as problem:
            problems += validation_sentences(problem, place)
            continue
        edits.append(edit)
        problems += wrong
    problems += _repeated(file, edits)
    if problems:
        raise DataError(root, problems)
    return edits


def find_edits(root: Path) -> Path | None:
    """The edits file of a benchmark's folder, or None where it has none."""
    return next((root / name for name in FILES if (root / name).is_file()), None)


def _entries(file: Path) -> Any:
    try:
        text = file.read_text(encoding="utf-8")
        return json.loads(text) if file.suffix == ".json" else yaml.safe_load(text)
    except (OSError, UnicodeDecodeError, ValueError, yaml.YAMLError) as problem:
        raise DataError(file.parent, [f"{file.name} cannot be read: {str(problem).splitlines()[0]}"]) from problem


def _edit(root: Path, place: str, number: int, entry: _Entry) -> tuple[SceneEdit, list[str]]:
    """The edit of an entry, and what is wrong with its folders."""
    folders: dict[str, Path | None] = {"scene": path_inside(root, entry.scene)}
    if entry.truth is not None:
        folders["truth"] = path_inside(root, entry.truth)
    problems = []
    for what, folder in folders.items():
        name = getattr(entry, what)[:120]
        if folder is None:
            problems.append(f"{place}.{what}: {name!r} is no path inside the folder")
        elif not is_scene(folder):
            problems.append(f"{place}.{what}: {name!r} holds no scene")
    edit = SceneEdit(
        id=entry.id or f"{re.sub('[^A-Za-z0-9_-]+', '-', entry.scene).strip('-') or 'scene'}-{number + 1}",
        scene=entry.scene, folder=folders["scene"] or root, source=entry.source, target=entry.target,
        instruction=entry.instruction, type=entry.type, background=entry.background, truth=folders.get("truth"),
    )  # fmt: skip
    return edit, problems


def _repeated(file: Path, edits: Sequence[SceneEdit]) -> list[str]:
    counts = Counter(edit.id for edit in edits)
    return [f"{file.name}: {count} edits are called {id_!r}" for id_, count in counts.items() if count > 1]
