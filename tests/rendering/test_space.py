import pytest
import torch

from piva.rendering.cameras import Rays, orbit
from piva.rendering.space import NEAR, Space, contract, contracted_distance, distance_of, unbounded_space


def rays(origins, directions):
    directions = torch.nn.functional.normalize(torch.tensor(directions), dim=-1)
    return Rays(torch.tensor(origins), directions, torch.ones(len(directions)))


def test_contraction_by_hand():
    points = torch.tensor([[0.5, -1.0, 0.2], [2.0, 1.0, 0.0], [0.0, 0.0, -1e6]])
    wanted = torch.tensor([[0.5, -1.0, 0.2], [1.5, 0.75, 0.0], [0.0, 0.0, -2.0]])  # (2 - 1/2) (1, 1/2, 0)
    torch.testing.assert_close(contract(points), wanted, atol=2e-6, rtol=0)


def test_contracted_distance_is_the_contraction_on_an_axis_and_is_inverted():
    tau = torch.tensor([-30.0, -1.0, -0.3, 0.0, 0.9, 1.5, 20.0])
    on_axis = torch.stack([tau, 0 * tau, 0 * tau], -1)
    assert torch.equal(contracted_distance(tau), contract(on_axis)[:, 0])
    torch.testing.assert_close(distance_of(contracted_distance(tau)), tau, rtol=1e-4, atol=0)


def test_a_bounded_ray_runs_from_face_to_face_in_even_steps():
    space = Space(torch.tensor([1.0, 0.0, 0.0]), scale=2.0, bounded=True)
    steps = space.steps(rays([[6.0, 0.0, 0.0]], [[-1.0, 0.0, 0.0]]), samples=10)
    assert steps.inside.sum() == 10
    torch.testing.assert_close(steps.distance[0], torch.linspace(3.0, 7.0, 11))
    torch.testing.assert_close(steps.edges[0, :, 0], torch.linspace(1.0, -1.0, 11))


def test_a_ray_that_misses_the_cube_has_no_steps():
    space = Space(torch.zeros(3), scale=1.0, bounded=True)
    both = rays([[6.0, 5.0, 0.0], [6.0, 0.0, 0.0]], [[-1.0, 0.0, 0.0], [-1.0, 0.1, 0.0]])
    inside = space.steps(both, samples=16).inside.sum(1)
    assert inside[0] == 0
    assert inside[1] > 14


def test_behind_a_scene_is_as_far_away_wherever_a_ray_goes():
    origins = [[6.0, 0.5, 3.0]] * 3 + [[1.5, 0.0, 0.0]]  # through the cube, past an edge, past all of it; from inside
    four = rays(origins, [[-1.0, -0.1, -0.6], [-0.6, 0.0, 0.8], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])
    for bounded in (True, False):
        space = Space(torch.tensor([1.0, 0.0, 0.0]), scale=2.0, bounded=bounded)
        assert space.steps(four, 16).far.tolist() == [200.0] * 4


@pytest.mark.parametrize("origin", [[3.0, -0.8, -0.5], [0.1, 0.2, 0.0]])
def test_unbounded_steps_follow_the_ray_and_are_even_in_the_inner_cube(origin):
    space = Space(torch.tensor([0.1, 0.0, 0.0]), scale=0.5, bounded=False)
    ray = rays([origin], [[-1.0, 0.3, 0.2]])
    steps = space.steps(ray, samples=64)
    points = ray.origins[:, None] + steps.distance[..., None] * ray.directions[:, None]
    torch.testing.assert_close(space.to_field(points), steps.edges, atol=1e-5, rtol=0)
    assert (steps.distance.diff() > 0).all()
    assert steps.distance[0, 0].item() == pytest.approx(NEAR * 0.5, rel=1e-3)
    lengths = steps.edges.diff(dim=1).norm(dim=-1)[0]
    within = steps.edges[0].norm(dim=-1) <= 0.45
    inner = lengths[within[:-1] & within[1:]]
    assert len(inner) >= 5
    torch.testing.assert_close(inner, torch.full_like(inner, 2 / 64), atol=1e-5, rtol=0)


def test_the_space_of_an_orbit_is_where_it_looks_and_as_large_as_what_it_sees():
    target = torch.tensor([0.2, -0.1, 0.3])
    cameras = orbit(torch.arange(0.0, 360.0, 30.0), 25.0, 2.0, target, fov_deg=90.0, size=(8, 8))
    space = unbounded_space(cameras)
    torch.testing.assert_close(space.center, target, atol=5e-3, rtol=0)
    assert float(space.scale) == pytest.approx(2.0, rel=5e-3)  # tan 45 x 2


def test_a_box_leaves_out_steps_and_rays_and_moves_none():
    space = Space(torch.zeros(3), scale=2.0, bounded=True)
    directions = [[-1.0, 0.0, 0.0], [-1.0, 0.1, 0.05], [-1.0, 0.0, 0.0]]
    three = rays([[6.0, 0.3, 0.1], [6.0, 0.2, 0.0], [6.0, 1.7, 0.0]], directions)
    box = torch.tensor([[-0.5, -0.6, -0.6], [0.2, 0.6, 0.6]])
    everything, some = space.steps(three, 32), space.steps(three, 32, box)
    assert some.ray.tolist() == [0, 1]  # the third passes beside it
    assert some.inside.shape[1] < 0.5 * everything.inside.shape[1]
    assert (some.count, everything.first.tolist()) == (everything.count, [0, 0, 0])
    assert torch.equal(some.far, everything.far)
    for row in range(2):
        start = int(some.first[row])
        same = slice(start, start + some.edges.shape[1])
        assert torch.equal(some.edges[row], everything.edges[row, same])
        assert torch.equal(some.distance[row], everything.distance[row, same])
        left_out = everything.edges[row].clone()
        left_out[same] = 9.0  # whatever is not among them
        assert not ((left_out > box[0]) & (left_out < box[1])).all(-1).any()
    assert len(space.steps(three, 32, torch.tensor([[0.9, -1.0, -1.0], [1.0, -0.9, -0.9]])).ray) == 0
