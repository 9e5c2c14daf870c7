"""Means of speed: each runs on a tiny world; ratios by hand; peft's way makes the same numbers as ours."""

import json
import math
from dataclasses import replace

import pytest
import torch
from harness_world import write_bench

from benchmarks.means import calls, edits
from benchmarks.means.__main__ import main
from benchmarks.means.mean import Bench, Mean, line
from benchmarks.means.measure import MAKERS, Report, chosen
from benchmarks.means.options import Options
from benchmarks.means.tables import grids, notes
from benchmarks.measurement import markdown_of
from benchmarks.speed.contenders import Rows
from benchmarks.speed.floor import Calls
from benchmarks.speed.visits import visiting
from piva import allocator
from piva.config import PriorConfig
from piva.priors import Segment

MADE = {
    "device": "cpu", "cpu": "a CPU x2", "threads": 2, "packages": {"torch": "2"}, "git_commit": "c0ffee",
    "git_dirty": False, "command": "means",
}  # fmt: skip


@pytest.fixture(scope="module")
def options(tiny_pipeline_folder, tmp_path_factory):
    root = write_bench(tmp_path_factory.mktemp("means"), n=4, size=32)
    return Options(
        steps=2, repeats=1, batch_size=2, root=root, prior=PriorConfig(model=str(tiny_pipeline_folder), device="cpu")
    )


def mean(name="stored psi", **facts):
    return Mean(name, "--method.aux.psi stored", "estimator", lambda steps: (1.0, 1.0), **facts)


@pytest.mark.parametrize("name", [name for name in MAKERS if name != "compile"])
def test_every_mean_can_be_measured(options, name):
    for made in MAKERS[name](Bench(options)):
        assert all(math.isfinite(seconds) and seconds > 0 for seconds in made.pair(2)), made.name


def test_compiling_is_paid_once(options, monkeypatch):
    """Traced, but not turned into machine code, which takes minutes."""
    real = torch.nn.Module.compile
    monkeypatch.setattr(torch.nn.Module, "compile", lambda module: real(module, backend="eager"))
    both_calls = MAKERS["compile"](Bench(options))[-1]
    once, pair = both_calls.once(), both_calls.pair(2)
    assert once > pair[1] > 0
    assert pair[0] > 0


def test_the_ratio_is_the_median_of_each_repeat_s_own():
    found = line(mean(), [(10.0, 5.0), (20.0, 2.0), (12.0, 4.0)])
    assert found.times_as_fast == 3  # of 2, 10 and 3
    assert (found.seconds_without, found.seconds_with) == ([10, 20, 12], [5, 2, 4])
    assert (found.once, found.pays_after) == (None, None)


def test_what_is_paid_once_pays_after_as_many_as_save_it():
    assert line(mean(), [(5.0, 3.0), (6.0, 4.0), (9.0, 4.0)], once=10.0).pays_after == 5  # of 6 - 4 each, by medians
    assert line(mean(), [(3.0, 5.0)], once=10.0).pays_after is None


def test_the_table_has_a_row_for_each_mean():
    lines = [
        line(mean(), [(2.0, 1.0)]),
        line(mean("compile", per="step"), [(0.004, 0.002)], once=10.0),
        line(mean("compile, small"), [(0.00001234, 0.01)], once=10.0),
    ]
    report = Report({"steps": 30, "batch_size": 8, "repeats": 1}, MADE, lines)
    text = markdown_of(grids(report), notes(report))
    assert "| stored psi | --method.aux.psi stored | edit | 2000 | 1000 | 2.00 |  |  | estimator |" in text
    assert "| compile | --method.aux.psi stored | step | 4 | 2 | 2.00 | 10.0 | 5000 | estimator |" in text
    assert "| compile, small | --method.aux.psi stored | edit | 0.0123 | 10 | 0.00 | 10.0 | never | estimator |" in text
    assert "30 steps, or calls; batches of 8" in text
    assert "commit c0ffee: means" in text


