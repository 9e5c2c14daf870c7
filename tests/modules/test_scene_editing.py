"""Editing a radiance field through the tiny Stable Diffusion: identities, views, depth, resuming."""

from dataclasses import replace

import pytest
import torch
from scene_world import ball
from scene_world import ball_case as case

from piva.auxiliary.settings import AuxiliarySettings
from piva.data.depth import scaled_inverse_depth
from piva.methods.dds import DDS
from piva.methods.piva import Piva
from piva.methods.sds import SDS
from piva.modules.scene_editing import SourceViews
from piva.modules.scene_settings import SceneEditSettings
from piva.priors.stable_diffusion import StableDiffusionPrior
from piva.rendering.view_plan import Chosen
from piva.rendering.volume import opacity_entropy
from piva.representations.radiance_field import RadianceField
from piva.scenes.editing import SceneCase, edit_scene, version_of
from piva.scores import RowCache

FAST_AUX = {"lr": 1e-2}  # so that a few steps of training show
SETTINGS = SceneEditSettings()


def edited(prior, method, settings=SETTINGS, steps=3, seed=0, **options) -> RadianceField:
    output = edit_scene(prior, method, case(), settings, steps=steps, seed=seed, **options)
    assert output.error is None
    return output.scene


def same(one: RadianceField, other: RadianceField) -> bool:
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def test_piva_at_lambda_0_is_dds_bit_for_bit(tiny_prior):
    assert same(edited(tiny_prior, Piva(lam=0)), edited(tiny_prior, DDS()))
    assert not same(edited(tiny_prior, Piva(lam=0.5, aux=FAST_AUX)), edited(tiny_prior, DDS()))


def test_with_the_source_prompt_as_target_dds_leaves_the_field(tiny_prior):
    source = case()
    unchanged = SceneCase("x", source.source, source.cameras, "a red ball", "a red ball")
    output = edit_scene(tiny_prior, DDS(), unchanged, SceneEditSettings(views=1), steps=1, seed=0)
    assert output.history["direction_rms"][0] < 1e-4  # rounding; about 1 otherwise


@pytest.mark.parametrize("method", [SDS(), DDS(), Piva(aux=FAST_AUX)], ids=["sds", "dds", "piva"])
def test_an_edit_changes_the_field_and_leaves_its_source(tiny_prior, method):
    start = case()
    before = {name: value.clone() for name, value in start.source.state_dict().items()}
    output = edit_scene(tiny_prior, method, start, SETTINGS, steps=2, seed=0)
    assert all(torch.equal(before[name], value) for name, value in start.source.state_dict().items())
    view = start.cameras[0].cropped(32, 32)
    assert (output.scene.render(view).image - start.source.render(view).image).abs().max() > 0.01
    assert set(output.history) >= {"t", "direction_rms", "drift_rms", "rows_forward"}
    assert all(len(values) == 2 for values in output.history.values())


def test_a_batch_of_views_gives_the_mean_of_single_views_gradients(tiny_prior, monkeypatch):
    """The same cameras and draws, once together and once one after another."""
    from piva.modules.scene_editing import SceneEditing
    from piva.scenes import editing as scene_editing

    found: list[torch.Tensor] = []

    def note(module, views, direction):
        module.scene.zero_grad()
        views.z.backward(direction / len(direction))
        found.append(module.scene.field.raw_color.grad.clone())

    monkeypatch.setattr(SceneEditing, "_descend", note)
    method = Piva(aux={"lr": 0.0})
    edit_scene(tiny_prior, method, case(), SceneEditSettings(views=2), steps=1, seed=0)

    class OneOfTwo(scene_editing.CapturedViews):
        def at(self, step):
            both = scene_editing.CapturedViews(self.cameras, 2, self.seed, self.case_id).at(0)
            return type(both)(both.cameras[step], (both.views[step],))

    plan = scene_editing.DrawPlan

    def slot(number):
        def at(seed, case_ids, *rest):
            return plan(seed, (case_ids[0].replace("view-0", f"view-{number}"),), *rest)

        return at

    monkeypatch.setattr(scene_editing, "CapturedViews", OneOfTwo)
    for number in range(2):
        monkeypatch.setattr(scene_editing, "DrawPlan", slot(number))
        monkeypatch.setattr(OneOfTwo, "at", lambda self, _step, number=number: _one(self, number))
        edit_scene(tiny_prior, method, case(), SceneEditSettings(views=1), steps=1, seed=0)
    together, first, second = found
    assert (first - second).abs().max() > 1e-6
    torch.testing.assert_close(together, (first + second) / 2, atol=1e-7, rtol=1e-3)


