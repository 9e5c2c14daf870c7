import dataclasses
import json

import imageio.v2 as imageio
import pytest
import torch
from capture_world import ball_capture
from PIL import Image
from scene_world import write_ball

import piva.data.scenes as scenes
from piva.cli import main
from piva.commands import reconstruct
from piva.data.images import read_image
from piva.metrics.fidelity import psnr
from piva.rendering.cameras import orbit
from piva.rendering.fields import hash_grid
from piva.representations.radiance_field import RadianceField

FLAGS = ["--steps", "10", "--rays", "128", "--field.resolution", "16"]


@pytest.fixture
def captured(monkeypatch):
    """Any scene is the ball at 64 pixels; asked for downscaled by 2, at 32."""

    def read(folder, downscale=1):
        return dataclasses.replace(ball_capture(size=64 // downscale), name=folder.name, downscale=downscale)

    monkeypatch.setattr(scenes, "read_scene", read)


def test_a_scene_is_reconstructed_once_and_rendered(captured, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["reconstruct", "somewhere/ball", *FLAGS]) == 0
    (folder,) = (tmp_path / "reconstructions").iterdir()
    record = json.loads((folder / "reconstruction.json").read_text())
    assert folder.name == f"ball-{record['key']}"
    assert record["settings"]["steps"] == 10
    assert 5 < record["scores"]["psnr"] < 60
    assert f"psnr {record['scores']['psnr']:.4f}" in capsys.readouterr().out
    with Image.open(folder / "held_out.png") as sheet:
        assert sheet.height > 3 * 160  # photograph, render, depth

    written = (folder / "field.safetensors").stat().st_mtime_ns
    assert main(["reconstruct", "somewhere/ball", *FLAGS]) == 0
    assert "is finished" in capsys.readouterr().out
    assert (folder / "field.safetensors").stat().st_mtime_ns == written

    assert main(["render", str(folder), "--frames", "3", "--size", "32", "48"]) == 0
    assert sum(1 for _ in imageio.get_reader(folder / "render.mp4")) == 3
    assert main(["render", str(folder), "--frames", "2", "--size", "8", "8", "--out", "frames", "--depth"]) == 0
    frames = sorted((tmp_path / "frames").iterdir())
    assert [frame.name for frame in frames] == ["0000.png", "0001.png"]
    with Image.open(frames[0]) as frame:
        assert frame.size == (8, 8)


def test_another_setting_in_the_same_folder_is_refused(captured, tmp_path, capsys):
    arguments = ["reconstruct", "ball", "--out", str(tmp_path / "out"), *FLAGS]
    assert main(arguments) == 0
    assert main([*arguments, "--downscale", "2"]) == 2
    assert "name another --out" in capsys.readouterr().err
    assert main([*arguments, "--seed", "3"]) == 2


def test_another_lpips_net_scores_a_finished_reconstruction_again(captured, tmp_path, monkeypatch, capsys):
    arguments = ["reconstruct", "ball", "--out", str(tmp_path / "out"), *FLAGS]
    assert main(arguments) == 0
    record = json.loads((tmp_path / "out/reconstruction.json").read_text())
    written = (tmp_path / "out/field.safetensors").stat().st_mtime_ns
    halves = lambda a, b: torch.full((len(a),), 0.5)  # noqa: E731
    monkeypatch.setattr(reconstruct, "_load_lpips", lambda name, device: halves)
    assert main([*arguments, "--lpips", "alex"]) == 0
    again = json.loads((tmp_path / "out/reconstruction.json").read_text())
    assert (again["scores"]["lpips"], again["lpips_net"]) == (0.5, "alex")
    assert (again["scores"]["psnr"], again["seconds"]) == (record["scores"]["psnr"], record["seconds"])
    assert (tmp_path / "out/field.safetensors").stat().st_mtime_ns == written


def test_a_fit_that_was_killed_before_it_had_its_record_is_only_scored(captured, tmp_path, monkeypatch):
    def killed(*_):
        raise RuntimeError("killed")

    arguments = ["reconstruct", "ball", "--out", str(tmp_path), *FLAGS]
    with monkeypatch.context() as patch:
        patch.setattr(reconstruct, "_score", killed)
        with pytest.raises(RuntimeError, match="killed"):
            main(arguments)
    written = (tmp_path / "field.safetensors").stat().st_mtime_ns
    assert main(arguments) == 0
    assert (tmp_path / "field.safetensors").stat().st_mtime_ns == written
    record = json.loads((tmp_path / "reconstruction.json").read_text())
    assert record["seconds"] > 0
    assert record["scores"]["psnr"] > 5


def test_a_scene_without_held_out_views_has_no_scores(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(scenes, "read_scene", lambda folder, downscale: ball_capture(test_views=0))
    assert main(["reconstruct", "ball", "--out", str(tmp_path), *FLAGS]) == 0
    assert "no views are held out" in capsys.readouterr().err
    assert set(json.loads((tmp_path / "reconstruction.json").read_text())["scores"].values()) == {None}
    assert RadianceField.load(tmp_path / "field.safetensors").field.resolution == 16
    assert not (tmp_path / "held_out.png").exists()


def test_what_cannot_be_is_said(captured, tmp_path, capsys):
    assert main(["render", str(tmp_path)]) == 3
    assert "field.safetensors: there is no such file" in capsys.readouterr().err
    assert main(["render", str(tmp_path), "--out", "x.gif"]) == 2
    assert "--out x.gif" in capsys.readouterr().err
    assert main(["render", str(tmp_path), "--size", "0", "8"]) == 2
    assert "--size 0: must be above 0" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        main(["reconstruct", "ball", "--field.kind", "mesh"])


def test_a_hash_grid_is_fitted_and_read_again(captured, tmp_path, monkeypatch):
    small = ["--field.kind", "hash-grid", "--field.levels", "2", "--field.log2-table", "8", "--steps", "3"]
    monkeypatch.setattr(hash_grid, "CELLS", 16)
    assert (
        main(["reconstruct", "ball", "--out", str(tmp_path), "--field.resolution", "24", "--rays", "64", *small]) == 0
    )
    scene = RadianceField.load(tmp_path / "field.safetensors")
    assert scene.settings.kind == "hash-grid"
    assert scene.settings.encoding == "torch"
    assert torch.isfinite(scene.render(ball_capture(size=8).test.cameras).image).all()


def test_a_damaged_record_and_a_device_that_is_not_there_are_said(captured, tmp_path, capsys):
    arguments = ["reconstruct", "ball", "--out", str(tmp_path / "out"), *FLAGS]
    assert main([*arguments, "--device", "abacus"]) == 3
    assert "--device abacus: this machine does not have it" in capsys.readouterr().err
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "reconstruction.json").write_text("{")
    assert main(arguments) == 2
    assert "is damaged; remove it, or name another --out" in capsys.readouterr().err


def test_the_folder_of_an_edit_is_rendered_too(captured, tmp_path, monkeypatch):
    assert main(["reconstruct", "ball", "--out", str(tmp_path / "out"), *FLAGS]) == 0
    (tmp_path / "edit").mkdir()
    (tmp_path / "out" / "field.safetensors").rename(tmp_path / "edit" / "edited.safetensors")
    assert main(["render", str(tmp_path / "edit"), "--frames", "2", "--size", "16", "16"]) == 0
    assert (tmp_path / "edit" / "render.mp4").is_file()


def test_a_field_is_rendered_from_its_capture_s_own_cameras(tmp_path):
    write_ball(tmp_path / "ball")
    fit = ["--steps", "40", "--rays", "256", "--field.resolution", "24", "--out", str(tmp_path / "out")]
    assert main(["reconstruct", str(tmp_path / "ball"), *fit]) == 0
    path = ["--path", str(tmp_path / "ball/transforms_test.json"), "--size", "32", "32"]
    assert main(["render", str(tmp_path / "out"), *path, "--out", str(tmp_path / "frames")]) == 0
    for number in range(2):
        seen, photo = (read_image(tmp_path / f"{name}.png") for name in (f"frames/{number:04d}", f"ball/test/{number}"))
        assert psnr(seen[None], photo[None]).item() > 14


def test_depth_has_one_scale_for_all_frames(tmp_path, captured):
    """Two cameras, of which one stands at twice the distance from the ball's centre."""
    assert main(["reconstruct", "ball", "--out", str(tmp_path), *FLAGS, "--steps", "60", "--rays", "512"]) == 0
    near, far = orbit(torch.zeros(2), 0.0, torch.tensor([2.0, 4.0]), torch.zeros(3), 35.0, (16, 16)).c2w
    path = [{"camera_to_world": [*pose.flatten().tolist(), 0, 0, 0, 1], "fov": 35} for pose in (near, far)]
    (tmp_path / "path.json").write_text(json.dumps({"camera_path": path}))
    flags = ["--path", str(tmp_path / "path.json"), "--size", "16", "16", "--out", str(tmp_path / "frames"), "--depth"]
    assert main(["render", str(tmp_path), *flags]) == 0
    first, second = (read_image(tmp_path / f"frames/000{number}.png").amax().item() for number in range(2))
    assert first == 1
    assert second == pytest.approx((2 - 0.6) / (4 - 0.6), abs=0.1)  # nearest points of a ball of radius 0.6


def test_a_path_that_cannot_be_gone_along_is_said(captured, tmp_path, capsys):
    assert main(["reconstruct", "ball", "--out", str(tmp_path), *FLAGS]) == 0
    assert main(["render", str(tmp_path), "--path", str(tmp_path / "none.json")]) == 3
    assert "none.json can't be read: No such file or directory" in capsys.readouterr().err
