"""Settings of the auxiliary models; importing them loads no torch."""

from typing import Literal

from piva.config import Settings, identity


class LoRASettings(Settings):
    """psi and phi as low-rank adapters of the prior's UNet, trained with its ordinary diffusion loss (all ours)."""

    rank: int = identity(4, ge=1)
    """Rank r of every adapter."""

    alpha: float = identity(4.0, gt=0)
    """Scale: an adapter adds (alpha / rank) B A x."""

    lr: float = identity(1e-4, ge=0)
    """Learning rate of AdamW (VSD: 1e-4)."""

    weight_decay: float = identity(0.01, ge=0)
    """Weight decay of AdamW (PyTorch's default)."""

    steps_per_iteration: int = identity(1, ge=0)
    """Training steps of the auxiliaries for every step of the edit (VSD: 1)."""

    psi_steps: int = identity(200, ge=0)
    """Training steps of psi before the edit, where psi is stored."""

    warmup_steps: int = identity(0, ge=0)
    """Training steps of psi (alongside) and phi on the source latent, where the edit starts, before its first step."""

    psi: Literal["alongside", "stored"] = identity("alongside")
    """alongside: psi trains during the edit, as phi does; stored: once per image and prompt, before it, and is kept."""

    phi: Literal["fused", "fresh"] = identity("fused")
    """fused: one pass is scored and trained on, with the step's t and eps; fresh: own t and eps, after the step."""

    target_modules: tuple[str, ...] = identity(("to_q", "to_k", "to_v", "to_out.0"), min_length=1)
    """Linear layers of the UNet that are adapted, by the end of their name."""
