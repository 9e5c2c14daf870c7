"""A list of edits of scenes: `edits.yaml` or `edits.json` in a folder whose sub-folders are the scenes.

- scene: bear                       # folder, relative to the file
  source: a photo of a bear statue in the forest
  target: a photo of a polar bear in the forest
  instruction: turn the bear into a polar bear      # optional
  type: translation                 # appearance | addition | translation: Noe's three groups
  id: bear-polar                    # optional
  background: [1, 1, 1]             # optional: colour behind a scene that has opacity
  truth: true_edits/bear-polar      # optional: folder like the scene's, of the true edit's renders
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

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


def read_edits(file: Path) -> list[SceneEdit]:
    """The edits in `file`, in its order.

    Raises:
        DataError: anything is malformed, or a folder is not there; lists every problem.
    """
    raise NotImplementedError


def find_edits(root: Path) -> Path | None:
    """The edits file of a benchmark's folder, or None where it has none."""
    raise NotImplementedError
