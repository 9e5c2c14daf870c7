"""Depth ControlNets as psi and phi: for every case a trainable copy of the UNet's encoder, beside the frozen UNet.

A ControlNet reads what the UNet reads, and depth; its outputs are added to the UNet's skip connections and to its
middle (Zhang et al., 2023). Parameters of all cases are stacked, [N, ...], as those of LoRA are: rows and cases do not
mix, and AdamW works element by element. The networks themselves run one case after another: convolutions with a kernel
for each row are no faster together. Files are diffusers' own, one folder per case.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import torch
from diffusers import ControlNetModel, UNet2DConditionModel
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.func import functional_call

from piva import noise
from piva.auxiliary.settings import AuxiliarySettings
from piva.errors import ConfigError, PreflightError

_CHANNELS = (16, 32, 96, 256)  # of the network that reads depth, in every published ControlNet for Stable Diffusion
_FILES = ("config.json", "diffusion_pytorch_model.safetensors")
_ZERO = ("controlnet_down_blocks.", "controlnet_mid_block.", "controlnet_cond_embedding.conv_out.")


class StackedControlNet(nn.Module):
    """Every parameter of a ControlNet, [N, ...]; float32 whatever the UNet's dtype.

    Args:
        net: says how the network is built; its own parameters are never read, and may lie on the meta device.
    """

    def __init__(self, net: ControlNetModel, settings: AuxiliarySettings, n_cases: int, device: torch.device):
        super().__init__()
        self.settings, self.n_cases = settings, n_cases
        self._net = (net,)  # in a tuple, so that it is no submodule
        named = dict(net.named_parameters())
        self.index = {name: i for i, name in enumerate(named)}
        self.stack = nn.ParameterList([torch.zeros(n_cases, *p.shape, device=device) for p in named.values()])

    @torch.no_grad()
    def initialise(self, seed: int, case_ids: Sequence[str], start: Mapping[str, Tensor]) -> None:
        """`start` for every case; what it lacks is PyTorch's start of a convolution, from keyed draws.

        The draws do not know which auxiliary they are for: psi and phi of a case start equal.
        """
        for name, i in self.index.items():
            if name in start:
                self.stack[i].copy_(start[name].expand_as(self.stack[i]))
                continue
            kernel = self.stack[self.index[name.rpartition(".")[0] + ".weight"]]  # [N,out,in,h,w]
            bound = kernel.shape[2:].numel() ** -0.5
            for n, case_id in enumerate(case_ids):
                key: dict[str, Any] = {"seed": seed, "case_id": case_id, "step": 0, "purpose": f"controlnet/{name}"}
                self.stack[i][n] = noise.uniform(self.stack[i].shape[1:], -bound, bound, **key)

    def residuals(self, x: Tensor, t: Tensor, embedding: Tensor, condition: Tensor) -> list[Tensor]:
        """What is added to each skip connection and, last, to the middle: [R, ...] each, a case's rows by its network.

        Args:
            x: [R,C,h,w], R = N*V; t: [R]; embedding: [R,L,D]; condition: [R,1 or 3,H,W], image-sized, in [0,1].
        """
        columns = [p.to(x.dtype).unbind() for p in self.stack]
        views = len(x) // self.n_cases
        rows = []
        for n in range(self.n_cases):
            weights = {name: columns[i][n] for name, i in self.index.items()}
            its = slice(n * views, (n + 1) * views)
            inputs = (x[its], t[its], embedding[its], condition[its])
            down, mid = functional_call(self._net[0], weights, inputs, {"return_dict": False})
            rows.append([*down, mid])
        return [torch.cat(outputs) for outputs in zip(*rows, strict=True)]

    def weights(self, case: int) -> dict[str, Tensor]:
        """One case's parameters under diffusers' names, on the CPU."""
        return {name: self.stack[i][case].detach().cpu().clone() for name, i in self.index.items()}

    @torch.no_grad()
    def set_weights(self, case: int, weights: Mapping[str, Tensor]) -> None:
        """Take one case's parameters, as `weights` gives them."""
        for name, i in self.index.items():
            self.stack[i][case] = weights[name].to(self.stack[i])

    def save(self, folder: Path, weights: Mapping[str, Tensor]) -> None:
        """Write one case's weights as `ControlNetModel.from_pretrained` reads them."""
        self._net[0].save_config(folder)
        save_file(dict(weights), folder / _FILES[1], metadata={"format": "pt"})

    def read(self, folder: Path) -> dict[str, Tensor]:
        """One case's weights from a folder.

        Raises:
            ConfigError: it holds a ControlNet of another shape.
        """
        found = dict(pretrained(folder).named_parameters())
        shapes = {name: self.stack[i].shape[1:] for name, i in self.index.items()}
        if {name: weight.shape for name, weight in found.items()} != shapes:
            raise ConfigError(f"{folder} holds a ControlNet of another shape than the settings ask for")
        return {name: weight.detach() for name, weight in found.items()}


