"""IN2N-Toybox's hard scenes as a benchmark: what its cases know, and the objects its scores look at."""

import dataclasses

import pytest
import torch

from benchmarks.in2n import IN2N_TOYBOX, IN2N_TOYBOX_HARD
from benchmarks.scenes.scores import score
from benchmarks.scenes.work import Workshop
from piva.metrics.fidelity import FidelityScores
from piva.metrics.objects import ObjectScores
from piva.metrics.scene_scorer import SceneScorer
from piva.modules.reconstruction_settings import ReconstructionSettings
from piva.rendering.fields.settings import FieldSettings
from piva.scenes.evaluation import render_views
from piva.toybox.hard_scenes import in2n_toybox_hard
from piva.toybox.object_views import object_views
from piva.toybox.scene_sets import SETS, write

QUICK = ReconstructionSettings(field=FieldSettings(resolution=16), steps=30, rays=256)
SIZE = (32, 32)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """One scene of moving light."""
    folder = tmp_path_factory.mktemp("hard") / "dev"
    (scene,) = (scene for scene in in2n_toybox_hard() if scene.id == "green-sphere")
    some = dataclasses.replace(SETS["in2n-toybox-hard"], scenes=lambda: (scene,))
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(SETS, "in2n-toybox-hard", some)
        write(folder, "in2n-toybox-hard", "dev", size=32, train_views=6, test_views=3)
    return folder


@pytest.fixture(scope="module")
def scene(root, tmp_path_factory):
    shop = Workshop(QUICK, tmp_path_factory.mktemp("fields"), SIZE, 4)
    return shop.open(root / "green-sphere", lambda *news: None)


@pytest.fixture(scope="module")
def cases(root):
    return {case.type_id: case for case in IN2N_TOYBOX_HARD.cases(root)}


def test_its_cases_know_the_worlds_before_and_after(root, cases):
    assert IN2N_TOYBOX_HARD.split(root) == "dev"
    assert IN2N_TOYBOX_HARD.pictures == "toybox-clutter"
    source, target = cases["translation"].shown
    assert (source.shape, target.shape, len(source.placement.clutter)) == ("sphere", "cube", 4)
    assert cases["translation"].edit.source == "a green sphere on stone"
    assert IN2N_TOYBOX.pictures == "toybox"


def test_held_out_pictures_are_at_the_reference_light_and_the_others_of_their_own_hour(scene):
    """The ground in the corner of each picture, far from all shadows."""
    train, test = (views.images[:, :, -3:, :3].mean((2, 3)) for views in (scene.capture.train, scene.capture.test))
    warmth = train[:, 0] / train[:, 2]
    assert warmth[-1] > 1.06 * warmth[0]
    reference = test[:, 0] / test[:, 2]
    assert warmth[0] < reference.min()
    assert reference.max() < warmth[-1]
    assert reference.max() - reference.min() < 0.03


def test_masks_are_those_of_the_cameras_that_are_scored(scene, cases):
    """The field, fitted for a moment, is darker or lighter where the masks say that something stands."""
    source, target = cases["addition"].shown
    cameras = scene.capture.test.cameras
    masks = object_views(source, target, cameras, scene.capture.orient)
    pictures = scene.capture.test.images
    red, green = masks.kept["clutter-1"], masks.kept["subject"]  # a red cylinder, a green sphere
    for where, channel in ((red, 0), (green, 1)):
        shown = pictures.movedim(1, -1)[where]
        assert where.sum() > 30
        assert (shown.argmax(-1) == channel).float().mean() > 0.95
    assert masks.changed.sum() > 10


def test_scores_by_object(scene, cases):
    scorer, case = SceneScorer([FidelityScores()], [ObjectScores()]), cases["appearance"]
    still = score(scorer, scene, case, scene.field)
    assert still.scores.values["psnr_kept_objects"] is None  # nothing was edited
    assert still.scores.values["color_shift_kept_objects"] == 0
    assert still.scores.values["change_made_to_true"] == 0
    assert set(still.by_object) == {"clutter-1", "clutter-2", "clutter-3", "clutter-4", "ground", "sky", "changed"}
    edited = _brighter(scene.field)
    found = score(scorer, scene, case, edited)
    before, after = (render_views(field, scene.path[0]) for field in (scene.field, edited))
    where = object_views(*case.shown, scene.path[0], scene.capture.orient).kept["clutter-1"]
    error = (before - after).square().mean(1)[where].mean()
    assert found.by_object["clutter-1"]["psnr"] == pytest.approx(float(-10 * error.log10()), rel=1e-4)
    assert found.scores.values["psnr_worst_object"] == min(
        value["psnr"] for name, value in found.by_object.items() if name.startswith("clutter")
    )
    assert len(found.scores.by_view["psnr_backdrop"]) == 4
    assert len(found.scores.by_view["change_made_to_true"]) == 3
    assert found.scores.reasons == {}


def test_a_set_that_knows_no_objects_is_scored_without(scene, cases):
    case = dataclasses.replace(cases["appearance"], shown=None)
    found = score(SceneScorer([FidelityScores()]), scene, case, scene.field)
    assert found.by_object == {}


def _brighter(field):
    """A field with other colours everywhere."""
    import copy

    other = copy.deepcopy(field)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.add_(0.2)
    return other
