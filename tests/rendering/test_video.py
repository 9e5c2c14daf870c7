"""Videos: what is written is what a player reads back."""

import imageio.v2 as imageio
import numpy as np
import pytest
import torch

from piva.rendering.video import GAP, turntable, write_video


def read(file):
    with imageio.get_reader(file) as reader:
        return np.stack(list(reader.iter_data())), reader.get_meta_data()


def plain(*colours, height=64, width=64):
    return torch.tensor(colours)[:, :, None, None].expand(-1, 3, height, width).contiguous()


COLOURS = ((0.8, 0.1, 0.1), (0.1, 0.7, 0.2), (0.2, 0.2, 0.9), (0.5, 0.5, 0.5))


def test_frames_size_speed_and_colours(tmp_path):
    write_video(tmp_path / "new" / "plain.mp4", plain(*COLOURS), fps=12)
    frames, facts = read(tmp_path / "new" / "plain.mp4")
    assert frames.shape == (4, 256, 256, 3)
    assert (facts["fps"], facts["codec"], facts["pix_fmt"].partition("(")[0]) == (12, "h264", "yuv420p")
    assert frames.mean((1, 2)) == pytest.approx(255 * np.array(COLOURS), abs=6)


def test_small_frames_have_hard_pixels_and_odd_sides_become_even(tmp_path):
    frame = torch.zeros(1, 3, 5, 3)
    frame[..., 2, 1] = 1
    write_video(tmp_path / "a.mp4", frame)
    (picture,), _ = read(tmp_path / "a.mp4")
    assert picture.shape == (430, 258, 3)  # 86 times
    inside, around = picture[180:250, 94:164], picture[:160]
    assert inside.min() > 225
    assert around.max() < 30
    write_video(tmp_path / "b.mp4", plain(COLOURS[0], height=257, width=301))
    assert read(tmp_path / "b.mp4")[0].shape == (1, 258, 302, 3)


def test_a_turntable_shows_original_and_edit_side_by_side(tmp_path):
    original, edited = plain(*COLOURS), plain(*COLOURS[::-1])
    turntable(tmp_path / "turn.mp4", [original, edited], fps=10)
    frames, _ = read(tmp_path / "turn.mp4")
    assert frames.shape == (4, 256, 4 * (64 + GAP + 64), 3)
    left, gap, right = frames[:, :, 8:248], frames[:, :, 260:268], frames[:, :, 280:520]
    assert left.mean((1, 2)) == pytest.approx(255 * np.array(COLOURS), abs=6)
    assert right.mean((1, 2)) == pytest.approx(255 * np.array(COLOURS[::-1]), abs=6)
    assert gap.mean() > 235
