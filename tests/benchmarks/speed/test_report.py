"""Ratios by hand; and the whole command on a tiny world."""

import json

import pytest

from benchmarks.measurement import markdown_of
from benchmarks.speed.__main__ import main
from benchmarks.speed.contenders import ANY, CAREFUL, COLD, FLOOR, LITERAL, OURS, PSI_TRAINING, WARM, Key, contenders
from benchmarks.speed.memory import Peak
from benchmarks.speed.options import Options
from benchmarks.speed.report import Measured, build
from benchmarks.speed.split import SECTIONS
from benchmarks.speed.tables import grids, notes
from benchmarks.speed.visits import Visit

NAME = "piva, stored psi"
SECONDS = {
    Key("piva", LITERAL, ANY, 1): [10.0, 20.0, 12.0],
    Key("piva", CAREFUL, ANY, 1): [8.0, 10.0, 8.0],
    Key(NAME, OURS, COLD, 1): [5.0, 8.0, 6.0],
    Key(NAME, OURS, COLD, 4): [2.0, 10.0, 4.0],
    Key(NAME, OURS, WARM, 1): [4.0, 4.0, 4.0],
    Key(NAME, OURS, WARM, 4): [5.0, 5.0, 5.0],
    Key(NAME, FLOOR, COLD, 1): [0.3, 0.3, 0.3],
    Key(NAME, FLOOR, COLD, 4): [0.1, 0.2, 0.1],
    Key(NAME, FLOOR, WARM, 1): [0.05, 0.05, 0.1],
    Key(NAME, FLOOR, WARM, 4): [0.2, 0.2, 0.2],
    Key(NAME, FLOOR, PSI_TRAINING, 1): [0.05, 0.05, 0.05],
    Key(NAME, FLOOR, PSI_TRAINING, 4): [0.04, 0.01, 0.02],
}
"""Three repeats."""


@pytest.fixture
def report():
    options = Options(methods=("piva",), steps=10, psi_steps=20, repeats=3)
    _, stored = contenders(("piva",), 20)
    split = dict.fromkeys(SECTIONS, 0.0) | {"unet": 6.0, "harness": 2.0, "encode": 1.0, "psi": 1.0}
    visits = {key: Visit(0.0, 5, 1, 20) for key in SECONDS}
    peaks = {Key(NAME, OURS, ANY, 4): Peak(300_000_000, 100_000_000)}
    measured = Measured(SECONDS, visits, {Key(NAME, OURS, COLD, 4): split}, peaks)
    return build(options, [stored], measured, {
        "device": "cpu", "cpu": "a CPU x2", "threads": 2, "packages": {"torch": "2"}, "git_commit": "c0ffee",
        "git_dirty": True, "command": "speed",
    })  # fmt: skip


def line(report, variant, visit, size):
    return next(x for x in report.lines if (x.variant, x.visit, x.size) == (variant, visit, size))


def test_ratios_are_medians_of_each_repeat_s_own(report):
    ours = line(report, OURS, COLD, 4)
    assert (ours.seconds, ours.fastest, ours.slowest) == (4, 2, 10)
    assert ours.times_literal == 3  # of 10/2, 20/10, 12/4; not 12/4 of the medians by luck
    # the floor of a cold edit: 10 steps at its best batch, 4, and 20 steps of psi's training at its best, 4
    floors = [10 * 0.1 + 20 * 0.04, 10 * 0.2 + 20 * 0.01, 10 * 0.1 + 20 * 0.02]
    assert ours.over_floor == pytest.approx(sorted([2 / floors[0], 10 / floors[1], 4 / floors[2]])[1])
    assert line(report, FLOOR, COLD, 4).seconds == pytest.approx(sorted(floors)[1])
    assert line(report, FLOOR, WARM, 1).seconds == pytest.approx(0.5)  # no training of psi
    assert line(report, OURS, WARM, 1).over_floor == pytest.approx(8)
    assert line(report, CAREFUL, ANY, 1).times_literal == pytest.approx(1.5)


def test_the_best_batch_is_the_fastest_by_median(report):
    best = {(x.visit, x.size) for x in report.lines if x.variant == OURS and x.is_best}
    assert best == {(COLD, 4), (WARM, 1)}


def test_a_step_leaves_out_what_is_done_once(report):
    (step,) = report.steps
    assert sum(step.shares.values()) == pytest.approx(1)
    assert step.shares["unet"] == pytest.approx(0.6)
    assert step.step_seconds == pytest.approx(0.8 * 4 / 10)
    assert step.over_floor == step.over_floor_here == pytest.approx(0.8 * 4 / 10 / 0.1)


def test_tables_show_batch_1_and_the_best_and_json_all(report):
    text = markdown_of(grids(report), notes(report))
    assert "| piva, stored psi: ours (best) | cold | 4 | 5 | 1 | 20 | 4.000 | 3.00 |" in text
    assert "| 300 (100) |" in text
    assert "| piva, stored psi | warm | 4.000 | 5.000 |" in text
    assert "commit c0ffee with changes: speed" in text


def test_the_command_prints_and_writes(options, tmp_path, capsys):
    arguments = [
        "--cases", "2", "--steps", "2", "--repeats", "1", "--batch-sizes", "2", "--psi-steps", "3", "--no-memory",
        "--methods", "dds", "piva", "--root", str(options.root), "--prior.model", options.prior.model,
        "--prior.device", "cpu", "--json", str(tmp_path / "speed.json"), "--markdown", str(tmp_path / "speed.md"),
    ]  # fmt: skip
    (tmp_path / "speed.md").write_text("kept\n<!-- results: begin -->\nstale\n<!-- results: end -->\nkept too\n")
    assert main(arguments) == 0
    captured = capsys.readouterr()
    assert "seconds per edit" in captured.out
    assert "repeat 1 of 1: piva, stored psi, batch 2" in captured.err
    written = json.loads((tmp_path / "speed.json").read_text())
    assert written["options"]["steps"] == 2
    assert written["provenance"]["device"] == "cpu"
    ours = [x for x in written["lines"] if x["variant"] == "ours"]
    assert len(ours) == 3 * 2 * 2  # contenders, visits, batch sizes
    assert {(x["rows_forward"], x["rows_backward"], x["psi_rows"]) for x in ours if "stored" in x["contender"]} == {
        (5, 1, 3), (3, 1, 0)
    }  # fmt: skip
    assert all(sum(x["shares"].values()) == pytest.approx(1) for x in written["steps"])
    text = (tmp_path / "speed.md").read_text()
    assert "where the time goes" in text
    assert text.startswith("kept\n<!-- results: begin -->")
    assert text.endswith("<!-- results: end -->\nkept too\n")
    assert "stale" not in text


def test_more_cases_than_there_are_is_a_bad_configuration(options, capsys):
    arguments = ["--cases", "9", "--batch-sizes", "1", "--root", str(options.root)]
    assert main([*arguments, "--prior.model", options.prior.model, "--prior.device", "cpu"]) == 2
    assert "has 3 cases, not 9" in capsys.readouterr().err
