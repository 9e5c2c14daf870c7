"""Stacked LoRA: psi or phi of every case of a batch, on one shared network, in one batched product per layer.

A linear layer's output gains (alpha / rank) B A x. peft keeps one A and B per adapter and loops over adapters in every
layer; here those of all cases are stacked, A [N,r,in] and B [N,out,r], a case's rows use its own (one row, or one for
each view of a scene), and the gain is two batched products whatever N. Cases do not mix, and AdamW works element by
element, so N cases together train as N cases alone. Files are peft's own, one folder per case.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from piva import noise
from piva.auxiliary.camera import CameraEmbedding
from piva.auxiliary.settings import AuxiliarySettings
from piva.errors import ConfigError

_WEIGHTS, _CONFIG = "adapter_model.safetensors", "adapter_config.json"
_CAMERA = "camera_embedding.safetensors"


class StackedLoRA(nn.Module):
    """A [N,r,in] and B [N,out,r] for every adapted linear layer; float32 whatever the UNet's dtype.

    Args:
        time_width: numbers of the network's time embedding, to which a camera embedding is added.
    """

    def __init__(
        self,
        layers: Mapping[str, nn.Linear],
        settings: AuxiliarySettings,
        n_cases: int,
        device: torch.device,
        time_width: int = 0,
    ):
        super().__init__()
        self.settings, self.n_cases = settings, n_cases
        self.index = {name: i for i, name in enumerate(layers)}
        r = settings.rank
        self.a = nn.ParameterList([torch.zeros(n_cases, r, m.in_features, device=device) for m in layers.values()])
        self.b = nn.ParameterList([torch.zeros(n_cases, m.out_features, r, device=device) for m in layers.values()])
        self.camera = CameraEmbedding(n_cases, time_width, device) if settings.camera else None

    @torch.no_grad()
    def initialise(self, seed: int, case_ids: Sequence[str]) -> None:
        """peft's start, from keyed draws: A uniform in +-1/sqrt(in) (Kaiming, a = sqrt 5), B zero: no change yet.

        The draws do not know which auxiliary they are for: psi and phi of a case start from the same A, so that what
        their difference shows was learned.
        """
        for name, i in self.index.items():
            bound = self.a[i].shape[-1] ** -0.5
            for n, case_id in enumerate(case_ids):
                key: dict[str, Any] = {"seed": seed, "case_id": case_id, "step": 0, "purpose": f"lora-a/{name}"}
                self.a[i][n] = noise.uniform(self.a[i].shape[1:], -bound, bound, **key)
            self.b[i].zero_()
        if self.camera is not None:
            self.camera.initialise(seed, case_ids)

    def weights(self, case: int) -> dict[str, Tensor]:
        """One case's A and B under peft's names, on the CPU."""
        prefix = "base_model.model."
        named = {}
        for name, i in self.index.items():
            named[f"{prefix}{name}.lora_A.weight"] = self.a[i][case].detach().cpu().clone()
            named[f"{prefix}{name}.lora_B.weight"] = self.b[i][case].detach().cpu().clone()
        return named if self.camera is None else named | self.camera.weights(case)

    @torch.no_grad()
    def set_weights(self, case: int, weights: Mapping[str, Tensor]) -> None:
        """Take one case's A and B, as `weights` gives them."""
        for name, i in self.index.items():
            self.a[i][case] = weights[f"base_model.model.{name}.lora_A.weight"].to(self.a[i])
            self.b[i][case] = weights[f"base_model.model.{name}.lora_B.weight"].to(self.b[i])
        if self.camera is not None:
            self.camera.set_weights(case, weights)

    def save(self, folder: Path, weights: Mapping[str, Tensor]) -> None:
        """Write one case's weights as a peft adapter folder."""
        save(folder, self.settings, weights)

    def read(self, folder: Path) -> dict[str, Tensor]:
        """One case's weights from a peft adapter folder."""
        return load(folder, self.settings)


def save(folder: Path, settings: AuxiliarySettings, weights: Mapping[str, Tensor]) -> None:
    """Write one case's weights as a peft adapter folder, alpha with them: `peft.PeftModel.from_pretrained` reads it.

    A camera embedding goes into a file of its own.
    """
    from peft import LoraConfig  # a second to import, and only this needs it

    config = LoraConfig(
        r=settings.rank, lora_alpha=settings.alpha, target_modules=list(settings.target_modules), inference_mode=True
    )
    config.save_pretrained(str(folder))
    camera = {name: weight for name, weight in weights.items() if name.startswith("camera.")}
    lora = {name: weight for name, weight in weights.items() if name not in camera}
    save_file(lora, folder / _WEIGHTS, metadata={"format": "pt"})
    if camera:
        save_file(camera, folder / _CAMERA, metadata={"format": "pt"})


