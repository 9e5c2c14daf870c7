"""Pipeline folders as Stable Diffusion 1.5 and 2.1 are published, with reduced widths and random weights.

Configurations are the published ones, file by file, but for widths, latent size, vocabulary and depth of the text
encoder; state dicts have the published names of their time. `ldm_checkpoint` writes the same weights in one file, as
the original code names them (the inverse of diffusers' conversion).
"""

import json
import re
import string
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors.torch import save_file
from torch import Tensor
from transformers import CLIPTextConfig, CLIPTextModel

_PRINTABLE = string.ascii_lowercase + string.digits + string.punctuation
_TOKENS = ["<|startoftext|>", "<|endoftext|>", *_PRINTABLE, *(character + "</w>" for character in _PRINTABLE)]
_BLOCKS = {
    "down_block_types": ["CrossAttnDownBlock2D"] * 3 + ["DownBlock2D"],
    "up_block_types": ["UpBlock2D"] + ["CrossAttnUpBlock2D"] * 3,
}
_UNET = _BLOCKS | {
    "act_fn": "silu", "block_out_channels": [32, 64, 64, 64], "center_input_sample": False, "downsample_padding": 1,
    "flip_sin_to_cos": True, "freq_shift": 0, "in_channels": 4, "layers_per_block": 2, "mid_block_scale_factor": 1,
    "norm_eps": 1e-05, "norm_num_groups": 32, "out_channels": 4,
}  # fmt: skip
_VAE = {
    "act_fn": "silu", "block_out_channels": [32, 32, 32, 32], "down_block_types": ["DownEncoderBlock2D"] * 4,
    "in_channels": 3, "latent_channels": 4, "layers_per_block": 2, "norm_num_groups": 32, "out_channels": 3,
    "up_block_types": ["UpDecoderBlock2D"] * 4,
}  # fmt: skip
_TEXT = {
    "attention_dropout": 0.0, "bos_token_id": 0, "dropout": 0.0, "eos_token_id": 2, "initializer_factor": 1.0,
    "initializer_range": 0.02, "layer_norm_eps": 1e-05, "max_position_embeddings": 77, "model_type": "clip_text_model",
    "pad_token_id": 1, "vocab_size": len(_TOKENS),
}  # fmt: skip
_SCHEDULER = {
    "beta_end": 0.012, "beta_schedule": "scaled_linear", "beta_start": 0.00085, "clip_sample": False,
    "num_train_timesteps": 1000, "set_alpha_to_one": False, "skip_prk_steps": True, "steps_offset": 1,
    "trained_betas": None,
}  # fmt: skip


@dataclass(frozen=True)
class Published:
    """What tells one model from the other."""

    unet: dict[str, Any]
    vae: dict[str, Any]
    text: dict[str, Any]
    scheduler: dict[str, Any]
    pad: str
    old_vae_names: bool  # of attention layers, as diffusers called them before 0.13


SD_1_5 = Published(
    unet={"attention_head_dim": 8, "cross_attention_dim": 32, "sample_size": 8},
    vae={"sample_size": 64},
    text={
        "hidden_act": "quick_gelu", "hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 4,
        "num_hidden_layers": 3, "projection_dim": 32,
    },
    scheduler={"_class_name": "PNDMScheduler"},
    pad="<|endoftext|>",
    old_vae_names=True,
)  # fmt: skip
SD_2_1 = Published(
    unet={
        "attention_head_dim": [1, 2, 4, 4], "cross_attention_dim": 48, "sample_size": 12, "dual_cross_attention": False,
        "num_class_embeds": None, "only_cross_attention": False, "upcast_attention": True,
        "use_linear_projection": True,
    },
    vae={"sample_size": 96, "scaling_factor": 0.18215},
    text={  # OpenCLIP's encoder without its last layer
        "hidden_act": "gelu", "hidden_size": 48, "intermediate_size": 96, "num_attention_heads": 4,
        "num_hidden_layers": 3, "projection_dim": 24,
    },
    scheduler={"_class_name": "DDIMScheduler", "prediction_type": "v_prediction"},
    pad="!",
    old_vae_names=False,
)  # fmt: skip


FULL_SD_1_5 = Published(
    unet=SD_1_5.unet | {"block_out_channels": [320, 640, 1280, 1280], "cross_attention_dim": 768, "sample_size": 64},
    vae={"block_out_channels": [128, 256, 512, 512], "sample_size": 512},
    text=SD_1_5.text
    | {
        "hidden_size": 768, "intermediate_size": 3072, "num_attention_heads": 12, "num_hidden_layers": 12,
        "projection_dim": 768, "vocab_size": 49408,
    },
    scheduler=SD_1_5.scheduler,
    pad=SD_1_5.pad,
    old_vae_names=True,
)  # fmt: skip
"""As large as the published model; its vocabulary is still the small one."""


