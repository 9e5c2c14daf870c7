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
