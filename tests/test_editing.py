"""edit_batch on the tiny Stable Diffusion: identities bit for bit, batches, seeds, what it reports."""

import signal
import warnings

import pytest
import torch

from piva.editing import EditInput, edit_batch
from piva.errors import ConfigError
from piva.methods.dds import DDS
from piva.methods.piva import Piva
from piva.methods.sds import SDS
from piva.scores import RowCache

FAST_AUX = {"lr": 1e-2}  # so that a few steps of training show


def image(number):
    return torch.rand(3, 32, 32, generator=torch.Generator().manual_seed(number))


def cases(n):
    return [EditInput(f"{i:012d}", image(i), f"a red cube no {i}", f"a blue cube no {i}") for i in range(n)]


def edited(prior, method, inputs, steps=4, seed=0, **options):
    outputs = edit_batch(prior, method, inputs, steps=steps, seed=seed, **options)
    return torch.stack([output.image for output in outputs])


def test_piva_at_lambda_0_is_dds_bit_for_bit_and_builds_no_auxiliary(tiny_prior, monkeypatch):
    expected = edited(tiny_prior, DDS(), cases(3))
    monkeypatch.setattr(type(tiny_prior), "adapter", lambda *_: pytest.fail("an auxiliary was built"))
    outputs = edit_batch(tiny_prior, Piva(lam=0), cases(3), steps=4, seed=0)
    assert torch.equal(torch.stack([output.image for output in outputs]), expected)
    assert {output.unet_rows for output in outputs} == {16}
    assert {output.unet_rows_backward for output in outputs} == {0}


@pytest.mark.parametrize(
    "method",
    [SDS(), DDS(), Piva(aux=FAST_AUX), Piva(aux=FAST_AUX | {"phi": "fresh", "psi": "stored", "psi_steps": 3})],
    ids=["sds", "dds", "piva", "piva-stored-fresh"],
)
def test_a_batch_of_8_equals_8_batches_of_1(tiny_prior, method):
    together = edited(tiny_prior, method, cases(8))
    alone = torch.cat([edited(tiny_prior, method, [case]) for case in cases(8)])
    torch.testing.assert_close(together, alone, atol=2e-5, rtol=0)
    moved = (together - edited(tiny_prior, method, cases(8), steps=0)).abs().amax(dim=(1, 2, 3))
    assert moved.min() > 1e-3


def test_the_same_seed_gives_the_same_image_and_another_seed_another(tiny_prior):
    method = Piva(aux=FAST_AUX)
    first = edited(tiny_prior, method, cases(2))
    assert torch.equal(edited(tiny_prior, method, cases(2)), first)
    assert (edited(tiny_prior, method, cases(2), seed=1) - first).abs().amax() > 1e-3


def test_auxiliaries_learn_and_change_the_edit(tiny_prior):
    (slow,) = edit_batch(tiny_prior, Piva(lam=1, aux={"lr": 0}), cases(1), steps=12, seed=0)
    (fast,) = edit_batch(tiny_prior, Piva(lam=1, aux={"lr": 1e-2}), cases(1), steps=12, seed=0)
    assert (slow.image - fast.image).abs().max() > 1e-3
    assert "phi_loss" not in slow.history
    (idle,) = edit_batch(tiny_prior, Piva(lam=1, aux={"lr": 1e-8}), cases(1), steps=12, seed=0)
    assert fast.history["phi_loss"][0] == idle.history["phi_loss"][0]
    assert sum(fast.history["phi_loss"][-3:]) < 0.95 * sum(idle.history["phi_loss"][-3:])  # same draws; 0.89 seen


def test_a_warm_up_trains_before_the_first_step(tiny_prior):
    method = Piva(aux=FAST_AUX | {"warmup_steps": 10})
    (warm,) = edit_batch(tiny_prior, method, cases(1), steps=1, seed=0)
    (cold,) = edit_batch(tiny_prior, Piva(aux=FAST_AUX), cases(1), steps=1, seed=0)
    assert warm.history["psi_loss"][0] < cold.history["psi_loss"][0]
    assert warm.unet_rows_backward == cold.unet_rows_backward + 20


