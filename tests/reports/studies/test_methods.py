"""The study of methods: what the tuning chooses, what is put under later parts, and the page's numbers."""

import math
from dataclasses import replace
from functools import cache

import pytest
import yaml
from study_world import case_ids, table_rows, write_setting

from benchmarks.costs.cost import needs_of
from benchmarks.sweeps.points import grid_points
from piva.methods import METHODS
from piva.registry import resolve
from piva.sampling import SAMPLERS
from reports.reading import load_runs
from reports.studies.drawing import Figures
from reports.studies.found import is_of, settings_of
from reports.studies.methods import (
    CURVES,
    SCENES,
    TUNING,
    UPDATES,
    curve_of,
    page,
    tuned,
    tuned_for_scenes,
    tuning_loss,
)
from reports.studies.study import FILES, over, read_sweep

KINDS = METHODS | SAMPLERS
IDS = case_ids(1)
SMALL = {"dds", "cds", "piva", "sdedit"}


def sweep_of(part):
    return read_sweep(FILES / f"{part}.yaml")


@cache
def settings_in(part):
    """The part's settings without runs, of all methods: flags are read once for all tests."""
    return settings_of(sweep_of(part), [])


def points_of(part):
    return [(setting.point["method"], setting.config) for setting in settings_in(part)]


def small(part):
    """Those of four methods."""
    return [setting for setting in settings_in(part) if _name(setting) in SMALL]


def matched(settings, root):
    """The settings with the runs below a folder."""
    runs = load_runs([], root)
    found = []
    for one in settings:
        own = [run for run in runs if is_of(run.record, one.benchmark, one.config)]
        found.append(replace(one, runs=(own[0] if own else None,)))
    return found


def _name(setting):
    return setting.config.method.name


def score(config, seed, case_id):
    """Best at guidance 3 and the smallest strength of the tuning; worse by case."""
    method, k = config.method, IDS.index(case_id)
    strength = float(getattr(method, type(method).strength))
    far = abs(method.guidance - 3) + 0.1 * strength
    return {
        "metrics": {"lpips_to_true": far + 0.1 * k, "lpips": 2 + 0.1 * k - 0.1 * strength, "edit_success": k % 2},
        "seconds_edit": 1.0 + k, "unet_rows": 100, "unet_rows_backward": 7,
    }  # fmt: skip


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """Tuning, updates and curves of four methods, all of them done."""
    root = tmp_path_factory.mktemp("runs")
    for setting in small(TUNING):
        write_setting(root, setting, score, IDS, split="dev")
    tuning = matched(small(TUNING), root)
    chosen, later = tuned(tuning), []
    for part in (UPDATES, CURVES):
        filled = over(sweep_of(part), chosen, root / "sweeps")
        later += [one for one in settings_of(filled, []) if _name(one) in SMALL]
    known = set()
    for setting in later:
        key = (_name(setting), setting.config.method.model_dump_json())
        if key not in known:
            known.add(key)
            write_setting(root, setting, score, IDS, split="test")
    return [*tuning, *matched(later, root)]


def test_every_method_has_the_same_budget_its_default_among_it():
    points = points_of(TUNING)
    for name in KINDS:
        own = [config.method for values, config in points if values["name"] == name]
        assert len(own) == 8
        assert resolve("method", KINDS, name)() in own
        varied = {key for values, _ in points if values["name"] == name for key in values} - {"name"}
        assert varied <= {"step_size", "guidance", resolve("method", KINDS, name).strength, "aux"}
        for field in varied - {"aux"}:  # a full or half grid: every value as often
            counts = [[getattr(m, field) for m in own].count(value) for value in {getattr(m, field) for m in own}]
            assert len(set(counts)) == 1
    assert {config.split for _, config in points} == {"dev"}
    assert {config.steps for _, config in points} == {200}


def test_later_parts_ask_what_the_page_says():
    assert [config.steps for _, config in points_of(UPDATES)] == [200] * 13
    assert {config.limit for _, config in points_of(UPDATES)} == {60}
    for _, config in points_of("methods-rows"):
        assert needs_of(config.method).edit(config.steps).total <= 800
    values = points_of(CURVES)
    for name in KINDS:
        field = resolve("method", KINDS, name).strength
        own = [point for point, _ in values if point["name"] == name]
        assert [set(point) for point in own] == [{"name", field}] * 4
    assert {config.limit for _, config in values} == {20}
    assert {point["name"] for point, _ in points_of(SCENES)} == {*METHODS, "in2n"}


