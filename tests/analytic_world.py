"""An analytic prior to edit in, shared by tests: delta distributions, or Gaussians, under two captions."""

import torch
from torch import Tensor

from piva.editing import EditInput
from piva.noise import DrawPlan
from piva.priors.analytic import AnalyticPrior, Mixture
from piva.schedule import alphas_cumprod
from piva.scores import ScoreEngine
from piva.step import Step

SHAPE = (3, 4, 4)
SIGMA = 0.5
ABAR = alphas_cumprod({"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}).double()


def mean_of(number: int) -> Tensor:
    """A fixed picture [3,4,4]."""
    return torch.randn(SHAPE, generator=torch.Generator().manual_seed(number), dtype=torch.float64)


def gaussian(mean: Tensor, sigma: float) -> Mixture:
    return Mixture(torch.ones(1, dtype=torch.float64), mean[None], torch.tensor([sigma], dtype=torch.float64))


def gaussian_prior(sigma: float = 0.5, **options) -> AnalyticPrior:
    """N(mean_of(i), sigma^2) under "" (0), "source" (1), "target" (2) and "flaws" (3)."""
    prompts = {"": 0, "source": 1, "target": 2, "flaws": 3}
    return AnalyticPrior({p: gaussian(mean_of(i), sigma) for p, i in prompts.items()}, ABAR, **options)


def inputs(n: int) -> list[EditInput]:
    images = [torch.rand(SHAPE, generator=torch.Generator().manual_seed(10 + i)) for i in range(n)]
    return [EditInput(f"case-{i}", image, "source", "target") for i, image in enumerate(images)]


def make_step(prior: AnalyticPrior, case_ids: tuple[str, ...] = ("a", "b"), weighting: float = 1.0) -> Step:
    """A step in the middle of an edit: current latents off the sources, step 3 of seed 0."""
    z_src = torch.stack([mean_of(20 + i) for i in range(len(case_ids))])
    z = z_src + torch.stack([0.3 * mean_of(30 + i) for i in range(len(case_ids))])
    plan = DrawPlan(0, tuple(case_ids), 50, 948, prior.abar, z_src)
    draw = plan.at(3)
    return Step(
        index=3, z=z, z_src=z_src, t=draw.t, timesteps=draw.timesteps, abar=draw.abar, abars=prior.abar, eps=draw.eps,
        w=weighting * torch.ones_like(draw.abar), draw=lambda purpose: plan.normal(3, purpose),
    )  # fmt: skip


def direction(method, prior, step: Step, adapters=None) -> Tensor:
    """What a method makes of a step under the captions source and target."""
    engine = ScoreEngine(prior, [("source", "target")] * len(step.z), adapters)
    return method.direction(step, engine.ask(step))


def slope(step: Step, sigma: float = SIGMA) -> Tensor:
    """d eps / d x_t of a Gaussian of that sigma, noised: sqrt(1 - abar) / (abar sigma^2 + 1 - abar)."""
    return (1 - step.abar).sqrt() / (step.abar * sigma**2 + 1 - step.abar)


def guided_mean(number: int, s: float) -> Tensor:
    """Mean of the Gaussian whose score is the guided one."""
    return mean_of(0) + s * (mean_of(number) - mean_of(0))
