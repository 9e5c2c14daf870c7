"""A prior whose score is known in closed form: under every prompt a mixture of isotropic Gaussians. Tests only.

z ~ sum_k pi_k N(mu_k, sigma_k^2 I) noised to t is sum_k pi_k N(sqrt(abar) mu_k, v_k I) with
v_k = abar sigma_k^2 + 1 - abar; the noise it predicts is -sqrt(1 - abar) times its score:

    eps(x_t) = sqrt(1 - abar) sum_k r_k(x_t) (x_t - sqrt(abar) mu_k) / v_k        r_k: responsibilities
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from piva.auxiliary.settings import AuxiliarySettings
from piva.objectives import training_target, x0_hat
from piva.priors import Segment, Tap


@dataclass(frozen=True)
class Mixture:
    """pi_k, mu_k and sigma_k of one prompt."""

    weights: Tensor  # [K], summing to 1
    means: Tensor  # [K,C,H,W]
    sigmas: Tensor  # [K]

    def eps(self, x: Tensor, abar: Tensor) -> Tensor:
        """The noise predicted in x [R,C,H,W] at abar [R,1,1,1]."""
        a = abar.reshape(-1, 1, 1, 1, 1)
        v = a * self.sigmas.view(1, -1, 1, 1, 1) ** 2 + 1 - a  # [R,K,1,1,1]
        offsets = x[:, None] - a.sqrt() * self.means[None]  # [R,K,C,H,W]
        n = x[0].numel()
        log_r = self.weights.log() - (offsets**2 / v).flatten(2).sum(-1) / 2 - v.flatten(1).log() * n / 2  # [R,K]
        r = log_r.softmax(dim=1)[:, :, None, None, None]
        return (1 - abar).sqrt() * (r * offsets / v).sum(dim=1)


class GaussianAuxiliary(nn.Module):
    """An auxiliary of N cases: one Gaussian each, whose mean is what trains; it starts at the prior's."""

    def __init__(self, n_cases: int, start: Mixture):
        super().__init__()
        self.n_cases, self.sigma = n_cases, start.sigmas[0]
        self.mean = nn.Parameter((start.weights.view(-1, 1, 1, 1) * start.means).sum(0).repeat(n_cases, 1, 1, 1))

    def eps(self, x: Tensor, abar: Tensor) -> Tensor:
        """The noise predicted in x [N,C,H,W], row i by case i's Gaussian."""
        return (1 - abar).sqrt() * (x - abar.sqrt() * self.mean) / (abar * self.sigma**2 + 1 - abar)


class AnalyticPrior:
    """Gaussian mixtures by prompt, in float64; images are their own latents, scaled from [0,1] to [-1,1].

    Args:
        mixtures: prompt -> its mixture; "" is the unconditional one.
        abar: [T] alphas_cumprod.
        auxiliary_start: what new auxiliaries are; the unconditional mixture by default.
    """

    name = "analytic"
    fingerprint = "analytic"
    half = False

    def __init__(
        self,
        mixtures: Mapping[str, Mixture],
        abar: Tensor,
        auxiliary_start: Mixture | None = None,
        prediction: str = "epsilon",
    ):
        self.prompts, self.mixtures, self.prediction = list(mixtures), list(mixtures.values()), prediction
        self.abar, self.device = abar.double(), torch.device("cpu")
        self.auxiliary_start = auxiliary_start or mixtures[""]
        self.latent_shape = tuple(self.mixtures[0].means.shape[1:])
        self.image_size = self.latent_shape[1:]
        self.cut_prompts: dict[str, str] = {}

    def encode(self, images: Tensor) -> Tensor:
        """2 x - 1."""
        return images.double() * 2 - 1

    def decode(self, latents: Tensor) -> Tensor:
        """(z + 1) / 2; not clipped, so that closed forms stay closed."""
        return (latents + 1) / 2

    def embed(self, prompts: Sequence[str]) -> Tensor:
        """The number of each prompt, [B,1,1]."""
        return torch.tensor([[[float(self.prompts.index(prompt))]] for prompt in prompts])

    def predict(
        self, x: Tensor, t: Tensor, embedding: Tensor, segments: Sequence[Segment] = (), tap: Tap | None = None
    ) -> Tensor:
        """Closed forms, row by row: the prompt's mixture, or the segment's Gaussians. Its one feature is x itself."""
        if tap is not None:
            tap.maps.append(x[: tap.rows])
        abar = self.abar[t].view(-1, 1, 1, 1)
        end = segments[0].start if segments else len(x)
        numbers = embedding[:end].flatten().long().tolist()
        eps = [self.mixtures[k].eps(x[i : i + 1], abar[i : i + 1]) for i, k in enumerate(numbers)]
        for adapter, start, *_ in segments:
            rows = slice(start, start + adapter.n_cases)
            eps.append(adapter.eps(x[rows], abar[rows]))  # type: ignore[attr-defined]
        out = torch.cat(eps)
        return training_target(x0_hat(out, x, abar), out, abar, self.prediction)

    def adapter(self, settings: AuxiliarySettings, seed: int, case_ids: Sequence[str]) -> GaussianAuxiliary:
        """A Gaussian for each case."""
        return GaussianAuxiliary(len(case_ids), self.auxiliary_start)
