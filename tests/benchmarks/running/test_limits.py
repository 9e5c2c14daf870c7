"""--max-errors ends a run that is clearly broken."""

import pytest
from harness_world import case_record

from benchmarks.running.limits import ErrorLimit, TooManyErrors


def failed(number, error="RuntimeError: no GPU"):
    return case_record(f"case-{number}", status="error", stage="edit", error=error)


def test_the_limit_is_reached_by_errors_alone():
    limit = ErrorLimit(2)
    for record in (case_record("a"), failed(0), case_record("b", status="skipped"), case_record("c")):
        limit.case(record, None, None)
        assert limit.goes_on()
    limit.case(failed(1), None, None)
    assert limit.errors == 2
    with pytest.raises(TooManyErrors, match="2 cases failed in this launch, and --max-errors is 2"):
        limit.goes_on()


def test_the_commonest_error_is_told():
    limit = ErrorLimit(3)
    for number, error in enumerate(("OSError: gone", "RuntimeError: no GPU", "RuntimeError: no GPU")):
        limit.case(failed(number, error), None, None)
    with pytest.raises(TooManyErrors, match="2 of them say: edit: RuntimeError: no GPU"):
        limit.goes_on()


def test_without_a_limit_a_run_goes_on_as_long_as_others_want():
    wanted = [True, False]
    limit = ErrorLimit(None, lambda: wanted.pop(0))
    for number in range(100):
        limit.case(failed(number), None, None)
    assert [limit.goes_on(), limit.goes_on()] == [True, False]
