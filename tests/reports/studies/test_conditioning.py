"""The study of conditioning: its points, its page from made-up scores, and edits of two benchmarks with equal ids."""

import pytest
from study_world import found, table_rows, write_setting

from piva.stats import bootstrap_mean, paired_difference
from reports.studies.conditioning import STUDY, by_group, by_label, difference, label, page, values
from reports.studies.drawing import Figures
from reports.studies.found import settings_of
from reports.tables.cells import SEED, cell

SHARED = "snowman-on-sand-addition"
"""An edit of both benchmarks."""
GAIN = {"dds": -0.1, "lora": 0.0, "lora + camera": 0.0, "controlnet": 0.1, "controlnet, depth blank": 0.05}
"""Of consistency, over plain LoRA's."""


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    """Noe has 0.5, IN2N 0.3, translations of a ControlNet 0.1 more; LoRA on a ControlNet was not run."""
    root = tmp_path_factory.mktemp("runs")
    points = [setting for sweep in STUDY.sweeps() for setting in settings_of(sweep, [])]
    for setting in points:
        if label(setting) not in GAIN:
            continue

        def scores(config, seed, case_id, setting=setting):
            own, start = label(setting), 0.5 if setting.benchmark == "noe-toybox" else 0.3
            group = case_id.rpartition("-")[2]
            more = 0.1 if own == "controlnet" and group == "translation" else 0.0
            metrics = {"consistency_direction_pair": start + GAIN[own] + more, "lpips": 0.2 - GAIN[own]}
            if case_id == SHARED:
                metrics["janus_count"] = 2.0 if own == "lora" else 1.0
            trained = {"aux_parameters": 104_000, "aux_bytes": 1_500_000, "peak_bytes": 2_000_000_000}
            return {"metrics": metrics, "type_id": group, **({} if own == "dds" else trained)}

        write_setting(root, setting, scores, list(setting.config.case), split="test")
    return found(STUDY, root)


@pytest.fixture(scope="module")
def lines(settings, tmp_path_factory):
    return page(settings, Figures(tmp_path_factory.mktemp("figures"), "conditioning"))


def test_both_sweeps_have_the_same_six_points_and_six_edits_two_of_each_group():
    noe, in2n = (settings_of(sweep, []) for sweep in STUDY.sweeps())
    assert [label(one) for one in noe] == [*GAIN, "controlnet-lora"]
    assert [one.config.method for one in noe] == [one.config.method for one in in2n]
    assert [{one.benchmark for one in part} for part in (noe, in2n)] == [{"noe-toybox"}, {"in2n-toybox"}]
    for setting in [*noe, *in2n]:
        groups = [id_.rpartition("-")[2] for id_ in setting.config.case]
        assert groups == [group for group in ("appearance", "addition", "translation") for _ in range(2)]
        assert (setting.config.steps, setting.config.split, setting.config.seeds) == (200, "test", (0,))
        assert setting.config.method.guidance == 3
    assert {(one.config.method.lam, one.config.method.aux.lr) for one in noe[1:]} == {(0.4, 1e-3)}
    assert [one.config.method.aux.controlnet for one in noe[1:]] == [None, None, "toybox", "toybox", "toybox"]


def test_equal_ids_of_two_benchmarks_are_two_edits(settings):
    there = by_label(settings)
    assert all(SHARED in one.config.case for one in there["lora"])
    own = values(there["lora"], "consistency_direction_pair")
    assert len(own) == 12
    assert {edit[0]: value for edit, value in own.items() if edit[1] == SHARED} == {
        "noe-toybox": 0.5, "in2n-toybox": 0.3
    }  # fmt: skip
    assert {group: len(edits) for group, edits in by_group(there).items()} == {
        "appearance": 4, "addition": 4, "translation": 4
    }  # fmt: skip


def test_an_edit_that_one_side_lacks_is_missing(settings):
    noe, in2n = by_label(settings)["lora"]
    pair = difference([noe, in2n], [noe], "lpips")
    assert (pair.mean, pair.n, pair.missing) == (0.0, 6, 6)


def test_means_are_by_benchmark_and_over_both(lines):
    name = "consistency_direction_pair"
    for benchmark, some in (("noe-toybox", [0.5] * 6), ("in2n-toybox", [0.3] * 6), ("both", [0.3] * 6 + [0.5] * 6)):
        (row,) = [row for row in table_rows(lines, benchmark) if row[1] == "lora"]
        assert row[2] == cell(name, bootstrap_mean(some, SEED))
    assert row[3].startswith("2.0 [2.0, 2.0] n=2")


def test_differences_are_paired_over_both_and_by_group(lines):
    name = "consistency_direction_pair"
    gains = [0.1, 0.1, 0.1, 0.1, 0.2, 0.2]  # the order of edits does not matter to the mean
    (row,) = [row for row in table_rows(lines, "all") if row[1] == "controlnet − lora"]
    mean = paired_difference(gains * 2, [0.0] * 12, SEED).mean
    assert row[2].startswith(f"**+{100 * mean:.2f} [+1")
    assert row[2].endswith(" n=12**")
    assert row[3] == "-1.0 [-1.0, -1.0] n=2"  # too few for bold
    for group, gain in (("appearance", [0.1] * 4), ("translation", [0.2] * 4)):
        (row,) = [row for row in table_rows(lines, group) if row[1] == "controlnet − lora"]
        assert row[2] == f"**{cell(name, paired_difference(gain, [0.0] * 4, SEED), signed=True)}**"
    (row,) = [row for row in table_rows(lines, "addition") if row[1] == "controlnet − controlnet, depth blank"]
    assert row[2] == f"**{cell(name, paired_difference([0.05] * 4, [0.0] * 4, SEED), signed=True)}**"
    (row,) = [row for row in table_rows(lines, "all") if row[1] == "lora + camera − lora"]
    assert row[2] == "+0.00 [+0.00, +0.00] n=12"
    assert not any("controlnet-lora" in line for line in lines)


def test_costs_and_figures(settings, tmp_path):
    lines = page(settings, Figures(tmp_path, "conditioning"))
    (row,) = [row for row in table_rows(lines, "lora") if len(row) == 4]
    assert row[1:] == ["104", "1.5", "2.00 [2.00, 2.00] n=12"]
    (row,) = [row for row in table_rows(lines, "dds") if len(row) == 4]
    assert row[1:] == ["0", "0.0", "– n=0"]
    assert any("`make conditioning-cost`" in line for line in lines)
    (tmp_path / "conditioning-cost.md").touch()
    assert any("(conditioning-cost.md)" in line for line in page(settings, Figures(tmp_path, "conditioning")))
    assert any("(2 of these 12 edits)" in line for line in lines)
    for name in ("pairs", "plane"):
        assert (tmp_path / f"conditioning-{name}.svg").is_file()
        assert (tmp_path / f"conditioning-{name}.png").is_file()


def test_nothing_is_said_without_runs(tmp_path):
    points = [setting for sweep in STUDY.sweeps() for setting in settings_of(sweep, [])]
    assert page(points, Figures(tmp_path, "x")) == ["No run has scores yet.", ""]
