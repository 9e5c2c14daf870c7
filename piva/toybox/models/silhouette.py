"""The silhouette reader: finds the pixels of a Toybox picture that show an object. A small U-Net.

It measures whether samples follow a given depth, so it is trained on distorted renders, as the judge is. Its own
error, against the renderer's masks, is part of `piva toybox measure`.
"""

from pathlib import Path

import torch
import torch.nn.functional as F
from pydantic import Field
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from piva.toybox.models import weights
from piva.toybox.models.augment import discolor, mirror
from piva.toybox.models.diffusion import Captioned
from piva.toybox.models.judge import Residual
from piva.toybox.models.training import TrainingSettings, fit, pick_device
from piva.toybox.models.vae import image_batch
from piva.toybox.training_set import Geometry

WEIGHTS = "silhouette.safetensors"


class SilhouetteSettings(TrainingSettings):
    """Recipe of the silhouette reader."""

    steps: int = Field(1500, ge=1, description="Optimiser steps.")
    batch_size: int = Field(32, ge=1, description="Images in a step.")
    learning_rate: float = Field(2e-3, gt=0, description="Peak learning rate, after warm-up; a cosine takes it to 0.")
    ema_decay: float = Field(0.995, ge=0, lt=1, description="Decay of the running average of the weights.")


class SilhouetteReader(nn.Module):
    """Pictures [B,3,H,W] in [0,1] -> where objects are. H and W are multiples of 8."""

    name = "silhouette-toybox"

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(12, 32, 3, 1, 1)  # after 2x2 pixels became channels: 32x32
        self.down = nn.ModuleList([Residual(32, 64, 2), Residual(64, 96, 2)])  # 16x16, 8x8
        self.middle = Residual(96, 96, 1)
        self.up = nn.ModuleList([Residual(96 + 64, 64, 1), Residual(64 + 32, 32, 1)])  # 16x16, 32x32
        self.head = nn.Conv2d(32, 4, 3, 1, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Logits [B,1,H,W] of "an object" for images [B,3,H,W] in [0,1]."""
        levels = [self.stem(F.pixel_unshuffle(2 * images - 1, 2))]
        for block in self.down:
            levels.append(block(levels[-1]))
        h = self.middle(levels.pop())
        for block in self.up:
            h = block(torch.cat([F.interpolate(h, scale_factor=2.0), levels.pop()], dim=1))
        return F.pixel_shuffle(self.head(h), 2)

    @torch.no_grad()
    def predict(self, images: Tensor) -> Tensor:
        """Where objects are, bool [B,1,H,W] on the CPU, in images [B,3,H,W] in [0,1]."""
        device = next(self.parameters()).device
        return torch.cat([self(part.to(device)).cpu() > 0 for part in images.split(256)])


def intersection_over_union(found: Tensor, truth: Tensor) -> Tensor:
    """IoU [B] in [0,1] of bool masks [B,1,H,W]; 1 is agreement, two empty masks agree."""
    both, either = ((found & truth).sum(dim=(1, 2, 3)), (found | truth).sum(dim=(1, 2, 3)))
    return torch.where(either > 0, both / either.clamp(min=1), 1.0)


def train(settings: SilhouetteSettings, folder: Path, data: Captioned, geometry: Geometry) -> Path:
    """Trains the reader on binary cross-entropy and writes folder/export (float16). Returns that path."""
    device = pick_device(settings.device)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        reader = SilhouetteReader().to(device)

    def batch_loss(step: int, generator: torch.Generator) -> tuple[Tensor, dict[str, float]]:
        rows = torch.randint(len(data.scenes), (settings.batch_size,), generator=generator)
        objects = torch.from_numpy(geometry.objects[rows.numpy()]).float()
        images, objects = mirror(torch.cat([image_batch(data.images, rows), objects], dim=1), generator).split(
            [3, 1], 1
        )
        logits = reader(discolor(images, generator).to(device)).float().cpu()
        iou = intersection_over_union(logits > 0, objects > 0).mean().item()
        return F.binary_cross_entropy_with_logits(logits, objects), {"iou": iou}

    reader.load_state_dict(fit("silhouette", reader, batch_loss, settings, folder))
    export = folder / "export"
    export.mkdir(parents=True, exist_ok=True)
    save_file(reader.half().state_dict(), export / WEIGHTS)
    return export


def load_silhouette(device: torch.device | str = "cpu", folder: Path | None = None) -> SilhouetteReader:
    """The shipped reader, or the one in `folder`, in float32 and evaluation mode.

    Raises:
        MissingWeights: there is none.
    """
    reader = SilhouetteReader()
    reader.load_state_dict(load_file((folder or weights.folder("silhouette")) / WEIGHTS))
    return reader.float().to(device).eval()
