"""Where a prior's networks are read from: a pipeline's folder, the hub's cache, or a checkpoint in one file.

Nothing here touches the network unless it is told to.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch
from diffusers import AutoencoderKL, StableDiffusionPipeline, UNet2DConditionModel
from diffusers.loaders.single_file_utils import (
    SingleFileComponentError,
    infer_diffusers_model_type,
    load_single_file_checkpoint,
)
from diffusers.utils import logging as diffusers_logging
from transformers import CLIPTextModel, CLIPTokenizer
from transformers.utils import logging as transformers_logging

from piva.errors import PreflightError
from piva.priors.hub import STABLE_DIFFUSION_1_5

CONFIG_FILES = ("model_index.json", "scheduler/*.json", "tokenizer/*", "*/config.json")
FILES = (
    *CONFIG_FILES, "text_encoder/model.safetensors",
    "unet/diffusion_pytorch_model.safetensors", "vae/diffusion_pytorch_model.safetensors",
)  # fmt: skip
"""Files of a pipeline that are read; a fingerprint covers them, in this order of patterns' matches once sorted."""


class Components(NamedTuple):
    """What a prior is made of, on the CPU."""

    unet: UNet2DConditionModel
    vae: AutoencoderKL
    text_encoder: CLIPTextModel
    tokenizer: CLIPTokenizer
    scheduler: dict[str, Any]  # its configuration


def hub_folder(model: str, revision: str | None, allow_download: bool, files: Sequence[str] = FILES) -> Path:
    """The local snapshot of a hub model.

    Raises:
        PreflightError: it is not on this machine, or cannot be fetched where that is allowed.
    """
    from huggingface_hub import snapshot_download

    options: dict[str, Any] = {"allow_patterns": list(files), "local_files_only": not allow_download}
    try:
        found = snapshot_download(model, revision=revision, **options)
    except Exception as error:  # the hub's own errors share no base: a bad name, no network, no such revision
        way = "check the name and the network" if allow_download else "--prior.allow-download would fetch it"
        raise PreflightError(f"{model!r} is neither a folder nor a model on this machine: {way}") from error
    return Path(found)


def config_folder(checkpoint: Path, config: str | None, allow_download: bool) -> Path:
    """The pipeline folder whose configuration a checkpoint's networks have; of SD 1.x it is known, 1.5's.

    Raises:
        PreflightError: the checkpoint cannot be read; which model it is, its weights do not say; or the configuration
            is not on this machine.
    """
    if checkpoint.suffix != ".safetensors" or not checkpoint.is_file():
        found = "is no .safetensors file" if checkpoint.is_file() else "there is no such file"
        raise PreflightError(f"{checkpoint}: {found}")
    if config is None:
        _check_kind(checkpoint)
    elif Path(config).expanduser().is_dir():
        return Path(config).expanduser()
    try:
        return hub_folder(config or STABLE_DIFFUSION_1_5.id, None, allow_download, CONFIG_FILES)
    except PreflightError as problem:
        if config is not None:
            raise
        fetch = STABLE_DIFFUSION_1_5.configuration_command
        raise PreflightError(
            f"{checkpoint} has weights alone; give a pipeline's folder for their configuration with --prior.config, "
            f"or fetch that of SD 1.5: {fetch}"
        ) from problem


def _check_kind(checkpoint: Path) -> None:
    """Raises PreflightError unless the weights are those of SD 1.x, whose models share one configuration."""
    try:
        kind = infer_diffusers_model_type(load_single_file_checkpoint(str(checkpoint), local_files_only=True))
    except (OSError, ValueError) as error:
        raise PreflightError(f"{checkpoint} cannot be read as a checkpoint: {_first_line(error)}") from error
    if kind == "v2":
        raise PreflightError(
            f"{checkpoint} is of Stable Diffusion 2.x, and its weights do not say whether they predict epsilon or v: "
            "give the folder of such a pipeline with --prior.config"
        )
    if kind != "v1":
        raise PreflightError(f"{checkpoint} is what diffusers calls {kind}, not Stable Diffusion 1.x or 2.x")


def read_pipeline(folder: Path, dtype: torch.dtype, inputs: int = 1) -> Components:
    """The components of a pipeline's folder; the VAE is float32. Nothing else in it is loaded.

    Args:
        inputs: latents that the UNet takes side by side; 2 of InstructPix2Pix.

    Raises:
        PreflightError: it is not the folder of a Stable Diffusion 1.x or 2.x pipeline.
    """
    _check_index(folder)
    options: dict[str, Any] = {"local_files_only": True, "use_safetensors": True}
    try:
        unet = UNet2DConditionModel.from_pretrained(folder, subfolder="unet", torch_dtype=dtype, **options)
        vae = AutoencoderKL.from_pretrained(folder, subfolder="vae", torch_dtype=torch.float32, **options)
        with _quiet():
            text_encoder = CLIPTextModel.from_pretrained(folder, subfolder="text_encoder", dtype=dtype, **options)
        tokenizer, scheduler = _tokenizer_and_scheduler(folder)
    except (OSError, ValueError) as error:
        reason = _first_line(error)
        raise PreflightError(f"{folder} cannot be loaded as a Stable Diffusion pipeline: {reason}") from error
    return _checked(folder, Components(unet, vae, text_encoder, tokenizer, scheduler), inputs)


