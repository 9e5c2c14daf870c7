import dataclasses
from dataclasses import replace

import pytest
import torch
from capture_world import ball_capture, ball_pictures

from piva.data.problems import DataError
from piva.data.scenes import Views
from piva.modules.reconstruction_settings import ReconstructionSettings
from piva.rendering.cameras import orbit
from piva.rendering.fields.settings import FieldSettings
from piva.representations.radiance_field import RadianceField
from piva.scenes.reconstruction import (
    color_behind,
    cropped_views,
    held_out,
    photographs,
    read_record,
    reconstruct,
    reconstruction_key,
    write_record,
)

QUICK = ReconstructionSettings(field=FieldSettings(resolution=24), steps=20, rays=256)


def squares(a, b):
    """Stands in for LPIPS."""
    return (a - b).square().mean(dim=(1, 2, 3))


@pytest.mark.parametrize(("alpha", "bounded", "least"), [(True, True, 20), (False, False, 15)])
def test_a_ball_is_reconstructed(tmp_path, alpha, bounded, least):
    capture, losses = ball_capture(alpha, bounded), []
    settings = QUICK.model_copy(update={"steps": 80})
    scene, seconds = reconstruct(capture, settings, tmp_path, on_step=lambda step, loss: losses.append(loss.item()))
    assert len(losses) == 80
    assert seconds > 0
    assert sum(losses[-5:]) < 0.1 * sum(losses[:5])
    seen, photos, scores = held_out(scene, capture.test, squares)
    assert scores["psnr"].mean() > least
    assert seen.opacity[:, 0, 8, 8].min() > 0.9
    torch.testing.assert_close(scores["lpips"], squares(seen.image, photos))
    torch.testing.assert_close(scores["psnr"], -10 * scores["lpips"].log10())
    background = torch.ones(3) if alpha else None
    torch.testing.assert_close(seen.depth, scene.render(capture.test.cameras, background).depth)
    assert not (tmp_path / "checkpoint.safetensors").exists()
    loaded = RadianceField.load(tmp_path / "field.safetensors")
    assert torch.equal(loaded.render(capture.test.cameras).image, scene.render(capture.test.cameras).image)


def test_a_killed_fit_goes_on_to_the_same_field(tmp_path, monkeypatch):
    monkeypatch.setattr("piva.checkpoint.SECONDS_BETWEEN", 0.0)
    whole, _ = reconstruct(ball_capture(), QUICK, tmp_path / "whole")
    steps = []

    def killed(index, loss):
        steps.append(index)
        if index in (9, 10):  # just after the field grew, and again soon after
            raise RuntimeError("killed")

    for _ in range(2):
        with pytest.raises(RuntimeError, match="killed"):
            reconstruct(ball_capture(), QUICK, tmp_path / "parts", on_step=killed)
    scene, _ = reconstruct(ball_capture(), QUICK, tmp_path / "parts", on_step=killed)
    assert steps == list(range(20))
    for name, value in whole.state_dict().items():
        assert torch.equal(scene.state_dict()[name], value), name


def test_a_fit_that_was_killed_after_it_wrote_the_field_has_nothing_left_to_do(tmp_path, monkeypatch):
    def killed(self):
        raise RuntimeError("killed")

    monkeypatch.setattr("piva.checkpoint.SECONDS_BETWEEN", 0.0)
    with monkeypatch.context() as patch:
        patch.setattr("piva.checkpoint.Checkpoint.remove", killed)
        with pytest.raises(RuntimeError, match="killed"):
            reconstruct(ball_capture(), QUICK, tmp_path)
    written, steps = RadianceField.load(tmp_path / "field.safetensors"), []
    scene, seconds = reconstruct(ball_capture(), QUICK, tmp_path, on_step=lambda index, loss: steps.append(index))
    assert steps == []
    assert seconds > 0
    assert all(torch.equal(value, scene.state_dict()[name]) for name, value in written.state_dict().items())
    assert [path.name for path in tmp_path.iterdir()] == ["field.safetensors"]
    other = QUICK.model_copy(update={"seed": 1, "steps": 2})
    reconstruct(ball_capture(), other, tmp_path, on_step=lambda index, loss: steps.append(index))
    assert steps == [0, 1]


def test_a_checkpoint_of_other_settings_is_not_used(tmp_path, monkeypatch):
    monkeypatch.setattr("piva.checkpoint.SECONDS_BETWEEN", 0.0)

    def killed(index, loss):
        if index == 5:
            raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        reconstruct(ball_capture(), QUICK, tmp_path, on_step=killed)
    steps = []
    other = QUICK.model_copy(update={"seed": 1, "steps": 10})
    reconstruct(ball_capture(), other, tmp_path, on_step=lambda index, loss: steps.append(index))
    assert steps == list(range(10))


def test_a_field_that_left_the_finite_numbers_is_not_kept(tmp_path, monkeypatch):
    monkeypatch.setattr("piva.checkpoint.SECONDS_BETWEEN", 0.0)
    with pytest.raises(DataError, match="left the finite numbers"):
        reconstruct(ball_capture(), QUICK.model_copy(update={"lr_density": 1e39, "steps": 3}), tmp_path)
    assert not list(tmp_path.iterdir())


