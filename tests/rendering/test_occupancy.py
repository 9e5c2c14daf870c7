import torch

from piva.rendering.occupancy import Occupancy


def test_everything_is_occupied_at_first_but_what_lies_outside():
    points = torch.tensor([[0.0, 0.0, 0.0], [-1.0, 1.0, 0.3], [1.01, 0.0, 0.0]])
    assert Occupancy(4)(points).tolist() == [True, True, False]


def test_an_update_keeps_dense_cells_and_their_neighbours():
    occupancy, densities = Occupancy(8), torch.zeros(8, 8, 8)
    densities[2, 5, 6] = 0.5  # thickness 0.5 x 2/8 = 0.125
    occupancy.update(densities, threshold=0.1, margin=0)
    assert occupancy.cells.nonzero().tolist() == [[2, 5, 6]]
    inside = (torch.tensor([[2.5, 5.5, 6.5], [2.5, 6.5, 5.5]]) / 4) - 1  # middles of cells (2, 5, 6), (2, 6, 5)
    assert occupancy(inside).tolist() == [True, False]
    occupancy.update(densities, threshold=0.1, margin=1)
    assert occupancy.cells.sum() == 27
    assert occupancy(inside).tolist() == [True, True]
    occupancy.update(densities, threshold=0.13, margin=1)
    assert occupancy.share == 0.0


def test_room_around_is_a_cube_and_the_box_holds_what_is_occupied():
    occupancy, generator = Occupancy(9), torch.Generator().manual_seed(0)
    densities = (torch.rand(9, 9, 9, generator=generator) > 0.995).float() * 100
    densities[:, :, :3] = 0
    occupancy.update(densities, threshold=0.1, margin=2)
    there = densities.nonzero()
    cells = torch.stack(torch.meshgrid(*[torch.arange(9)] * 3, indexing="ij"), -1)
    wanted = ((cells[..., None, :] - there).abs().amax(-1) <= 2).any(-1)
    assert 0 < wanted.sum() < wanted.numel()
    assert torch.equal(occupancy.cells, wanted)
    low, high = wanted.nonzero().amin(0), wanted.nonzero().amax(0) + 1
    torch.testing.assert_close(occupancy.box(), torch.stack([low, high]) * 2 / 9 - 1)
    assert (high - low).amin() < 9