def _one(plan, number):
    from piva.rendering.view_plan import CapturedViews, Chosen

    both = CapturedViews(plan.cameras, 2, plan.seed, plan.case_id).at(0)
    return Chosen(both.cameras[number], (both.views[number],))


@pytest.mark.parametrize(
    "aux",
    [
        FAST_AUX | {"warmup_steps": 2},
        FAST_AUX | {"camera": True, "phi": "fresh"},
        FAST_AUX | {"kind": "controlnet", "psi": "stored", "psi_steps": 2},
    ],
    ids=["lora", "camera", "controlnet"],
)
def test_an_interrupted_edit_ends_as_an_uninterrupted_one(tiny_prior, aux, tmp_path, monkeypatch):
    monkeypatch.setattr("piva.checkpoint.SECONDS_BETWEEN", -1.0)  # after every step
    method = Piva(aux=aux)

    class Killed(Exception):
        pass

    def kill(line):
        if line["step"] == 3:
            raise Killed

    options = {"steps": 5, "psi_store": tmp_path / "psi"}
    whole = edit_scene(tiny_prior, method, case(), SETTINGS, seed=0, **options)
    with pytest.raises(Killed):
        edit_scene(
            tiny_prior, method, case(), SETTINGS, seed=0, on_step=kill, checkpoint=tmp_path / "c.safetensors", **options
        )
    seen: list[int] = []
    resumed = edit_scene(
        tiny_prior, method, case(), SETTINGS, seed=0, checkpoint=tmp_path / "c.safetensors",
        on_step=lambda line: seen.append(line["step"]), **options,
    )  # fmt: skip
    assert seen == [3, 4]
    assert same(resumed.scene, whole.scene)
    assert resumed.history == whole.history
    assert (resumed.unet_rows, resumed.unet_rows_backward) == (whole.unet_rows, whole.unet_rows_backward)
    again = edit_scene(
        tiny_prior, method, case(), SETTINGS, seed=0, checkpoint=tmp_path / "c.safetensors",
        on_step=lambda line: pytest.fail("it was finished"), **options,
    )  # fmt: skip
    assert same(again.scene, whole.scene)
    assert again.history == whole.history


def test_a_view_of_the_source_is_the_same_in_whatever_company_it_was_first_seen():
    """Otherwise a resumed edit, which looks at them anew, would not end as an uninterrupted one."""
    prior, start = StableDiffusionPrior.load("toybox", device="cpu"), case()
    cameras = start.cameras.cropped(*reversed(prior.image_size))
    seen = []
    for first in ((0, 1), (1,)):
        source = SourceViews(start.source, prior, None, "")
        source.at(Chosen(cameras[list(first)], first))
        seen.append(source.at(Chosen(cameras[[1, 2]], (1, 2)))[0])
    assert torch.equal(*seen)


def test_a_checkpoint_of_other_settings_is_not_gone_on_from(tiny_prior, tmp_path, monkeypatch):
    monkeypatch.setattr("piva.checkpoint.SECONDS_BETWEEN", -1.0)
    file, seen = tmp_path / "c.safetensors", []

    def stop(line):
        if line["step"] == 1:
            raise RuntimeError("killed")

    with pytest.raises(RuntimeError):
        edit_scene(tiny_prior, DDS(), case(), SETTINGS, steps=3, seed=0, on_step=stop, checkpoint=file)
    edit_scene(
        tiny_prior, DDS(), case(), SETTINGS, steps=3, seed=1, checkpoint=file, on_step=lambda x: seen.append(x["step"])
    )
    assert seen == [0, 1, 2]