def load(folder: Path, settings: AuxiliarySettings) -> dict[str, Tensor]:
    """One case's weights from a peft adapter folder.

    Raises:
        ConfigError: where the folder's rank, alpha or layers are not those of `settings`.
    """
    config = json.loads((folder / _CONFIG).read_text())
    found = config["r"], float(config["lora_alpha"]), sorted(config["target_modules"])
    if found != (settings.rank, settings.alpha, sorted(settings.target_modules)):
        raise ConfigError(f"{folder} holds an adapter of rank, alpha and layers {found}, not those of the settings")
    camera = load_file(folder / _CAMERA) if settings.camera else {}
    return load_file(folder / _WEIGHTS) | camera


def adapted_layers(network: nn.Module, target_modules: Sequence[str]) -> dict[str, nn.Linear]:
    """The network's linear layers whose name is, or ends in a dot and, one of `target_modules` (peft's rule).

    Raises:
        ConfigError: for a name that no layer has, or that belongs to another kind of layer.
    """
    layers: dict[str, nn.Linear] = {}
    for target in target_modules:
        named = {n: m for n, m in network.named_modules() if n == target or n.endswith("." + target)}
        if not named or not all(isinstance(m, nn.Linear) for m in named.values()):
            reason = "names no layer of the network" if not named else "is not a linear layer"
            raise ConfigError(f"--method.aux.target-modules: {target!r} {reason}")
        layers.update(named)  # type: ignore[arg-type]
    return {name: module for name, module in network.named_modules() if name in layers}  # type: ignore[misc]


class LoRASites:
    """The linear layers of one network where adapters act, and the adapters of the call under way.

    Args:
        time_embedding: the network's, whose output [R,D] camera embeddings are added to.
    """

    def __init__(self, layers: Mapping[str, nn.Linear], time_embedding: nn.Module | None = None):
        self.layers = dict(layers)
        self.stacks: list[StackedLoRA] = []
        self.start = 0
        self.cameras: list[Tensor | None] = []  # [V,16] of each stack's rows
        for name, layer in self.layers.items():
            layer.register_forward_hook(self._hook(name))
        if time_embedding is not None:
            time_embedding.register_forward_hook(self._add_cameras)

    def _add_cameras(self, _layer: nn.Module, _inputs: tuple[Tensor, ...], out: Tensor) -> Tensor | None:
        if not self.stacks or self.stacks[0].camera is None:
            return None
        gains = [s.camera(poses) for s, poses in zip(self.stacks, self.cameras, strict=True)]  # type: ignore[misc]
        return torch.cat([out[: self.start], out[self.start :] + torch.cat(gains).to(out.dtype)])

    def _hook(self, name: str) -> Any:
        def add_gain(_layer: nn.Module, inputs: tuple[Tensor, ...], out: Tensor) -> Tensor | None:
            return _gain(out, inputs[0], self.stacks, name, self.start) if self.stacks else None

        return add_gain


def _gain(out: Tensor, x: Tensor, stacks: Sequence[StackedLoRA], name: str, start: int) -> Tensor:
    """`out` [R,L,out] with (alpha / rank) B A x added to the rows from `start` on; x [R,L,in]."""
    a = torch.cat([s.a[s.index[name]] for s in stacks]) if len(stacks) > 1 else stacks[0].a[stacks[0].index[name]]
    b = torch.cat([s.b[s.index[name]] for s in stacks]) if len(stacks) > 1 else stacks[0].b[stacks[0].index[name]]
    scale = stacks[0].settings.alpha / stacks[0].settings.rank
    a, b = a.to(x.dtype), b.to(x.dtype)  # [N,r,in], [N,out,r]
    rows = x[start:].reshape(len(a), -1, x.shape[-1])  # [N,V*L,in]
    inner = torch.bmm(rows, a.transpose(1, 2))  # [N,V*L,r]
    if start == 0 and out.dim() == 3:
        by_case = out.reshape(len(a), -1, out.shape[-1])
        return torch.baddbmm(by_case, inner, b.transpose(1, 2), alpha=scale).view_as(out)
    gain = torch.bmm(inner, b.transpose(1, 2)).mul_(scale)  # [N,V*L,out]
    if torch.is_grad_enabled():
        return torch.cat([out[:start], out[start:] + gain.view_as(out[start:])])
    out[start:] += gain.view_as(out[start:])
    return out
