import torch

from piva.rendering.backgrounds import Constant, Sky

DIRECTIONS = torch.nn.functional.normalize(torch.tensor([[0.0, 0.0, 1.0], [0.0, 0.0, -1.0], [1.0, 2.0, 0.0]]), dim=-1)


def test_a_sky_is_grey_at_first_and_learns_a_colour_for_each_direction():
    sky = Sky()
    assert torch.equal(sky(DIRECTIONS), torch.full((3, 3), 0.5))
    with torch.no_grad():
        sky.coefficients[2, 0] = 10.0  # sqrt(3 / 4 pi) z
    torch.testing.assert_close(sky(DIRECTIONS)[:, 0], (4.886025119 * DIRECTIONS[:, 2]).sigmoid())
    assert torch.equal(sky(DIRECTIONS)[:, 1:], torch.full((3, 2), 0.5))


def test_a_constant_is_the_same_everywhere_and_has_nothing_to_learn():
    constant = Constant((0.2, 0.4, 0.6))
    torch.testing.assert_close(constant(DIRECTIONS), torch.tensor([[0.2, 0.4, 0.6]]).expand(3, 3))
    assert not list(constant.parameters())
