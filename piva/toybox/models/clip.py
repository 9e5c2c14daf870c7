"""The Toybox CLIP: an open_clip model of its own configuration, trained contrastively on renders and their captions.

It shares nothing with the diffusion model but the rule by which a tokenizer is made, so that CLIP scores do not mark
their own homework. Loss (Radford et al. 2021): the mean of the cross-entropies of picture -> caption and caption ->
picture within a batch of distinct captions. A share of the pictures is blacked out outside a box, as region scores do.
"""

import json
from pathlib import Path
from typing import Any

import open_clip
import torch
import torch.nn.functional as F
from pydantic import Field
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers import CLIPTokenizer

from piva.toybox.models import tokenizer as tokenizers
from piva.toybox.models import weights
from piva.toybox.models.attributes import Labelled
from piva.toybox.models.augment import black_out, distort
from piva.toybox.models.training import TrainingSettings, fit, pick_device
from piva.toybox.models.vae import image_batch

CONFIG, WEIGHTS = "open_clip_config.json", "open_clip_model.safetensors"
SIZE = 64
MAX_LENGTH = 32
"""Tokens of a caption, start and end included."""
MEAN, STD = 0.5, 0.5
"""Normalisation of every colour channel."""


class ClipSettings(TrainingSettings):
    """Recipe of the CLIP model."""

    steps: int = Field(1600, ge=1, description="Optimiser steps.")
    batch_size: int = Field(128, ge=2, description="Pairs in a step, all with distinct captions.")
    learning_rate: float = Field(1e-3, gt=0, description="Peak learning rate, after warm-up; a cosine takes it to 0.")
    weight_decay: float = Field(0.05, ge=0, description="Decoupled weight decay (AdamW).")
    ema_decay: float = Field(0.995, ge=0, lt=1, description="Decay of the running average of the weights.")
    embed_dim: int = Field(128, ge=8, description="Length of the features.")
    vision_layers: tuple[int, int, int, int] = Field((1, 1, 1, 1), description="Blocks per stage of the image tower.")
    vision_width: int = Field(32, ge=8, description="Channels of the image tower's stem; its last stage: x32.")
    text_width: int = Field(128, ge=32, description="Width of the text tower.")
    text_layers: int = Field(3, ge=1, description="Layers of the text tower.")
    paraphrases: int = Field(4, ge=0, description="Wordings per scene beside the canonical one.")
    blacked_out: float = Field(0.15, ge=0, le=1, description="Share of pictures shown only inside a random box.")


def model_config(settings: ClipSettings, vocab_size: int) -> dict[str, Any]:
    """open_clip's `model_cfg`."""
    return {
        "embed_dim": settings.embed_dim,
        "vision_cfg": {
            "image_size": SIZE,
            "layers": list(settings.vision_layers),
            "width": settings.vision_width,
            "head_width": 32,
            "patch_size": None,
        },
        "text_cfg": {
            "context_length": MAX_LENGTH,
            "vocab_size": vocab_size,
            "hf_tokenizer_name": "local",  # any name: a local folder's own tokenizer is read
            "width": settings.text_width,
            "heads": settings.text_width // 32,
            "layers": settings.text_layers,
        },
    }


def contrastive_loss(image: Tensor, text: Tensor, scale: Tensor) -> Tensor:
    """Symmetric cross-entropy over the pairs [B,D], [B,D] of a batch; features need not be normalised."""
    logits = scale * F.normalize(image.float()) @ F.normalize(text.float()).T
    own = torch.arange(len(logits), device=logits.device)
    return (F.cross_entropy(logits, own) + F.cross_entropy(logits.T, own)) / 2


