"""The equations: pure tensor functions, one equation each.

Notation, here and everywhere:
    z, z^       clean latent of the current edit, and of the source                       [B,C,H,W]
    t, abar     timestep, and alphas_cumprod[t], shaped to broadcast against latents      [B,1,1,1]
    eps         the standard normal noise of this step, shared by both branches           [B,C,H,W]
    x_t, x^_t   z and z^ noised with the SAME t and eps                                   [B,C,H,W]
    e(x, c)     the prior's prediction of the noise in x under prompt c, guided: u + s (c - u)
    w           w(t), the weight of a timestep                                            [B,1,1,1]

Sign. A direction points up the loss: the edit moves by z <- z - step_size * direction. What a direction has in the
place of e(x_t, tgt) therefore pulls z towards the target, and what it subtracts pushes z away.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from torch import Tensor


def add_noise(z: Tensor, eps: Tensor, abar: Tensor) -> Tensor:
    """x_t = sqrt(abar) z + sqrt(1 - abar) eps: the forward diffusion (DDPM)."""
    return abar.sqrt() * z + (1 - abar).sqrt() * eps


def cfg_guided(u: Tensor, c: Tensor, s: float) -> Tensor:
    """e = u + s (c - u), the diffusers convention: s = 1 is the conditional score, s = 0 the unconditional one.

    DreamFusion and threestudio write c + s (c - u), which is s + 1 here.
    """
    return u + s * (c - u)


def sds_direction(e_tgt: Tensor, eps: Tensor) -> Tensor:
    """e(x_t, tgt) - eps: score distillation (DreamFusion's eq. 3, without w)."""
    return e_tgt - eps


def dds_direction(e_tgt: Tensor, e_src: Tensor) -> Tensor:
    """e(x_t, tgt) - e(x^_t, src): the delta denoising score (DDS), zero where edit and prompts equal the source's."""
    return e_tgt - e_src


def identity_direction(eps_psi: Tensor, eps_phi: Tensor, lam: float) -> Tensor:
    """lam (eps_psi(x_t, src) - eps_phi(x_t, tgt)): Piva's second bracket, the gradient of KL(current || original).

    The paper's gradient, without w, is `dds_direction` plus this. psi knows the original renders and phi the current
    ones: descent moves the current towards the original. Equal auxiliaries give zero, and so does lam = 0; the value
    is linear in lam.
    """
    return lam * (eps_psi - eps_phi)


def eps_hat(output: Tensor, x_t: Tensor, abar: Tensor, prediction: str) -> Tensor:
    """The predicted noise, from what the network puts out; `prediction` is one of PREDICTIONS."""
    return _prediction(prediction).eps_hat(output, x_t, abar)


def training_target(z: Tensor, eps: Tensor, abar: Tensor, prediction: str) -> Tensor:
    """What the network ought to put out for add_noise(z, eps, abar); `prediction` is one of PREDICTIONS."""
    return _prediction(prediction).target(z, eps, abar)


def x0_hat(eps: Tensor, x_t: Tensor, abar: Tensor) -> Tensor:
    """z as the predicted noise has it: (x_t - sqrt(1 - abar) eps) / sqrt(abar)."""
    return (x_t - (1 - abar).sqrt() * eps) / abar.sqrt()


def v_target(z: Tensor, eps: Tensor, abar: Tensor) -> Tensor:
    """v = sqrt(abar) eps - sqrt(1 - abar) z (Salimans & Ho, 2022)."""
    return abar.sqrt() * eps - (1 - abar).sqrt() * z


def eps_of_v(v: Tensor, x_t: Tensor, abar: Tensor) -> Tensor:
    """eps = sqrt(abar) v + sqrt(1 - abar) x_t."""
    return abar.sqrt() * v + (1 - abar).sqrt() * x_t


class Prediction(NamedTuple):
    """What a network puts out, as two conversions."""

    eps_hat: Callable[[Tensor, Tensor, Tensor], Tensor]  # of output, x_t, abar
    target: Callable[[Tensor, Tensor, Tensor], Tensor]  # of z, eps, abar


PREDICTIONS: dict[str, Prediction] = {
    "epsilon": Prediction(lambda output, x_t, abar: output, lambda z, eps, abar: eps),
    "v_prediction": Prediction(eps_of_v, v_target),
}
"""By diffusers' name. Nothing else knows what a network predicts: another kind, flow velocity say, is a line here."""


def _prediction(name: str) -> Prediction:
    if name not in PREDICTIONS:
        raise ValueError(f"prediction type {name!r} is not one of {', '.join(PREDICTIONS)}")
    return PREDICTIONS[name]
