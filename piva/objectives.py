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

from collections.abc import Callable, Sequence
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


def instructed_guided(u: Tensor, i: Tensor, c: Tensor, s_i: float, s_t: float) -> Tensor:
    """e = u + s_I (i - u) + s_T (c - i): InstructPix2Pix's eq. 3.

    u = e(x, no picture, no text), i = e(x, picture, no text), c = e(x, picture, instruction). s_I = s_T = 1 is c.
    """
    return u + s_i * (i - u) + s_t * (c - i)


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


def nfsd_direction(u: Tensor, c: Tensor, e_neg: Tensor, s: float) -> Tensor:
    """s (c - u) + delta: noise-free score distillation (NFSD), all at x_t.

    delta = u where t < 200, else u - e_neg: the part of u that leads back to pictures, without its noise. e_neg is
    zero where t < 200.
    """
    return s * (c - u) + u - e_neg


def bridge_direction(e_tgt: Tensor, e_flawed: Tensor, s: float) -> Tensor:
    """s (c(x_t, tgt) - c(x_t, src with its flaws)): SDS-Bridge, from a described start to a described end."""
    return s * (e_tgt - e_flawed)


def classifier_direction(c_tgt: Tensor, c_neg: Tensor, u: Tensor | float, omega: float) -> Tensor:
    """c(x_t, tgt) - omega c(x_t, negative) - (1 - omega) u: classifier score distillation (CSD).

    omega = 1 is the classifier between both prompts, and u is not looked at; omega = 0 that between target and any.
    The three weights sum to zero, so what all three predict alike, noise above all, is gone.
    """
    return c_tgt - omega * c_neg - (1 - omega) * u


def vsd_direction(e_tgt: Tensor, eps_phi: Tensor) -> Tensor:
    """e(x_t, tgt) - eps_phi(x_t, tgt): variational score distillation (ProlificDreamer's eq. 9, without w).

    Where phi is the prior, unguided, (s - 1) (c - u) is left: guidance alone.
    """
    return e_tgt - eps_phi


def pds_weights(abars: Tensor, timesteps: Sequence[int], stride: int) -> tuple[Tensor, Tensor]:
    """(psi, chi) of PDS at these timesteps, [B,1,1,1] each, float64.

    A step back from t to p = t - stride, with the beta of one training step, has mean c0 x0_hat + c1 x_t and variance
    sigma^2:

        beta = 1 - abar_t / abar_{t-1}      c0 = sqrt(abar_p) beta / (1 - abar_t)
        c1 = sqrt(1 - beta) (1 - abar_p) / (1 - abar_t)      sigma^2 = beta (1 - abar_p) / (1 - abar_t)
        psi = (sqrt(abar_p) - c0 - c1 sqrt(abar_t)) / sigma      chi = c0 sqrt(1 - abar_t) / (sqrt(abar_t) sigma)

    At stride 1 psi is zero. Where t < stride, p is 0.

    Args:
        timesteps: at least 1: before 0 there is none.
    """
    every = abars.double().view(-1, 1, 1, 1)
    abar, before = every[list(timesteps)], every[[max(t - stride, 0) for t in timesteps]]
    beta = 1 - abar / every[[t - 1 for t in timesteps]]
    c0 = before.sqrt() * beta / (1 - abar)
    c1 = (1 - beta).sqrt() * (1 - before) / (1 - abar)
    sigma = (beta * (1 - before) / (1 - abar)).sqrt()
    return (before.sqrt() - c0 - c1 * abar.sqrt()) / sigma, c0 * (1 - abar).sqrt() / (abar.sqrt() * sigma)


def pds_direction(z: Tensor, z_src: Tensor, e_tgt: Tensor, e_src: Tensor, psi: Tensor, chi: Tensor) -> Tensor:
    """psi (z - z^) + chi (e(x_t, tgt) - e(x^_t, src)): posterior distillation sampling (PDS).

    It is z~_tgt - z~_src of the stochastic latents z~ = (x_{t-1} - mu(x_t, e)) / sigma, both noises shared: the noise
    of x_{t-1} cancels and need not be drawn.
    """
    return psi * (z - z_src) + chi * dds_direction(e_tgt, e_src)


def lusd_direction(c_tgt: Tensor, c_src: Tensor, z: Tensor, z_src: Tensor, r: float) -> Tensor:
    """(1 - r) (c(x_t, tgt) - c(x_t, src)) + r (z - z^): LUSD's, without its mask."""
    return (1 - r) * (c_tgt - c_src) + r * (z - z_src)


def with_std(direction: Tensor, std: float) -> Tensor:
    """`direction`, scaled so that the standard deviation of each case's elements is `std`."""
    return direction * (std / case_std(direction).clamp_min(1e-12))


def case_std(values: Tensor) -> Tensor:
    """Standard deviation of each case's elements: [B,C,H,W] -> [B,1,1,1]."""
    return values.std(dim=(1, 2, 3), keepdim=True)


def posterior_residual(z_src: Tensor, x_t: Tensor, e: Tensor, abar: Tensor) -> Tensor:
    """||z^ - x0_hat(x_t)|| of each case, [B]: how far the score's idea of the source is from it (IDS, eq. 6)."""
    return (z_src - x0_hat(e, x_t, abar)).flatten(1).norm(dim=1)


def noise_between(x_t: Tensor, z: Tensor, abar: Tensor) -> Tensor:
    """(x_t - sqrt(abar) z) / sqrt(1 - abar): the noise that makes x_t of z."""
    return (x_t - abar.sqrt() * z) / (1 - abar).sqrt()


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
