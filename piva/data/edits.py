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
from dataclasses import dataclass, replace
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
NO_TYPE = "?"
"""Type of an entry that states none of them."""


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
    type: str
    """An EditType, or NO_TYPE."""
    background: tuple[float, float, float] | None = None
    truth: Path | None = None
    """Folder of the true edit's renders, like the scene's."""
    fault: str | None = None
    """Why it cannot be made. Its folder is then none to open, and whatever is not sound of it is empty."""


Prompt = Annotated[str, AfterValidator(sound_prompt)]


class _Entry(BaseModel):
    """One entry of the file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    scene: str = Field(min_length=1)
    source: Prompt
    target: Prompt
    type: EditType
    instruction: Annotated[str, AfterValidator(sound_text)] = ""
    id: str | None = Field(  # a folder's name: no ".."
        None, pattern=r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$", max_length=LONGEST_ID
    )
    background: Color | None = None
    truth: str | None = None


def read_edits(file: Path, lenient: bool = False) -> list[SceneEdit]:
    """The edits in `file`, in its order. One without an id is named by its scene and its place in the file, from 1.

    Args:
        lenient: an entry that is malformed is among the edits, with its fault, and a scene that is not there is left to
            whoever opens it. Of entries with the same id there is one edit.

    Raises:
        DataError: anything is malformed, or a folder is not there; lists every problem. If lenient: the file as a whole
            is.
    """
    root, entries = file.parent.resolve(), _entries(file)
    repeated = repeated_keys(entries)
    found = []
    for number, content in enumerate(entries):
        place = f"{file.name}: [{number}]"
        twice = [key for key in repeated if key.startswith(f"[{number}]")]
        edit, wrong = _edit(root, place, number, content, lenient)
        found.append((edit, [f"{file.name}: {key} appears more than once" for key in twice] + wrong))
    unfit = _unfit_ids([edit.id for edit, _ in found])
    of_ids = {id_: [f"{file.name}: {sentence}" for sentence in sentences] for id_, sentences in unfit.items()}
    problems = [sentence for _, wrong in found for sentence in wrong]
    problems += dict.fromkeys(sentence for sentences in of_ids.values() for sentence in sentences)
    if problems and not lenient:
        raise DataError(root, problems)
    edits: dict[str, SceneEdit] = {}
    for edit, wrong in found:
        faults = wrong + of_ids.get(edit.id, [])
        if faults:
            edit = replace(edit, folder=root / edit.id, truth=None, fault="; ".join(faults))
        edits.setdefault(edit.id, edit)
    return list(edits.values())


def find_edits(root: Path) -> Path | None:
    """The edits file of a benchmark's folder, or None where it has none."""
    return next((root / name for name in FILES if (root / name).is_file()), None)


def _entries(file: Path) -> list[Any]:
    """Raises DataError where the file as a whole can't be read."""
    read = read_json if file.suffix == ".json" else read_yaml
    content, wrong = read(file, file.parent.resolve())
    if wrong is None and not (isinstance(content, list) and content):
        wrong = f"{file.name} is no list of edits"
    if wrong is not None:
        raise DataError(file.parent, [wrong])
    return list(content)


def _edit(root: Path, place: str, number: int, content: Any, lenient: bool) -> tuple[SceneEdit, list[str]]:
    """The edit of an entry, and what is wrong with it."""
    try:
        entry = _Entry.model_validate(content)
    except ValidationError as problem:
        return _remains(root, number, content, problem), validation_sentences(problem, place)
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
        id=entry.id or _id_of(entry.scene, number),
        scene=entry.scene, folder=folders["scene"] or root, source=entry.source, target=entry.target,
        instruction=entry.instruction, type=entry.type, background=entry.background, truth=folders.get("truth"),
    )  # fmt: skip
    return edit, problems


def _remains(root: Path, number: int, content: Any, problem: ValidationError) -> SceneEdit:
    """What is sound of a malformed entry."""
    wrong = {part for error in problem.errors() for part in error["loc"][:1]}
    sound = {} if not isinstance(content, dict) else {name: content[name] for name in content.keys() - wrong}
    texts = {name: value for name, value in sound.items() if isinstance(value, str)}
    scene = texts.get("scene", "")
    return SceneEdit(
        id=texts.get("id") or _id_of(scene, number), scene=scene, folder=root, source=texts.get("source", ""),
        target=texts.get("target", ""), instruction=texts.get("instruction", ""), type=texts.get("type", NO_TYPE),
    )  # fmt: skip


def _id_of(scene: str, number: int) -> str:
    """The id of an entry that gives none."""
    suffix = f"-{number + 1}"
    name = re.sub("[^A-Za-z0-9_-]+", "-", scene).strip("-") or "scene"
    return name[: LONGEST_ID - len(suffix)] + suffix


def _unfit_ids(ids: Sequence[str]) -> dict[str, list[str]]:
    """What is wrong with ids. They name folders: on some file systems only one of those that differ in capitals alone
    can be there."""
    by_folder: dict[str, list[str]] = defaultdict(list)
    for id_ in ids:
        by_folder[id_.lower()].append(id_)
    problems: dict[str, list[str]] = defaultdict(list)
    for found in by_folder.values():
        names = " and ".join(repr(id_) for id_ in dict.fromkeys(found))
        for id_ in dict.fromkeys(found):
            if len(found) > 1:
                problems[id_].append(f"{len(found)} edits are called {names}")
            if RESERVED.fullmatch(id_):
                problems[id_].append(f"{names} is a name that Windows keeps for itself")
    return problems
