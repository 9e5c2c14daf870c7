import imageio.v2 as imageio
import numpy as np
import torch
from capture_world import ball_capture
from PIL import Image

from piva.rendering.cameras import orbit
from piva.rendering.fields.settings import FieldSettings
from piva.rendering.space import Space
from piva.representations.radiance_field import RadianceField
from piva.scenes.evaluation import AT_ONCE, SceneViews, render_views, same_views, write_views

CAMERAS = orbit(torch.arange(AT_ONCE + 3) * 20.0, 20.0, 3.0, torch.zeros(3), fov_deg=35.0, size=(8, 8))


def fog(color):
    """A field that is thin fog of one colour everywhere in the cube."""
    scene = RadianceField(FieldSettings(resolution=16), Space(torch.zeros(3), 1.0, bounded=True))
    with torch.no_grad():
        scene.field.raw_density.fill_(-4.0)
        scene.field.raw_color.copy_(torch.tensor(color))
    return scene


def test_views_are_the_field_s_own_in_eight_bits_however_many_there_are():
    scene = fog((20.0, -20.0, 0.0))
    views = render_views(scene, CAMERAS)
    exact = scene.render(CAMERAS).image
    assert len(views) == AT_ONCE + 3
    torch.testing.assert_close(views, exact.detach(), atol=0.5 / 255 + 1e-6, rtol=0)
    torch.testing.assert_close(views * 255, (views * 255).round(), atol=1e-4, rtol=0)
    assert views[:, 1].std() > 0.01  # not one plain colour
    black = render_views(scene, CAMERAS, torch.zeros(3))
    assert (black[:, 1] == 0).all()  # fog without green before nothing


def test_both_fields_are_seen_from_the_same_cameras():
    red, blue = fog((20.0, -20.0, -20.0)), fog((-20.0, -20.0, 20.0))
    views = same_views(red, blue, CAMERAS[:2], True, torch.zeros(3))
    assert views.closed
    assert torch.equal(views.original[:, 0], views.edited[:, 2])
    assert views.original[:, 0].amax() > 0.5
    assert (views.original[:, 2] == 0).all()


def test_every_view_is_written_and_the_turntable_has_a_column_for_each_stack(tmp_path):
    pictures = ball_capture(alpha=False).train.images[:3]
    write_views(tmp_path, SceneViews(pictures, 1 - pictures, closed=True), truth=pictures)
    for name, stack in (("original", pictures), ("edited", 1 - pictures)):
        for view in range(3):
            written = torch.from_numpy(np.asarray(Image.open(tmp_path / f"views/{name}-{view:03d}.png")).copy())
            torch.testing.assert_close(written.permute(2, 0, 1) / 255, stack[view], atol=0.5 / 255 + 1e-6, rtol=0)
    assert len(list((tmp_path / "views").iterdir())) == 6
    with imageio.get_reader(tmp_path / "turntable.mp4") as reader:
        height, width = reader.get_data(0).shape[:2]
    assert (height, width) == (256, 256 // 16 * (3 * 16 + 2 * 4))
    assert (tmp_path / "views.png").is_file()