def distinct_rows(groups: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """`count` random indices into groups [N] of which no two have the same group (fewer if chance is unkind)."""
    drawn = torch.randint(len(groups), (3 * count,), generator=generator)
    first_of: dict[int, int] = {}
    for row, group in zip(drawn.tolist(), groups[drawn].tolist(), strict=True):
        first_of.setdefault(group, row)
    return torch.tensor(list(first_of.values())[:count])


def train(settings: ClipSettings, folder: Path, data: Labelled) -> Path:
    """Trains the model and writes folder/export, which `open_clip.create_model("local-dir:...")` loads."""
    device = pick_device(settings.device)
    captions = tokenizers.wordings(data.scenes, settings.paraphrases)
    tokenizer = tokenizers.prepare(folder / "tokenizer", captions, MAX_LENGTH)
    ids = tokenizers.token_table(tokenizer, captions)  # [P,N,L]
    numbers = {text: number for number, text in enumerate(dict.fromkeys(captions[0]))}
    groups = torch.tensor([numbers[text] for text in captions[0]])
    config = model_config(settings, len(tokenizer))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        clip = open_clip.CLIP(**config).to(device)

    def batch_loss(step: int, generator: torch.Generator) -> tuple[Tensor, dict[str, float]]:
        rows = distinct_rows(groups, settings.batch_size, generator)
        pixels = distort(image_batch(data.images, rows), generator)
        pixels = black_out(pixels, settings.blacked_out, generator)
        wording = torch.randint(len(ids), (len(rows),), generator=generator)
        image = clip.encode_image(((pixels - MEAN) / STD).to(device))
        text = clip.encode_text(ids[wording, rows].long().to(device))
        loss = contrastive_loss(image, text, clip.logit_scale.exp().clamp(max=100))
        return loss, {"scale": clip.logit_scale.exp().item()}

    clip.load_state_dict(fit("clip", clip, batch_loss, settings, folder))
    return export(clip, config, tokenizer, folder / "export")


def export(clip: nn.Module, config: dict[str, Any], tokenizer: CLIPTokenizer, folder: Path) -> Path:
    """Writes open_clip's folder form: configuration, float16 weights, tokenizer."""
    tokenizers.save(tokenizer, folder)
    preprocess = {"mean": [MEAN] * 3, "std": [STD] * 3, "size": [SIZE, SIZE]}
    text = json.dumps({"model_cfg": config, "preprocess_cfg": preprocess}, indent=2) + "\n"
    (folder / CONFIG).write_text(text, encoding="utf-8")
    save_file({name: value.contiguous() for name, value in clip.half().state_dict().items()}, folder / WEIGHTS)
    return folder


class ToyboxClip(nn.Module):
    """Features of pictures in [0,1] and of texts, both [B,D], not normalised."""

    name = f"clip-toybox/{SIZE}-bilinear"

    def __init__(self, folder: Path):
        super().__init__()
        self.model = open_clip.create_model(f"local-dir:{folder}")
        self.tokenizer = CLIPTokenizer.from_pretrained(folder)

    @torch.no_grad()
    def encode_image(self, images: Tensor) -> Tensor:
        """Features [B,D] of images [B,3,H,W] in [0,1], resized to 64x64 if need be."""
        if images.shape[-2:] != (SIZE, SIZE):
            images = F.interpolate(images, size=(SIZE, SIZE), mode="bilinear", antialias=True, align_corners=False)
        pixels = (images.to(self.model.logit_scale.device) - MEAN) / STD
        return self.model.encode_image(pixels).float()

    @torch.no_grad()
    def encode_text(self, texts: list[str]) -> Tensor:
        """Features [B,D] of texts."""
        ids = tokenizers.tokenize(self.tokenizer, texts)
        return self.model.encode_text(ids.to(self.model.logit_scale.device)).float()


def load_clip(device: torch.device | str = "cpu", folder: Path | None = None) -> ToyboxClip:
    """The shipped CLIP model, or the one in `folder`, in float32 and evaluation mode.

    Raises:
        MissingWeights: there is none.
    """
    return ToyboxClip(folder or weights.folder("clip")).to(device).eval().requires_grad_(False)