def test_cameras_in_one_place_are_refused(tmp_path):
    capture = ball_capture(alpha=False, bounded=False)
    alone = dataclasses.replace(capture, train=capture.train[[0]])
    with pytest.raises(DataError, match="stand in one place"):
        reconstruct(alone, QUICK, tmp_path)


def test_the_key_depends_on_photographs_and_settings_alone():
    key = reconstruction_key(ball_capture(), QUICK)
    spelled_out = QUICK.model_copy(update={"field": FieldSettings(resolution=24, samples=24, background="constant")})
    assert reconstruction_key(ball_capture(), spelled_out) == key
    others = [QUICK.model_copy(update={"seed": 1}), QUICK.model_copy(update={"field": FieldSettings(resolution=33)})]
    keys = [reconstruction_key(ball_capture(), settings) for settings in others]
    keys.append(reconstruction_key(ball_capture(alpha=False, bounded=False), QUICK))
    assert len({key, *keys}) == 4


def test_the_record_is_read_as_it_was_written(tmp_path):
    assert read_record(tmp_path) is None
    scores = {"psnr": torch.tensor([30.0, 32.0])}
    written = write_record(tmp_path, ball_capture(), QUICK, 1.5, scores, "toybox")
    assert read_record(tmp_path) == written
    assert written.scores == {"psnr": 31.0, "ssim": None, "lpips": None}


def test_transparent_photographs_are_put_on_the_colour():
    views = ball_capture().test
    pictures = photographs(views, (0.0, 0.5, 1.0))
    assert pictures[0, :, 0, 0].tolist() == [0.0, 0.5, 1.0]
    assert torch.equal(pictures[0, :, 8, 8], views.images[0, :3, 8, 8])


def test_an_unbounded_capture_with_transparent_pictures_has_a_constant_behind_it_and_no_ground_is_asked_for(tmp_path):
    capture = ball_capture(alpha=True, bounded=False)
    assert reconstruction_key(capture, QUICK) != reconstruction_key(ball_capture(False, False), QUICK)
    scene, _ = reconstruct(capture, QUICK.model_copy(update={"steps": 60, "ground": 1.0}), tmp_path)
    assert scene.settings.background == "constant"
    seen = scene.render(capture.test.cameras)  # from above: all rays go down
    outside = capture.test.images[:, 3] == 0
    assert seen.opacity[:, 0][outside].mean() < 0.1
    assert seen.image.amin(1)[outside].mean() > 0.9  # white
    assert color_behind(capture, QUICK.field, (0.0, 1.0, 0.0)) == (0.0, 1.0, 0.0)
    assert color_behind(capture, QUICK.field, None) == (1.0, 1.0, 1.0)


def test_a_sky_of_transparent_pictures_is_refused(tmp_path):
    sky = QUICK.model_copy(update={"field": FieldSettings(resolution=16, background="sky")})
    with pytest.raises(DataError, match="no sky can be learned"):
        reconstruct(ball_capture(), sky, tmp_path)


def test_what_is_behind_a_scene():
    bounded, opaque = ball_capture(alpha=False), ball_capture(alpha=False, bounded=False)
    red, blue = (1.0, 0.0, 0.0), (0.0, 0.0, 1.0)
    assert color_behind(bounded, FieldSettings(), None) == (1.0, 1.0, 1.0)
    assert color_behind(bounded, FieldSettings(background_color=red), None) == red
    assert color_behind(bounded, FieldSettings(background_color=red), blue) == blue
    for learned in ((opaque, FieldSettings()), (bounded, FieldSettings(background="sky"))):
        assert color_behind(*learned, None) is None
        with pytest.raises(ValueError, match="the photographs of ball show what is behind it"):
            color_behind(*learned, blue)


@pytest.mark.parametrize("shape", [(48, 64), (48, 65)])
def test_cropped_photographs_show_what_their_cameras_see(shape):
    cameras = orbit(torch.tensor([10.0, 200.0]), 20.0, 3.0, torch.zeros(3), 40.0, shape)
    views = Views(cameras, ball_pictures(cameras, alpha=True), ("a", "b"))
    seen = cropped_views(views, torch.zeros(3), (24, 24))
    wanted, beside = (
        drawn[:, :3] * drawn[:, 3:]
        for drawn in (ball_pictures(view, alpha=True) for view in (seen.cameras, shifted(seen.cameras, 0.25)))
    )
    assert seen.images.shape == (2, 3, 24, 24)
    assert (seen.images - wanted).abs().mean() < 0.02
    assert (seen.images - wanted).square().mean() < (seen.images - beside).square().mean()  # half a pixel before
    whole = cropped_views(views, torch.zeros(3), shape)
    assert torch.equal(whole.images * 255, (seen_whole(views) * 255).round())


def shifted(cameras, pixels):
    return replace(cameras, center=cameras.center - torch.tensor([pixels, 0.0]))


def seen_whole(views):
    return views.images[:, :3] * views.images[:, 3:]