def test_history_says_what_happened(tiny_prior):
    (output,) = edit_batch(tiny_prior, Piva(guidance=3.0), cases(1), steps=3, seed=0)
    assert set(output.history) == {
        "t", "direction_rms", "identity_rms", "drift_rms", "psi_loss", "phi_loss", "rows_forward", "rows_backward"
    }  # fmt: skip
    assert all(len(values) == 3 for values in output.history.values())
    assert output.history["drift_rms"][0] == pytest.approx(0.0488 * output.history["direction_rms"][0], rel=1e-4)
    assert all(50 <= t <= 948 for t in output.history["t"])
    assert output.image.dtype == torch.float32
    assert 0 <= output.image.min() <= output.image.max() <= 1
    assert output.seconds > 0
    assert 100e6 < output.peak_bytes < 100e9  # of this process, torch and all
    assert output.error is None


def test_200_steps_are_200_updates(tiny_prior):
    lines = []
    edit_batch(tiny_prior, SDS(guidance=1.0), cases(1), steps=200, seed=0, on_step=lines.append)
    assert [line["step"] for line in lines] == list(range(200))


def test_no_steps_are_the_round_trip_through_the_vae(tiny_prior):
    (output,) = edit_batch(tiny_prior, DDS(), cases(1), steps=0, seed=0)
    assert torch.equal(output.image, tiny_prior.decode(tiny_prior.encode(image(0)[None]))[0])
    assert output.unet_rows == 0
    assert output.history == {}


def test_images_are_shown_when_asked_for(tiny_prior):
    lines = []
    final = edited(tiny_prior, DDS(), cases(2), steps=4, on_step=lines.append, image_every=2)
    assert [line["step"] for line in lines if "images" in line] == [1, 3]
    assert torch.equal(lines[-1]["images"], final)


def test_the_row_cache_saves_half_of_dds_and_changes_nothing(tiny_prior):
    cache = RowCache()
    cold = edit_batch(tiny_prior, DDS(), cases(2), steps=3, seed=0, cache=cache)
    warm = edit_batch(tiny_prior, DDS(), cases(2), steps=3, seed=0, cache=cache)
    assert [output.unet_rows for output in cold] == [12, 12]
    assert [output.unet_rows for output in warm] == [6, 6]
    torch.testing.assert_close(warm[0].image, cold[0].image, atol=2e-5, rtol=0)


def test_a_case_that_runs_away_says_so_and_leaves_the_others_alone(tiny_prior):
    bad = EditInput("bad", torch.full((3, 32, 32), float("nan")), "a red cube", "a blue cube")
    outputs = edit_batch(tiny_prior, Piva(), [*cases(1), bad], steps=2, seed=0)
    assert outputs[0].error is None
    assert outputs[1].error == "the latent left the finite numbers at step 0"
    torch.testing.assert_close(outputs[0].image, edited(tiny_prior, Piva(), cases(1), steps=2)[0], atol=2e-5, rtol=0)


def test_wrong_inputs_are_refused_before_any_work(tiny_prior):
    with pytest.raises(ValueError, match=r"case a: image is \(3, 16, 16\), not \(3, 32, 32\)"):
        edit_batch(tiny_prior, DDS(), [EditInput("a", torch.zeros(3, 16, 16), "", "")], steps=1, seed=0)
    with pytest.raises(ConfigError, match="t-max 1000"):
        edit_batch(tiny_prior, DDS(t_max=1000), cases(1), steps=1, seed=0)
    assert edit_batch(tiny_prior, DDS(), [], steps=1, seed=0) == []


