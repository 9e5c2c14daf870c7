"""Sections: every second belongs to exactly one."""

import pytest
import torch

from benchmarks.speed.split import SECTIONS, Split, splitting
from piva.methods.piva import Piva
from piva.noise import DrawPlan


class Clock:
    """Shows what it was set to."""

    time = 0.0

    def __call__(self):
        return self.time


def test_time_goes_to_the_innermost_section():
    clock = Clock()
    split = Split(clock)
    scores = split.around("scores", lambda: (pass_time(1), unet(), pass_time(1)))
    unet = split.around("unet", lambda: pass_time(4))

    def pass_time(seconds):
        clock.time += seconds

    pass_time(100)  # before it runs: nobody's
    with split:
        pass_time(3)
        scores()
        unet()
        pass_time(0.5)
    pass_time(100)
    unet()
    assert split.total == 13.5
    assert split.seconds == dict.fromkeys(SECTIONS, 0.0) | {"records": 3.5, "scores": 2, "unet": 8}


@pytest.mark.parametrize("name", ["auxiliary", "psi"])
def test_training_keeps_what_happens_inside(name):
    clock = Clock()
    split = Split(clock)

    def pass_time(seconds):
        clock.time += seconds

    def train():
        pass_time(1)
        split.around("unet", pass_time)(2)
        split.around("optimiser", pass_time)(3)

    with split:
        split.around(name, train)()
        split.around("unet", pass_time)(5)
    assert (split.seconds[name], split.seconds["unet"], split.seconds["optimiser"]) == (6, 5, 0)


def test_a_failure_leaves_its_section():
    split = Split(Clock())
    with split:
        with pytest.raises(ZeroDivisionError):
            split.around("unet", lambda: 1 / 0)()
        split.now.time += 2
    assert split.seconds["records"] == 2


def test_the_engine_is_as_it_was_afterwards(tiny_prior):
    before = torch.Tensor.backward, DrawPlan.at, Piva.direction, tiny_prior.predict
    with splitting(Split(Clock()), tiny_prior, Piva()):
        assert DrawPlan.at is not before[1]
    assert before == (torch.Tensor.backward, DrawPlan.at, Piva.direction, tiny_prior.predict)
