"""Steps in 3D against their parts: rows, sections, ratios by hand, and the whole command on a tiny world."""

import json
from dataclasses import replace

import pytest
import torch
from instructed_world import save_tiny_instructed
from scene_world import write_ball

from benchmarks.scene_speed import measure as measuring
from benchmarks.scene_speed.__main__ import main
from benchmarks.scene_speed.contenders import contenders
from benchmarks.scene_speed.floor import encode_seconds, render_seconds, rows_seconds
from benchmarks.scene_speed.measure import ENCODE, RENDER, line
from benchmarks.scene_speed.options import Options
from benchmarks.scene_speed.steps import SECTIONS, StepCost, step_cost
from benchmarks.scene_speed.tables import grids, notes
from benchmarks.scene_speed.updating import UpdateCost, update_cost, update_line
from benchmarks.scene_speed.world import SceneWorld
from benchmarks.speed.memory import Peak
from piva.config import PriorConfig
from piva.instructed.in2n import IN2N
from piva.modules.dataset_update import DatasetUpdate
from piva.modules.reconstruction_settings import ReconstructionSettings
from piva.modules.scene_editing import SceneEditing, SourceViews
from piva.rendering.fields.settings import FieldSettings
from piva.representations.radiance_field import RadianceField

NAMES = ("dds", "piva-lora", "piva-controlnet")
CONTENDERS = {contender.name: contender for contender in contenders(NAMES, None)}


