"""`--method all`: which runs it is, what it refuses, what it sums up; `--preset` and `--unet-rows`."""

import re

import pytest
from harness_world import use_plain_world, write_bench

import benchmarks.costs.calibration as calibration
from benchmarks.costs.cost import needs_of
from benchmarks.costs.equal_rows import steps_within
from piva.cli import main
from piva.commands.edit import EditConfig
from piva.commands.presets import expanded
from piva.commands.run_all import command_lines
from piva.commands.run_settings import run_settings
from piva.errors import ConfigError
from piva.instructed import SCENE_EDITORS
from piva.methods import METHODS
from piva.methods.presets import AUTHORS
from piva.records import read_cases, read_run, run_folders
from piva.registry import resolve
from piva.sampling import SAMPLERS

PICTURES = {"pictures": ("pie-toybox", METHODS | SAMPLERS), "scenes": ("noe-toybox", METHODS | SCENE_EDITORS)}


@pytest.fixture
def world(tmp_path, monkeypatch):
    """`piva run pie-bench --method all` on the stand-ins, 4 cases."""
    use_plain_world(monkeypatch)
    monkeypatch.setattr(calibration, "SECONDS_OF_MEASUREMENT", 1e-4)
    monkeypatch.setenv("PIVA_CACHE", str(tmp_path / "cache"))
    root = write_bench(tmp_path / "bench", n=4)
    common = ["--root", str(root), "--out", str(tmp_path / "runs"), "--tracker", "none"]
    return lambda *flags: main(["run", "pie-bench", "--method", "all", *common, *flags])


def test_it_runs_every_method_once_and_goes_on(world, tmp_path, capsys):
    assert world("--steps", "7") == 0
    runs = {read_run(folder).method: folder for folder in run_folders(tmp_path / "runs")}
    assert set(runs) == set(METHODS | SAMPLERS)
    assert {read_run(folder).steps for folder in runs.values()} == {7}
    (runs["pds"] / "cases.jsonl").unlink()
    capsys.readouterr()
    assert world("--steps", "7") == 0
    said = capsys.readouterr().err
    assert said.count("4 done before") == len(runs) - 1
    assert len(read_cases(runs["pds"])) == 4


def test_a_dry_run_sums_up(world, tmp_path, capsys):
    assert world("--dry-run", "--steps", "10", "--limit", "2", "--seeds", "0", "1") == 0
    said = capsys.readouterr().out
    rows = {}
    for line in said.splitlines():
        cells = [cell.strip() for cell in line.split("│")[1:-1]]
        if len(cells) == 7:
            rows[cells[0]] = cells[2:]
    methods = {name: resolve("method", METHODS | SAMPLERS, name)() for name in METHODS | SAMPLERS}
    expected = {name: 4 * needs_of(method).edit(10).total for name, method in methods.items()}
    assert {name: int(rows[name][2].replace(",", "")) for name in methods} == expected
    assert rows["together"][1:3] == ["0/52", f"{sum(expected.values()):,}"]
    assert not (tmp_path / "runs").exists()


def test_scenes_have_all_that_give_a_field_a_direction():
    lines = command_lines(["noe-toybox", "--method", "all", "--steps=50"])
    assert list(lines) == list(METHODS)
    assert lines["dds"] == ["noe-toybox", "--method", "dds", "--steps=50"]
    for words in lines.values():
        assert run_settings(words)[1].steps == 50


@pytest.mark.parametrize(
    ("flag", "said"),
    [
        ("--method.lam=1", "takes what every method has, and sds, nfsd"),
        ("--method.step-size=1", "and sdedit, ddim-inv"),
    ],
)
def test_a_setting_of_some_is_refused(flag, said):
    with pytest.raises(ConfigError, match=re.escape(flag.partition("=")[0]) + ".*" + said):
        command_lines(["pie-toybox", "--method", "all", flag])
    assert len(command_lines(["pie-toybox", "--method", "all", "--method.guidance", "3"])) == 13


def test_help_is_that_of_run(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["run", "pie-toybox", "--method", "all", "--help"])
    assert ended.value.code == 0
    assert "--unet-rows" in capsys.readouterr().out


@pytest.mark.parametrize("command", [["run", "noe-toybox"], ["edit-scene", "DIR", "--source", "a", "--target", "b"]])
def test_scenes_refuse_a_sampler(command, capsys):
    assert main([*command, "--method", "sdedit"]) == 2
    assert "it edits pictures only; all other methods edit scenes" in capsys.readouterr().err


@pytest.mark.parametrize("domain", AUTHORS)
def test_every_preset_is_read_and_is_what_it_says(domain):
    benchmark, table = PICTURES[domain]
    assert set(AUTHORS[domain]) <= set(table)
    for name, preset in AUTHORS[domain].items():
        _, config = run_settings([benchmark, "--method", name, "--preset", "authors"])
        assert config.steps == preset.steps
        assert len(preset.source) > 10
        for flag, value in preset.settings.items():
            found = config.method
            for part in flag.replace("-", "_").split("."):
                found = getattr(found, part)
            assert str(found) == value or float(found) == float(value)
    assert set(AUTHORS["pictures"]) == set(METHODS | SAMPLERS)


def test_what_is_given_wins_over_the_preset():
    words = ["pie-toybox", "--method=pds", "--preset", "authors", "--steps", "7", "--method.guidance=30"]
    _, config = run_settings(words)
    assert (config.steps, config.method.guidance, config.method.t_min) == (7, 30, 20)
    _, typed = run_settings(["pie-toybox", "--method=pds", "--steps=7", "--method.guidance=30"])
    assert typed.method == config.method


def test_a_preset_that_is_not_there_is_refused():
    with pytest.raises(ConfigError, match="copy has none for pictures"):
        run_settings(["pie-toybox", "--method", "copy", "--preset", "authors"])
    with pytest.raises(ConfigError, match="of which method"):
        expanded(["--preset", "authors"], "pictures")
    with pytest.raises(SystemExit):
        run_settings(["pie-toybox", "--method", "dds", "--preset", "mine"])
    assert expanded(["--preset", "authors"], "pictures", "piva")[0] == "--steps=200"
    assert "preset" in EditConfig.model_fields


@pytest.mark.parametrize(
    ("name", "settings", "steps"),
    [("dds", {}, 200), ("sds", {}, 400), ("piva", {}, 114), ("ids", {}, 80), ("vsd", {}, 200),
     ("dds", {"guidance": 1}, 400), ("sdedit", {"t0": 0.5}, 500), ("sdedit", {"t0": 1.0}, 250),
     ("ddim-inversion", {}, 250)],
)  # fmt: skip
def test_equal_rows_are_as_many_steps_as_they_allow(name, settings, steps):
    words = [f"--method.{key.replace('_', '-')}={value}" for key, value in settings.items()]
    _, config = run_settings(["pie-toybox", "--method", name, "--unet-rows", "800", *words])
    assert config.steps == steps
    assert needs_of(config.method).edit(steps).total <= 800


def test_too_few_rows_are_refused():
    with pytest.raises(ConfigError, match="--unet-rows 3: a step of dds takes 4"):
        steps_within(3, resolve("method", METHODS, "dds")())
    with pytest.raises(ConfigError, match="copy takes no rows"):
        run_settings(["pie-toybox", "--method", "copy", "--unet-rows", "800"])
