"""The Lightning module: what it registers, and that it needs nothing of the trainer but the loop."""

import torch
from analytic_world import gaussian_prior, inputs

from piva.editing import _module, edit_batch
from piva.methods.dds import DDS
from piva.methods.piva import Piva


def module_for(method, n=2):
    prior, cases = gaussian_prior(), inputs(n)
    z_src = prior.encode(torch.stack([case.image for case in cases]))
    return _module(prior, method, cases, z_src, 0, None, None)[0]


def test_the_prior_is_not_in_the_module_tree():
    assert set(module_for(DDS()).state_dict()) == {"representation.theta"}
    assert set(module_for(Piva()).state_dict()) == {
        "representation.theta", "auxiliaries.psi.mean", "auxiliaries.phi.mean"
    }  # fmt: skip


def test_the_steps_by_hand_are_the_steps_of_the_trainer():
    """theta <- theta - step_size x direction, n times."""
    method = Piva(lam=1.0, aux={"lr": 0.05})
    module = module_for(method)
    optimizer = module.configure_optimizers()
    module.optimizers = lambda use_pl_optimizer: optimizer
    for index in range(4):
        module.training_step(index, index)
    outputs = edit_batch(gaussian_prior(), method, inputs(2), steps=4, seed=0)
    expected = (module.representation().detach() + 1) / 2
    torch.testing.assert_close(torch.stack([output.image for output in outputs]), expected.float())


def test_a_step_moves_by_step_size_times_the_direction():
    module = module_for(DDS(step_size=0.01))
    optimizer = module.configure_optimizers()
    module.optimizers = lambda use_pl_optimizer: optimizer
    before = module.representation().detach().clone()
    module.training_step(0, 0)
    step = module._step(0, before)
    direction = module.method.direction(step, module.engine.ask(step))
    torch.testing.assert_close(module.representation().detach(), before - 0.01 * direction)
