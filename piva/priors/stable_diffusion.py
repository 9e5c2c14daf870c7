"""Stable Diffusion 1.x and 2.x as a prior: such a diffusers pipeline by folder or hub id, or the built-in Toybox."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from torch import Tensor
from transformers import CLIPTextModel, CLIPTokenizer
from transformers.utils import logging as transformers_logging

from piva.auxiliary.lora import LoRASites, StackedLoRA, adapted_layers
from piva.auxiliary.settings import LoRASettings
from piva.config import PriorConfig
from piva.errors import PreflightError
from piva.priors import Segment
from piva.schedule import alphas_cumprod

_DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}
_FILES = ["model_index.json", "scheduler/*.json", "tokenizer/*", "*/config.json", "text_encoder/model.safetensors"]
_FILES += [f"{part}/diffusion_pytorch_model.safetensors" for part in ("unet", "vae")]
_KEPT_PROMPTS = 1024
SLICED_FROM = 64 * 64
"""Latents of so many positions go through the VAE one image at a time: at 512x512 a batch of them takes more memory
than the edit itself."""


class StableDiffusionPrior:
    """The frozen model. The UNet and the text encoder run in `dtype`, the VAE in float32; latents are float32.

    Args:
        folder: a diffusers Stable Diffusion pipeline, weights in safetensors.
        name: what it is called in records.
        fingerprint: of its weights; None hashes the folder when first asked for.
        device: where it runs.
        dtype: what the UNet runs in.
        channels_last: memory order of the UNet's weights; None: on an accelerator (on CPUs it was no faster).
        compile: compile the UNet.
    """

    def __init__(
        self,
        folder: Path,
        *,
        name: str,
        fingerprint: str | None = None,
        device: torch.device,
        dtype: torch.dtype = torch.float32,
        channels_last: bool | None = None,
        compile: bool = False,
    ):
        self.folder, self.name, self.device, self.dtype = folder, name, device, dtype
        self.half = dtype == torch.float16
        self._fingerprint = fingerprint
        self.unet, self.vae, self.text_encoder, self.tokenizer, scheduler = _components(folder, dtype)
        for part in (self.unet, self.vae, self.text_encoder):
            part.eval().requires_grad_(False).to(device)
        if channels_last or (channels_last is None and device.type != "cpu"):
            self.unet.to(memory_format=torch.channels_last)
        if compile:
            self.unet.compile()
        self.prediction = scheduler.get("prediction_type", "epsilon")
        if self.prediction not in ("epsilon", "v_prediction"):
            raise PreflightError(f"{name} predicts {self.prediction!r}; epsilon and v_prediction can be used")
        self.abar = alphas_cumprod(scheduler)
        scale = 2 ** (len(self.vae.config.block_out_channels) - 1)
        size = self.unet.config.sample_size
        height, width = (size, size) if isinstance(size, int) else size
        self.latent_shape = (self.unet.config.in_channels, height, width)
        self.image_size = (height * scale, width * scale)
        if height * width >= SLICED_FROM:
            self.vae.enable_slicing()
        self._embeddings: OrderedDict[str, Tensor] = OrderedDict()
        self._sites: dict[tuple[str, ...], LoRASites] = {}

    @classmethod
    def from_config(cls, config: PriorConfig) -> StableDiffusionPrior:
        """The prior the configuration names."""
        return cls.load(**config.model_dump())

    @classmethod
    def load(
        cls,
        model: str = "toybox",
        revision: str | None = None,
        device: str = "auto",
        dtype: str = "auto",
        channels_last: bool | None = None,
        compile: bool = False,
        allow_download: bool = False,
    ) -> StableDiffusionPrior:
        """A prior from "toybox", a folder, or a hub id, which is only looked for on this machine unless told otherwise.

        Raises:
            PreflightError: when the model, or the device, is not there; one sentence, and no wait for a network.
        """
        where = pick_device(device)
        kind = _DTYPES[dtype] if dtype != "auto" else torch.float32 if where.type == "cpu" else torch.float16
        options: dict[str, Any] = {"device": where, "dtype": kind, "channels_last": channels_last, "compile": compile}
        if model == "toybox":
            from piva.toybox.models import weights

            return cls(weights.folder("diffusion"), name="toybox", **options)
        if Path(model).expanduser().is_dir():
            return cls(Path(model).expanduser(), name=Path(model).resolve().name, **options)
        folder = _hub_folder(model, revision, allow_download)
        return cls(folder, name=model, fingerprint=f"{model}@{folder.name}", **options)

    @cached_property
    def fingerprint(self) -> str:
        """Of everything that can change a score: a hash of weights and configuration, or id@commit; and the dtype."""
        weights = self._fingerprint or _folder_hash(self.folder)
        return f"{weights}/{str(self.dtype).removeprefix('torch.')}"

    @torch.no_grad()
    def encode(self, images: Tensor) -> Tensor:
        """Posterior means times the scaling factor [B,C,h,w] of images [B,3,H,W] in [0,1]."""
        posterior = self.vae.encode(images.to(self.device, torch.float32) * 2 - 1).latent_dist
        return posterior.mean * self.vae.config.scaling_factor

    @torch.no_grad()
    def decode(self, latents: Tensor) -> Tensor:
        """Images [B,3,H,W] in [0,1], float32, of latents [B,C,h,w], wherever these lie."""
        z = latents.to(self.device, torch.float32) / self.vae.config.scaling_factor
        images = self.vae.decode(z, return_dict=False)[0]
        return ((images + 1) / 2).clamp(0, 1)

    @torch.no_grad()
    def embed(self, prompts: Sequence[str]) -> Tensor:
        """The text encoder's last hidden states [B,L,D]; a prompt seen before is not encoded again."""
        missing = [prompt for prompt in dict.fromkeys(prompts) if prompt not in self._embeddings]
        if missing:
            for prompt, states in zip(missing, self._encode_text(missing), strict=True):
                self._embeddings[prompt] = states
        found = torch.stack([self._embeddings[prompt] for prompt in prompts])
        while len(self._embeddings) > _KEPT_PROMPTS:
            self._embeddings.popitem(last=False)
        return found

    def _encode_text(self, prompts: list[str]) -> Tensor:
        longest = min(self.tokenizer.model_max_length, self.text_encoder.config.max_position_embeddings)
        tokens = self.tokenizer(prompts, padding="max_length", max_length=longest, truncation=True, return_tensors="pt")
        for prompt, length in zip(prompts, self.tokenizer(prompts, verbose=False)["input_ids"], strict=True):
            if len(length) > longest:
                start = prompt if len(prompt) < 60 else prompt[:57] + "..."
                warnings.warn(f"prompt {start!r} has {len(length)} tokens; {self.name} reads {longest}", stacklevel=2)
        mask = tokens["attention_mask"].to(self.device)
        uses_mask = getattr(self.text_encoder.config, "use_attention_mask", False)
        return self.text_encoder(tokens["input_ids"].to(self.device), attention_mask=mask if uses_mask else None)[0]

    def predict(self, x: Tensor, t: Tensor, embedding: Tensor, segments: Sequence[Segment] = ()) -> Tensor:
        """The UNet's output [R,C,h,w], float32; the last rows go through the adapters of the segments."""
        x, t = x.to(self.device, self.dtype), t.to(self.device)
        if not segments:
            return self.unet(x, t, embedding, return_dict=False)[0].float()
        stacks = [segment.adapter for segment in segments]
        assert isinstance(stacks[0], StackedLoRA)
        sites = self._sites[stacks[0].settings.target_modules]
        sites.stacks, sites.start = stacks, segments[0].start  # type: ignore[assignment]
        try:
            return self.unet(x, t, embedding, return_dict=False)[0].float()
        finally:
            sites.stacks = []

    def adapter(self, settings: LoRASettings, seed: int, case_ids: Sequence[str]) -> StackedLoRA:
        """New LoRA for these cases, which change nothing yet."""
        stack = self._stack(settings, len(case_ids))
        stack.initialise(seed, case_ids)
        return stack

    def _stack(self, settings: LoRASettings, n_cases: int) -> StackedLoRA:
        """LoRA of zeros, on the layers that the settings name."""
        targets = settings.target_modules
        if targets not in self._sites:
            self._sites[targets] = LoRASites(adapted_layers(self.unet, targets))
        return StackedLoRA(self._sites[targets].layers, settings, n_cases, self.device)


