"""lpips-toybox: the `lpips` package's SqueezeNet distance with weights of our own.

The trunk is trained to classify the attributes and the view (camera elevation, direction of the light) of distorted
Toybox renders. Every channel of every layer has weight 1 (lpips=False), as no human judgments of Toybox pictures exist.
"""

import warnings
from collections.abc import Sequence
from pathlib import Path

import torch
from lpips import LPIPS
from pydantic import Field
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from piva.toybox.models import weights
from piva.toybox.models.attributes import Heads, Labelled, accuracy, cross_entropy, label_table
from piva.toybox.models.augment import distort
from piva.toybox.models.training import TrainingSettings, fit, pick_device
from piva.toybox.models.vae import image_batch
from piva.toybox.scene import Scene
from piva.toybox.vocabulary import ATTRIBUTES

WEIGHTS = "squeezenet.safetensors"
TRUNK_FEATURES = 512
ELEVATION_EDGES_DEG = (18.0, 22.0, 26.0)
LIGHT_EDGES_DEG = (-45.0, -15.0, 15.0, 45.0)
VIEW = {"elevation": len(ELEVATION_EDGES_DEG) + 1, "light": len(LIGHT_EDGES_DEG) + 1}
"""What is classified about the view -> number of bins; the light's azimuth is relative to the camera's."""


class PerceptualSettings(TrainingSettings):
    """Recipe of the perceptual backbone."""

    steps: int = Field(3000, ge=1, description="Optimiser steps.")
    warmup_steps: int = Field(200, ge=0, description="Steps over which the learning rate rises from 0 to its peak.")
    ema_decay: float = Field(0.995, ge=0, lt=1, description="Decay of the running average of the weights.")


class ToyboxLPIPS(LPIPS):
    """LPIPS on images in [0,1]; the trunk has random weights until some are loaded."""

    name = "lpips-toybox"

    def __init__(self) -> None:
        with warnings.catch_warnings():  # torchvision on lpips' way of asking for no weights
            warnings.simplefilter("ignore")
            super().__init__(net="squeeze", lpips=False, pnet_rand=True, pnet_tune=True, verbose=False)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Distances [B], 0 for equal images, of images [B,3,H,W] in [0,1]."""
        return super().forward(a, b, normalize=True).flatten()


class Classifier(nn.Module):
    """The trunk of the distance with heads for attributes and view; the heads are thrown away after training."""

    def __init__(self) -> None:
        super().__init__()
        self.distance = ToyboxLPIPS()
        self.heads = Heads(2 * TRUNK_FEATURES, {name: len(c) for name, c in ATTRIBUTES.items()} | VIEW)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Logits per attribute and view bin of images [B,3,H,W] in [0,1]."""
        last = self.distance.net(self.distance.scaling_layer(2 * images - 1))[-1]
        return self.heads(torch.cat([last.mean(dim=(2, 3)), last.amax(dim=(2, 3))], dim=1))


def view_table(scenes: Sequence[Scene]) -> dict[str, Tensor]:
    """Bin indices [N] of camera elevation and of the light's azimuth relative to the camera."""
    placements = [scene.placement for scene in scenes]
    elevation = torch.tensor([p.camera.elevation_deg for p in placements])
    light = torch.tensor([(p.sun_azimuth_deg - p.camera.azimuth_deg + 180) % 360 - 180 for p in placements])
    return {
        "elevation": torch.bucketize(elevation, torch.tensor(ELEVATION_EDGES_DEG)),
        "light": torch.bucketize(light, torch.tensor(LIGHT_EDGES_DEG)),
    }


def train(settings: PerceptualSettings, folder: Path, data: Labelled) -> Path:
    """Trains the trunk and writes folder/export (float16). Returns that path."""
    device = pick_device(settings.device)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        classifier = Classifier().to(device)
    table = label_table(data.scenes) | view_table(data.scenes)

    def batch_loss(step: int, generator: torch.Generator) -> tuple[Tensor, dict[str, float]]:
        rows = torch.randint(len(data.scenes), (settings.batch_size,), generator=generator)
        pixels = distort(image_batch(data.images, rows), generator, mirrored=False)  # the light's side is a label
        logits = classifier(pixels.to(device))
        targets = {name: column[rows].to(device) for name, column in table.items()}
        shares = accuracy(logits, targets)
        return cross_entropy(logits, targets), {"accuracy": sum(shares.values()) / len(shares)}

    classifier.load_state_dict(fit("perceptual", classifier, batch_loss, settings, folder))
    export = folder / "export"
    export.mkdir(parents=True, exist_ok=True)
    trunk = classifier.distance.net.half().state_dict()
    save_file({name: value.contiguous() for name, value in trunk.items()}, export / WEIGHTS)
    return export


def load_lpips(device: torch.device | str = "cpu", folder: Path | None = None) -> ToyboxLPIPS:
    """The shipped distance, or the one in `folder`, in float32 and evaluation mode, its weights frozen.

    Raises:
        MissingWeights: there is none.
    """
    distance = ToyboxLPIPS()
    distance.net.load_state_dict(load_file((folder or weights.folder("perceptual")) / WEIGHTS))
    return distance.float().to(device).eval().requires_grad_(False)
