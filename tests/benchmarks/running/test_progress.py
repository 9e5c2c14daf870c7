"""The bar counts cases, and a case on its way by its share of updates."""

from harness_world import case_record

from benchmarks.running.progress import Bar


def test_a_case_on_its_way_counts_by_its_updates(capsys):
    with Bar("dds", cases=10, steps=4) as bar:
        for step in range(2):
            bar.step({"step": step, "cases": 8})
        assert bar.moved == 4.0
        for k in range(8):
            bar.case(case_record(str(k)), None, None)
        assert bar.moved == 8.0
        bar.step({"step": 0, "cases": 2})
        assert bar.moved == 8.5
        for step in range(1, 5):
            bar.step({"step": step, "cases": 2})
        assert bar.moved == 10.0


def test_an_edit_that_goes_on_counts_from_its_step():
    with Bar("dds", cases=3, steps=8) as bar:
        bar.step({"step": 5, "cases": 1})
        assert bar.moved == 0.75
        bar.case(case_record("a"), None, None)
        bar.step({"step": 3, "cases": 1})
        assert bar.moved == 1.5


def test_a_failure_is_said_at_once_and_is_no_markup(capsys):
    with Bar("dds", cases=2, steps=1) as bar:
        bar.case(case_record("a", status="error", stage="edit", error="RuntimeError: [red]no[/red]"), None, None)
    assert "a: edit failed: RuntimeError: [red]no[/red]" in capsys.readouterr().err
