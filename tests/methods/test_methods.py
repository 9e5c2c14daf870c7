"""SDS, DDS and Piva: closed forms on Gaussians, fixed points, identities, and the UNet rows each takes."""

import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from analytic_world import ABAR, SIGMA, direction, gaussian_prior, guided_mean, inputs, make_step, mean_of, slope

from piva.editing import edit_batch
from piva.errors import ConfigError
from piva.methods import METHODS
from piva.methods.dds import DDS
from piva.methods.piva import Piva
from piva.methods.sds import SDS
from piva.objectives import add_noise
from piva.registry import resolve
from piva.scores import Row, ScoreEngine
from piva.step import SOURCE, TARGET


@pytest.mark.parametrize("s", [0.0, 1.0, 7.5])
def test_sds_in_closed_form(s):
    prior = gaussian_prior(SIGMA)
    step = make_step(prior, weighting=0.7)
    expected = 0.7 * (slope(step) * (step.x_t - step.abar.sqrt() * guided_mean(2, s)) - step.eps)
    torch.testing.assert_close(direction(SDS(guidance=s), prior, step), expected)


@pytest.mark.parametrize("s", [1.0, 7.5])
def test_dds_in_closed_form(s):
    """slope sqrt(abar) [(z - z^) - s (mu_tgt - mu_src)]: the noise is gone, and guidance s moves s times too far."""
    prior = gaussian_prior(SIGMA)
    step = make_step(prior, weighting=0.7)
    shift = step.z - step.z_src - s * (mean_of(2) - mean_of(1))
    torch.testing.assert_close(direction(DDS(guidance=s), prior, step), 0.7 * slope(step) * step.abar.sqrt() * shift)


def frozen_pair(prior, step, sigma_psi=0.3, sigma_phi=0.2):
    """psi knows the source latents, phi the current ones."""
    pair = {name: prior.adapter(Piva().aux, 0, ["a", "b"]) for name in ("psi", "phi")}
    pair["psi"].mean.data, pair["psi"].sigma = step.z_src.clone(), torch.tensor(sigma_psi)
    pair["phi"].mean.data, pair["phi"].sigma = step.z.clone(), torch.tensor(sigma_phi)
    return pair


@pytest.mark.parametrize("psi_at", ["current", "source"])
@pytest.mark.parametrize("source_branch", ["source", "current"])
def test_piva_in_closed_form(psi_at, source_branch):
    prior, lam, s = gaussian_prior(SIGMA), 0.4, 7.5
    step = make_step(prior, weighting=0.7)
    method = Piva(lam=lam, guidance=s, psi_at=psi_at, source_branch=source_branch)
    found = direction(method, prior, step, frozen_pair(prior, step))
    a = step.abar.sqrt()
    moved = step.z - step.z_src if source_branch == "source" else 0
    delta = slope(step) * a * (moved - s * (mean_of(2) - mean_of(1)))
    psi_x = step.x_t if psi_at == "current" else step.x_t_src
    psi = slope(step, 0.3) * (psi_x - a * step.z_src)
    phi = slope(step, 0.2) * (step.x_t - a * step.z)
    torch.testing.assert_close(found, 0.7 * (delta + lam * (psi - phi)))
    torch.testing.assert_close(step.notes["identity"], 0.7 * lam * (psi - phi))


@pytest.mark.parametrize("source_branch", ["source", "current"])
def test_guidance_of_the_source_branch_in_closed_form(source_branch):
    """A Gaussian's guided score is that of its guided mean, so the branches' means differ by their own s."""
    prior = gaussian_prior(SIGMA)
    step = make_step(prior)
    found = direction(Piva(lam=0, guidance=7.5, guidance_src=3.0, source_branch=source_branch), prior, step)
    moved = step.z - step.z_src if source_branch == "source" else 0
    expected = slope(step) * step.abar.sqrt() * (moved - (guided_mean(2, 7.5) - guided_mean(1, 3.0)))
    torch.testing.assert_close(found, expected)


def test_piva_is_linear_in_lambda():
    prior = gaussian_prior(SIGMA)
    step = make_step(prior)
    at = {lam: direction(Piva(lam=lam), prior, step, frozen_pair(prior, step)) for lam in (0.0, 1.0, 2.0)}
    torch.testing.assert_close(at[2.0] - at[1.0], at[1.0] - at[0.0])


def test_equal_auxiliaries_give_no_identity_term():
    """Under one prompt, too, the pair starts equal: what it adds has to be learned."""
    prior = gaussian_prior(SIGMA)
    step = make_step(prior)
    pair = {name: prior.adapter(Piva().aux, 0, ["a", "b"]) for name in ("psi", "phi")}
    torch.testing.assert_close(direction(Piva(lam=2.0), prior, step, pair), direction(DDS(), prior, step))


def test_source_branch_current_at_lambda_0_is_the_guided_difference_of_conditionals():
    prior = gaussian_prior(SIGMA)
    step = make_step(prior)
    c_tgt, c_src = ScoreEngine(prior, [("source", "target")] * 2).outputs(
        [Row(step.x_t, TARGET), Row(step.x_t, SOURCE)], step.t
    )
    found = direction(Piva(lam=0, source_branch="current", guidance=7.5), prior, step)
    torch.testing.assert_close(found, 7.5 * (c_tgt - c_src))


