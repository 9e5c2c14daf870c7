from pathlib import Path

import numpy as np
import torch
from PIL import Image

from piva.toybox.models.sampling import save_grid


def test_grid_is_filled_row_by_row(tmp_path: Path) -> None:
    images = torch.stack([torch.full((3, 4, 5), value) for value in (0.0, 0.2, 0.4, 0.6, 0.8)])
    save_grid(images, 2, tmp_path / "deep" / "grid.png", scale=2)
    pixels = np.asarray(Image.open(tmp_path / "deep" / "grid.png"))
    assert pixels.shape == (3 * 4 * 2, 2 * 5 * 2, 3)
    assert [int(pixels[y, x, 0]) for y, x in ((0, 0), (0, 19), (8, 0), (15, 19), (16, 0), (23, 19))] == [
        0, 51, 102, 153, 204, 255,
    ]  # fmt: skip
