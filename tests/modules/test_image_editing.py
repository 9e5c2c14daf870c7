"""The Lightning module: what it registers, and that it needs nothing of the trainer but the loop."""

from contextlib import contextmanager

import pytest
import torch
from analytic_world import gaussian_prior, inputs
from torch.utils._python_dispatch import TorchDispatchMode

from piva.editing import EditInput, _module, _plan, edit_batch
from piva.methods.dds import DDS
from piva.methods.piva import Piva
from piva.priors.stable_diffusion import StableDiffusionPrior

PICTURE = EditInput("a", torch.rand(3, 32, 32, generator=torch.Generator().manual_seed(0)), "a cat", "a dog")


def module_for(method, n=2):
    prior, cases = gaussian_prior(), inputs(n)
    z_src = prior.encode(torch.stack([case.image for case in cases]))
    plan = _plan(prior, method, cases, z_src, steps=4, seed=0)
    return _module(prior, method, cases, [case.case_id for case in cases], plan, None, None, None)[0]


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


class ValuesRead(TorchDispatchMode):
    """Counts what would make the host wait for a device: a value read from a tensor, or a size that depends on one."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.overloadpacket.__name__
        masked = name == "index" and any(t is not None and t.dtype == torch.bool for t in args[1])
        if name in ("_local_scalar_dense", "nonzero", "masked_select", "unique2", "equal") or masked:
            self.seen.append(name)
        return func(*args, **(kwargs or {}))


@contextmanager
def sync_is_an_error():
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


def loop_of(prior, method):
    """The module of one picture, ready to step by hand, after its first two steps, in which kernels are chosen."""
    z_src = prior.encode(PICTURE.image[None])
    plan = _plan(prior, method, [PICTURE], z_src, steps=5, seed=0)
    module, _ = _module(prior, method, [PICTURE], ["a"], plan, None, None, None)
    module.to(prior.device)
    optimizer = module.configure_optimizers()
    module.optimizers = lambda use_pl_optimizer: optimizer
    for index in range(2):
        module.training_step(index, index)
    return module


@pytest.mark.parametrize("method", [DDS(), Piva(), Piva(aux={"psi": "stored", "phi": "fresh", "psi_steps": 1})])
def test_a_step_reads_no_value_from_the_device(tiny_prior, method):
    module = loop_of(tiny_prior, method)
    with ValuesRead() as values:
        module.training_step(2, 2)
    assert values.seen == []
    with values:
        float(module.history.lines[-1]["drift_rms"])
    assert values.seen == ["_local_scalar_dense"]  # which it would have seen


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
@pytest.mark.parametrize("method", [DDS(), Piva(), Piva(aux={"psi": "stored", "phi": "fresh", "psi_steps": 1})])
def test_a_step_on_a_gpu_waits_for_nothing(cuda, tiny_pipeline_folder, method, dtype):
    module = loop_of(StableDiffusionPrior.load(str(tiny_pipeline_folder), device=str(cuda), dtype=dtype), method)
    with sync_is_an_error():
        for index in range(2, 5):
            module.training_step(index, index)
    assert torch.isfinite(module.representation()).all()
