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

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from piva.config import Color
from piva.data.json_files import read_json, repeated_keys
from piva.data.problems import DataError, path_inside, validation_sentences
from piva.data.prompts import sound_prompt, sound_text
from piva.data.scene_files import is_scene
from piva.data.yaml_files import read_yaml

FILES = ("edits.yaml", "edits.yml", "edits.json")

RESERVED = re.compile(r"(?i:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\..*)?")
"""Names that no folder can have on Windows, where a run may be copied to."""
LONGEST_ID = 100
"""Characters; ours, of the 255 that file systems take, suffixes and all."""

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


Prompt = Annotated[str, AfterValidator(sound_prompt)]


class _Entry(BaseModel):
    """One entry of the file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    scene: str = Field(min_length=1)
    source: Prompt
    target: Prompt
    type: EditType
    instruction: Annotated[str, AfterValidator(sound_text)] = ""
    id: str | None = Field(None, pattern=r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$")  # a folder's name: no ".."
    background: Color | None = None
    truth: str | None = None


def read_edits(file: Path, lenient: bool = False) -> list[SceneEdit]:
    """The edits in `file`, in its order. One without an id is named by its scene and its place in the file, from 1.

    Args:
        lenient: a scene that is not there is left to whoever opens it: it concerns its own edits alone.

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
            edit, wrong = _edit(root, place, number, _Entry.model_validate(entry), lenient)
        except ValidationError as problem:
            problems += validation_sentences(problem, place)
            continue
        edits.append(edit)
        problems += wrong
    problems += [f"{file.name}: {sentence}" for sentence in _unfit_ids([edit.id for edit in edits])]
    if problems:
        raise DataError(root, problems)
    return edits


def find_edits(root: Path) -> Path | None:
    """The edits file of a benchmark's folder, or None where it has none."""
    return next((root / name for name in FILES if (root / name).is_file()), None)


def _entries(file: Path) -> Any:
    read = read_json if file.suffix == ".json" else read_yaml
    content, wrong = read(file, file.parent.resolve())
    problems = [f"{file.name}: {place} appears more than once" for place in repeated_keys(content)]
    if wrong is not None or problems:
        raise DataError(file.parent, problems if wrong is None else [wrong])
    return content


def _edit(root: Path, place: str, number: int, entry: _Entry, lenient: bool) -> tuple[SceneEdit, list[str]]:
    """The edit of an entry, and what is wrong with its folders."""
    folders: dict[str, Path | None] = {"scene": path_inside(root, entry.scene)}
    if entry.truth is not None:
        folders["truth"] = path_inside(root, entry.truth)
    problems = []
    for what, folder in folders.items():
        name = getattr(entry, what)[:120]
        if folder is None:
            problems.append(f"{place}.{what}: {name!r} is no path inside the folder")
        elif not is_scene(folder) and not (lenient and what == "scene"):
            problems.append(f"{place}.{what}: {name!r} holds no scene")
    edit = SceneEdit(
        id=entry.id or f"{re.sub('[^A-Za-z0-9_-]+', '-', entry.scene).strip('-') or 'scene'}-{number + 1}",
        scene=entry.scene, folder=folders["scene"] or root, source=entry.source, target=entry.target,
        instruction=entry.instruction, type=entry.type, background=entry.background, truth=folders.get("truth"),
    )  # fmt: skip
    return edit, problems


def _unfit_ids(ids: Sequence[str]) -> list[str]:
    """Ids name folders: on some file systems only one of those that differ in capitals alone can be there."""
    by_folder: dict[str, list[str]] = defaultdict(list)
    for id_ in ids:
        by_folder[id_.lower()].append(id_)
    problems = []
    for found in by_folder.values():
        names = " and ".join(repr(id_) for id_ in dict.fromkeys(found))
        if len(found) > 1:
            problems.append(f"{len(found)} edits are called {names}")
        if RESERVED.fullmatch(found[0]):
            problems.append(f"{names} is a name that Windows keeps for itself")
        if len(found[0]) > LONGEST_ID:
            problems.append(f"an id has {len(found[0])} characters, at most {LONGEST_ID} are taken: {found[0][:40]}...")
    return problems
