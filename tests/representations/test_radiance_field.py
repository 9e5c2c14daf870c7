import json
from dataclasses import replace

import pytest
import torch

from piva.data.depth import scaled_inverse_depth
from piva.errors import PreflightError
from piva.rendering.cameras import all_rays, orbit
from piva.rendering.fields.settings import FieldSettings
from piva.rendering.space import Space
from piva.representations.radiance_field import RadianceField, fit_of

RADIUS, DISTANCE = 0.6, 3.0


def cameras(size=(24, 24), views=3):
    azimuths = torch.arange(views) * 47.0
    return orbit(azimuths, 20.0, DISTANCE, torch.zeros(3), fov_deg=30.0, size=size)


def ball(bounded=True, **settings):
    """A hard red ball of radius 0.6 around the origin of a cube of half side 1, grey elsewhere."""
    scene = RadianceField(
        FieldSettings(**{"resolution": 64, "samples": 256} | settings), Space(torch.zeros(3), 1.0, bounded)
    )
    side = torch.linspace(-1, 1, 64)
    place = torch.stack(torch.meshgrid(side, side, side, indexing="ij"), -1).view(-1, 3) * (1 if bounded else 2)
    with torch.no_grad():
        scene.field.raw_density[:, 0] = (RADIUS - place.norm(dim=-1)) * 600
        scene.field.raw_color[:, 0] = 20.0
        scene.field.raw_color[:, 1:] = -20.0
    return scene


def sphere_depth(view, radius=RADIUS):
    """Depth [H,W] of the sphere along the optical axis, from geometry; NaN where it is missed."""
    rays = all_rays(view)
    along = -(rays.origins * rays.directions).sum(-1)
    inside = radius**2 - rays.origins.square().sum(-1) + along**2
    distance = along - inside.sqrt()
    return (distance * rays.cosines).view(view.height, view.width)


@pytest.mark.parametrize("bounded", [True, False])
def test_depth_of_a_sphere_is_that_of_geometry(bounded):
    view = cameras()[0]
    seen, wanted = ball(bounded).render(view), sphere_depth(view)
    well_inside = sphere_depth(view, RADIUS * 0.9).isfinite()
    assert well_inside.sum() > 40
    error = (seen.depth[0, 0] - wanted)[well_inside].abs()
    assert error.max() < 0.03  # a voxel is 0.03 (0.06), a step 0.008 (0.016)
    torch.testing.assert_close(seen.opacity[0, 0][well_inside], torch.ones(int(well_inside.sum())), atol=2e-3, rtol=0)
    torch.testing.assert_close(
        seen.image[0, :, well_inside].T,
        torch.tensor([[1.0, 0.0, 0.0]]).expand(int(well_inside.sum()), 3),
        atol=3e-3,
        rtol=0,
    )


def test_beside_the_sphere_there_is_the_background_at_the_far_end():
    scene, view = ball(background="constant", background_color=(0.2, 0.4, 0.6)), cameras()[0]
    seen = scene.render(view)
    assert seen.opacity[0, 0, 0, 0] == 0
    torch.testing.assert_close(seen.image[0, :, 0, 0], torch.tensor([0.2, 0.4, 0.6]))
    green = torch.tensor([0.0, 1.0, 0.0])
    assert torch.equal(scene.render(view, green).image[0, :, 0, 0], green)


@pytest.mark.parametrize("elevation", [0.0, 20.0, 60.0])
@pytest.mark.parametrize("bounded", [True, False])
def test_nothing_is_nearer_than_the_sphere_nor_farther_than_the_background(elevation, bounded):
    """Also where rays graze the cube, or miss it."""
    view = orbit(torch.tensor([10.0, 55.0]), elevation, DISTANCE, torch.zeros(3), 60.0, (24, 24))
    seen = ball(bounded).render(view)
    solid, clear = seen.opacity > 0.99, seen.opacity == 0
    assert min(solid.sum(), clear.sum()) > 100
    assert seen.depth[solid].max() < DISTANCE < seen.depth[clear].min()
    shown = scaled_inverse_depth(seen.depth)
    assert shown[solid].min() > 0.5
    assert shown[clear].max() < 0.15


def test_each_view_can_have_its_own_background():
    colors = torch.eye(3)
    seen = ball().render(cameras(), colors)
    torch.testing.assert_close(seen.image[:, :, 0, 0], colors)


