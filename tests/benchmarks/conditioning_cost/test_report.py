"""Medians, ratios and what is reckoned by hand; and the whole command on a tiny shape, ended and taken up again."""

import json
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace

import pytest

from benchmarks.conditioning_cost import figure, measure
from benchmarks.conditioning_cost.__main__ import main
from benchmarks.conditioning_cost.measure import START, fits, turn_seconds
from benchmarks.conditioning_cost.options import Options
from benchmarks.conditioning_cost.report import Line, Report, begun, save
from benchmarks.conditioning_cost.tables import grids, notes
from benchmarks.conditioning_cost.turns import Turn
from benchmarks.measurement import markdown_of
from benchmarks.speed.memory import Peak
from piva.errors import ConfigError
from piva.memory import RESERVE, Memory

MADE = {
    "device": "cpu", "cpu": "a CPU x2", "threads": 2, "packages": {"torch": "2"}, "git_commit": "c0ffee",
    "git_dirty": False, "command": "cost",
}  # fmt: skip
FACTS = {"latent": 64, "dtype": "float32", "steps": 5, "repeats": 3}
MB = 10**6


def turn(*seconds, added=50 * MB):
    return Turn(seconds, Peak(600 * MB + added, 600 * MB))


def line(size, kind, flops, *turns, weights=40 * MB):
    memory = Memory({"unet": weights, "vae": MB}, 2 * MB, 4 * MB, 5 * MB, 20 * MB, 30 * MB, MB, MB, 90 * MB)
    return Line(size, kind, size != "toybox", (32, 64), (4, 8, 8), weights // 4, 500_000, memory, flops, list(turns))


@pytest.fixture
def report():
    lines = [
        line("0.1", "none", 4 * 10**9, turn(1.0, 2.0, 3.0), turn(4.0), turn(1.0)),
        line("0.1", "lora", 10**10, turn(8.0), turn(9.0, 10.0), added_twice()),
        line("1", "none", 4 * 10**11, weights=4000 * MB),
        line("1", "lora", 10**12, weights=4000 * MB),
    ]
    return Report(FACTS, [MADE], lines)


def added_twice():
    return turn(2.0, added=70 * MB)


def test_medians_are_over_all_steps_and_ratios_over_repeats(report):
    none, lora = report.line("0.1", "none"), report.line("0.1", "lora")
    assert none.seconds == 2.0  # of 1, 2, 3, 4, 1
    assert lora.seconds == 8.5
    assert report.times_none(lora) == pytest.approx(9.5 / 4)  # of 8 / 2, 9.5 / 4 and 2 / 1
    assert report.times_none(none) == 1
    assert (lora.measured_bytes, none.measured_bytes) == (50 * MB, 50 * MB)
    assert (lora.added_bytes, lora.step_bytes) == (36 * MB, 76 * MB)


def test_what_was_not_measured_is_reckoned_at_the_speed_of_its_kind(report):
    lora = report.line("1", "lora")
    assert (lora.seconds, report.times_none(lora)) == (None, None)
    assert report.reckoned_seconds(lora) == pytest.approx(10**12 / (10**10 / 8.5))
    other = line("1", "controlnet", 10**12)
    assert report.reckoned_seconds(other) == pytest.approx(850)  # another kind's, at the nearest size: lora's
    assert Report(FACTS, [MADE], [other]).reckoned_seconds(other) is None


def test_the_nearest_size_is_by_operations(report):
    report.lines.append(line("0.5", "lora", 10**11, turn(10.0)))
    assert report.reckoned_seconds(report.line("1", "lora")) == pytest.approx(100)
    small = line("toybox", "lora", 10**9)
    assert report.reckoned_seconds(small) == pytest.approx(0.85)


def test_how_long_a_turn_should_take(report):
    options = Options(steps=5)
    assert turn_seconds(report, report.line("0.1", "lora"), options) == START + (1 + 5) * 8.5
    assert turn_seconds(report, report.line("1", "lora"), options) == pytest.approx(START + (1 + 1) * 850)
    assert turn_seconds(Report(FACTS, [MADE], []), line("1", "lora", 1), options) == START


def test_a_point_fits_with_a_reserve(report):
    lora, device = report.line("0.1", "lora"), measure.machine_of(Options(device="cpu")).device
    assert fits(lora, Options(memory_gb=(76 * MB + RESERVE) / 1e9), device)
    assert not fits(lora, Options(memory_gb=(75 * MB + RESERVE) / 1e9), device)
    assert 0 < measure.free_bytes(device) < 2**60


def test_tables_put_in_brackets_what_was_not_measured(report):
    text = markdown_of(grids(report), notes(report))
    assert "| 0.1 | 32, 64 | 4x8x8 | 10 | 40 |" in text
    assert "| 0.1 | lora | 0.5 | 6 | 10 | 2.50 | 8.5 | 2.38 | 1.18 | 4 | 36 | 50 | 90 |" in text
    assert "| 1 | lora | 0.5 | 6 | 1000 | 2.50 | (850) |  |  | 0 | 36 |  | 90 |" in text
    assert "commit c0ffee: cost" in text


def test_a_figure_draws_what_was_measured_or_else_counted(report, tmp_path):
    small, large = report.line("0.1", "lora"), report.line("1", "lora")
    assert figure.seconds(report, small) == (8.5, True)
    assert figure.seconds(report, large) == (pytest.approx(850), False)
    assert figure.gigabytes(small) == (pytest.approx(0.09), True)
    assert figure.gigabytes(large) == (pytest.approx(4.036), False)
    report.lines.append(line("toybox", "none", 10**9))
    for name in ("a.svg", "b.svg", "a.png"):
        figure.draw(report, tmp_path / name)
    drawing = (tmp_path / "a.svg").read_bytes()
    assert drawing == (tmp_path / "b.svg").read_bytes()
    assert drawing.count(b"<!-- toybox -->") == 2  # in either panel
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_a_file_is_taken_up_where_it_fits(report, tmp_path):
    file = tmp_path / "cost.json"
    save(report, file)
    again = begun(file, FACTS | {"repeats": 9}, MADE | {"command": "other"})
    assert again.lines == report.lines
    assert (again.provenance, again.options["repeats"]) == ([MADE], 9)
    with pytest.raises(ConfigError, match="measured with latent 64, this is 32"):
        begun(file, FACTS | {"latent": 32}, MADE)
    with pytest.raises(ConfigError, match="measured with threads 2, this is 4"):
        begun(file, FACTS, MADE | {"threads": 4})
    file.write_text("{}")
    with pytest.raises(ConfigError, match="holds no such measurement"):
        begun(file, FACTS, MADE)


@pytest.fixture
def command(tiny_pipeline_folder, tmp_path, monkeypatch):
    """Runs the command on a tiny shape, with turns that are made up; the turns that it took."""
    taken = []

    def take(_function, _options, _size, kind):
        taken.append(kind)
        return turn({"none": 1.0, "lora": 3.0}[kind])

    monkeypatch.setattr(measure, "in_new_process", take)

    def run(*arguments):
        taken.clear()
        where = ["--sizes", str(tiny_pipeline_folder), "--kinds", "none", "lora", "--device", "cpu"]
        assert main([*where, "--json", str(tmp_path / "cost.json"), *arguments]) == 0
        return list(taken)

    return run


def test_turns_alternate_and_a_second_call_goes_on(command, tmp_path, capsys):
    assert command("--seconds", "0") == []
    counted = json.loads((tmp_path / "cost.json").read_text())
    assert [(x["kind"], x["turns"]) for x in counted["lines"]] == [("none", []), ("lora", [])]
    assert command("--repeats", "1") == ["none", "lora"]
    files = ["--markdown", str(tmp_path / "cost.md"), "--figure", str(tmp_path / "cost.svg")]
    assert command("--repeats", "3", *files) == ["none", "lora", "none", "lora"]
    captured = capsys.readouterr()
    assert "cost of a step, by kind" in captured.out
    assert captured.err.count("counting:") == 2
    written = json.loads((tmp_path / "cost.json").read_text())
    assert [len(x["turns"]) for x in written["lines"]] == [3, 3]
    assert [x["flops"] for x in written["lines"]] == [x["flops"] for x in counted["lines"]]
    assert "figure" not in written["options"]
    assert "| 3 | 3.00 |" in (tmp_path / "cost.md").read_text()
    assert (tmp_path / "cost.svg").exists()


def test_what_was_measured_is_kept_when_a_turn_fails(command, tmp_path, monkeypatch):
    def fail(_function, _options, _size, kind):
        if kind == "lora":
            raise KeyboardInterrupt
        return turn(1.0)

    monkeypatch.setattr(measure, "in_new_process", fail)
    with pytest.raises(KeyboardInterrupt):
        command()
    written = json.loads((tmp_path / "cost.json").read_text())
    assert [len(x["turns"]) for x in written["lines"]] == [1, 0]


def test_a_process_that_was_ended_is_not_started_again(command, tmp_path, monkeypatch, capsys):
    tried = []

    def end(_function, _options, _size, kind):
        tried.append(kind)
        if kind == "lora":
            raise BrokenProcessPool
        return turn(1.0)

    monkeypatch.setattr(measure, "in_new_process", end)
    command("--repeats", "2")
    assert tried == ["none", "lora", "none"]
    assert "it is not tried again" in capsys.readouterr().err


def test_what_does_not_fit_is_counted(command, capsys):
    assert command("--memory-gb", "1") == []
    assert "cost of a step, by kind" in capsys.readouterr().out


def test_points_of_other_calls_stay(report, tmp_path, tiny_pipeline_folder):
    file = tmp_path / "cost.json"
    made = measure.origin("cost", "cpu")
    save(replace(report, provenance=[made]), file)
    options = Options(sizes=(str(tiny_pipeline_folder),), kinds=("none",), seconds=0, device="cpu", json=file)
    assert [x.size for x in measure.measure(options).lines] == ["0.1", "0.1", "1", "1", str(tiny_pipeline_folder)]