def test_it_is_quiet_and_writes_nothing(tiny_prior, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        edit_batch(tiny_prior, Piva(), cases(1), steps=2, seed=0)
    captured = capfd.readouterr()
    assert captured.out == captured.err == ""
    assert list(tmp_path.iterdir()) == []


def test_the_global_generator_is_left_alone(tiny_prior):
    torch.manual_seed(3)
    before = torch.get_rng_state()
    edit_batch(tiny_prior, Piva(aux={"psi": "stored", "psi_steps": 2}), cases(1), steps=2, seed=0)
    assert torch.equal(torch.get_rng_state(), before)


def test_an_interrupt_comes_out_as_one(tiny_prior):
    def interrupt(line):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        edit_batch(tiny_prior, DDS(), cases(1), steps=2, seed=0, on_step=interrupt)
    assert signal.getsignal(signal.SIGINT) is not signal.SIG_IGN


def test_a_termination_comes_out_as_an_interrupt_and_not_as_success(tiny_prior):
    """Lightning would end the process with exit code 0, and its cases would be missing unnoticed."""
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt):
        edit_batch(tiny_prior, DDS(), cases(1), steps=4, seed=0, on_step=lambda _: signal.raise_signal(signal.SIGTERM))
    assert signal.getsignal(signal.SIGTERM) == before


def test_an_error_in_a_step_comes_out_as_it_is(tiny_prior):
    def fail(line):
        raise RuntimeError("the disk is full")

    with pytest.raises(RuntimeError, match="the disk is full"):
        edit_batch(tiny_prior, DDS(), cases(1), steps=2, seed=0, on_step=fail)


def test_a_picture_has_no_camera_for_an_embedding(tiny_prior):
    with pytest.raises(ConfigError, match="a picture has no camera pose"):
        edit_batch(tiny_prior, Piva(aux={"camera": True}), cases(1), steps=1, seed=0)


@pytest.mark.parametrize(
    "method",
    [DDS(), Piva(aux=FAST_AUX | {"warmup_steps": 2}), Piva(aux=FAST_AUX | {"psi": "stored", "phi": "fresh"})],
    ids=["dds", "piva", "piva-stored-fresh"],
)
def test_an_interrupted_edit_goes_on_to_the_same_result(tiny_prior, tmp_path, monkeypatch, method):
    monkeypatch.setattr("piva.checkpoint.SECONDS_BETWEEN", -1.0)
    file, options = tmp_path / "edit.safetensors", {"steps": 5, "seed": 0}
    whole = edit_batch(tiny_prior, method, cases(2), **options)

    def interrupt(line):
        if line["step"] == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        edit_batch(tiny_prior, method, cases(2), on_step=interrupt, checkpoint=file, **options)
    seen = []
    again = edit_batch(tiny_prior, method, cases(2), on_step=seen.append, checkpoint=file, **options)
    assert [line["step"] for line in seen] == [3, 4]  # step 3 was done, and lost with the launch
    assert not file.exists()
    for a, b in zip(again, whole, strict=True):
        assert torch.equal(a.image, b.image)
        assert a.history == b.history
        assert (a.unet_rows, a.unet_rows_backward, a.psi_rows) == (b.unet_rows, b.unet_rows_backward, b.psi_rows)


def test_a_checkpoint_of_another_edit_is_not_gone_on_from(tiny_prior, tmp_path, monkeypatch):
    monkeypatch.setattr("piva.checkpoint.SECONDS_BETWEEN", -1.0)
    file = tmp_path / "edit.safetensors"

    def interrupt(line):
        if line["step"] == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        edit_batch(tiny_prior, DDS(), cases(1), steps=3, seed=0, on_step=interrupt, checkpoint=file)
    assert file.exists()
    seen = []
    edit_batch(tiny_prior, DDS(), cases(1), steps=3, seed=1, on_step=seen.append, checkpoint=file)
    assert [line["step"] for line in seen] == [0, 1, 2]


@pytest.mark.filterwarnings("ignore:prompt")
def test_an_edit_says_which_of_its_prompts_were_cut(tiny_prior):
    long = EditInput("long", image(0), "a cube", "red cube " * 1112)
    both = EditInput("both", image(1), "a blue " * 500, "red cube " * 1112)
    outputs = edit_batch(tiny_prior, DDS(), [long, cases(1)[0], both], steps=1, seed=0)
    tokens = {text: len(tiny_prior.tokenizer(text)["input_ids"]) for text in (long.tgt, both.src)}
    target = f"the target has {tokens[long.tgt]} tokens, of which {tiny_prior.name} reads 40"
    source = f"the source has {tokens[both.src]} tokens, of which {tiny_prior.name} reads 40"
    assert [output.note for output in outputs] == [target, None, f"{source}; {target}"]