def test_empty_space_changes_nothing_but_the_work():
    scene, view = ball(), cameras()
    full = scene.render(view)
    before = len(scene.render_rays(all_rays(view).flat()).points)
    scene.refresh_occupancy()
    seen = scene.render(view)
    assert scene.occupancy.share < 0.25
    assert len(scene.render_rays(all_rays(view).flat()).points) < 0.6 * before
    torch.testing.assert_close(seen.image, full.image, atol=2e-3, rtol=0)


def test_a_batch_of_views_is_single_views():
    scene, view = ball(), cameras((10, 14))
    together = scene.render(view)
    for k in range(3):
        alone = scene.render(view[k])
        for name in ("image", "depth", "opacity"):
            torch.testing.assert_close(getattr(together, name)[k], getattr(alone, name)[0], atol=1e-6, rtol=1e-5)


def test_chunks_give_the_same_picture_and_gradient():
    scene, view = ball(), cameras((12, 12))
    weight = torch.linspace(0, 1, 3 * 3 * 144).view(3, 3, 12, 12)
    found = []
    for rays_at_once in (10_000, 100):
        scene.zero_grad()
        seen = scene.render(view, rays_at_once=rays_at_once)
        ((seen.image * weight).sum() + seen.depth.sum()).backward()
        found.append((seen.image.detach(), [p.grad.clone() for p in scene.parameters() if p.grad is not None]))
    torch.testing.assert_close(found[0][0], found[1][0], atol=1e-6, rtol=1e-5)
    assert len(found[0][1]) == 2
    for one, other in zip(found[0][1], found[1][1], strict=True):
        assert one.abs().max() > 0
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("bounded", [True, False])
def test_gradients_are_finite_differences(bounded):
    settings = FieldSettings(resolution=8, samples=12, sh_degree=1, background="sky")
    scene = RadianceField(settings, Space(torch.zeros(3), 1.0, bounded)).double()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for p in scene.parameters():
            p.copy_(torch.randn(p.shape, generator=generator, dtype=torch.float64) - (p is scene.field.raw_density) * 3)
    view = cameras((2, 2), 2)
    view = replace(view, c2w=view.c2w.double(), focal=view.focal.double(), center=view.center.double())
    weight = torch.randn(2, 5, 2, 2, generator=generator, dtype=torch.float64)

    def value():
        seen = scene.render(view)
        return (torch.cat([seen.image, seen.depth, seen.opacity], 1) * weight).sum()

    value().backward()
    for p in scene.parameters():
        place = divmod(int(p.grad.abs().argmax()), p.shape[1])
        slope = p.grad[place].item()
        found = []
        for step in (1e-5, -1e-5):
            with torch.no_grad():
                p[place] += step
                found.append(value().item())
                p[place] -= step
        assert (found[0] - found[1]) / 2e-5 == pytest.approx(slope, rel=1e-4)


def test_a_saved_field_is_read_as_it_was(tmp_path):
    scene, view = ball(bounded=False, sh_degree=0), cameras()
    scene.field.resample(40)
    scene.refresh_occupancy()
    assert scene.field.raw_density.stride() == (1, 1)  # else looking it up takes many times as long
    scene.save(tmp_path / "field.safetensors")
    loaded = RadianceField.load(tmp_path / "field.safetensors")
    assert loaded.settings.resolution == 40
    assert not loaded.space.bounded
    for name in ("image", "depth", "opacity"):
        assert torch.equal(getattr(loaded.render(view), name), getattr(scene.render(view), name))


def test_a_file_knows_its_fit_and_copies_know_the_world_of_the_capture_s_files(tmp_path):
    file, scene = tmp_path / "field.safetensors", ball()
    scene.save(file)
    assert fit_of(file) == {}
    assert RadianceField.load(file).orient is None
    scene.orient = torch.rand(4, 4)
    scene.save(file, {"key": "a", "seconds": 1.5})
    assert fit_of(file) == {"key": "a", "seconds": 1.5}
    loaded = RadianceField.load(file)
    loaded.clone_frozen().save(tmp_path / "copy.safetensors")
    assert fit_of(tmp_path / "copy.safetensors") == {}
    assert torch.equal(RadianceField.load(tmp_path / "copy.safetensors").orient, scene.orient)


