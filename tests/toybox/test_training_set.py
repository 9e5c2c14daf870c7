import numpy as np
import torch

from piva.toybox import training_set
from piva.toybox.render import render
from piva.toybox.scene import sample_scene


def test_renders_once_resumes_and_reads_back(tmp_path, monkeypatch):
    monkeypatch.setattr(training_set, "CHUNK", 4)
    data = training_set.load_or_render(tmp_path, "dev", 10, first_seed=5, size=16, workers=1)
    expected = render([sample_scene(5 + i, "dev") for i in range(10)], 16).image
    assert (data.floats(slice(None)) - expected).abs().max() <= 0.5 / 255 + 1e-5
    assert data.scenes[3] == sample_scene(8, "dev")

    picture_file, done_file = next(tmp_path.glob("*.npy")), next(tmp_path.glob("*.done"))
    before = np.array(data.images)
    images = np.lib.format.open_memmap(picture_file, mode="r+")
    images[4:8] = 0  # the chunk that a killed process never wrote
    images.flush()
    done_file.write_text("0\n8\n")
    again = training_set.load_or_render(tmp_path, "dev", 10, first_seed=5, size=16, workers=1)
    assert np.array_equal(again.images, before)
    assert torch.equal(again.floats(np.array([0, 9])), data.floats(np.array([0, 9])))


def test_geometry_belongs_to_the_pictures_and_resumes(tmp_path, monkeypatch):
    monkeypatch.setattr(training_set, "CHUNK", 4)
    geometry = training_set.load_or_render_geometry(tmp_path, "dev", 6, first_seed=5, size=16, workers=1)
    expected = render([sample_scene(5 + i, "dev") for i in range(6)], 16)
    assert np.allclose(geometry.depth, expected.depth, rtol=1e-3)
    assert np.array_equal(geometry.objects.astype(bool), expected.objects)
    assert 0.02 < geometry.objects.mean() < 0.6

    before = np.array(geometry.depth), np.array(geometry.objects)
    next(tmp_path.glob("*objects.npy")).unlink()  # one of the two is lost: both are drawn again
    again = training_set.load_or_render_geometry(tmp_path, "dev", 6, first_seed=5, size=16, workers=1)
    assert np.array_equal(again.depth, before[0])
    assert np.array_equal(again.objects, before[1])
