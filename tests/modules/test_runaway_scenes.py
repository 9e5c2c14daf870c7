"""An edit of a scene whose gradient is not finite stops there, with its last finite field."""

import pytest
import torch

from piva.methods.dds import DDS
from piva.methods.piva import Piva
from piva.modules.scene_editing import REFRESH_EVERY
from piva.modules.scene_settings import SceneEditSettings
from piva.rendering.cameras import orbit
from piva.rendering.fields.settings import FieldSettings
from piva.rendering.space import Space
from piva.representations.radiance_field import RadianceField
from piva.scenes.editing import SceneCase, edit_scene

AUX = {"lr": 1e-2}
SETTINGS = SceneEditSettings(views=1)


class RunawayDDS(DDS):
    """One number of its direction is not one at step 2."""

    def direction(self, step, ask):
        return spoiled(super().direction(step, ask), step.index)


class RunawayPiva(Piva):
    """The same."""

    def direction(self, step, ask):
        return spoiled(super().direction(step, ask), step.index)


def spoiled(direction, index):
    direction = direction.clone()
    direction[0, 0, 4, 4] = float("nan") if index == 2 else direction[0, 0, 4, 4]
    return direction


@pytest.fixture
def case():
    scene = RadianceField(FieldSettings(resolution=16, samples=16), Space(torch.zeros(3), 1.0, bounded=True))
    with torch.no_grad():
        scene.field.raw_density.fill_(2.0)
    cameras = orbit(torch.arange(6) * 60.0, 20.0, 3.0, torch.zeros(3), 45.0, (48, 64))
    return SceneCase("scene", scene, cameras, "a red ball", "a blue cube")


def same(one, other):
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


@pytest.mark.parametrize(
    ("method", "sound"), [(RunawayDDS(), DDS()), (RunawayPiva(aux=AUX), Piva(aux=AUX))], ids=["dds", "piva"]
)
def test_the_last_finite_field_is_kept(tiny_prior, case, method, sound):
    seen = {}

    def look(step, scene):
        seen[step] = {name: value.clone() for name, value in scene.state_dict().items()}

    plain = edit_scene(tiny_prior, sound, case, SETTINGS, steps=5, seed=0, on_scene=look)
    output = edit_scene(tiny_prior, method, case, SETTINGS, steps=5, seed=0)
    assert output.error == "the field's gradient left the finite numbers at step 2"
    for name, value in output.scene.field.named_parameters():
        assert torch.equal(value, seen[2][f"field.{name}"])
    assert output.history == {name: values[:2] for name, values in plain.history.items()}
    assert plain.error is None
    assert not same(output.scene.field, plain.scene.field)


def test_an_interrupted_edit_remembers_that_it_stopped(tiny_prior, case, tmp_path, monkeypatch):
    monkeypatch.setattr("piva.checkpoint.SECONDS_BETWEEN", -1.0)
    file, options = tmp_path / "edit.safetensors", {"steps": 6, "seed": 0}
    whole = edit_scene(tiny_prior, RunawayDDS(), case, SETTINGS, **options)

    def interrupt(line):
        if line["step"] == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        edit_scene(tiny_prior, RunawayDDS(), case, SETTINGS, on_step=interrupt, checkpoint=file, **options)
    again = edit_scene(tiny_prior, RunawayDDS(), case, SETTINGS, checkpoint=file, **options)
    assert same(again.scene, whole.scene)
    assert (again.error, again.history) == (whole.error, whole.history)


def test_an_edit_that_stopped_ends_soon(tiny_prior, case):
    steps = []
    output = edit_scene(
        tiny_prior, RunawayDDS(), case, SETTINGS, steps=3 * REFRESH_EVERY, seed=0, on_step=lambda _: steps.append(1)
    )
    assert len(steps) == REFRESH_EVERY
    assert all(len(values) == 2 for values in output.history.values())
