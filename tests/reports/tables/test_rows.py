"""Every number in a table, from the disk to the cell."""

from pathlib import Path

import pytest
from harness_world import case_record, launch, run_record, write_run
from report_world import four_runs, make

from piva.errors import ConfigError
from piva.methods.dds import DDS
from piva.records import read_run
from piva.stats import bootstrap_mean
from reports.reading import COSTS, FACTS, Run, labels, load_runs, same_cases
from reports.tables.cells import cell, head, shown
from reports.tables.documents import baselines, check_baselines, groups, markdown, write_between_markers
from reports.tables.origins import how_made, how_rows_were_made
from reports.tables.rows import check_names, differences, other_cases, paired, present, rows


@pytest.fixture
def runs(tmp_path):
    return four_runs(tmp_path)


def test_a_cell_is_mean_interval_and_n(runs):
    row = next(row for row in rows(runs, ["lpips"]) if row.label == "dds")
    expected = bootstrap_mean([0.1, 0.2, 0.3, 0.4], 0)
    assert row.cells["lpips"] == expected
    assert expected.mean == pytest.approx(0.25)
    text = cell("lpips", expected)
    assert text == f"250.0 [{1e3 * expected.low:.1f}, {1e3 * expected.high:.1f}] n=4"


def test_identity_rows_come_first_and_labels_say_what_differs(runs):
    assert [row.label for row in rows(runs, [])] == ["copy", "dds", "piva lam=0.4", "piva lam=1.0"]


def test_the_same_settings_twice_are_told_apart_by_key(tmp_path):
    make(tmp_path, "aa11", "dds", [0.1])
    make(tmp_path, "bb22", "dds", [0.1])
    assert labels(load_runs([], tmp_path)) == ["dds aa11", "dds bb22"]


def test_failed_skipped_missing_and_unfinished_cases_are_counted_not_averaged(tmp_path):
    failed = case_record("f", status="error", stage="edit", error="RuntimeError: no", metrics={"lpips": 9.0})
    skipped = case_record("s", status="skipped", stage="edit", error="no image")
    planned = ["000000000000", "000000000001", "000000000002", "f", "s", "never"]
    make(tmp_path, "aa11", "dds", [0.1, 0.3, None], planned=planned, cases=[failed, skipped])
    (row,) = rows(load_runs([], tmp_path), ["lpips"])
    assert (row.cells["lpips"].mean, row.cells["lpips"].n, row.cells["lpips"].missing) == (pytest.approx(0.2), 2, 1)
    assert (row.failed, row.skipped, row.unfinished) == (1, 1, 1)
    assert row.marks == ("partial: 3 of 6 cases",)
    text = markdown("x", load_runs([], tmp_path), ["lpips"], [], "piva report")
    assert "3/6, 1 failed, 1 skipped, 1 not done" in text
    assert "n=2, 1 missing" in text


def test_scores_of_other_metrics_do_not_count(tmp_path):
    make(tmp_path, "aa11", "dds", [0.1, 0.3])
    stale = case_record("000000000001", metrics={"lpips": 0.9}, score_key="old")
    write_run(tmp_path / "pie-toybox" / "dds-aa11", load_runs([], tmp_path)[0].record, [stale])
    (row,) = rows(load_runs([], tmp_path), ["lpips"])
    assert row.cells["lpips"].n == 1
    assert row.unfinished == 1


def test_paired_differences_are_over_the_same_cases(runs):
    dds, piva = (next(run for run in runs if run.record.edit_key == key) for key in ("aa11", "bb22"))
    pair = paired(piva, dds, "lpips")
    assert pair.mean == pytest.approx((-0.05 + 0.05 - 0.2 - 0.3) / 4)
    assert (pair.wins, pair.ties, pair.losses, pair.n) == (3, 0, 1, 4)
    assert pair.low <= pair.mean <= pair.high
    back = paired(dds, piva, "lpips")
    assert (back.mean, back.wins, back.losses) == (pytest.approx(-pair.mean), 1, 3)


def test_where_nearer_is_better_the_nearer_run_wins(runs):
    dds, piva = (next(run for run in runs if run.record.edit_key == key) for key in ("aa11", "bb22"))
    pair = paired(piva, dds, "saturation_shift")  # values are minus lpips: nearer to 0 is the smaller lpips
    assert pair.mean == pytest.approx(0.125)
    assert (pair.wins, pair.losses) == (3, 1)


def test_the_baseline_is_dds_unless_named(runs):
    (dds,) = baselines(runs, (), Path())
    assert dds.record.method == "dds"
    piva = next(run for run in runs if run.record.edit_key == "bb22")
    for name in ("piva lam=0.4", str(piva.path)):
        assert baselines(runs, (name, "dds"), Path()) == [piva, dds]
    assert baselines(runs, ("nobody",), Path()) == []
    with pytest.raises(ConfigError, match="--baseline nobody: no run of this report has this label"):
        check_baselines([runs], ("dds", "nobody"), Path())
    found = differences(runs, dds, ["lpips"])
    assert [difference.label for difference in found] == ["piva lam=0.4", "piva lam=1.0"]