def test_an_unedited_latent_under_equal_prompts_stays():
    prior = gaussian_prior(SIGMA)
    step = make_step(prior)
    still = replace(step, z=step.z_src)
    engine = ScoreEngine(prior, [("source", "source")] * 2)
    assert DDS().direction(still, engine.ask(still)).abs().max() == 0


def test_dds_ends_where_the_closed_form_says():
    """z* = z^ + s (mu_tgt - mu_src), whatever t and eps were drawn."""
    cases = inputs(2)
    outputs = edit_batch(gaussian_prior(0.0), DDS(guidance=3.0), cases, steps=300, seed=0)
    for case, output in zip(cases, outputs, strict=True):
        edited = 2 * output.image.double() - 1
        expected = 2 * case.image.double() - 1 + 3.0 * (mean_of(2) - mean_of(1))
        torch.testing.assert_close(edited, expected, atol=1e-3, rtol=0)


def test_dds_follows_the_closed_form_on_its_way():
    """z_{n+1} - z* = (1 - step_size slope_n sqrt(abar_n)) (z_n - z*)."""
    (case,), prior, steps = inputs(1), gaussian_prior(SIGMA), 7
    method = DDS(guidance=2.0, weighting="one_minus_abar")
    (output,) = edit_batch(prior, method, [case], steps=steps, seed=5)
    abar = ABAR[torch.tensor(output.history["t"]).long()]
    slopes = (1 - abar).sqrt() / (abar * SIGMA**2 + 1 - abar)
    shrink = (1 - method.step_size * (1 - abar) * slopes * abar.sqrt()).prod()
    goal = 2.0 * (mean_of(2) - mean_of(1))
    moved = (2 * output.image.double() - 1) - (2 * case.image.double() - 1)
    torch.testing.assert_close(moved, goal * (1 - shrink), atol=1e-6, rtol=0)


def test_piva_with_trained_auxiliaries_ends_where_the_closed_form_says():
    """psi learns z^ and phi follows z: z* = z^ + s (mu_tgt - mu_src) / (1 + lam)."""
    (case,), lam, s = inputs(1), 1.5, 3.0
    method = Piva(lam=lam, guidance=s, aux={"lr": 0.05, "warmup_steps": 100})
    (output,) = edit_batch(gaussian_prior(0.0), method, [case], steps=500, seed=0)
    moved = (2 * output.image.double() - 1) - (2 * case.image.double() - 1)
    expected = s * (mean_of(2) - mean_of(1)) / (1 + lam)
    assert (moved - expected).norm() < 0.03 * expected.norm()  # phi follows at a distance: Adam's steps do not vanish


@pytest.mark.parametrize(
    ("method", "forward", "backward"),
    [
        (SDS(), 2, 0),
        (SDS(guidance=1.0), 1, 0),
        (DDS(), 4, 0),
        (DDS(guidance=1.0), 2, 0),
        (Piva(lam=0), 4, 0),
        (Piva(lam=0, source_branch="current"), 2, 0),
        (Piva(lam=0, source_branch="current", guidance_src=3.0), 3, 0),  # the unconditional row is shared
        (Piva(lam=0, guidance_src=1.0), 3, 0),
        (Piva(aux={"phi": "fresh"}), 6, 2),  # as written
        (Piva(), 5, 2),
        (Piva(aux={"psi": "stored", "psi_steps": 0}), 5, 1),
        (Piva(aux={"psi": "stored", "psi_steps": 0}, source_branch="current"), 3, 1),
        (Piva(psi_at="source"), 4, 2),  # psi too is read off the pass it trains on
        (Piva(aux={"steps_per_iteration": 3}), 5, 6),
        (Piva(aux={"steps_per_iteration": 0}), 6, 0),
    ],
)
def test_rows_of_a_step(tiny_prior, method, forward, backward):
    from piva.editing import EditInput

    case = EditInput("a", torch.full((3, 32, 32), 0.5), "a cat", "a dog")
    (output,) = edit_batch(tiny_prior, method, [case], steps=2, seed=0)
    assert output.history["rows_forward"] == [forward] * 2
    assert output.history["rows_backward"] == [backward] * 2
    assert (output.unet_rows, output.unet_rows_backward) == (2 * (forward + backward), 2 * backward)


def test_the_table_names_every_method():
    for name, where in METHODS.items():
        method = resolve("method", METHODS, name)()
        assert method.name == name
        assert method.VERSION >= 1
        assert type(method).__module__ == where.partition(":")[0]


def test_settings_are_read_without_torch():
    """So that flags are checked, and plans made, at once."""
    modules = ", ".join(where.partition(":")[0] for where in METHODS.values())
    program = f"import sys, {modules}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_an_empty_range_of_timesteps_is_refused():
    with pytest.raises(ValueError, match="t_min 900 is above t_max 100"):
        DDS(t_min=900, t_max=100)


def test_a_timestep_that_the_prior_does_not_have_is_refused():
    DDS(t_min=999, t_max=999).check_steps(200, 1000)
    with pytest.raises(ConfigError, match=r"--method\.t-max 1000 is beyond the prior's last timestep, 999"):
        DDS(t_max=1000).check_steps(200, 1000)


def test_noised_latents_share_their_noise():
    step = make_step(gaussian_prior())
    torch.testing.assert_close(step.x_t - step.x_t_src, step.abar.sqrt() * (step.z - step.z_src))
    torch.testing.assert_close(step.x_t, add_noise(step.z, step.eps, step.abar))
