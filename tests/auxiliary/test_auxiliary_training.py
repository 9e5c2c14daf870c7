"""Training of the auxiliaries: the loss, independence of cases, what each trains on."""

import pytest
import torch
from analytic_world import gaussian_prior, make_step

from piva.auxiliary.settings import AuxiliarySettings
from piva.auxiliary.training import AuxiliaryTraining
from piva.noise import DrawPlan
from piva.scores import ScoreEngine


def pieces(settings, prior, case_ids=("a", "b"), names=("psi", "phi"), half=False):
    step = make_step(prior, case_ids)
    adapters = {name: prior.adapter(settings, 0, case_ids) for name in ("psi", "phi")}
    plan = DrawPlan(0, tuple(case_ids), 50, 948, prior.abar, step.z)
    training = AuxiliaryTraining(settings, {name: adapters[name] for name in names}, plan, half)
    engine = ScoreEngine(prior, [("source", "target")] * len(case_ids), adapters, training)
    return step, adapters, training, engine


def test_the_fused_pass_scores_and_trains_at_once():
    """Its outputs are those before the update, its gradient that of the mean squared error at the step's t and eps."""
    step, adapters, training, engine = pieces(AuxiliarySettings(), gaussian_prior(0.0))
    (psi, psi_out), (phi, phi_out) = training.score(engine, step)
    assert psi.x is step.x_t_src
    assert phi.x is step.x_t
    for name, z, out in (("psi", step.z_src, psi_out), ("phi", step.z, phi_out)):
        mean = adapters[name].mean
        assert not out.requires_grad
        # sigma 0: eps_hat - eps = sqrt(abar / (1 - abar)) (z - mean)
        snr = step.abar / (1 - step.abar)
        torch.testing.assert_close(training.losses[name], (snr * (z - mean.detach()) ** 2).mean(dim=(1, 2, 3)))
        torch.testing.assert_close(mean.grad, -2 * snr * (z - mean.detach()) / z[0].numel())
    assert engine.rows_backward == [2, 2]


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
def test_training_finds_the_latents_they_model(prediction):
    step, adapters, training, engine = pieces(
        AuxiliarySettings(lr=0.05, phi="fresh"), gaussian_prior(0.0, prediction=prediction)
    )
    for k in range(300):
        training.fresh_pass(engine, step.z_src, step.z, k, "test/")
    assert (adapters["psi"].mean - step.z_src).norm() < 0.05 * step.z_src.norm()
    assert (adapters["phi"].mean - step.z).norm() < 0.05 * step.z.norm()


@pytest.mark.parametrize("half", [False, True])
def test_cases_train_together_as_they_do_alone(half):
    settings = AuxiliarySettings(lr=0.05, steps_per_iteration=2)
    step, together, training, engine = pieces(settings, gaussian_prior(), half=half)
    training.score(engine, step)
    training.finish_step(engine, step)
    one_step, alone, one_training, one_engine = pieces(settings, gaussian_prior(), ("a",), half=half)
    one_training.score(one_engine, one_step)
    one_training.finish_step(one_engine, one_step)
    for name in ("psi", "phi"):
        torch.testing.assert_close(together[name].mean[:1], alone[name].mean)
        assert (alone[name].mean - gaussian_prior().adapter(settings, 0, ["a"]).mean).abs().max() > 0.05


def test_in_half_precision_an_overflow_stays_with_its_case():
    """Case b's phi overflows in one pass: none of its gradients count, case a trains as if alone, b goes on after."""
    settings = AuxiliarySettings(lr=0.05, phi="fresh")
    step, together, training, engine = pieces(settings, gaussian_prior(), half=True)
    z_bad = step.z.clone()
    z_bad[1] = float("inf")
    one_step, alone, one_training, one_engine = pieces(settings, gaussian_prior(), ("a",), half=True)
    start = together["psi"].mean.detach().clone()
    for k, z in enumerate((z_bad, step.z)):
        training.fresh_pass(engine, step.z_src, z, k, "test/")
        one_training.fresh_pass(one_engine, one_step.z_src, one_step.z, k, "test/")
        for name in ("psi", "phi"):
            torch.testing.assert_close(together[name].mean[:1], alone[name].mean)
            moved = (together[name].mean[1] - start[1]).abs().max()
            assert moved < 1e-2 if k == 0 else moved > 1e-2  # weight decay alone; a step of Adam


def test_the_loss_scale_leaves_float32_training_as_it_is():
    settings, prior = AuxiliarySettings(lr=0.05), gaussian_prior()
    found = []
    for half in (False, True):
        step, adapters, training, engine = pieces(settings, prior, half=half)
        training.score(engine, step)
        training.finish_step(engine, step)
        found.append(adapters["phi"].mean)
    torch.testing.assert_close(*found)


def test_a_stored_psi_is_left_alone():
    step, adapters, training, engine = pieces(AuxiliarySettings(lr=0.05), gaussian_prior(), names=("phi",))
    before = adapters["psi"].mean.detach().clone()
    assert len(training.score(engine, step)) == 1
    training.finish_step(engine, step)
    assert torch.equal(adapters["psi"].mean, before)
    assert engine.rows_backward == [1, 1]


def test_no_learning_rate_takes_no_pass():
    step, _, training, engine = pieces(AuxiliarySettings(lr=0.0), gaussian_prior())
    assert training.score(engine, step) == []
    training.finish_step(engine, step)
    training.warm_up(engine, step.z_src)
    assert engine.rows_backward == [0, 0]


def test_fresh_passes_train_psi_and_phi_on_the_same_noise():
    """From equal starts, equal latents and equal noise, the pair stays equal."""
    step, adapters, training, engine = pieces(AuxiliarySettings(lr=0.05), gaussian_prior())
    training.fresh_pass(engine, step.z, step.z, 0, "test/")
    assert torch.equal(adapters["psi"].mean, adapters["phi"].mean)


def test_a_v_prediction_network_is_trained_on_v():
    """|| v_hat - v ||^2 is || eps_hat - eps ||^2 / abar."""
    settings = AuxiliarySettings()
    step, _, training, engine = pieces(settings, gaussian_prior(0.0))
    training.score(engine, step)
    v_step, _, v_training, v_engine = pieces(settings, gaussian_prior(0.0, prediction="v_prediction"))
    v_training.score(v_engine, v_step)
    torch.testing.assert_close(v_training.losses["phi"], training.losses["phi"] / step.abar.flatten())