def test_a_baseline_of_one_benchmark_is_no_error_in_the_table_of_another(runs, tmp_path):
    other = write_run(tmp_path / "noe-toybox" / "dds-ee55", run_record("ee55", benchmark="noe-toybox"), [])
    groups_of_both = [runs, [Run(other, read_run(other))]]
    check_baselines(groups_of_both, ("piva lam=0.4", "ee55"), tmp_path)
    assert [run.record.edit_key for run in baselines(runs, ("piva lam=0.4", "ee55"), tmp_path)] == ["bb22"]
    assert baselines(groups_of_both[1], ("piva lam=0.4",), tmp_path) == []


def test_of_several_dds_runs_the_default_one_is_the_baseline_or_none(tmp_path):
    default = {"settings": DDS().model_dump(mode="json")}
    make(tmp_path, "aa11", "dds", [0.1], record={"settings": DDS(guidance=3).model_dump(mode="json")})
    make(tmp_path, "bb22", "dds", [0.1], record=default | {"seed": 1})
    make(tmp_path, "cc33", "dds", [0.1], record=default | {"steps": 50})
    assert baselines(load_runs([], tmp_path), (), tmp_path) == []
    make(tmp_path, "dd44", "dds", [0.1], record=default)
    assert [run.record.edit_key for run in baselines(load_runs([], tmp_path), (), tmp_path)] == ["dd44"]


def test_a_case_whose_content_differs_is_no_pair(tmp_path):
    make(tmp_path, "aa11", "dds", [0.1, 0.2, 0.3])
    make(tmp_path, "bb22", "piva", [0.2, 0.2, 0.2])
    changed = case_record("000000000002", metrics={"lpips": 0.9}, content="another picture")
    write_run(tmp_path / "pie-toybox" / "piva-bb22", load_runs(["bb22"], tmp_path)[0].record, [changed])
    dds, piva = load_runs([], tmp_path)
    pair = paired(piva, dds, "lpips")
    assert (pair.mean, pair.n, pair.missing) == (pytest.approx(0.05), 2, 0)
    assert same_cases([dds, piva], ["000000000001", "000000000002"]) == ["000000000001"]
    (marked,) = [row.marks for row in rows([dds, piva], ["lpips"], dds) if row.run is piva]
    assert marked == ("1 cases had other images, prompts, masks or true edits in the baseline",)
    (marked,) = [row.marks for row in rows([dds, piva], ["lpips"]) if row.run is piva]
    assert marked == ("1 cases had other images, prompts, masks or true edits in the first run",)


@pytest.mark.parametrize(("one", "other", "n"), [("mask 1", "mask 2", 0), ("mask 1", "mask 1", 1), ("", "mask 2", 1)])
def test_nor_does_a_case_whose_mask_or_true_edit_differs_but_an_old_record_does_not_say(one, other, n, tmp_path):
    ids = ["000000000000"]
    for key, method, content in (("aa11", "dds", one), ("bb22", "piva", other)):
        case = case_record(ids[0], metrics={"lpips": 0.5}, score_content=content)
        record = run_record(key, method, launches=[launch(ids)], metrics={"lpips": "lpips@1"})
        write_run(tmp_path / "pie-toybox" / f"{method}-{key}", record, [case])
    dds, piva = load_runs([], tmp_path)
    assert paired(piva, dds, "lpips").n == n
    assert len(same_cases([dds, piva], ids)) == n
    assert other_cases(dds, piva) == 1 - n


def test_what_is_said_of_a_run_is_no_markup_and_a_command_is_code_whatever_stands_in_it(runs):
    record = runs[0].record.model_copy(deep=True)
    record.prior |= {"name": "<i>x</i>"}
    last = record.launches[-1]
    last.provenance = last.provenance.model_copy(update={"command": "piva run x --tags 'a`b``c'"})
    text = "\n".join(how_rows_were_made([("<b>|dds", record)]))
    assert "- **&lt;b&gt;|dds**: " in text
    assert "&lt;i&gt;x&lt;/i&gt;" in text
    assert "command: ``` piva run x --tags 'a`b``c' ```" in text
    assert "no launch is recorded" in how_made(record.model_copy(update={"launches": []}))


@pytest.mark.parametrize(
    ("record", "mark"),
    [
        ({"seed": 1}, "seed 1, the baseline has 0"),
        ({"prior": {"name": "toybox", "fingerprint": "y"}}, "another prior than the baseline's"),
        ({"launches": [launch(["000000000000"], device="cuda:0 (H100)")]}, "another device than the baseline's"),
        ({"metrics": {"lpips": "lpips@2", "saturation_shift": "s"}}, "other metrics than the baseline's: lpips"),
    ],
)
def test_a_row_that_differs_from_the_baseline_in_more_than_the_method_says_so(tmp_path, record, mark):
    make(tmp_path, "aa11", "dds", [0.1])
    make(tmp_path, "bb22", "piva", [0.1], record=record)
    runs = load_runs([], tmp_path)
    found = {row.label: row.marks for row in rows(runs, ["lpips"], *baselines(runs, (), tmp_path))}
    assert found == {"dds": (), "piva": (mark,)}


