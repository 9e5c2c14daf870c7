"""The CSV of per-step values."""

import csv

from harness_world import case_record, run_record

from piva.tracking import open_mirror


def rows_of(folder):
    with (folder / "steps.csv").open(newline="") as file:
        return list(csv.reader(file))


def test_csv_holds_every_number_of_every_step(tmp_path):
    mirror = open_mirror("csv")
    mirror.start(run_record(), tmp_path)
    mirror.step({"t": (100, 300), "direction_rms": 2})
    mirror.step({"t": (100, 300), "direction_rms": 4})
    mirror.case(case_record("a"), None, None)
    assert rows_of(tmp_path) == [
        ["update", "name", "value"],
        ["0", "t", "200.0"], ["0", "direction_rms", "2.0"], ["1", "t", "200.0"], ["1", "direction_rms", "4.0"],
    ]  # fmt: skip


def test_csv_of_a_continued_run_goes_on(tmp_path):
    for _ in range(2):
        mirror = open_mirror("csv")
        mirror.start(run_record(), tmp_path)
        mirror.step({"t": (100,)})
        mirror.step({"t": (200,)})
        mirror.finish()
        with (tmp_path / "steps.csv").open("ab") as file:
            file.write(b"9,direc")  # torn, as a kill leaves it
    expected = [["0", "t", "100.0"], ["1", "t", "200.0"], ["2", "t", "100.0"], ["3", "t", "200.0"]]
    assert rows_of(tmp_path) == [["update", "name", "value"], *expected, ["9", "direc"]]
