"""PLY files as nerfstudio and others write them."""

import numpy as np
import pytest
import torch
from plyfile import PlyData, PlyElement

from piva.data.point_cloud import PointCloudError, read_points

ASCII = """ply
format ascii 1.0
element vertex 2
property float x
property float y
property float z
property uint8 red
property uint8 green
property uint8 blue
end_header
1.5 -2 3 255 0 51
0 0.25 0 0 102 255
"""


def _write(path, fields, rows, **how):
    PlyData([PlyElement.describe(np.array(rows, dtype=fields), "vertex")], **how).write(path)
    return path


def test_ascii(tmp_path):
    (tmp_path / "a.ply").write_text(ASCII)
    positions, colours = read_points(tmp_path / "a.ply")
    assert positions.tolist() == [[1.5, -2, 3], [0, 0.25, 0]]
    torch.testing.assert_close(colours, torch.tensor([[1, 0, 0.2], [0, 0.4, 1]]))


@pytest.mark.parametrize("order", ["<", ">"])
def test_binary_of_either_order_and_floating_colours(tmp_path, order):
    fields = [(name, "f8") for name in "xyz"] + [(name, "f4") for name in ("nx", "red", "green", "blue")]
    file = _write(tmp_path / "a.ply", fields, [(1, 2, 3, 9, 0.5, 0, 1)], byte_order=order)
    positions, colours = read_points(file)
    assert positions.dtype == torch.float32
    assert (positions.tolist(), colours.tolist()) == ([[1, 2, 3]], [[0.5, 0, 1]])


def test_without_colours(tmp_path):
    file = _write(tmp_path / "a.ply", [(name, "f4") for name in "xyz"], [(1, 2, 3)])
    assert read_points(file)[1] is None


@pytest.mark.parametrize(
    "content",
    [
        "",
        "no ply",
        ASCII.replace("vertex 2", "vertex 3"),
        ASCII.replace("vertex", "face"),
        ASCII.replace("float z", "float w"),
        ASCII.replace("1.5", "nan"),
        ASCII.replace("1.5", "one"),
        ASCII.replace("vertex 2", "vertex 900000000000000"),
        ASCII.replace("uint8 red", "list uint8 uint8 red")
        .replace("3 255 0", "3 2 255 7 0")
        .replace("0 0 102", "0 1 0 102"),
    ],
)
def test_what_is_no_point_cloud_is_a_sentence(tmp_path, content):
    (tmp_path / "a.ply").write_text(content)
    with pytest.raises(PointCloudError, match=r"can't be read as a PLY file|1 points are not finite"):
        read_points(tmp_path / "a.ply")