def read_checkpoint(checkpoint: Path, config: Path, dtype: torch.dtype) -> Components:
    """The networks of a checkpoint in one file, put together as the pipeline folder `config` says; the VAE is float32.

    Raises:
        PreflightError: the file lacks a network, or they are not those of the configuration.
    """
    _check_index(config)
    common: dict[str, Any] = {"config": str(config), "local_files_only": True}
    lacking = f"{checkpoint} lacks weights that the configuration in {config} asks for"
    try:
        tokenizer, scheduler = _tokenizer_and_scheduler(config)
        with _quiet():
            vae = AutoencoderKL.from_single_file(str(checkpoint), subfolder="vae", torch_dtype=torch.float32, **common)
            pipeline = StableDiffusionPipeline.from_single_file(
                str(checkpoint), vae=vae, tokenizer=tokenizer, torch_dtype=dtype, safety_checker=None,
                feature_extractor=None, requires_safety_checker=False, **common,
            )  # fmt: skip
    except (OSError, ValueError, SingleFileComponentError) as error:
        reason = _first_line(error)
        raise PreflightError(f"{checkpoint} cannot be loaded with the configuration in {config}: {reason}") from error
    except NotImplementedError as error:  # diffusers moves weights that have a shape and no numbers
        raise PreflightError(lacking) from error
    if any(weight.is_meta for weight in pipeline.text_encoder.state_dict().values()):
        raise PreflightError(lacking)
    return _checked(checkpoint, Components(pipeline.unet, vae, pipeline.text_encoder, tokenizer, scheduler))


def content_hash(folder: Path, checkpoint: Path | None = None) -> str:
    """32 hexadecimal digits of SHA-256 over names and contents: of a pipeline's files, or of those of a checkpoint and
    of its configuration.
    """
    patterns = FILES if checkpoint is None else CONFIG_FILES
    files = sorted(path for pattern in patterns for path in folder.glob(pattern) if path.is_file())
    named = [(path.relative_to(folder).as_posix(), path) for path in files]
    digest = hashlib.sha256()
    for name, path in [*named, ("checkpoint", checkpoint)] if checkpoint else named:
        digest.update(f"{name}\x1f{path.stat().st_size}\x1f".encode())
        with path.open("rb") as file:
            for block in iter(lambda: file.read(2**20), b""):
                digest.update(block)
    return digest.hexdigest()[:32]


def _check_index(folder: Path) -> None:
    """Raises PreflightError where a folder is no pipeline's, or that of another kind of pipeline."""
    index = folder / "model_index.json"
    if not index.is_file():
        raise PreflightError(f"{folder} is no diffusers pipeline: it has no model_index.json")
    parts = json.loads(index.read_text())
    if "text_encoder_2" in parts or not {"unet", "vae", "text_encoder", "tokenizer", "scheduler"} <= parts.keys():
        raise PreflightError(f"{folder} is a {parts.get('_class_name')}, not a Stable Diffusion 1.x or 2.x pipeline")


def _tokenizer_and_scheduler(folder: Path) -> tuple[CLIPTokenizer, dict[str, Any]]:
    tokenizer = CLIPTokenizer.from_pretrained(folder, subfolder="tokenizer", local_files_only=True)
    return tokenizer, json.loads((folder / "scheduler" / "scheduler_config.json").read_text())


def _checked(where: Path, found: Components, inputs: int = 1) -> Components:
    channels, expected = found.unet.config.in_channels, inputs * found.vae.config.latent_channels
    if channels != expected and inputs > 1:
        raise PreflightError(f"{where}: the UNet takes {channels} channels, not {expected}: no InstructPix2Pix model")
    if channels != expected:
        raise PreflightError(f"{where}: the UNet takes {channels} channels, an inpainting model, say")
    return found


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]


@contextmanager
def _quiet() -> Iterator[None]:
    """No progress bars for a model that loads in a blink, nor diffusers' warning of casts that a checkpoint needs."""
    barred = [log for log in (transformers_logging, diffusers_logging) if log.is_progress_bar_enabled()]
    verbosity = diffusers_logging.get_verbosity()
    diffusers_logging.set_verbosity_error()
    for library in barred:
        library.disable_progress_bar()
    try:
        yield
    finally:
        diffusers_logging.set_verbosity(verbosity)
        for library in barred:
            library.enable_progress_bar()