def write_pipeline(folder: Path, model: Published, dtype: torch.dtype = torch.float32) -> Path:
    """The pipeline folder, its weights in `dtype`; prompts and timesteps matter in its untrained network."""
    unet, vae, text = (network.to(dtype) for network in networks(model))
    index = {
        "_class_name": "StableDiffusionPipeline", "_diffusers_version": "0.6.0",
        "feature_extractor": ["transformers", "CLIPImageProcessor"],
        "safety_checker": ["stable_diffusion", "StableDiffusionSafetyChecker"],
        "scheduler": ["diffusers", model.scheduler["_class_name"]], "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"], "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
    }  # fmt: skip
    _json(folder / "model_index.json", index)
    _json(folder / "scheduler" / "scheduler_config.json", _SCHEDULER | model.scheduler)
    _json(folder / "unet" / "config.json", {"_class_name": "UNet2DConditionModel"} | _UNET | model.unet)
    _json(folder / "vae" / "config.json", {"_class_name": "AutoencoderKL"} | _VAE | model.vae)
    _json(folder / "text_encoder" / "config.json", {"architectures": ["CLIPTextModel"]} | _TEXT | model.text)
    _tokenizer(folder / "tokenizer", model.pad)
    _save(folder / "unet" / "diffusion_pytorch_model.safetensors", unet.state_dict())
    weights = _old_names(vae.state_dict()) if model.old_vae_names else vae.state_dict()
    _save(folder / "vae" / "diffusion_pytorch_model.safetensors", weights)
    _save(folder / "text_encoder" / "model.safetensors", _text_names(text))
    return folder


def networks(model: Published) -> tuple[UNet2DConditionModel, AutoencoderKL, CLIPTextModel]:
    """The same weights at every call."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        unet = UNet2DConditionModel.from_config(_UNET | model.unet)
        vae = AutoencoderKL.from_config(_VAE | model.vae)
        text = CLIPTextModel(CLIPTextConfig.from_dict(_TEXT | model.text))
        torch.nn.init.normal_(unet.conv_out.weight, std=0.1)
        for name, weight in unet.named_parameters():
            if "attn2.to_out" in name or "attn2.to_v" in name:
                weight.data.mul_(3)
    return unet.eval(), vae.eval(), text.eval()


def ldm_checkpoint(file: Path, model: Published) -> Path:
    """All weights in one file, with the names of the original code."""
    unet, vae, text = networks(model)
    named = {f"model.diffusion_model.{_ldm_unet(name)}": weight for name, weight in unet.state_dict().items()}
    for name, weight in vae.state_dict().items():
        theirs = _ldm_vae(name)
        is_matrix = weight.dim() == 2 and ".attn_1." in theirs  # a 1x1 convolution there
        named[f"first_stage_model.{theirs}"] = weight[:, :, None, None] if is_matrix else weight
    if model is SD_1_5:
        named |= {f"cond_stage_model.transformer.{name}": weight for name, weight in _text_names(text).items()}
        named["cond_stage_model.transformer.text_model.embeddings.position_ids"] = torch.arange(77)[None]
    else:
        named |= {f"cond_stage_model.model.{name}": weight for name, weight in _open_clip(text).items()}
    _save(file, named | {"alphas_cumprod": torch.ones(1000)})
    return file


def _text_names(text: CLIPTextModel) -> dict[str, Tensor]:
    """All published text encoders have this prefix."""
    return {"text_model." + name.removeprefix("text_model."): weight for name, weight in text.state_dict().items()}


def _old_names(vae: dict[str, Tensor]) -> dict[str, Tensor]:
    names = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
    return {re.sub("|".join(names), lambda found: names[found[0]], name): weight for name, weight in vae.items()}


def _tokenizer(folder: Path, pad: str) -> None:
    """CLIP's files with a vocabulary of single characters, no tokenizer.json among them."""
    start, end = (
        {"__type": "AddedToken", "content": token, "lstrip": False, "normalized": True, "rstrip": False,
         "single_word": False}
        for token in ("<|startoftext|>", "<|endoftext|>")
    )  # fmt: skip
    tokens = {"bos_token": start, "eos_token": end, "pad_token": pad, "unk_token": end}
    _json(folder / "vocab.json", {token: i for i, token in enumerate(_TOKENS)})
    (folder / "merges.txt").write_text("#version: 0.2\n")
    _json(folder / "special_tokens_map.json", tokens)
    settings = {"add_prefix_space": False, "do_lower_case": True, "errors": "replace", "model_max_length": 77}
    _json(folder / "tokenizer_config.json", settings | tokens | {"tokenizer_class": "CLIPTokenizer"})


