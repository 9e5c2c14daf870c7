import fcntl
import threading

import pytest
import torch
from capture_world import ball_capture

from piva.modules.reconstruction_settings import ReconstructionSettings
from piva.rendering.fields.settings import FieldSettings
from piva.scenes.reconstruction import reconstruction_key
from piva.scenes.stored_fields import LOCK_FILE, being_made, reconstructed

QUICK = ReconstructionSettings(field=FieldSettings(resolution=16), steps=3, rays=64)


def test_a_field_is_fitted_once_for_each_way_of_fitting_it(tmp_path):
    steps = []
    first, seconds = reconstructed(ball_capture(), QUICK, tmp_path, on_step=lambda index, loss: steps.append(index))
    again, no_seconds = reconstructed(ball_capture(), QUICK, tmp_path, on_step=lambda index, loss: steps.append(index))
    assert steps == [0, 1, 2]
    assert seconds > 0
    assert no_seconds == 0
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in first.state_dict().items())
    other = QUICK.model_copy(update={"seed": 1})
    reconstructed(ball_capture(), other, tmp_path)
    assert {folder.name for folder in tmp_path.iterdir()} == {
        reconstruction_key(ball_capture(), settings) for settings in (QUICK, other)
    }


def test_who_comes_second_waits_and_takes_what_the_first_has_fitted(tmp_path, monkeypatch):
    finished, _ = reconstructed(ball_capture(), QUICK, tmp_path / "first")
    key = reconstruction_key(ball_capture(), QUICK)
    (tmp_path / "store" / key).mkdir(parents=True)
    found = []
    with (tmp_path / "store" / key / LOCK_FILE).open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another process fits the field
        monkeypatch.setattr("piva.scenes.stored_fields.reconstruct", lambda *_: pytest.fail("fitted twice"))
        second = threading.Thread(
            target=lambda: found.append(reconstructed(ball_capture(), QUICK, tmp_path / "store")), daemon=True
        )
        second.start()
        second.join(0.3)
        assert second.is_alive()
        assert being_made(tmp_path / "store") == {key}
        finished.save(tmp_path / "store" / key / "field.safetensors")
    second.join(60)
    assert found[0][1] == 0
    assert torch.equal(found[0][0].field.raw_density, finished.field.raw_density)
    assert being_made(tmp_path / "store") == being_made(tmp_path / "nobody-was-here") == set()