def pretrained(folder: Path, dtype: torch.dtype = torch.float32) -> ControlNetModel:
    """The ControlNet in a folder, on the CPU.

    Raises:
        ConfigError: there is none in it, or not in safetensors.
    """
    options: dict[str, Any] = {"local_files_only": True, "use_safetensors": True}
    try:
        net = ControlNetModel.from_pretrained(folder, torch_dtype=dtype, **options)
    except (OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ConfigError(
            f"--method.aux.controlnet: {folder} holds no ControlNet that can be read: {reason}"
        ) from error
    return net.requires_grad_(False).eval()  # type: ignore[no-any-return]


def blueprint(unet: UNet2DConditionModel, scale: int) -> ControlNetModel:
    """A ControlNet for this UNet, without numbers; `scale` is how many pixels of depth go to a position of the latent.

    Raises:
        ConfigError: for a scale that the ControlNets of diffusers cannot have.
    """
    halvings = scale.bit_length() - 1
    if not 1 <= halvings < len(_CHANNELS):
        raise ConfigError(f"--method.aux.kind: a ControlNet reads 2, 4 or 8 pixels a position, the VAE makes {scale}")
    with torch.device("meta"):
        net = ControlNetModel.from_unet(
            unet, conditioning_embedding_out_channels=_CHANNELS[: halvings + 1], load_weights_from_unet=False
        )
    return net.requires_grad_(False).eval()  # type: ignore[no-any-return]


def from_unet(net: ControlNetModel, unet: UNet2DConditionModel) -> dict[str, Tensor]:
    """The start of a ControlNet made from the UNet: its encoder, and zeros where depth enters and residuals leave.

    Only the inner layers that read depth are not in it: they start at random.
    """
    encoder = dict(unet.named_parameters())
    names = dict(net.named_parameters())
    copied = {name: encoder[name].detach() for name in names if name in encoder}
    return copied | {name: torch.zeros(p.shape) for name, p in names.items() if name.startswith(_ZERO)}


def check_fit(net: ControlNetModel, unet: UNet2DConditionModel, scale: int, name: str) -> None:
    """Raises ConfigError where a given ControlNet is not for this UNet."""
    for field in ("in_channels", "block_out_channels", "down_block_types", "layers_per_block", "cross_attention_dim"):
        mine, its = (tuple(v) if isinstance(v, list) else v for v in (unet.config[field], net.config[field]))
        if mine != its:
            raise ConfigError(f"--method.aux.controlnet {name}: its {field} is {its}, that of the prior {mine}")
    found = 2 ** (len(net.config.conditioning_embedding_out_channels) - 1)
    if found != scale or net.config.conditioning_channels not in (1, 3):
        its = f"{found} pixels a position in {net.config.conditioning_channels} channels"
        raise ConfigError(f"--method.aux.controlnet {name} reads {its}; depth comes in 1 or 3, the prior has {scale}")


def locate(name: str, revision: str | None = None) -> Path:
    """The folder of the ControlNet that --method.aux.controlnet names; `revision` is a commit of the hub's.

    Raises:
        PreflightError: it is not on this machine.
    """
    if name == "toybox":
        from piva.toybox.models import weights

        return weights.folder("controlnet")
    if Path(name).expanduser().is_dir():
        return Path(name).expanduser()
    from huggingface_hub import snapshot_download

    try:
        found = snapshot_download(name, revision=revision, allow_patterns=list(_FILES), local_files_only=True)
    except Exception as error:  # the hub's own errors share no base: a bad name, no such model here
        how = f"hf download {name} {' '.join(_FILES)}" + (f" --revision {revision}" if revision else "")
        what = f"{name} at {revision}" if revision else name
        raise PreflightError(
            f"--method.aux.controlnet {what} is neither a folder nor a ControlNet on this machine; on the hub it would "
            f"be fetched by: {how}"
        ) from error
    return Path(found)


@cache
def fingerprint(name: str, revision: str | None = None) -> str:
    """32 hexadecimal digits of SHA-256 over a ControlNet's files.

    Raises:
        PreflightError: it is not on this machine.
    """
    digest = hashlib.sha256()
    for path in (locate(name, revision) / file for file in _FILES):
        with path.open("rb") as file:
            digest.update(f"{path.name}\x1f{path.stat().st_size}\x1f".encode())
            for block in iter(lambda file=file: file.read(2**20), b""):  # type: ignore[misc]
                digest.update(block)
    return digest.hexdigest()[:32]
