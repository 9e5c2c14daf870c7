"""The page of the study of lambda, on scores whose best lambda is known for every group."""

import random

import pytest
from matplotlib import rc_context
from study_world import case_ids, found, table_rows, write_sweep_records

from piva.data.pie_bench import EDIT_GROUPS, EDIT_TYPES
from piva.stats import bootstrap_mean
from reports.reading import load_runs
from reports.studies.drawing import Figures
from reports.studies.identity_weight import NO_FIGURE, STUDY, group_values, page
from reports.studies.study import FILES, read_sweep
from reports.tables.cells import cell

BEST = {"appearance": 0.7, "addition": 0.1, "deletion": 0.0, "translation": 2.0, "mixed": 1.0}
GROUP = {type_id: group for group, types in EDIT_GROUPS.items() for type_id in types}


def scores(config, seed, case_id):
    """The farther a case is from its group's best lambda the worse; cases differ far more than lambdas do."""
    lam, base = config.method.lam, random.Random(case_id).random()
    lost = 0.1 * abs(lam - BEST[GROUP[case_id[0]]])
    return {
        "lpips_to_true": base + lost, "psnr_to_true": 25 - lost, "edit_success": float(lost < 0.05),
        "clip_text": 0.9 - 0.02 * lam, "lpips": base + 1 / (1 + lam), "saturation_shift": 0.05 / (1 + lam),
    }  # fmt: skip


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    root = tmp_path_factory.mktemp("runs")
    write_sweep_records(root, read_sweep(FILES / "lambda.yaml"), scores, case_ids(2))
    return root


@pytest.fixture(scope="module")
def settings(world):
    return found(STUDY, world)


@pytest.fixture(scope="module")
def lines(settings, tmp_path_factory):
    figures = Figures(tmp_path_factory.mktemp("figures"), STUDY.name)
    with rc_context({"svg.fonttype": "none"}):  # so that words can be read
        return page(settings, figures), {file.name: file.read_bytes() for file in figures.folder.iterdir()}


def test_the_groups_are_all_types_each_once():
    assert sorted(type_id for types in EDIT_GROUPS.values() for type_id in types) == sorted(EDIT_TYPES)


def test_every_group_and_type_gets_its_lambda(lines):
    for group, types in EDIT_GROUPS.items():
        for title in (f"{group} ({' '.join(types)})", *(f"{t} {EDIT_TYPES[t]}" for t in types)):
            (row,) = table_rows(lines[0], title)
            for by in row[1:3]:  # LPIPS and PSNR to the true edit
                assert by.startswith(f"**{BEST[group]:g}** {{{BEST[group]:g}}}: ")
            assert row[4].startswith("**0** {0}: 90.00 n=")  # CLIP falls with lambda, and says no more


def test_the_gain_over_no_identity_term_stands_beside_it(lines):
    (row,) = table_rows(lines[0], "translation (1)")
    assert row[1].endswith("n=2; -200.0 [-200.0, -200.0] against 0")
    (row,) = table_rows(lines[0], "deletion (3)")
    assert "against" not in row[1]


def test_means_are_those_of_the_cases(lines, settings, world):
    (run,) = [run for run in load_runs([], world) if run.record.settings["lam"] == 0.4]
    interval = bootstrap_mean([run.value(case_id, "lpips") for case_id in sorted(run.ok)], 0)
    rows = [row for row in table_rows(lines[0], "7.5") if row[1] == "0.4"]
    assert rows[0][4] == cell("lpips", interval)
    (setting,) = [one for one in settings if one.run is not None and one.run.path == run.path]
    additions = group_values(setting, "lpips", EDIT_GROUPS["addition"])
    assert set(additions) == set(case_ids(2, ["2"]))
    rows = [row for row in table_rows(lines[0], "7.5") if row[1:3] == ["addition", "0.4"]]
    assert rows[0][5] == cell("lpips", bootstrap_mean(list(additions.values()), 0))


def test_a_guidance_that_was_not_run_is_left_out(lines):
    text = "\n".join(lines[0])
    assert "### Guidance 7.5" in text
    assert "### Guidance 3" not in text


def test_every_figure_is_there_twice_and_shown(lines):
    names = ("frontier", "groups", "types")
    assert sorted(lines[1]) == sorted(f"lambda-{name}.{kind}" for name in names for kind in ("png", "svg"))
    for name in names:
        assert f"(lambda-{name}.png)" in "\n".join(lines[0])


def test_lambdas_are_written_at_the_points(lines):
    text = lines[1]["lambda-frontier.svg"].decode()
    for lam in ("0", "0.1", "0.2", "0.4", "0.7", "1", "2", "4"):
        assert text.count(f">{lam}</text>") >= 6  # a panel each


def test_a_page_without_alignment_has_its_means(tmp_path):
    """As with a real prior where no CLIP weights are: LPIPS is all there is."""
    write_sweep_records(tmp_path, read_sweep(FILES / "lambda.yaml"), lambda *_: {"lpips": 0.5}, case_ids(1))
    lines = page(found(STUDY, tmp_path), Figures(tmp_path / "figures", "lambda"))
    assert lines.count(NO_FIGURE) == 2
    assert table_rows(lines, "7.5")[0][2] == "500.0 [500.0, 500.0] n=10"
    assert not (tmp_path / "figures").exists()