def test_the_tuned_point_has_the_lowest_mean(recorded):
    settings = recorded
    chosen = tuned(settings)
    assert set(chosen) == SMALL
    assert chosen["dds"] == {"guidance": 3.0, "step_size": 0.0488}  # of equal ones the first
    assert chosen["cds"] == {"guidance": 3.0, "step_size": 0.0488, "contrast": 3.0}
    assert chosen["piva"] == {"guidance": 3.0, "lam": 0.4, "step_size": 0.0488, "aux": {"lr": 1e-3}}
    assert chosen["sdedit"] == {"guidance": 3.0, "t0": 0.3}
    assert tuned_for_scenes(settings)["piva"] == {"guidance": 3.0, "lam": 0.4, "aux": {"lr": 1e-3}}


def test_nothing_is_tuned_until_all_points_are_done(tmp_path):
    assert tuned([]) is None
    *most, last = small(TUNING)
    assert tuned([*most, last]) is None
    for setting in most:
        write_setting(tmp_path, setting, score, IDS, split="dev")
    assert tuned(matched([*most, last], tmp_path)) is None
    write_setting(tmp_path, last, score, IDS[:-1], split="dev")
    assert tuned(matched([*most, last], tmp_path)) is None


def test_a_point_with_a_failed_case_is_out(tmp_path):
    def fails(config, seed, case_id):
        if config.method.name == "dds" and config.method.guidance == 3 and case_id == IDS[0]:
            return {"metrics": {}, "status": "error"}
        return score(config, seed, case_id)

    for setting in small(TUNING):
        write_setting(tmp_path, setting, fails, IDS, split="dev")
    settings = matched(small(TUNING), tmp_path)
    assert tuned(settings)["dds"] == {"guidance": 2.0, "step_size": 0.0488}
    out = [one for one in settings if tuning_loss(one) == math.inf]
    assert [(_name(one), one.config.method.guidance) for one in out] == [("dds", 3.0)] * 2


def test_what_was_found_lies_below_what_a_point_says(tmp_path):
    sweep = over(sweep_of(CURVES), {"piva": {"guidance": 3.0, "lam": 9.0, "aux": {"lr": 1e-3}}}, tmp_path)
    values = [point["method"] for point in grid_points(sweep)]
    own = [point for point in values if point["name"] == "piva"]
    assert own == [{"guidance": 3.0, "lam": lam, "aux": {"lr": 1e-3}, "name": "piva"} for lam in (0.0, 0.4, 1.0, 4.0)]
    assert next(point for point in values if point["name"] == "dds") == {"name": "dds", "guidance": 1.5}
    content = yaml.safe_load(sweep.path.read_text())
    assert content["command"] == sweep_of(CURVES).raw["command"]


def test_the_page(recorded, tmp_path):
    lines = page(recorded, Figures(tmp_path, "methods"))
    (row,) = [row for row in table_rows(lines, "piva") if row[1:3] == ["8", "8"]]
    assert row[3] == "guidance 3, lam 0.4, step_size 0.0488, aux.lr 0.001"
    assert row[4].startswith("490.0 ")  # .04 + .1 x 4.5, times 1000
    assert row[5].startswith("4990.0 ")  # at guidance 7.5
    rows = {row[0]: row for name in SMALL for row in table_rows(lines, name) if row[1] == "200"}
    assert set(rows) == SMALL
    assert rows["dds"][-2:] == ["100", "7"]
    (difference,) = [row for row in table_rows(lines, "piva") if len(row) == 5 and row[1].startswith("+")]
    assert difference[2].startswith("**+260.0 ")  # lpips: .1 x (3 - .4)
    assert (tmp_path / "methods-curves.png").stat().st_size > 10_000
    assert "10 cases, the same at every point" in "\n".join(lines)


def test_curves_go_over_the_strength_with_the_tuned_point_among_them(recorded):
    settings = recorded
    assert [one.config.method.lam for one in curve_of(settings, "piva")] == [0.0, 0.4, 1.0, 4.0]
    assert [one.config.method.t0 for one in curve_of(settings, "sdedit")] == [0.2, 0.3, 0.4, 0.6, 0.8]
    assert curve_of(settings, "vsd") == []


def test_a_page_of_nothing_says_so(tmp_path):
    lines = page(settings_in(TUNING), Figures(tmp_path, "methods"))
    assert lines.count("Nothing is recorded yet.") == 5
    assert not list(tmp_path.iterdir())
