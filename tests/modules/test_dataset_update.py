"""The dataset update on a ball: which picture is replaced when, by what; the loss; what a resumed edit ends in."""

from dataclasses import replace

import pytest
import torch
from instructed_world import TintPrior, instructed_case

from piva.instructed.in2n import IN2N
from piva.modules.dataset_update import DatasetUpdate
from piva.modules.scene_settings import SceneEditSettings
from piva.noise import draw, uniform, uniform_t
from piva.rendering.fields.settings import WHITE
from piva.scenes.updating import _module, load_perceptual, update_scene

QUICK = {"rays": 512, "patch": 16, "sampler_steps": 4, "edit_every": 2}
PLAIN = IN2N(**QUICK, lpips_weight=0)
SETTINGS = SceneEditSettings()


def module(method=PLAIN, steps=6, perceptual=None, prior=None) -> DatasetUpdate:
    return _module(prior or TintPrior(), method, instructed_case(), SETTINGS, steps, 0, perceptual)


def updated(steps=6, method=PLAIN, prior=None, **options):
    return update_scene(prior or TintPrior(), method, instructed_case(), SETTINGS, steps=steps, seed=0, **options)


def test_each_view_is_replaced_once_a_round_in_the_keyed_order():
    found, n = module(), 6
    views = [found.view_of(index) for index in range(0, 4 * n, 2)]
    for number in range(2):
        drawn = uniform((n,), 0, 1, seed=0, case_id="scene-0", step=number, purpose="views")
        assert views[number * n : (number + 1) * n] == drawn.argsort().tolist()
    assert views[:n] != views[n:]


def test_only_the_step_s_picture_is_replaced():
    found = module()
    before = found.pictures.clone()
    for index in (0, 2):
        found.replace(index)
    changed = (found.pictures != before).flatten(1).any(1)
    assert sorted(changed.nonzero()[:, 0].tolist()) == sorted({found.view_of(0), found.view_of(2)})
    assert torch.equal(found.replaced, changed)
    assert (found.pictures[changed] - TintPrior().color).abs().max() < 0.02
    assert torch.equal(found.captured, before)