def test_depths_are_those_of_what_is_shown(tiny_prior):
    """psi at the source's views reads the source's depth; phi the current one, which the edit has changed by then."""
    seen: list[tuple[str, torch.Tensor]] = []
    plain = type(tiny_prior).predict

    class Watched(type(tiny_prior)):
        def predict(self, x, t, embedding, segments=()):
            seen.extend((s.adapter, s.depth.clone()) for s in segments)
            return plain(self, x, t, embedding, segments)

    prior = Watched.load(str(tiny_prior.folder), device="cpu")
    settings = SceneEditSettings(views=1, lr_density=2.0)
    start = case()
    method = Piva(psi_at="current", aux=FAST_AUX | {"kind": "controlnet", "phi": "fresh"})
    edit_scene(prior, method, start, settings, steps=2, seed=0)
    from piva.rendering.view_plan import CapturedViews

    cameras = CapturedViews(start.cameras.cropped(32, 32), 1, 0, start.case_id).at(1).cameras
    source_depth = scaled_inverse_depth(start.source.render(cameras).depth)
    second = seen[len(seen) // 2 :]  # scored: psi, phi; trained afresh: psi, phi
    scored_psi, scored_phi, trained_psi, trained_phi = (depth for _, depth in second)
    assert torch.equal(trained_psi, source_depth)
    assert torch.equal(scored_psi, scored_phi)
    assert torch.equal(scored_phi, trained_phi)
    assert (scored_phi - source_depth).abs().max() > 1e-3


@pytest.mark.parametrize("depth", ["blank", "given"])
def test_blank_depth_shows_nothing(tiny_prior, depth):
    shown: list[bool] = []
    plain = type(tiny_prior).predict

    class Watched(type(tiny_prior)):
        def predict(self, x, t, embedding, segments=()):
            shown.extend(bool(s.depth.any()) for s in segments)
            return plain(self, x, t, embedding, segments)

    prior = Watched.load(str(tiny_prior.folder), device="cpu")
    edited(prior, Piva(aux=FAST_AUX | {"kind": "controlnet", "depth": depth, "warmup_steps": 1}), steps=2)
    assert set(shown) == {depth == "given"}


def test_what_was_mended_for_some_methods_alone_is_a_version_of_theirs():
    control, stored = Piva(aux={"kind": "controlnet"}), Piva(aux={"psi": "stored"})
    blank = Piva(aux={"kind": "controlnet", "depth": "blank"})
    assert [version_of(method, bounded=True) for method in (DDS(), Piva(), blank, control, stored)] == [1, 1, 1, 2, 2]
    assert [version_of(method, bounded=False) for method in (DDS(), Piva(), blank, control, stored)] == [1, 1, 1, 1, 2]


def test_source_rows_of_a_repeated_edit_come_from_the_cache(tiny_prior):
    cache = RowCache(2**24)
    first = edit_scene(tiny_prior, DDS(), case(), SETTINGS, steps=3, seed=0, cache=cache)
    second = edit_scene(tiny_prior, DDS(guidance=3.0), case(), SETTINGS, steps=3, seed=0, cache=cache)
    assert first.rows_cached == 0
    assert second.rows_cached == 2 * 3 * 2  # c and u of two views in three steps
    alone = edit_scene(tiny_prior, DDS(guidance=3.0), case(), SETTINGS, steps=3, seed=0)
    assert second.history["direction_rms"] == pytest.approx(alone.history["direction_rms"], rel=1e-4)


def test_source_rows_seen_from_an_orbit_are_those_of_as_many_views(tiny_prior):
    """Where the cameras of an orbit are hangs on how many there are."""
    cache, other, method = RowCache(2**24), SceneEditSettings(cameras="orbit", views=3), DDS()
    edit_scene(tiny_prior, method, case(), SceneEditSettings(cameras="orbit", views=2), steps=2, seed=0, cache=cache)
    found = edit_scene(tiny_prior, method, case(), other, steps=2, seed=0, cache=cache)
    assert found.rows_cached == 0
    assert edit_scene(tiny_prior, method, case(), other, steps=2, seed=0, cache=cache).rows_cached == 2 * 2 * 3


def test_a_stored_psi_is_trained_once(tiny_prior, tmp_path):
    method = Piva(aux=FAST_AUX | {"psi": "stored", "psi_steps": 4})
    first, second = (
        edit_scene(tiny_prior, method, case(), SETTINGS, steps=2, seed=0, psi_store=tmp_path) for _ in range(2)
    )
    assert (first.psi_rows, second.psi_rows) == (8, 0)
    assert same(first.scene, second.scene)


def test_a_stored_psi_is_the_same_whichever_edit_trained_it(tiny_prior, tmp_path):
    method = Piva(lam=4.0, aux=FAST_AUX | {"psi": "stored", "psi_steps": 4})
    other = replace(case(), case_id="another edit of the scene", tgt="a green ball")
    edit_scene(tiny_prior, method, other, SETTINGS, steps=1, seed=1, psi_store=tmp_path)
    (kept,) = tmp_path.iterdir()
    found, alone = (
        edit_scene(tiny_prior, method, case(), SETTINGS, steps=2, seed=0, psi_store=store)
        for store in (tmp_path, tmp_path / "its own")
    )
    assert (found.psi_rows, alone.psi_rows) == (0, 8)
    assert (tmp_path / "its own" / kept.name).is_dir()
    assert same(found.scene, alone.scene)


def test_the_log_of_an_edit_does_not_tell_of_its_warm_up(tiny_prior):
    method = Piva(aux=FAST_AUX | {"warmup_steps": 1, "steps_per_iteration": 0})
    output = edit_scene(tiny_prior, method, case(), SETTINGS, steps=1, seed=0)
    assert "drift_rms" in output.history
    assert "psi_loss" not in output.history


def test_regularisers_hold_the_field(tiny_prior):
    def distance(scene: RadianceField) -> float:
        pairs = zip(scene.parameters(), ball().parameters(), strict=True)
        return sum((a - b).square().mean().item() for a, b in pairs)

    free, held = (edited(tiny_prior, DDS(), SceneEditSettings(anchor=w), steps=6) for w in (0.0, 1e4))
    assert distance(held) < 0.8 * distance(free)


def test_roughness_smooths_and_opacity_makes_rays_all_or_nothing(tiny_prior):
    view = case().cameras[0].cropped(32, 32)
    points = torch.rand(4096, 3, generator=torch.Generator().manual_seed(0)) * 2 - 1
    measures = {
        "roughness": lambda scene: scene.field.roughness(points).item(),
        "opacity": lambda scene: opacity_entropy(scene.render(view).opacity).mean().item(),
    }
    for name, measure in measures.items():
        free, held = (edited(tiny_prior, DDS(), SceneEditSettings(**{name: w}), steps=6) for w in (0.0, 1e3))
        assert measure(held) < 0.95 * measure(free)


def test_auxiliaries_are_the_scene_s_not_the_view_s(tiny_prior):
    one, four = (edit_scene(tiny_prior, Piva(), case(), SceneEditSettings(views=n), steps=1, seed=0) for n in (1, 4))
    assert one.aux_parameters == four.aux_parameters > 0
    rank = AuxiliarySettings().rank
    assert one.aux_parameters % rank == 0
    assert four.unet_rows == 4 * one.unet_rows


@pytest.mark.filterwarnings("ignore:prompt")
def test_an_edit_says_which_of_its_prompts_were_cut(tiny_prior):
    long = replace(case(), tgt="red cube " * 1112)
    outputs = [edit_scene(tiny_prior, DDS(), one, SETTINGS, steps=1, seed=0) for one in (long, case())]
    tokens = len(tiny_prior.tokenizer(long.tgt)["input_ids"])
    assert [output.note for output in outputs] == [
        f"the target has {tokens} tokens, of which {tiny_prior.name} reads 40", None,
    ]  # fmt: skip
