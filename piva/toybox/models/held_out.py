"""Held-out scenes to measure the Toybox models on, and the scores that several measurements share."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from piva.toybox.scene import Scene, Split, sample_scene

if TYPE_CHECKING:
    from piva.toybox.render import Rendering


@dataclass(frozen=True)
class MeasureOptions:
    """What is measured, on how much."""

    only: tuple[str, ...] = (
        "vae", "judge", "samples", "clip", "perceptual", "silhouette", "controlnet", "instruct_pix2pix",
    )  # fmt: skip
    """Which measurements to make; the others keep their earlier numbers. `silhouette` and `controlnet` measure weights
    that do not come with the package: train them, and give their folder."""

    weights: Path | None = None
    """Folder with diffusion/, controlnet/, clip/, perceptual/, judge/, silhouette/; the shipped weights by default."""

    split: Split = "test"
    """Held-out scenes: test has combinations of colour and shape that no training scene shows."""

    count: int = 1024
    """Held-out renders."""

    samples: int = 256
    """Captions, or captions and depths, to sample from."""

    guidance: float = 5.0
    """Guidance of the samples, 25 DDIM steps."""

    device: str = "cpu"
    """Where the models run."""


@dataclass
class Held:
    """Held-out scenes, rendered on first use."""

    options: MeasureOptions
    scenes: list[Scene] = field(init=False)

    def __post_init__(self) -> None:
        self.scenes = [sample_scene(i, self.options.split) for i in range(self.options.count)]

    @cached_property
    def _renderings(self) -> "list[Rendering]":
        from piva.toybox.render import render

        return [render(self.scenes[i : i + 64]) for i in range(0, len(self.scenes), 64)]

    @cached_property
    def images(self) -> Tensor:
        """[N,3,64,64] in [0,1]."""
        return torch.cat([rendering.image for rendering in self._renderings])

    @cached_property
    def depth(self) -> Tensor:
        """[N,1,64,64] in scene units."""
        return torch.cat([rendering.depth for rendering in self._renderings])

    @cached_property
    def objects(self) -> Tensor:
        """Where any object is seen, bool [N,1,64,64]."""
        return torch.cat([rendering.objects for rendering in self._renderings])

    def folder(self, name: str) -> Path:
        """Weights of one model."""
        from piva.toybox.models import weights

        return self.options.weights / name if self.options.weights else weights.folder(name)


def psnr_db(a: Tensor, b: Tensor) -> Tensor:
    """Peak signal-to-noise ratio [B] of images [B,3,H,W] in [0,1]."""
    return -10 * (a - b).square().mean(dim=(1, 2, 3)).log10()


def attribute_shares(found: Sequence[dict[str, str]], scenes: Sequence[Scene]) -> dict[str, float]:
    """Share of right answers per attribute."""
    from piva.toybox.scene import named_labels

    truth = [named_labels(scene) for scene in scenes]
    return {name: sum(f[name] == t[name] for f, t in zip(found, truth, strict=True)) / len(truth) for name in truth[0]}


def sample_shares(found: Sequence[dict[str, str]], scenes: Sequence[Scene]) -> dict[str, float]:
    """Share per attribute that captions name. Snowmen have no say in colour; front is never named."""
    shares = attribute_shares(found, scenes)
    del shares["front"]
    colored = [i for i, scene in enumerate(scenes) if scene.shape != "snowman"]
    hatted = [i for i, scene in enumerate(scenes) if scene.hat != "none"]

    def share(rows: list[int], attribute: str) -> float:
        right = [found[i][attribute] == getattr(scenes[i], attribute) for i in rows]
        return sum(right) / max(1, len(right))

    return shares | {"color": share(colored, "color"), "hat_where_asked": share(hatted, "hat")}
