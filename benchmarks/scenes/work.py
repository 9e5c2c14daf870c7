"""What the edits of one scene share: its capture, its field, its views; and the pictures of a true edit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks.scenes.benchmark import SceneEditCase
from piva.data.problems import DataError
from piva.data.scenes import SceneCapture, Views, read_scene
from piva.modules.reconstruction_settings import ReconstructionSettings
from piva.rendering.cameras import Cameras
from piva.rendering.fields.settings import WHITE
from piva.rendering.paths import evaluation_path
from piva.representations.radiance_field import RadianceField
from piva.scenes.editing import SceneCase
from piva.scenes.evaluation import SceneViews, render_views
from piva.scenes.reconstruction import color_behind, cropped_views, reconstruction_key
from piva.scenes.stored_fields import being_made, reconstructed


@dataclass(frozen=True)
class Workshop:
    """How scenes of a run are read, reconstructed and looked at."""

    settings: ReconstructionSettings
    store: Path
    """Folder of finished fields."""
    size: tuple[int, int]
    """(H, W) of the views that are edited and scored: the prior's."""
    eval_views: int
    device: torch.device | str = "cpu"
    downscale: int = 1

    def open(self, folder: Path, on_reconstruction: Callable[[str, int, int], None]) -> Scene:
        """The scene in a folder, reconstructed now if it is not kept.

        Args:
            on_reconstruction: called with the scene's name, the step and the number of steps, if that takes place.

        Raises:
            DataError: the capture is malformed.
        """
        capture = read_scene(folder, self.downscale)
        steps = self.settings.steps

        def done(step: int, loss: Tensor) -> None:
            on_reconstruction(capture.name, step + 1, steps)

        found, _ = reconstructed(capture, self.settings, self.store, self.device, done)
        return Scene(self, capture, found.eval().requires_grad_(False), reconstruction_key(capture, self.settings))

    def is_taken(self, folder: Path) -> bool:
        """Whether another process reconstructs the scene now; False of one that cannot be read, which `open` says.

        The scene is read for that only where somebody reconstructs anything.
        """
        keys = being_made(self.store)
        try:
            return bool(keys) and reconstruction_key(read_scene(folder, self.downscale), self.settings) in keys
        except (DataError, OSError):
            return False


@dataclass(frozen=True, eq=False)
class Scene:
    """A scene that is ready to be edited."""

    workshop: Workshop
    capture: SceneCapture
    field: RadianceField
    key: str
    """Of its reconstruction."""
    seen: dict[Any, Tensor] = field(default_factory=dict)
    """Views of the original by background: they are the same for all its edits."""

    @cached_property
    def path(self) -> tuple[Cameras, bool]:
        """The cameras that edits are scored from, and whether they come back to their start."""
        return evaluation_path(self.capture, self.workshop.eval_views, self.workshop.size)

    def background(self, case: SceneEditCase) -> Tensor | None:
        """What is behind transparent pixels, [3]; None where the field has learned what is behind it.

        Raises:
            ValueError: the edit names a colour, and the field has.
        """
        behind = color_behind(self.capture, self.workshop.settings.field, case.background)
        return None if behind is None else torch.tensor(behind)

    def to_edit(self, case: SceneEditCase) -> SceneCase:
        """What the editing loop is given."""
        edit = case.edit
        train = self.capture.train
        return SceneCase(
            case.id, self.field, train.cameras, edit.source, edit.target, self.background(case), edit.instruction, train
        )

    def originals(self, case: SceneEditCase) -> Tensor:
        """The original's views along the path, [V,3,H,W]."""
        if case.background not in self.seen:
            self.seen[case.background] = render_views(self.field, self.path[0], self.background(case))
        return self.seen[case.background]

    def views(self, case: SceneEditCase, edited: RadianceField) -> SceneViews:
        """The same views of the original and of the edit."""
        cameras, closed = self.path
        return SceneViews(self.originals(case), render_views(edited, cameras, self.background(case)), closed)

    def truth(self, case: SceneEditCase) -> Truth | None:
        """The true edit's pictures, where it is known.

        Raises:
            ValueError: its cameras are not the scene's.
        """
        if case.edit.truth is None:
            return None
        found = read_scene(case.edit.truth, self.workshop.downscale)
        same = found.train.cameras.c2w.shape == self.capture.train.cameras.c2w.shape
        if not same or not torch.allclose(found.train.cameras.c2w, self.capture.train.cameras.c2w, atol=1e-4):
            raise ValueError(f"{case.edit.truth}: the true edit's cameras are not the scene's")
        behind = self.background(case)
        held_out = found.test if len(found.test) else found.train
        shown = cropped_views(held_out, WHITE if behind is None else behind, self.workshop.size)
        return Truth(shown.cameras, shown.images, found.train)


@dataclass(frozen=True, eq=False)
class Truth:
    """Pictures of the true edit."""

    cameras: Cameras
    """Held out."""
    pictures: Tensor  # [V,3,H,W]
    train: Views
    """All around the scene, where its cameras are."""