def test_the_edit_is_of_the_render_given_the_captured_picture():
    """Its noise and its t are keyed by the step; the field is shown as it is now, the picture as it was captured."""
    prior, seen = TintPrior(), []
    found = module(prior=prior)
    view = found.view_of(4)
    found.pictures[view] = 0.3  # replaced before: not what the next edit is told
    with torch.no_grad():
        found.scene.field.raw_color += 1
        render = found.scene.render(found.cameras[view], found.background).image
    predict = prior.predict
    prior.predict = lambda x, t, c: seen.append((x.clone(), int(t[0]))) or predict(x, t, c)
    found.replace(4)
    key = {"seed": 0, "case_id": "scene-0", "step": 4}
    top = uniform_t(20, 980, purpose="edit-t", **key)
    eps = draw((3, 32, 32), purpose="edit-eps", **key)
    x, t = seen[0]
    assert t == 3 * (top // 4) + 1
    assert torch.equal(x[1:, 3:], (2 * found.captured[view] - 1).expand(2, -1, -1, -1))
    abar = prior.abar[t]
    expected = abar.sqrt() * (2 * render[0] - 1) + (1 - abar).sqrt() * eps
    torch.testing.assert_close(x[0, :3], expected, atol=1e-5, rtol=1e-5)


def test_a_step_s_patches_are_pixels_of_the_pictures():
    found = module()
    found.pictures = torch.arange(6 * 32 * 32).view(6, 1, 32, 32).expand(6, 3, 32, 32).float()
    _, wanted = found.batch(3)
    patches = wanted[:, 0].view(-1, 16, 16).long()
    assert len(patches) == 2
    for patch in patches:
        first = int(patch[0, 0])
        rows, columns = torch.meshgrid(torch.arange(16), torch.arange(16), indexing="ij")
        assert torch.equal(patch, first + 32 * rows + columns)  # of one view, row by row, not over its edge
        assert first % 32 <= 16


def test_rays_see_what_the_view_s_render_shows():
    found = module()
    with torch.no_grad():
        found.pictures = torch.cat([found.scene.render(found.cameras[v]).image for v in range(6)])
        l1, lpips = found.losses(1)
    assert l1 < 1e-5
    assert lpips == 0


def test_the_loss_s_gradient_is_that_of_l1_and_lpips():
    """Against differences of the loss as written down, one number of the field at a time."""
    method = IN2N(rays=2048, patch=32, lpips_weight=0.7)
    found = module(method, perceptual=load_perceptual(method, TintPrior_toybox()))
    colors, rough = found.scene.field.raw_color, torch.Generator().manual_seed(0)
    with torch.no_grad():  # flat colours would tie in the network's max-pooling, where it has no derivative
        colors += torch.empty_like(colors).normal_(generator=rough)
    l1, lpips = found.losses(1)
    (l1 + 0.7 * lpips).backward()
    strongest = colors.grad.abs().flatten().argsort(descending=True)[:3]
    for place in strongest.tolist():
        sides = []
        for step in (0.02, -0.02):
            with torch.no_grad():
                colors.view(-1)[place] += step
                a, b = found.losses(1)
                sides.append(float(a) + 0.7 * float(b))
                colors.view(-1)[place] -= step
        assert colors.grad.view(-1)[place].item() == pytest.approx((sides[0] - sides[1]) / 0.04, rel=0.1)


def TintPrior_toybox() -> TintPrior:
    prior = TintPrior()
    prior.name = "toybox-instruct-pix2pix"
    return prior


def test_an_edit_brings_the_field_to_the_edited_pictures():
    case, color = instructed_case(), TintPrior().color
    view = case.cameras[0].cropped(32, 32)

    def distance(scene) -> float:
        with torch.no_grad():
            image = scene.render(view, torch.tensor(WHITE)).image
        return float((image[..., 12:20, 12:20] - color).abs().mean())  # the ball's middle; nothing grows far from it

    output = update_scene(TintPrior(), PLAIN, case, SceneEditSettings(lr_color=0.3, lr_last=1.0), steps=60, seed=0)
    assert output.error is None
    assert output.history["replaced"][:5] == pytest.approx([1 / 6, 1 / 6, 2 / 6, 2 / 6, 3 / 6])
    assert distance(output.scene) < 0.2 * distance(case.source)
    early, late = (sum(output.history["l1"][part]) for part in (slice(6, 12), slice(-6, None)))
    assert late < 0.5 * early  # rounds of six pictures: from when the first are edited, to the end


def test_rows_are_counted_where_they_go():
    output = updated(steps=5)
    assert output.history["rows_forward"] == [12, 0, 12, 0, 12]
    assert output.unet_rows == 36 == PLAIN.rows_per_edit * PLAIN.edits(5)
    assert output.unet_rows_backward == 0


@pytest.mark.parametrize("at", [2, 3])
def test_an_interrupted_edit_ends_as_an_uninterrupted_one(at, tmp_path, monkeypatch):
    monkeypatch.setattr("piva.checkpoint.SECONDS_BETWEEN", -1.0)  # after every step

    class Killed(Exception):
        pass

    def kill(line):
        if line["step"] == at:
            raise Killed

    file = tmp_path / "c.safetensors"
    whole = updated()
    with pytest.raises(Killed):
        updated(on_step=kill, checkpoint=file)
    seen: list[int] = []
    resumed = updated(checkpoint=file, on_step=lambda line: seen.append(line["step"]))
    assert seen == list(range(at, 6))
    pairs = zip(whole.scene.state_dict().values(), resumed.scene.state_dict().values(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    assert (resumed.history, resumed.unet_rows) == (whole.history, whole.unet_rows)
    again = updated(checkpoint=file, on_step=lambda line: pytest.fail("it was finished"))
    assert (again.history, again.unet_rows) == (whole.history, whole.unet_rows)


def test_another_instruction_or_photograph_is_another_edit(tmp_path, monkeypatch):
    monkeypatch.setattr("piva.checkpoint.SECONDS_BETWEEN", -1.0)
    file = tmp_path / "c.safetensors"

    def stop(line):
        if line["step"] == 1:
            raise RuntimeError("killed")

    case = instructed_case()
    darker = replace(case, captured=replace(case.captured, images=case.captured.images * 0.5))
    for other in (replace(case, instruction="make it red"), darker):
        with pytest.raises(RuntimeError):
            updated(on_step=stop, checkpoint=file)
        seen: list[int] = []
        update_scene(
            TintPrior(), PLAIN, other, SETTINGS, steps=3, seed=0, checkpoint=file,
            on_step=lambda line, seen=seen: seen.append(line["step"]),
        )  # fmt: skip
        assert seen == [0, 1, 2]


def test_a_field_that_runs_away_stays_as_it_was():
    prior = TintPrior(color=(float("nan"), 0.0, 0.0))
    output = updated(prior=prior, method=IN2N(rays=24 * 256, patch=16, sampler_steps=4, lpips_weight=0))
    assert output.error == "the field's gradient left the finite numbers at step 0"
    assert output.history["l1"] == []
    assert all(bool(p.isfinite().all()) for p in output.scene.parameters())
