"""Settings of the auxiliary models; importing them loads no torch."""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from piva.config import Settings, identity


class AuxiliarySettings(Settings):
    """psi and phi: models that start from the prior and train with its ordinary diffusion loss (all ours)."""

    kind: Literal["lora", "controlnet", "controlnet-lora"] = identity("lora", added_later=True)
    """lora: low-rank adapters of the UNet; small, cases share a call, blind to depth. controlnet: a depth ControlNet of
    its own for each case (the paper's choice in 3D); of SD 1.5 it has 361 M parameters, which with gradient and AdamW's
    states take 5.8 GB for each auxiliary and case. controlnet-lora: low-rank adapters of one frozen depth ControlNet;
    depth at about LoRA's price, but only what that ControlNet knows of it. It needs --method.aux.controlnet."""

    controlnet: str | None = identity(None, added_later=True)
    """Depth ControlNet to start from (controlnet) or to adapt (controlnet-lora): "toybox", a folder in diffusers' form,
    or a hub id that is on this machine. It knows depth from the start, but psi and phi then start off the prior.
    None: made from the UNet; psi and phi start as the prior, and what depth says is yet to be learned."""

    controlnet_revision: str | None = identity(None, added_later=True)
    """Commit of a ControlNet of the hub; pin it, so that the number can be made again."""

    depth: Literal["given", "blank"] = identity("given", added_later=True)
    """What a ControlNet is shown. given: the case's depth. blank: zeros, which costs the same and tells what depth
    itself brings."""

    camera: bool = identity(False, added_later=True)
    """Tell LoRA the camera by an embedding of its pose, as VSD does. 3D only, and for --method.aux.kind lora."""

    rank: int = identity(4, ge=1)
    """Rank r of every low-rank adapter: more learns more, and takes parameters and memory in proportion."""

    alpha: float = identity(4.0, gt=0)
    """Scale: a low-rank adapter adds (alpha / rank) B A x."""

    lr: float = identity(1e-4, ge=0)
    """Learning rate of AdamW (VSD: 1e-4)."""

    weight_decay: float = identity(0.01, ge=0)
    """Weight decay of AdamW (PyTorch's default)."""

    steps_per_iteration: int = identity(1, ge=0)
    """Training steps of the auxiliaries for every step of the edit (VSD: 1). More follow the edit more closely; each
    takes one row with a backward pass for every auxiliary that trains."""

    psi_steps: int = identity(200, ge=0)
    """Training steps of psi before the edit, where psi is stored."""

    warmup_steps: int = identity(0, ge=0)
    """Training steps of psi (alongside) and phi on the source latent, where the edit starts, before its first step: the
    identity term acts from the start, at the price of these passes."""

    psi: Literal["alongside", "stored"] = identity("alongside")
    """alongside: psi trains during the edit, as phi does; stored: once per image and prompt, before it, and is kept.
    Stored saves a backward pass a step from the second edit of an image on, and is another psi: trained to its end."""

    phi: Literal["fused", "fresh"] = identity("fused")
    """fused: one pass is scored and trained on, with the step's t and eps; fresh: own t and eps, after the step (VSD).
    Fused saves the passes that score what is about to train; its score and its training share their noise."""

    target_modules: tuple[str, ...] = identity(("to_q", "to_k", "to_v", "to_out.0"), min_length=1)
    """Linear layers that low-rank adapters adapt, of the UNet or the ControlNet, by the end of their name."""

    @property
    def reads_depth(self) -> bool:
        """Whether the depth of a case makes a difference."""
        return self.kind != "lora" and self.depth == "given"

    @model_validator(mode="after")
    def _kind_has_what_it_needs(self) -> AuxiliarySettings:
        if self.kind == "lora" and (self.controlnet or self.depth != "given"):
            raise ValueError(
                "--method.aux.controlnet and --method.aux.depth go with --method.aux.kind controlnet or controlnet-lora"
            )
        if self.camera and self.kind != "lora":
            raise ValueError("--method.aux.camera goes with --method.aux.kind lora; ControlNets are told the depth")
        if self.kind == "controlnet-lora" and self.controlnet is None:
            raise ValueError(
                "--method.aux.kind controlnet-lora needs --method.aux.controlnet, a trained one: what is made from "
                "the UNet puts out zeros, whatever its adapters do"
            )
        if self.controlnet_revision and self.controlnet is None:
            raise ValueError("--method.aux.controlnet-revision goes with --method.aux.controlnet")
        return self
