"""2,000 cases of four runs: the page loads and holds one page of them."""

import pytest
from chromium_window import Window
from harness_world import case_record, run_record

from benchmarks.harness_overhead.archive import write_archive
from reports.gallery import write_page
from reports.reading import load_runs

CASES, RUNS = 2_000, 4


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """A page of records without pictures, each of thirty numbers."""
    root = tmp_path_factory.mktemp("large")
    names = [f"number_{k}" for k in range(30)]
    record = run_record(metrics={name: f"{name}@1" for name in names})
    metrics = {name: 1.0 + k for k, name in enumerate(names)}
    facts = {"src": "a red cube on grass", "tgt": "a blue cube on grass"}
    cases = [case_record("a", type_id=str(k), metrics=metrics, **facts) for k in range(10)]
    write_archive(root / "runs", record, cases, RUNS, CASES)
    return write_page(root / "out", "pie-toybox (version 1)", load_runs([], root / "runs"), names[:5], "piva report")


def test_it_holds_twenty_cases_and_a_small_heap(chromium, file):
    window = Window(chromium)
    session = window.tab.context.new_cdp_session(window.tab)
    session.send("Performance.enable")
    window.open(file)
    measured = {one["name"]: one["value"] for one in session.send("Performance.getMetrics")["metrics"]}
    assert len(window.ids) == 20
    assert measured["Nodes"] < 10_000
    assert measured["JSHeapUsedSize"] < 40e6
    assert measured["ScriptDuration"] < 10  # 0.3 s where nothing else runs
    assert window.wrong == []


def test_sorting_and_leafing_through_all_of_it(chromium, file):
    window = Window(chromium).open(file, "#sort=number_7&order=worst&page=100")
    assert (
        window.status == f"n = {CASES} of {CASES} cases, 1981–2000 shown; by number_7 of dds guidance=1.0, worst first"
    )
    assert len(window.ids) == 20
    window.tab.keyboard.press("p")
    window.drawn()
    assert window.part["page"] == "99"
    assert window.tab.locator("article.case").count() == 20
    window.go("status=error")
    assert window.status.startswith(f"n = {CASES // 50} of")
    assert window.wrong == []
