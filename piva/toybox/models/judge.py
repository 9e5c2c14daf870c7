"""The judge: reads every attribute of a Toybox scene off a picture. A small residual network with a head an attribute.

It is trained on distorted renders (softness, noise, stains, shifts, light), because it judges samples and edits.
"""

from pathlib import Path

import torch
import torch.nn.functional as F
from pydantic import Field
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from piva.toybox.models import weights
from piva.toybox.models.attributes import Heads, Labelled, accuracy, cross_entropy, label_table
from piva.toybox.models.augment import distort
from piva.toybox.models.training import TrainingSettings, fit, pick_device
from piva.toybox.models.vae import image_batch
from piva.toybox.vocabulary import ATTRIBUTES

WEIGHTS = "judge.safetensors"


class JudgeSettings(TrainingSettings):
    """Recipe of the judge."""

    steps: int = Field(2500, ge=1, description="Optimiser steps.")
    learning_rate: float = Field(2e-3, gt=0, description="Peak learning rate, after warm-up; a cosine takes it to 0.")
    weight_decay: float = Field(0.02, ge=0, description="Decoupled weight decay (AdamW).")
    ema_decay: float = Field(0.995, ge=0, lt=1, description="Decay of the running average of the weights.")
    smoothing: float = Field(0.02, ge=0, lt=1, description="Label smoothing: a few attributes are ambiguous by a hair.")


class Residual(nn.Module):
    """x + conv(silu(norm(conv(silu(norm(x)))))) with a strided 1x1 shortcut where the shape changes."""

    def __init__(self, channels_in: int, channels_out: int, stride: int):
        super().__init__()
        self.norm1, self.norm2 = nn.GroupNorm(8, channels_in), nn.GroupNorm(8, channels_out)
        self.conv1 = nn.Conv2d(channels_in, channels_out, 3, stride, 1, bias=False)
        self.conv2 = nn.Conv2d(channels_out, channels_out, 3, 1, 1, bias=False)
        same = stride == 1 and channels_in == channels_out
        self.shortcut = nn.Identity() if same else nn.Conv2d(channels_in, channels_out, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        h = self.conv1(F.silu(self.norm1(x)))
        return self.shortcut(x) + self.conv2(F.silu(self.norm2(h)))


class Judge(nn.Module):
    """Pictures [B,3,64,64] in [0,1] -> attributes. `predict` is what edits are judged with."""

    name = "judge-toybox"

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(12, 32, 3, 1, 1)  # after 2x2 pixels became channels: 32x32
        self.blocks = nn.Sequential(
            Residual(32, 32, 1), Residual(32, 64, 2), Residual(64, 64, 1),  # 16x16
            Residual(64, 128, 2), Residual(128, 128, 1),  # 8x8
            Residual(128, 192, 2),  # 4x4
        )  # fmt: skip
        self.norm = nn.GroupNorm(8, 192)
        self.heads = Heads(2 * 192, {name: len(classes) for name, classes in ATTRIBUTES.items()})

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Logits [B,classes] per attribute of images [B,3,64,64] in [0,1]."""
        h = self.stem(F.pixel_unshuffle(2 * images - 1, 2))
        h = F.silu(self.norm(self.blocks(h)))
        return self.heads(torch.cat([h.mean(dim=(2, 3)), h.amax(dim=(2, 3))], dim=1))

    @torch.no_grad()
    def predict(self, images: Tensor) -> list[dict[str, str]]:
        """The most likely class name of every attribute, for each of images [B,3,64,64] in [0,1].

        Raises:
            ValueError: pictures of another size, which it was not trained for.
        """
        best = {name: logits.argmax(1).tolist() for name, logits in self._logits(images).items()}
        return [{name: ATTRIBUTES[name][best[name][i]] for name in ATTRIBUTES} for i in range(len(images))]

    @torch.no_grad()
    def probability(self, images: Tensor, attribute: str, value: str) -> Tensor:
        """How sure it is that `attribute` has that value, [B] in [0,1], for images [B,3,64,64] in [0,1].

        Raises:
            ValueError: as in `predict`.
        """
        return self._logits(images)[attribute].softmax(1)[:, ATTRIBUTES[attribute].index(value)]

    def _logits(self, images: Tensor) -> dict[str, Tensor]:
        """As `forward`, some images at a time, on the judge's device."""
        if images.shape[1:] != (3, 64, 64):
            raise ValueError(f"the judge reads pictures [B,3,64,64], not {list(images.shape)}")
        device = next(self.parameters()).device
        parts = [self(part.to(device)) for part in images.split(256)]
        return {name: torch.cat([part[name] for part in parts]) for name in ATTRIBUTES}


def train(settings: JudgeSettings, folder: Path, data: Labelled) -> Path:
    """Trains the judge and writes folder/export (float16). Returns that path."""
    device = pick_device(settings.device)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        judge = Judge().to(device)
    table = label_table(data.scenes)

    def batch_loss(step: int, generator: torch.Generator) -> tuple[Tensor, dict[str, float]]:
        rows = torch.randint(len(data.scenes), (settings.batch_size,), generator=generator)
        logits = judge(distort(image_batch(data.images, rows), generator).to(device))
        targets = {name: column[rows].to(device) for name, column in table.items()}
        shares = accuracy(logits, targets)
        return cross_entropy(logits, targets, settings.smoothing), {"accuracy": sum(shares.values()) / len(shares)}

    judge.load_state_dict(fit("judge", judge, batch_loss, settings, folder))
    export = folder / "export"
    export.mkdir(parents=True, exist_ok=True)
    save_file(judge.half().state_dict(), export / WEIGHTS)
    return export


def load_judge(device: torch.device | str = "cpu", folder: Path | None = None) -> Judge:
    """The shipped judge, or the one in `folder`, in float32 and evaluation mode.

    Raises:
        MissingWeights: there is none.
    """
    judge = Judge()
    judge.load_state_dict(load_file((folder or weights.folder("judge")) / WEIGHTS))
    return judge.float().to(device).eval()