@pytest.fixture(scope="module")
def options(tiny_pipeline_folder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("scene-speed")
    write_ball(folder / "ball", train=4)
    fit = ReconstructionSettings(steps=12, rays=128, field=FieldSettings(resolution=16))
    return Options(
        views=(1, 2), steps=2, repeats=2, cameras=3, scene=folder / "ball", controlnet=None, reconstruction=fit,
        prior=PriorConfig(model=str(tiny_pipeline_folder), device="cpu"), memory=False, instruction="make it blue",
        instructed=PriorConfig(
            model=str(save_tiny_instructed(tiny_pipeline_folder, folder / "instructed")), device="cpu"
        ),
    )  # fmt: skip


@pytest.fixture
def world(options, tmp_path_factory, monkeypatch):
    monkeypatch.setenv("PIVA_CACHE", str(tmp_path_factory.getbasetemp() / "scene-speed-cache"))
    return SceneWorld(options)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("views", [1, 2])
def test_a_step_takes_the_rows_that_its_views_need(world, name, views):
    needs = CONTENDERS[name].rows
    cost = step_cost(world, CONTENDERS[name], views, 2, split=True)
    assert (cost.rows_forward, cost.rows_backward) == (views * (needs.prior + needs.psi), views * needs.trained)
    assert set(cost.split) == set(SECTIONS)
    assert sum(cost.split.values()) == pytest.approx(cost.seconds, rel=1e-9)
    nothing = {section for section, seconds in cost.split.items() if seconds == 0}
    assert nothing == {"occupancy"} | ({"auxiliary"} if name == "dds" else set())  # no look in these two steps


def test_measured_steps_find_the_source_known_and_leave_the_field(world, monkeypatch):
    """Three cameras, one a step: three steps render the source, the others do not, and all show the same field."""
    rendered, images = [], []
    real, look, before = RadianceField.render, SourceViews.at, world.case.source.field.raw_color.clone()
    monkeypatch.setattr(SourceViews, "at", lambda self, chosen: rendered.append("source") or look(self, chosen))

    def render(self, *args):
        seen = real(self, *args)
        rendered.append("render")
        images.append(seen.image.detach())
        return seen

    monkeypatch.setattr(RadianceField, "render", render)
    step_cost(world, CONTENDERS["dds"], 1, 2)
    assert rendered == ["source", "render", "render"] * 3 + ["source", "render"] * 2
    for source, edited in zip(images[:6:2], images[1:6:2], strict=True):
        torch.testing.assert_close(source, edited, atol=2e-2, rtol=0)  # the edit sees more of the fog around the ball
    assert torch.equal(world.case.source.field.raw_color, before)


def test_sections_end_where_others_begin(world, monkeypatch):
    """The encoder's backward pass is over when the pictures have their gradient; the renderer's follows."""
    cost = step_cost(world, CONTENDERS["dds"], 2, 2, split=True)
    assert min(cost.split["encode back"], cost.split["render back"], cost.split["render"], cost.split["unet"]) > 0
    real, looks = SceneEditing._make_room, []
    monkeypatch.setattr(SceneEditing, "_make_room", lambda self: looks.append(1) or real(self))
    monkeypatch.setattr("piva.modules.scene_editing.REFRESH_EVERY", 1)
    cost = step_cost(world, CONTENDERS["dds"], 2, 2, split=True)
    assert len(looks) == 1 + 2 + 2  # at the start, in the first round, and in the measured steps
    assert cost.split["occupancy"] > 0


def test_parts_alone_run_what_a_step_runs(world, monkeypatch):
    calls = []
    real = world.prior.predict

    def watched(x, t, embedding, segments=()):
        out = real(x, t, embedding, segments)
        calls.append((len(x), out.requires_grad, [segment.start for segment in segments]))
        return out

    monkeypatch.setattr(world.prior, "predict", watched)
    for name in NAMES:
        assert rows_seconds(world, CONTENDERS[name], 2, 1) > 0
    assert calls[:2] == [(8, False, [])] * 2
    assert calls[2:] == [(10, False, [8]), (4, True, [0, 2])] * 4
    assert render_seconds(world, 2, 1) > 0
    assert encode_seconds(world, 2, 1) > 0


def test_the_floor_is_the_sum_of_the_best_parts_in_each_repeat():
    parts = {
        (RENDER, 1): [1.0, 2.0, 1.0], (RENDER, 2): [4.0, 4.0, 4.0],  # better alone: 1, 2, 1 a view
        (ENCODE, 1): [0.5, 0.5, 0.5], (ENCODE, 2): [0.5, 0.5, 0.5],  # better together
        ("dds", 1): [3.0, 3.0, 3.0], ("dds", 2): [2.0, 6.0, 4.0],  # better together
    }  # fmt: skip
    cost = StepCost(99.0, 8, 0, {"unet": 2.0})
    found = line(CONTENDERS["dds"], 2, [9.0, 21.0, 26.0], parts, cost, Peak(2, 1))
    assert (found.seconds, found.fastest, found.slowest) == (21, 9, 26)
    assert (found.render, found.encode, found.rows) == (2.0, 0.5, 4.0)
    floors = [2 + 0.5 + 2, 4 + 0.5 + 6, 2 + 0.5 + 4]
    assert found.over_floor == pytest.approx(sorted([9 / floors[0], 21 / floors[1], 26 / floors[2]])[1])
    here = [4 + 0.5 + 2, 4 + 0.5 + 6, 4 + 0.5 + 4]
    assert found.over_floor_here == pytest.approx(sorted([9 / here[0], 21 / here[1], 26 / here[2]])[1])


def test_peak_memory_is_above_what_was_loaded(options, world):
    peak = measuring.peak_of(options, "dds", 1)
    assert peak.edit >= peak.loaded > 50e6


def test_the_command_prints_and_writes(options, world, tmp_path, capsys):
    arguments = [
        "--contenders", "dds", "piva-controlnet", "--views", "1", "2", "--steps", "2", "--repeats", "1",
        "--cameras", "3", "--scene", str(options.scene), "--controlnet", "None", "--no-memory",
        "--reconstruction.steps", "12", "--reconstruction.rays", "128", "--reconstruction.field.resolution", "16",
        "--prior.model", options.prior.model, "--prior.device", "cpu",
        "--json", str(tmp_path / "scenes.json"), "--markdown", str(tmp_path / "scenes.md"),
    ]  # fmt: skip
    assert main(arguments) == 0
    captured = capsys.readouterr()
    assert "repeat 1 of 1: piva-controlnet, 2 views" in captured.err
    written = json.loads((tmp_path / "scenes.json").read_text())
    assert [(x["contender"], x["views"], x["rows_forward"], x["rows_backward"]) for x in written["lines"]] == [
        ("dds", 1, 4, 0), ("dds", 2, 8, 0), ("piva-controlnet", 1, 5, 2), ("piva-controlnet", 2, 10, 4)
    ]  # fmt: skip
    assert written["options"]["cameras"] == 3
    text = (tmp_path / "scenes.md").read_text()
    assert "a step in 3D, against its parts alone" in text
    assert "| piva-controlnet | 2 | 10 | 4 |" in text


QUICK_UPDATE = IN2N(rays=1024, edit_every=3, sampler_steps=2, lpips="toybox")


def test_a_dataset_update_takes_the_rows_it_says_and_edits_cost_the_steps_they_are_in(world, monkeypatch):
    """The clock goes a second a look, and ten for each picture that is replaced."""
    time = [0.0]
    monkeypatch.setattr(world, "now", lambda: time.__setitem__(0, time[0] + 1) or time[0])
    replace_one = DatasetUpdate.replace
    monkeypatch.setattr(
        DatasetUpdate, "replace", lambda self, index: time.__setitem__(0, time[0] + 10) or replace_one(self, index)
    )
    before = world.case.source.field.raw_color.clone()
    cost = update_cost(world, QUICK_UPDATE, 4)  # three steps unmeasured, then two rounds of three
    assert cost == UpdateCost(rows=QUICK_UPDATE.rows_per_edit / 3, seconds=(2 * 11 + 4) / 6, fit=1, picture=10)
    assert torch.equal(world.case.source.field.raw_color, before)


def test_a_picture_is_compared_with_its_own_rows_in_each_repeat():
    costs = [UpdateCost(6, seconds, 1.0, picture) for seconds, picture in ((2.0, 8.0), (5.0, 30.0), (3.0, 12.0))]
    found = update_line(costs, [4.0, 10.0, 10.0])
    assert (found.seconds, found.fastest, found.slowest) == (3, 2, 5)
    assert (found.picture, found.picture_rows, found.over_floor) == (12, 10, 2)


def test_in2n_alone_has_a_table_of_its_own(options, world, monkeypatch):
    monkeypatch.setattr(measuring, "IN2N", lambda: QUICK_UPDATE)
    report = measuring.measure(replace(options, contenders=("in2n",), repeats=1))
    assert report.lines == []
    (grid,) = grids(report)
    assert (grid.title, grid.rows[0][:2]) == ("a step of a dataset update", ["in2n", "2"])
    assert "ms/picture" in notes(report)
    (line,) = report.updates
    assert line.picture_rows > 0


def test_more_cameras_than_there_are_is_a_bad_configuration(options, world):
    from piva.errors import ConfigError

    with pytest.raises(ConfigError, match="has 4 views"):
        _ = SceneWorld(replace(options, cameras=9)).case
