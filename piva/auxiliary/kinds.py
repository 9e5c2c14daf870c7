"""The kinds of auxiliaries behind one door: makes them for a UNet, and puts them to work in a call of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from diffusers import ControlNetModel, UNet2DConditionModel
from torch import Tensor

from piva.auxiliary import controlnet
from piva.auxiliary.controlnet import StackedControlNet
from piva.auxiliary.lora import LoRASites, StackedLoRA, adapted_layers
from piva.auxiliary.settings import AuxiliarySettings
from piva.priors import Segment

_Name = tuple[str | None, str | None]
"""Of a ControlNet, with its revision; None where none is given."""


class Auxiliaries:
    """What psi and phi of one frozen UNet share: the layers that LoRA adapts, and the ControlNets they start from.

    Args:
        scale: pixels of an image per number of its latent, along a side.
    """

    def __init__(self, unet: UNet2DConditionModel, scale: int, device: torch.device):
        self.unet, self.scale, self.device = unet, scale, device
        self._nets: dict[_Name, ControlNetModel] = {}
        self._frozen: dict[_Name, ControlNetModel] = {}
        self._sites: dict[tuple[_Name, tuple[str, ...]], LoRASites] = {}

    def adapter(
        self, settings: AuxiliarySettings, seed: int, case_ids: Sequence[str]
    ) -> StackedLoRA | StackedControlNet:
        """New auxiliaries for these cases; without a given ControlNet they change nothing yet."""
        new = self.room(settings, len(case_ids))
        if isinstance(new, StackedLoRA):
            new.initialise(seed, case_ids)
        elif settings.controlnet is None:
            new.initialise(seed, case_ids, controlnet.from_unet(self.net(settings), self.unet))
        else:
            new.initialise(seed, case_ids, dict(self.net(settings).named_parameters()))
        return new

    def room(self, settings: AuxiliarySettings, n_cases: int) -> StackedLoRA | StackedControlNet:
        """Auxiliaries of zeros.

        Raises:
            ConfigError: the layers or the ControlNet that the settings name are not those of this UNet.
            PreflightError: the ControlNet is not on this machine.
        """
        if settings.kind == "controlnet":
            return StackedControlNet(self.net(settings), settings, n_cases, self.device)
        width = self.unet.time_embedding.linear_2.out_features
        return StackedLoRA(self._adapted(settings).layers, settings, n_cases, self.device, width)

    def net(self, settings: AuxiliarySettings) -> ControlNetModel:
        """The given ControlNet, in float32 on the CPU; where none is, one for this UNet without numbers."""
        key = _name(settings)
        if key not in self._nets:
            made = controlnet.blueprint(self.unet, self.scale) if key[0] is None else self._given(key, torch.float32)
            self._nets[key] = made
        return self._nets[key]

    def frozen(self, settings: AuxiliarySettings) -> ControlNetModel:
        """The ControlNet that LoRA adapts, where the UNet is and in its number type."""
        key = _name(settings)
        if key not in self._frozen:
            self._frozen[key] = self._given(key, self.unet.dtype).to(self.device)
        return self._frozen[key]

    def _given(self, key: _Name, dtype: torch.dtype) -> ControlNetModel:
        """The ControlNet of that name, on the CPU."""
        name, revision = str(key[0]), key[1]
        net = controlnet.pretrained(controlnet.locate(name, revision), dtype)
        controlnet.check_fit(net, self.unet, self.scale, name)
        return net

    @contextmanager
    def at_work(self, segments: Sequence[Segment], x: Tensor, t: Tensor, embedding: Tensor) -> Iterator[dict[str, Any]]:
        """Within, a call of the UNet has its last rows go through the segments' adapters; yields its further inputs.

        Args:
            segments: of one kind, adjacent, in order, and the last rows of the call.
            x: [R,C,h,w] in the UNet's number type; t: [R]; embedding: [R,L,D].
        """
        if not segments:
            yield {}
            return
        start, settings = segments[0].start, segments[0].adapter.settings
        rows = x[start:], t[start:], embedding[start:]
        if settings.kind == "controlnet":
            yield _inputs(self._own_residuals(segments, *rows), start)
            return
        sites = self._adapted(settings)
        sites.stacks = [segment.adapter for segment in segments]  # type: ignore[misc]
        sites.start = start if settings.kind == "lora" else 0
        sites.cameras = [segment.cameras for segment in segments]
        try:
            yield {} if settings.kind == "lora" else _inputs(self._shared_residuals(settings, segments, *rows), start)
        finally:
            sites.stacks = []

    def _own_residuals(self, segments: Sequence[Segment], x: Tensor, t: Tensor, embedding: Tensor) -> list[Tensor]:
        """What the ControlNet of every row puts out: [R', ...] each."""
        found, end = [], 0
        views = len(x) // sum(segment.adapter.n_cases for segment in segments)
        for adapter, _, depth, _ in segments:
            assert isinstance(adapter, StackedControlNet)
            rows, end = slice(end, end + adapter.n_cases * views), end + adapter.n_cases * views
            condition = _condition(depth, self.net(adapter.settings)).to(x)
            found.append(adapter.residuals(x[rows], t[rows], embedding[rows], condition))
        return [torch.cat(outputs) for outputs in zip(*found, strict=True)]

    def _shared_residuals(
        self, settings: AuxiliarySettings, segments: Sequence[Segment], x: Tensor, t: Tensor, embedding: Tensor
    ) -> list[Tensor]:
        """What the one ControlNet puts out, each row through its adapter: [R', ...] each."""
        net = self.frozen(settings)
        condition = torch.cat([_condition(segment.depth, net).to(x) for segment in segments])
        down, mid = net(x, t, embedding, condition, return_dict=False)
        return [*down, mid]

    def _adapted(self, settings: AuxiliarySettings) -> LoRASites:
        """Where LoRA acts: in the UNet, or in the ControlNet."""
        on_controlnet = settings.kind == "controlnet-lora"
        key = (_name(settings) if on_controlnet else (None, None)), settings.target_modules
        if key not in self._sites:
            network = self.frozen(settings) if on_controlnet else self.unet
            self._sites[key] = LoRASites(adapted_layers(network, settings.target_modules), network.time_embedding)
        return self._sites[key]


def _name(settings: AuxiliarySettings) -> _Name:
    return settings.controlnet, settings.controlnet_revision


def _inputs(residuals: list[Tensor], start: int) -> dict[str, Any]:
    """The UNet's further inputs: residuals [R', ...] after zeros for the rows before `start`."""
    if start:
        residuals = [torch.cat([r.new_zeros(start, *r.shape[1:]), r]) for r in residuals]
    return {"down_block_additional_residuals": residuals[:-1], "mid_block_additional_residual": residuals[-1]}


def _condition(depth: Tensor | None, net: ControlNetModel) -> Tensor:
    """Depth [N,1,H,W] in the channels that the ControlNet reads."""
    assert depth is not None, "rows of a ControlNet need a depth; `edit_batch` checks that there is one"
    return depth.expand(-1, net.config.conditioning_channels, -1, -1)
