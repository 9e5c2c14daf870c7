"""What is measured on: a prior, a reconstructed scene, a clock."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import torch

from benchmarks.models import load_prior
from benchmarks.scene_speed.options import Options
from benchmarks.scenes.benchmark import scene_folder
from benchmarks.speed.world import Machine
from piva.data.scenes import read_scene
from piva.errors import ConfigError
from piva.folders import cache_folder
from piva.instructed.in2n import IN2N
from piva.modules.scene_settings import SceneEditSettings
from piva.rendering.cameras import Cameras
from piva.representations.radiance_field import RadianceField
from piva.scenes.editing import SceneCase
from piva.scenes.reconstruction import color_behind
from piva.scenes.stored_fields import reconstructed


class SceneWorld(Machine):
    """Opened once a process.

    Raises:
        ConfigError: there are fewer cameras than asked for.
        PreflightError: the scene or the weights are missing.
    """

    def __init__(self, options: Options):
        super().__init__(options.prior, options.threads)
        self.options = options

    @cached_property
    def case(self) -> SceneCase:
        """The scene with the cameras of a round."""
        options = self.options
        capture = read_scene(scene_folder(options.scene))
        everything = capture.train.cameras
        if len(everything) < max(options.cameras, *options.views):
            raise ConfigError(f"{capture.name} has {len(everything)} views: fewer --cameras, or smaller --views")
        field, _ = reconstructed(capture, options.reconstruction, cache_folder() / "fields", self.device)
        chosen = torch.arange(options.cameras) * len(everything) // options.cameras
        behind = color_behind(capture, options.reconstruction.field, None)
        background = None if behind is None else torch.tensor(behind)
        return SceneCase(
            capture.digest, field, everything[chosen], options.source, options.target, background,
            options.instruction, capture.train[chosen.tolist()],
        )  # fmt: skip

    @cached_property
    def instructed(self) -> Any:
        """The InstructPix2Pix prior."""
        return load_prior(self.options.instructed, IN2N())

    def settings(self, views: int) -> SceneEditSettings:
        """Of a step with so many views that leaves the field as it is."""
        return SceneEditSettings(views=views, lr_density=0, lr_color=0, lr_network=0)

    def cameras(self, views: int) -> Cameras:
        """The first of a round, as an edit sees them."""
        height, width = self.prior.image_size
        return self.case.cameras[:views].cropped(width, height).to(self.device)

    def field(self) -> RadianceField:
        """A copy of the field that trains, with the room that an edit leaves around what is there."""
        scene = self.case.source.clone_frozen().to(self.device).requires_grad_(True)
        scene.refresh_occupancy(margin=self.settings(1).margin)
        return scene
