"""The loop around a module: its steps, its silence, and how it is stopped."""

import os
import signal
import warnings

import lightning as L
import pytest
import torch

from piva.modules.fitting import fit

CPU = torch.device("cpu")


class Noted(L.LightningModule):
    """Notes its steps, and does something at one of them."""

    def __init__(self, at=None, act=None):
        super().__init__()
        self.automatic_optimization = False
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.at, self.act, self.steps = at, act, []

    def configure_optimizers(self):
        """None of Lightning's."""

    def training_step(self, index, batch_idx):
        self.steps.append(int(index))
        if index == self.at:
            self.act()


def test_there_is_one_step_for_each_number():
    module = Noted()
    fit(module, range(3, 7), CPU)
    assert module.steps == [3, 4, 5, 6]
    nothing = Noted()
    fit(nothing, range(4, 4), CPU)
    assert nothing.steps == []


def test_steps_may_have_gradients():
    found = []
    module = Noted(0, lambda: found.append(torch.autograd.grad(module.weight * 3, module.weight)[0].item()))
    fit(module, range(1), CPU)
    assert found == [3.0]


def test_nothing_is_printed_and_nothing_written(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit(Noted(), range(2), CPU)
    assert capfd.readouterr() == ("", "")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_and_sigterm_end_it_as_an_interrupt(number):
    module = Noted(1, lambda: os.kill(os.getpid(), number))
    before = signal.getsignal(number)
    try:
        with pytest.raises(KeyboardInterrupt):
            fit(module, range(1000), CPU)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler  # the next Ctrl-C counts
    finally:
        signal.signal(number, before)
    assert module.steps[:2] == [0, 1]
    assert len(module.steps) < 1000


def test_what_a_step_raises_comes_through():
    def fail():
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        fit(Noted(2, fail), range(5), CPU)