def test_a_file_of_something_else_is_refused(tmp_path):
    from safetensors.torch import save_file

    save_file({"a": torch.zeros(1)}, tmp_path / "other.safetensors")
    (tmp_path / "text.safetensors").write_text("no")
    for name, sentence in (("other", "no radiance field"), ("text", "no safetensors"), ("none", "no such file")):
        with pytest.raises(PreflightError, match=sentence):
            RadianceField.load(tmp_path / f"{name}.safetensors")


@pytest.mark.parametrize(
    "facts",
    [{"settings": {}}, {"settings": {"kind": "mesh"}, "bounded": True}, {"settings": {}, "bounded": True}],
    ids=["no space", "unknown kind", "other numbers"],
)
def test_a_file_of_other_facts_is_refused(tmp_path, facts):
    from safetensors.torch import save_file

    tensors = {"space.center": torch.zeros(3), "space.scale": torch.ones(()), "occupancy.cells": torch.ones(1, 1, 1)}
    header = {"piva_radiance_field": json.dumps({"version": 1} | facts)}
    save_file(tensors, tmp_path / "field.safetensors", metadata=header)
    with pytest.raises(PreflightError, match="holds no radiance field that this version reads"):
        RadianceField.load(tmp_path / "field.safetensors")


def test_a_frozen_clone_stays_when_the_field_changes():
    scene, view = ball(), cameras()
    clone = scene.clone_frozen()
    before = clone.render(view)
    with torch.no_grad():
        scene.field.raw_color.neg_()
    assert torch.equal(clone.render(view).image, before.image)
    assert not before.image.requires_grad
    assert (scene.render(view).image - before.image).abs().max() > 0.5


def test_new_matter_can_grow_where_there_is_none():
    scene, view = ball(), cameras()[0]
    with torch.no_grad():
        scene.field.raw_density.fill_(-6.0)  # fog that nobody sees
        scene.field.raw_color.zero_()
        scene.field.raw_color[:, 1] = 20.0  # green, before a white background
    seen = scene.render(view, torch.ones(3))
    (seen.image - torch.tensor([0.5, 1.0, 0.5]).view(3, 1, 1)).square().sum().backward()
    assert (scene.field.raw_density.grad < 0).sum() > 1000  # descent adds density
    assert (scene.field.raw_density.grad > 0).sum() == 0


def test_a_gradient_costs_no_evaluation_twice(monkeypatch):
    """Without gradient places are read once, for density; with one, those that are reached once more, for both."""
    scene, view = ball(), cameras()
    with torch.no_grad():
        scene.field.raw_density.clamp_(max=2.0)  # soft, so that much is reached and little of it seen
    scene.refresh_occupancy(margin=3)
    asked = []

    def counted(name):
        answer = getattr(scene.field, name)

        def ask(*of):
            found = answer(*of)
            asked.append((name, len(found.rows if name == "read" else found)))
            return found

        return ask

    for name in ("read", "density", "color"):
        monkeypatch.setattr(scene.field, name, counted(name))
    with_gradient = scene.render(view).image
    (_, candidates), _, (_, reached), *_, (_, unseen), (_, seen) = asked
    assert asked == [
        ("read", candidates), ("density", candidates), ("read", reached), ("density", reached), ("color", unseen),
        ("color", seen),
    ]  # fmt: skip
    assert candidates > reached == unseen + seen
    assert min(unseen, seen) > 0
    asked.clear()
    with torch.no_grad():
        without = scene.render(view).image
    assert asked == [("read", candidates), ("density", candidates), ("read", seen), ("color", seen)]
    torch.testing.assert_close(without, with_gradient, atol=1e-3, rtol=0)  # what nobody sees is black without one


@pytest.mark.parametrize("away", [False, True])
def test_the_occupied_box_changes_no_pixel(away, monkeypatch):
    scene, view = ball(), cameras()
    scene.refresh_occupancy()
    if away:
        view = replace(view, c2w=view.c2w * torch.tensor([-1.0, 1.0, -1.0, 1.0]))  # turned round: no ray meets it
    seen = scene.render(view)
    monkeypatch.setattr(scene.occupancy, "box", lambda: torch.tensor([[-1.0] * 3, [1.0] * 3]))
    everywhere = scene.render(view)
    assert (seen.opacity.amax() == 0) == away
    for name in ("image", "depth", "opacity"):
        assert torch.equal(getattr(seen, name), getattr(everywhere, name))
