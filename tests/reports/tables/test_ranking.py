"""Digits from intervals; best and second of a column, ties honoured."""

from types import SimpleNamespace

import pytest

from piva.stats import Interval
from reports.tables.ranking import BEST, SECOND, column_digits, digits_of, places


def row(identity=False, **means):
    cells = {name: Interval(mean, None, None, 1) for name, mean in means.items()}
    return SimpleNamespace(run=SimpleNamespace(is_identity_row=identity), cells=cells)


@pytest.mark.parametrize(
    ("width", "digits"),
    [(9.9e-2, 0), (10e-2, 0), (9.9e-3, 1), (1.1e-3, 1), (0.9e-3, 2), (2e-5, 3), (1e-9, 3), (5.0, 0)],
)
def test_the_width_of_the_interval_has_two_digits(width, digits):
    # lpips is shown times 1000 with one digit: 9.9e-3 is a width of 9.9, 1e-9 asks for more than two further digits
    assert digits_of("lpips", [Interval(0.5, 0.5 - width / 2, 0.5 + width / 2, 9)]) == digits


def test_the_median_interval_of_the_rows_that_edit_decides():
    wide, narrow, none = Interval(0.5, 0.4, 0.6, 9), Interval(0.5, 0.49975, 0.50025, 9), Interval(0.5, 0.5, 0.5, 9)
    assert digits_of("lpips", [narrow, none]) == 2
    assert digits_of("lpips", [wide, narrow, none]) == 2  # of two the narrower
    assert digits_of("lpips", [wide, narrow, wide]) == 0  # one narrow part gives the column no digits
    assert digits_of("lpips", [none, Interval(0.5, None, None, 1)]) == 1  # the metric's own
    assert digits_of("never_heard_of", [Interval(-0.5, -1.0, 0.0, 2)]) == 1  # an end may be 0
    edits, copy = SimpleNamespace(run=SimpleNamespace(is_identity_row=False), cells={"lpips": wide}), row(True, lpips=0)
    copy.cells["lpips"] = narrow
    assert column_digits(["lpips"], [copy, edits]) == {"lpips": 0}


@pytest.mark.parametrize(
    ("name", "means", "expected"),
    [
        ("lpips", [0.3, 0.1, 0.2], [None, BEST, SECOND]),
        ("psnr", [30.0, 10.0, 20.0], [BEST, None, SECOND]),
        ("lpips", [0.1, 0.10004, 0.2, 0.2, 0.3], [BEST, BEST, SECOND, SECOND, None]),  # 100.0 and 100.0 as shown
        ("lpips", [0.1, 0.1], [BEST, BEST]),
        ("saturation_shift", [0.02, -0.01, 0.01, -0.03], [SECOND, BEST, BEST, None]),  # nearer to 0
        ("detail_ratio", [0.9, 1.3, None], [BEST, SECOND, None]),  # nearer to 1
        ("never_heard_of", [0.1, 0.2], [None, None]),  # no direction
        ("lpips", [0.1], [None]),
        ("lpips", [0.1, None], [None, None]),
    ],
)
def test_best_and_second(name, means, expected):
    assert places(name, [row(**{name: mean}) for mean in means], 1 if name == "lpips" else 2) == expected


def test_identity_rows_are_not_ranked():
    rows = [row(True, lpips=0.0), row(lpips=0.2), row(lpips=0.1)]
    assert places("lpips", rows, 1) == [None, SECOND, BEST]
