"""Any model of open_clip as the CLIP metrics want it: images in [0, 1] and texts in, features out.

Images are prepared as open_clip's own transform does on 8-bit pictures, but as tensors, all at once and on the device.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import open_clip
import torch
from open_clip.constants import HF_SAFE_WEIGHTS_NAME, HF_WEIGHTS_NAME
from torch import Tensor
from torchvision.transforms import InterpolationMode
from torchvision.transforms.functional import center_crop, normalize, resize

from piva.errors import ConfigError
from piva.metrics.weights import MissingWeights, WeightFile, fingerprint, hub_offline
from piva.registry import unknown

OPEN_CLIP_CACHE = Path("~/.cache/clip")


class OpenClip:
    """Features of a model of open_clip.

    Args:
        model: in evaluation mode; its image tower says how pictures are prepared (`preprocess_cfg`).
        tokenizer: texts -> token ids [B, L].
        weights: the tag of the weights, or their fingerprint.

    Attributes:
        name: model, weights, input size and interpolation, as ids show them: "ViT-L-14/openai/224-bicubic".
    """

    def __init__(self, model: Any, tokenizer: Any, architecture: str, weights: str) -> None:
        self.model, self.tokenizer = model, tokenizer
        facts = model.visual.preprocess_cfg
        size = model.visual.image_size
        self.size = tuple(size) if isinstance(size, Sequence) else (size, size)
        self.mean, self.std = list(facts["mean"]), list(facts["std"])
        self.interpolation, self.resize_mode = facts["interpolation"], facts["resize_mode"]
        if self.resize_mode not in ("shortest", "squash"):
            raise ConfigError(f"--clip {architecture}: its way of resizing ({self.resize_mode}) is not implemented")
        self.name = f"{architecture}/{weights}/{self.size[0]}-{self.interpolation}"

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return next(self.model.parameters()).device

    def prepare(self, images: Tensor) -> Tensor:
        """Normalised pixels [B, 3, h, w] of images [B, 3, H, W] in [0, 1].

        Resized to cover the model's size and cropped in the middle, or squashed to it where the model was trained so;
        rounded to 8 bits in between, as a resized picture is.
        """
        size = [min(self.size)] if self.resize_mode == "shortest" else list(self.size)
        images = resize(images.to(self.device), size, InterpolationMode(self.interpolation), antialias=True)
        pixels = (center_crop(images, list(self.size)).clamp(0, 1) * 255).round() / 255
        return normalize(pixels, self.mean, self.std)

    @torch.no_grad()
    def encode_image(self, images: Tensor) -> Tensor:
        """Features [B, D] of images [B, 3, H, W] in [0, 1], not normalised."""
        return self.model.encode_image(self.prepare(images)).float()

    @torch.no_grad()
    def encode_text(self, texts: list[str]) -> Tensor:
        """Features [B, D] of texts, not normalised."""
        return self.model.encode_text(self.tokenizer(texts).to(self.device)).float()


def load_open_clip(
    clip: str, device: torch.device | str = "cpu", folder: Path | None = None, allow_download: bool = False
) -> OpenClip:
    """The model that "MODEL/TAG" names, in float32 and evaluation mode; TAG may be a file with its weights.

    Raises:
        ConfigError: open_clip has no such model, or no such weights for it.
        MissingWeights: the weights, or the tokenizer's files, are not on this machine.
    """
    architecture, _, tag = clip.partition("/")
    if architecture not in open_clip.list_models():
        raise ConfigError(f"--clip {clip}: {unknown('model', architecture, open_clip.list_models())}")
    facts: Mapping[str, Any] = open_clip.get_pretrained_cfg(architecture, tag)
    if facts:
        path = clip_weights(architecture, tag).locate(folder, allow_download)
    elif Path(tag).is_file():
        path = Path(tag)
    else:
        tags = open_clip.list_pretrained_tags_by_model(architecture)
        raise ConfigError(f"--clip {clip}: {unknown('weights tag', tag, tags)}; or give a file, {architecture}/FILE")
    shown = {name: facts[name] for name in ("mean", "std", "interpolation", "resize_mode") if facts.get(name)}
    try:
        with hub_offline(not allow_download):
            model = open_clip.create_model(
                architecture,
                str(path),
                device=device,
                force_quick_gelu=bool(facts.get("quick_gelu")),  # open_clip only warns where a tag needs it
                force_preprocess_cfg=shown,
            )
            tokenizer = open_clip.get_tokenizer(architecture)
    except OSError as problem:  # the hub's library on files it may not fetch
        what = f"the tokenizer or a tower's configuration of CLIP {architecture}"
        raise MissingWeights(f"{what} is not on this machine; to fetch it: --allow-download") from problem
    return OpenClip(model.eval().requires_grad_(False), tokenizer, architecture, tag if facts else fingerprint(model))


def clip_weights(architecture: str, tag: str) -> WeightFile:
    """Where open_clip gets the weights of a tag from: the hub, else a URL."""
    facts = open_clip.get_pretrained_cfg(architecture, tag)
    repository, _, name = facts.get("hf_hub", "").rpartition("/")
    names = (name,) if name else (HF_SAFE_WEIGHTS_NAME, HF_WEIGHTS_NAME)
    url = "" if repository and tag == "openai" else facts.get("url", "")  # OpenAI's own file is a program, not weights
    return WeightFile(f"CLIP {architecture}/{tag}", repository, names, url, OPEN_CLIP_CACHE.expanduser())