def test_compile_is_measured_where_it_is_asked_for(options):
    everything = list(MAKERS)
    assert chosen(options) == [name for name in everything if name != "compile"]
    assert chosen(replace(options, compile=True)) == everything
    assert chosen(replace(options, only=("compile", "batch"))) == ["batch", "compile"]
    assert chosen(replace(options, only=("batch",), compile=True)) == ["batch"]


def test_the_command_prints_and_writes(options, tmp_path, capsys):
    arguments = [
        "--steps", "2", "--repeats", "2", "--batch-size", "2", "--only", "rows-on-disk", "encodings",
        "--root", str(options.root), "--prior.model", options.prior.model, "--prior.device", "cpu",
        "--json", str(tmp_path / "means.json"), "--markdown", str(tmp_path / "means.md"),
    ]  # fmt: skip
    assert main(arguments) == 0
    captured = capsys.readouterr()
    assert "means of speed" in captured.out
    assert "prompts known: 2 of 2" in captured.err
    written = json.loads((tmp_path / "means.json").read_text())
    assert (written["options"]["steps"], written["provenance"]["device"]) == (2, "cpu")
    assert [len(row["seconds_with"]) for row in written["lines"]] == [2] * 4
    table = (tmp_path / "means.md").read_text()
    names = [row["name"] for row in written["lines"]]
    assert names[2:] == ["prompts known", "source latents known"]
    assert all(f"| {name} | " in table for name in names)


def test_an_unknown_mean_is_named(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--only", "batch", "magic"])
    assert ended.value.code == 2
    message = " ".join(capsys.readouterr().err.replace("│", "").split())
    assert "magic" in message
    assert "stacked-lora" in message


def test_a_model_that_is_not_there_fails_before_anything_is_measured(options, capsys):
    assert main(["--only", "bfloat16", "--prior.model", "no/such", "--root", str(options.root)]) == 3
    assert "neither a folder nor a model" in capsys.readouterr().err


def test_a_later_visit_trains_no_stored_psi(options):
    with visiting(Bench(options).world(), 2, 2, "nowhere") as visits:
        first, later = (visits.one(name, edits._STORED) for name in ("first", "later"))
    assert (first.psi_rows, later.psi_rows) == (1, 0)
    assert first.rows_backward == later.rows_backward == 1


def test_freed_memory_is_kept_or_not(options, monkeypatch):
    asked = []
    monkeypatch.setattr(allocator, "keep_freed_memory", lambda: asked.append(True))
    edits.edit_seconds(options, 1, kept=False)
    assert not asked
    edits.edit_seconds(options, 1, kept=True)
    assert asked == [True]


def test_peft_s_mixed_batch_is_the_same_call(options):
    """Outputs and the gradients of every adapter."""
    prior = Bench(options).world().prior
    ours = Calls.of_cases(Bench(options).world(), calls.PIVA, Rows(trained=1), 3)
    stack = prior.adapter(calls.PIVA.first.aux, 0, ["a", "b", "c"])
    generator = torch.Generator().manual_seed(0)
    for b in stack.b:
        b.data.copy_(0.1 * torch.randn(b.shape, generator=generator))
    model = calls.peft_model(prior, stack)
    expected = prior.predict(*ours.trained, [Segment(stack, 0)])
    x, t, embedding = ours.trained
    found = model(x, t, embedding, return_dict=False, adapter_names=["0", "1", "2"])[0]
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    assert (expected - prior.predict(*ours.trained)).abs().mean() > 1e-3
    for out in (found, expected):
        out.square().mean().backward()
    theirs = dict(model.named_parameters())
    for name, i in stack.index.items():
        for case in range(3):
            gradient = theirs[f"base_model.model.{name}.lora_B.{case}.weight"].grad
            torch.testing.assert_close(gradient, stack.b[i].grad[case], atol=1e-6, rtol=1e-4)
