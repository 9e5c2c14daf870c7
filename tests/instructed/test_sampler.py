"""Editing pictures by instruction: where it starts, what the network is given, what it costs."""

import pytest
import torch
from instructed_world import TintPrior

from piva.instructed.sampler import InstructedSampler
from piva.noise import draw


def eps(seed: int = 0) -> torch.Tensor:
    return draw((2, 3, 32, 32), seed=seed, case_id="x", step=0, purpose="eps")


def test_an_edit_ends_where_the_network_leads():
    prior = TintPrior()
    pictures = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    sampler = InstructedSampler(prior, guidance=7.5, guidance_image=1.5, steps=20)
    for start, top in ((None, 0), (pictures, 300)):
        found = sampler.edited(pictures, ["a", "b"], eps(), start, top)
        assert (found - prior.color).abs().max() < 0.02
    assert sampler.rows == 2 * 20 * 3


def test_rows_are_without_picture_without_text_and_with_both():
    prior = TintPrior()
    pictures = torch.full((2, 3, 32, 32), 0.75)
    InstructedSampler(prior, 7.5, 1.5, steps=2).edited(pictures, ["a", "b"], eps())
    given, times = prior.given[0]
    assert given[:2].abs().max() == 0
    assert (given[2:] == 0.5).all()
    assert times == [501] * 6  # two steps of 1000 timesteps, evenly from the bottom, offset 1
    assert prior.given[1][1] == [1] * 6


def test_the_schedule_ends_below_its_top():
    """20 steps below timestep 420 are 21 apart, the first at 19 x 21 + 1: as in Instruct-NeRF2NeRF's code."""
    prior = TintPrior()
    pictures = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    InstructedSampler(prior, 7.5, 1.5, steps=20).edited(pictures, ["a", "b"], eps(), pictures, 420)
    assert [times[0] for _, times in prior.given] == [21 * k + 1 for k in range(19, -1, -1)]


def test_noise_is_that_of_the_first_timestep():
    prior, seen = TintPrior(), []
    predict = prior.predict

    def watched(x, t, embedding):
        seen.append(x[:, :3].clone())
        return predict(x, t, embedding)

    prior.predict = watched
    pictures = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    InstructedSampler(prior, 7.5, 1.5, steps=4).edited(pictures, ["a", "b"], eps(), pictures, 40)
    abar = prior.abar[31]
    expected = abar.sqrt() * (2 * pictures - 1) + (1 - abar).sqrt() * eps()
    for part in seen[0].chunk(3):
        torch.testing.assert_close(part, expected)


@pytest.mark.parametrize("scale", ["guidance", "guidance_image"])
def test_guidance_takes_its_own_difference(scale):
    """u = 0, i = 1 and c = 3 everywhere: e = s_I (1 - 0) + s_T (3 - 1)."""
    prior, seen = TintPrior(), []

    def three(x, t, embedding):
        n = len(x) // 3
        return torch.cat([torch.full_like(x[:n, :3], value) for value in (0.0, 1.0, 3.0)])

    prior.predict = three
    prior.decode = lambda x: seen.append(x) or x
    pictures = torch.zeros(2, 3, 32, 32)
    for value in (1.0, 2.0):
        settings = {"guidance": 1.0, "guidance_image": 1.0} | {scale: value}
        InstructedSampler(prior, **settings, steps=1).edited(pictures, ["a", "b"], torch.zeros(2, 3, 32, 32))
    t, last = prior.abar[1], prior.abar[0]  # one step: from t = 1 down to the end
    change = (1 - last).sqrt() - (last / t).sqrt() * (1 - t).sqrt()  # of x for one unit of noise
    expected = change * {"guidance": 2.0, "guidance_image": 1.0}[scale]
    torch.testing.assert_close(seen[1] - seen[0], torch.full_like(seen[0], float(expected)))