def _ldm_unet(name: str) -> str:
    fixed = {
        "time_embedding.linear_1": "time_embed.0", "time_embedding.linear_2": "time_embed.2",
        "conv_in": "input_blocks.0.0", "conv_norm_out": "out.0", "conv_out": "out.2",
    }  # fmt: skip
    stem, _, leaf = name.rpartition(".")
    if stem in fixed:
        return f"{fixed[stem]}.{leaf}"
    part, rest = re.fullmatch(r"(down_blocks|up_blocks|mid_block)\.(.*)", name).groups()
    if part == "mid_block":
        kind, j, rest = re.fullmatch(r"(resnets|attentions)\.(\d)\.(.*)", rest).groups()
        return f"middle_block.{1 if kind == 'attentions' else 2 * int(j)}.{_ldm_resnet(kind, rest)}"
    i, kind, j, rest = re.fullmatch(r"(\d)\.(\w+)\.(\d)\.(.*)", rest).groups()
    i, j, place = int(i), int(j), {"resnets": 0, "attentions": 1}.get(kind)
    if kind == "downsamplers":
        return f"input_blocks.{3 * (i + 1)}.0.op.{rest.removeprefix('conv.')}"
    if kind == "upsamplers":
        return f"output_blocks.{3 * i + 2}.{1 if i == 0 else 2}.{rest}"  # the first has no attention before it
    block = f"input_blocks.{3 * i + j + 1}" if part == "down_blocks" else f"output_blocks.{3 * i + j}"
    return f"{block}.{place}.{_ldm_resnet(kind, rest)}"


def _ldm_resnet(kind: str, rest: str) -> str:
    names = {
        "norm1": "in_layers.0", "conv1": "in_layers.2", "norm2": "out_layers.0", "conv2": "out_layers.3",
        "time_emb_proj": "emb_layers.1", "conv_shortcut": "skip_connection",
    }  # fmt: skip
    stem, _, leaf = rest.rpartition(".")
    return f"{names[stem]}.{leaf}" if kind == "resnets" else rest


def _ldm_vae(name: str) -> str:
    name = re.sub(r"down_blocks\.(\d)\.resnets\.(\d)", r"down.\1.block.\2", name)
    name = re.sub(r"down_blocks\.(\d)\.downsamplers\.0", r"down.\1.downsample", name)
    name = re.sub(r"up_blocks\.(\d)\.resnets\.(\d)", lambda m: f"up.{3 - int(m[1])}.block.{m[2]}", name)
    name = re.sub(r"up_blocks\.(\d)\.upsamplers\.0", lambda m: f"up.{3 - int(m[1])}.upsample", name)
    name = re.sub(r"mid_block\.resnets\.(\d)", lambda m: f"mid.block_{int(m[1]) + 1}", name)
    attention = {"group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out"}
    name = re.sub(
        r"mid_block\.attentions\.0\.(group_norm|to_q|to_k|to_v|to_out\.0)",
        lambda m: f"mid.attn_1.{attention[m[1]]}",
        name,
    )
    return name.replace("conv_shortcut", "nin_shortcut").replace("conv_norm_out", "norm_out")


def _open_clip(text: CLIPTextModel) -> dict[str, Tensor]:
    """Of OpenCLIP's names, with the last layer that diffusers leaves out."""
    ours = {name.removeprefix("text_model."): weight for name, weight in text.state_dict().items()}
    named = {
        "token_embedding.weight": ours["embeddings.token_embedding.weight"],
        "positional_embedding": ours["embeddings.position_embedding.weight"],
        "ln_final.weight": ours["final_layer_norm.weight"], "ln_final.bias": ours["final_layer_norm.bias"],
    }  # fmt: skip
    layers = {"layer_norm1": "ln_1", "layer_norm2": "ln_2", "mlp.fc1": "mlp.c_fc", "mlp.fc2": "mlp.c_proj"}
    layers["self_attn.out_proj"] = "attn.out_proj"
    for i in range(text.config.num_hidden_layers):
        block, theirs = f"encoder.layers.{i}", f"transformer.resblocks.{i}"
        for leaf in ("weight", "bias"):
            named |= {f"{theirs}.{b}.{leaf}": ours[f"{block}.{a}.{leaf}"] for a, b in layers.items()}
            qkv = [ours[f"{block}.self_attn.{x}_proj.{leaf}"] for x in "qkv"]
            named[f"{theirs}.attn.in_proj_{leaf}"] = torch.cat(qkv)
    return named


def _json(path: Path, values: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(values, indent=2))


def _save(path: Path, weights: dict[str, Tensor]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: weight.contiguous().clone() for name, weight in weights.items()}, path, metadata={"format": "pt"})
