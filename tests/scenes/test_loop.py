"""What is noted of an edit's steps."""

import torch

from piva.scenes.loop import History


def test_the_history_waits_for_no_device_until_it_is_read(monkeypatch):
    history, values = History(), [torch.tensor([1.0, 2.0]), torch.tensor([3.0, 4.0])]

    def waits(*_):
        raise AssertionError("read")

    with monkeypatch.context() as patched:
        for name in ("__float__", "__bool__", "item", "tolist", "cpu"):
            patched.setattr(torch.Tensor, name, waits)
        for step, rms in enumerate(values):
            history.add({"step": step, "t": (100, 300), "direction_rms": rms})
    assert history.read() == {"t": [200, 200], "direction_rms": [1.5, 3.5]}
    history.add({"step": 2, "t": (0, 1), "direction_rms": values[0]})
    assert history.read() == {"t": [200, 200, 0.5], "direction_rms": [1.5, 3.5, 1.5]}
