"""The bear capture: its sparse points show in every picture where the cameras say, in the picture's colours."""

import pytest
import torch

from piva.data.scenes import SceneCapture, read_scene
from piva.rendering.cameras import project


@pytest.fixture(scope="module")
def bear(real_data) -> SceneCapture:
    return read_scene(real_data / "in2n-bear", downscale=2)


def _correlation(bear: SceneCapture, view: int, shift: float = 0.0, mirrored: bool = False) -> float:
    """Between the brightness of points that nothing hides and that of the picture where they are projected to."""
    camera, image = bear.train.cameras[view], bear.train.images[view]
    assert bear.points is not None
    assert bear.point_colors is not None
    (pixels,), (depth,) = project(camera, bear.points)
    pixels = pixels + shift
    if mirrored:
        pixels = torch.stack([camera.width - pixels[:, 0], pixels[:, 1]], dim=-1)
    shown = (depth > 0) & (pixels >= 0).all(-1) & (pixels < pixels.new_tensor([camera.width, camera.height])).all(-1)
    pixels, depth, points = pixels[shown], depth[shown], bear.point_colors[shown].mean(-1)
    column, row = pixels.long().unbind(-1)
    cell = (row // 4) * camera.width + column // 4
    nearest = torch.full((camera.width * camera.height,), torch.inf).scatter_reduce(0, cell, depth, "amin")
    front = depth <= 1.02 * nearest[cell]
    there = image[:, row[front], column[front]].mean(0)
    return float(torch.corrcoef(torch.stack([points[front], there]))[0, 1])


def test_points_have_the_colours_of_the_pictures(bear):
    views = range(0, 87, 8)
    right = torch.tensor([_correlation(bear, view) for view in views])
    assert right.min() > 0.5
    assert right.mean() > 0.7
    for shift in (-1.0, 1.0):  # pixel: poses, intrinsics and pixel centres are right to less than that
        beside = torch.tensor([_correlation(bear, view, shift) for view in views])
        assert bool((right - beside > 0.1).all())
    assert abs(sum(_correlation(bear, view, mirrored=True) for view in views)) / len(views) < 0.2


def test_the_capture_is_normalised_and_split(bear):
    assert (len(bear.train), len(bear.test), bear.skipped) == (87, 9, 0)
    assert bear.train.images.shape == (87, 3, 256, 256)
    assert float(bear.train.cameras.positions.abs().max()) <= 1
    assert bear.train.cameras.distortion[0].tolist() == pytest.approx(
        [0.01460139, -0.02827056, 0, 0, 0.00015223, 0.00061480], abs=1e-8
    )
    assert bear.train.cameras.c2w[:, 2, 1].min() > 0.5  # every camera is upright in a world whose up is z
