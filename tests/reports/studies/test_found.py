"""Runs are recognised by their settings: those of the sweep's points, and no others."""

import pytest
from harness_world import case_record, launch, run_record, write_run
from study_world import case_ids, setting_of, write_setting

from piva.commands.run_settings import run_settings
from reports.reading import load_runs
from reports.studies.found import is_of, of_the_latest_data, settings_of
from reports.studies.study import FILES, read_sweep

PIVA = ("pie-toybox", "--method", "piva", "--method.lam", "1", "--steps", "100", "--seeds", "0", "3")


@pytest.fixture(scope="module")
def config():
    return run_settings(PIVA)[1]


def record(config, **facts):
    settings = config.method.model_dump(mode="json")
    given = {"settings": settings, "steps": 100, "seed": 3, "split": "test"} | facts
    return run_record(method="piva", **given)


def test_a_run_with_all_settings_is_of_the_point(config):
    assert is_of(record(config), "pie-toybox", config)
    assert is_of(record(config, seed=0), "pie-toybox", config)


@pytest.mark.parametrize("facts", [
    {"steps": 200}, {"seed": 1}, {"benchmark": "pie-bench"}, {"method": "dds"}, {"settings": {"lam": 0.4}},
    {"settings": {"lam": 1.0, "aux": {"rank": 8}}}, {"settings": {"of": "another version"}},
    {"prior": {"name": "x", "fingerprint": "x", "model": "stable-diffusion-v1-5/stable-diffusion-v1-5"}},
])  # fmt: skip
def test_a_run_that_differs_is_not(config, facts):
    assert not is_of(record(config).model_copy(update=facts), "pie-toybox", config)


def test_what_was_added_later_counts_as_its_default(config):
    assert is_of(record(config, settings={"lam": 1.0}), "pie-toybox", config)


def test_a_split_counts_where_it_is_asked_for():
    config = run_settings([*PIVA, "--split", "dev"])[1]
    assert not is_of(record(config), "pie-toybox", config)
    assert is_of(record(config, split="dev"), "pie-toybox", config)


def test_without_a_flag_the_split_is_test_unless_the_data_have_none(config):
    assert not is_of(record(config, split="dev"), "pie-toybox", config)
    assert is_of(record(config, split=None), "pie-toybox", config)


@pytest.mark.parametrize(
    "flags", [("--eval-views", "12"), ("--downscale", "2"), ("--reconstruction.steps", "10"), ("--scene.views", "1")]
)
def test_how_a_scene_is_reconstructed_and_looked_at_is_a_difference(flags):
    words = ("noe-toybox", "--method", "dds", "--steps", "100")
    config, other = run_settings(words)[1], run_settings([*words, *flags])[1]
    scenes = {name: getattr(config, name).model_dump(mode="json") for name in ("scene", "reconstruction")}
    scenes |= {"downscale": config.downscale, "eval_views": config.eval_views}
    settings = config.method.model_dump(mode="json")
    own = run_record(benchmark="noe-toybox", settings=settings, steps=100, seed=0, split="test", scenes=scenes)
    assert is_of(own, "noe-toybox", config)
    assert not is_of(own, "noe-toybox", other)


def test_of_a_case_that_is_another_one_by_now_only_later_records_count(tmp_path):
    for key, day, content, score_content in (
        ("aa11", 1, "old", ""),
        ("bb22", 2, "new", "mask"),
        ("cc33", 3, "new", ""),
    ):
        own = launch(["a", "b"]).model_copy(update={"started": f"2026-01-0{day}T00:00:00+00:00"})
        cases = [case_record("a", content=content, score_content=score_content), case_record("b")]
        write_run(tmp_path / "pie-toybox" / f"dds-{key}", run_record(key, launches=[own]), cases)
    runs = of_the_latest_data(load_runs([], tmp_path))
    assert [run.record.edit_key for run in runs] == ["aa11", "bb22", "cc33"]
    assert [sorted(run.ok) for run in runs] == [["b"], ["a", "b"], ["a", "b"]]
    assert runs[0].planned == {"a", "b"}


def test_how_fast_an_edit_is_made_is_no_difference(config):
    faster = run_settings([*PIVA, "--prior.attention", "eager", "--batch-size", "3"])[1]
    assert is_of(record(config), "pie-toybox", faster)


def test_every_seed_has_its_place_and_the_latest_of_two_counts(tmp_path):
    sweep = read_sweep(FILES / "seeds.yaml")
    setting = settings_of(sweep, [])[1]
    assert setting.runs == (None,) * 5
    assert setting.asked == 40
    write_setting(tmp_path, setting, lambda config, seed, id_: {"lpips": seed + 0.1 * int(id_)}, ["1", "2"])
    first = [run.record for run in load_runs([], tmp_path)]
    write_setting(tmp_path, setting, lambda config, seed, id_: {"lpips": 9.0}, ["1", "2"])
    again = {run.path: run for run in load_runs([], tmp_path)}
    for run in again.values():  # the first five were launched again, later
        if run.record in first:
            run.record.launches[-1].started = "2999-01-01T00:00:00+00:00"
    found = settings_of(sweep, list(again.values()))
    assert [one.recorded for one in found[:1] + found[2:]] == [[], []]
    assert [run.record.seed for run in found[1].runs] == [0, 1, 2, 3, 4]
    assert [run.value("1", "lpips") for run in found[1].runs] == pytest.approx([0.1, 1.1, 2.1, 3.1, 4.1])
    assert found[1].values("lpips") == pytest.approx({"1": 0.1, "2": 0.2})
    assert found[1].interval("lpips").mean == pytest.approx(0.15)


def test_as_many_cases_are_asked_for_as_named_or_launched():
    assert setting_of("pie-toybox", "--method", "dds", "--limit", "7").asked == 7
    assert setting_of("pie-toybox", "--method", "dds", "--case", "a", "b").asked == 2
    assert setting_of("pie-toybox", "--method", "dds").asked == 0


def test_a_launch_may_have_been_asked_for_more(tmp_path):
    setting = setting_of("pie-toybox", "--method", "dds", "--limit", "3")
    write_setting(tmp_path, setting, lambda *_: {"lpips": 1.0}, case_ids(1))
    (run,) = load_runs([], tmp_path)
    assert setting_of("pie-toybox", "--method", "dds", "--limit", "3", run=run).asked == 10


def test_cases_of_other_settings_in_the_same_run_do_not_count(tmp_path):
    words = ("pie-toybox", "--method", "dds", "--limit", "4")
    write_setting(tmp_path, setting_of(*words), lambda *_: {"lpips": 1.0}, case_ids(2))
    (run,) = load_runs([], tmp_path)
    by_type = setting_of(*words, "--type", "1", "change-colour", run=run)
    assert sorted(by_type.cases(run)) == case_ids(2, ["1", "6"])
    assert by_type.asked == 4
    by_id = setting_of(*words, "--case", "000000000000", "100000000000", "elsewhere", run=run)
    assert sorted(by_id.cases(run)) == ["000000000000", "100000000000"]
    assert by_id.asked == 3