def pick_device(device: str) -> torch.device:
    """The device of that name; "auto" is the first accelerator there is, or the CPU.

    Raises:
        PreflightError: when this machine does not have it.
    """
    if device == "auto":
        has_mps = torch.backends.mps.is_available()
        return torch.device("cuda" if torch.cuda.is_available() else "mps" if has_mps else "cpu")
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise PreflightError(f"--prior.device {device}: this machine does not have it") from error
    return torch.device(device)


def _hub_folder(model: str, revision: str | None, allow_download: bool) -> Path:
    """The local snapshot of a hub model."""
    from huggingface_hub import snapshot_download

    try:
        found = snapshot_download(model, revision=revision, allow_patterns=_FILES, local_files_only=not allow_download)
    except Exception as error:  # the hub's own errors share no base: a bad name, no network, no such revision
        way = "check the name and the network" if allow_download else "--prior.allow-download would fetch it"
        raise PreflightError(f"{model!r} is neither a folder nor a model on this machine: {way}") from error
    return Path(found)


def _components(folder: Path, dtype: torch.dtype) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
    """UNet, VAE, text encoder, tokenizer and scheduler configuration of a pipeline folder; nothing else is loaded."""
    index = folder / "model_index.json"
    if not index.is_file():
        raise PreflightError(f"{folder} is no diffusers pipeline: it has no model_index.json")
    parts = json.loads(index.read_text())
    if "text_encoder_2" in parts or not {"unet", "vae", "text_encoder", "tokenizer", "scheduler"} <= parts.keys():
        raise PreflightError(f"{folder} is a {parts.get('_class_name')}, not a Stable Diffusion 1.x or 2.x pipeline")
    options: dict[str, Any] = {"local_files_only": True, "use_safetensors": True}
    try:
        unet = UNet2DConditionModel.from_pretrained(folder, subfolder="unet", torch_dtype=dtype, **options)
        vae = AutoencoderKL.from_pretrained(folder, subfolder="vae", torch_dtype=torch.float32, **options)
        with _no_progress_bar():
            text_encoder = CLIPTextModel.from_pretrained(folder, subfolder="text_encoder", dtype=dtype, **options)
        tokenizer = CLIPTokenizer.from_pretrained(folder, subfolder="tokenizer", local_files_only=True)
        scheduler = json.loads((folder / "scheduler" / "scheduler_config.json").read_text())
    except (OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise PreflightError(f"{folder} cannot be loaded as a Stable Diffusion pipeline: {reason}") from error
    if unet.config.in_channels != vae.config.latent_channels:
        raise PreflightError(f"{folder}: the UNet takes {unet.config.in_channels} channels, an inpainting model, say")
    return unet, vae, text_encoder, tokenizer, scheduler


@contextmanager
def _no_progress_bar() -> Iterator[None]:
    """transformers draws a bar even for a model that loads in a blink."""
    shown = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            transformers_logging.enable_progress_bar()


def _folder_hash(folder: Path) -> str:
    """32 hexadecimal digits of SHA-256 over the pipeline's files, names and contents."""
    files = sorted(path for pattern in _FILES for path in folder.glob(pattern) if path.is_file())
    digest = hashlib.sha256()
    for path in files:
        digest.update(f"{path.relative_to(folder).as_posix()}\x1f{path.stat().st_size}\x1f".encode())
        with path.open("rb") as file:
            for block in iter(lambda: file.read(2**20), b""):
                digest.update(block)
    return digest.hexdigest()[:32]