def test_identity_rows_have_no_seed_and_folders_no_prior(tmp_path):
    make(tmp_path, "aa11", "dds", [0.1], record={"seed": 3})
    make(tmp_path, "bb22", "copy", [0.1])
    make(tmp_path, "cc33", "theirs", [0.1], record={"prior": {"name": "none", "fingerprint": "none"}})
    runs = load_runs([], tmp_path)
    assert {row.marks for row in rows(runs, ["lpips"], *baselines(runs, (), tmp_path))} == {()}


@pytest.mark.parametrize(
    ("made", "mark"),
    [
        ([{"git_dirty": True}], "made from a tree with uncommitted changes"),
        ([{"device": "cpu"}, {"device": "cuda:0 (H100)"}], "several devices: cpu; cuda:0 (H100)"),
        ([{"git_commit": "a" * 40}, {"git_commit": "b" * 40}], "several commits"),
    ],
)
def test_rows_say_what_a_reader_must_know(tmp_path, made, mark):
    launches = [launch(["000000000000"], **facts) for facts in made]
    make(tmp_path, "aa11", "dds", [0.1], record={"launches": launches})
    (row,) = rows(load_runs([], tmp_path), ["lpips"])
    assert row.marks == (mark,)


def test_runs_on_other_cases_are_marked(tmp_path):
    make(tmp_path, "aa11", "dds", [0.1, 0.2])
    make(tmp_path, "bb22", "piva", [0.1, 0.2, 0.3])
    dds = next(row for row in rows(load_runs([], tmp_path), ["lpips"]) if row.label == "dds")
    assert dds.marks == ("other cases: 2 of the 3 that some run has",)


def test_heads_say_direction_and_display(runs):
    assert head("lpips") == "lpips ↓ ×1000"
    assert head("saturation_shift") == "saturation_shift →0 ×100"
    assert head("psnr") == "psnr ↑ (dB)"
    assert head("never_heard_of") == "never_heard_of"
    assert shown("lpips", None) == "–"
    assert shown("lpips", 0.0251, signed=True) == "+25.1"


def test_markdown_has_tables_ids_and_how_it_was_made(runs):
    text = markdown("pie-toybox", runs, ["lpips", "seconds_edit"], baselines(runs, (), Path()), "piva report --runs x")
    assert text.startswith("## pie-toybox\n\n| run | cases | lpips ↓ ×1000 | seconds_edit ↓ (s) |\n|---|---|---|---|\n")
    assert "| copy | 4/4 | 0 [0, 0] n=4 |" in text  # the narrowest interval that edits is 37 wide: no digit
    assert "each run minus `dds`" in text
    assert "3 better 0 equal 1 worse" in text
    assert "- lpips: `lpips@1`" in text
    assert "Made by `piva report --runs x`." in text
    for run in runs:
        assert run.record.edit_key in text
    for fact in ("commit aaaaaaaaaaaa", "torch ", "score_key ffff", "200 steps", "seed 0"):
        assert any(fact in sentence for sentence in how_made(runs[0].record)), fact


def test_benchmarks_and_splits_stand_in_tables_of_their_own(tmp_path):
    make(tmp_path, "aa11", "dds", [0.1])
    make(tmp_path, "bb22", "dds", [0.1], record={"split": "dev"})
    make(tmp_path, "cc33", "dds", [0.1], record={"benchmark": "pie-bench", "split": None})
    assert set(groups(load_runs([], tmp_path))) == {
        "pie-toybox (version 1, test split)",
        "pie-toybox (version 1, dev split)",
        "pie-bench (version 1)",
    }


def test_results_go_between_the_markers_of_a_document(tmp_path):
    file = tmp_path / "README.md"
    file.write_text("before\n<!-- results: begin -->\nold\n<!-- results: end -->\nafter\n")
    for text in ("one", "two"):
        write_between_markers(file, text)
    assert file.read_text() == "before\n<!-- results: begin -->\n\ntwo\n\n<!-- results: end -->\nafter\n"
    file.write_text("no markers")
    with pytest.raises(ConfigError, match="has no <!-- results: begin -->"):
        write_between_markers(file, "three")
    assert file.read_text() == "no markers"


def test_names_that_no_run_has(runs):
    assert present(runs, ["clip_text", "lpips"]) == ["lpips"]
    with pytest.raises(ConfigError, match="did you mean 'lpips'"):
        check_names(["lpip"], runs)


def test_a_run_s_table_has_a_row_for_each_case_and_a_column_for_each_number(runs):
    table = runs[0].table
    assert table.shape == (4, len(FACTS) + 2 + len(COSTS))
    assert runs[0].numbers == ["lpips", "saturation_shift", *COSTS]
    assert table["case_id"].is_sorted()
    assert table["unet_rows"].to_list() == [800.0] * 4
    assert runs[0].values("no-such-number") == []
