"""What is scored of a scene: which views, against which pictures, and when a score is not to be trusted."""

import dataclasses
import types

import pytest
import torch
from capture_world import ball_capture, ball_pictures
from scene_world import write_scenes

from benchmarks.scenes.benchmark import SceneEditCase, World
from benchmarks.scenes.scores import Watch, _blind_detector, evaluation_ids, score
from benchmarks.scenes.work import Truth, Workshop
from piva.data.edits import read_edits
from piva.data.scenes import Views
from piva.metrics.fidelity import FidelityScores
from piva.metrics.janus import JanusScores
from piva.metrics.scene_scorer import SceneScorer
from piva.modules.reconstruction_settings import ReconstructionSettings
from piva.rendering.cameras import orbit
from piva.rendering.fields.settings import FieldSettings
from piva.scenes.evaluation import render_views

QUICK = ReconstructionSettings(field=FieldSettings(resolution=16), steps=12, rays=128)


def no_news(*facts):
    """Called while a scene is reconstructed."""


@pytest.fixture(scope="module")
def scene_and_case(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scenes")
    root = write_scenes(folder / "data", truth=True)
    (edit,) = read_edits(root / "edits.json")
    return Workshop(QUICK, folder / "fields", (24, 32), 4).open(edit.folder, no_news), SceneEditCase(edit)


def test_distances_to_the_true_edit_are_those_of_its_held_out_views(scene_and_case):
    scene, case = scene_and_case
    scorer = SceneScorer([FidelityScores()])
    found = score(scorer, scene, case, scene.field)
    assert found.scores.values["psnr"] is None  # nothing was edited
    assert found.views.edited.shape == (4, 3, 24, 32)
    truth = found.held_out["true edit"]
    assert truth.shape == (2, 3, 24, 32)
    errors = (found.held_out["edit"] - truth).square().mean(dim=(1, 2, 3))
    assert found.scores.by_view["psnr_to_true"] == pytest.approx((-10 * errors.log10()).tolist(), rel=1e-4)
    assert len(found.scores.by_view["psnr"]) == 4
    assert "psnr_to_true" not in found.scores.reasons


def test_the_field_is_looked_at_through_the_true_edit_s_cameras(scene_and_case):
    """The truth's pictures, half as bright, are where the field shows the ball."""
    scene, case = scene_and_case
    truth = scene.truth(case)
    shown = render_views(scene.field, truth.cameras, scene.background(case))
    ball = truth.pictures.amin(1) < 0.9
    assert shown.amin(1)[ball].mean() < shown.amin(1)[~ball].mean() - 0.2


def test_a_true_edit_with_other_cameras_is_refused(scene_and_case, tmp_path):
    import dataclasses

    scene, case = scene_and_case
    moved = dataclasses.replace(scene.capture.train.cameras, c2w=scene.capture.train.cameras.c2w + 0.1)
    capture = dataclasses.replace(scene.capture, train=dataclasses.replace(scene.capture.train, cameras=moved))
    with pytest.raises(ValueError, match="the true edit's cameras are not the scene's"):
        dataclasses.replace(scene, capture=capture).truth(case)


def test_ids_say_which_views_were_scored():
    spec = {"psnr": "psnr@1", "psnr_to_true": "psnr_to_true@1"}
    assert evaluation_ids(spec, 40) == {
        "psnr": "psnr@1/path-of-40-views@1", "psnr_to_true": "psnr_to_true@1/held-out-views@1",
    }  # fmt: skip


def test_when_an_edit_is_looked_at():
    watch = Watch(SceneScorer([FidelityScores()]), every=50, steps=120)
    assert [step for step in range(1, 121) if watch.is_due(step)] == [50, 100, 120]
    assert list(watch.scorer.spec) == ["psnr"]
    assert not Watch(SceneScorer([FidelityScores()]), every=0, steps=120).is_due(120)
    assert not Watch(SceneScorer([]), every=50, steps=120).is_due(50)


class Detector:
    """Sees a front in these views of a stack."""

    def __init__(self, fronts):
        self.fronts = fronts

    def probability(self, images, attribute, value):
        return torch.tensor([float(view in self.fronts) for view in range(len(images))])


@pytest.mark.parametrize(
    ("fronts", "reason"),
    [
        (range(6), None),
        ((), "the detector finds 0 fronts in the true edit, which has one"),
        ((0, 1, 2, 3, 6, 7, 8, 9), "the detector finds 2 fronts in the true edit, which has one"),
    ],
)
def test_fronts_are_not_counted_where_the_detector_is_blind(scene_and_case, fronts, reason):
    scene, case = scene_and_case
    world = World({}, has_front=True, closed=True)
    case = SceneEditCase(case.edit, world, world)
    cameras = orbit(torch.arange(12) * 30.0, 20.0, 3.0, torch.zeros(3), 40.0, (24, 24))
    shown = types.SimpleNamespace(train=Views(cameras, ball_pictures(cameras, True), ("",) * 12))
    scorer = SceneScorer([], [JanusScores(Detector(fronts), "detector", size=24)])
    square = types.SimpleNamespace(background=scene.background, workshop=types.SimpleNamespace(size=(24, 24)))
    assert _blind_detector(scorer, Truth(cameras, shown.train.images, shown.train), square, case) == reason


def test_a_colour_behind_a_learned_sky_is_the_edit_s_own_mistake(scene_and_case):
    scene, case = scene_and_case
    opaque = dataclasses.replace(scene, capture=ball_capture(alpha=False, bounded=False))
    assert opaque.background(case) is None
    assert scene.background(case).tolist() == [1, 1, 1]
    coloured = SceneEditCase(dataclasses.replace(case.edit, background=(0.0, 1.0, 0.0)))
    assert scene.background(coloured).tolist() == [0, 1, 0]
    with pytest.raises(ValueError, match="no background is to be given"):
        opaque.background(coloured)
