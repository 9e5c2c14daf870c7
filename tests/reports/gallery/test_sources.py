"""What a benchmark's folder says of cases."""

from gallery_world import write_runs

from reports.gallery.sources import benchmark_cases, marked_words


def test_the_words_that_change_are_marked():
    assert marked_words("a [red] cube [on] snow") == [
        ("a ", False), ("red", True), (" cube ", False), ("on", True), (" snow", False)
    ]  # fmt: skip
    assert marked_words("[red") == [("[red", False)]


def test_cases_come_from_the_folder_and_none_where_it_is_gone(tmp_path):
    runs = write_runs(tmp_path)
    assert [case.raw_tgt for case in benchmark_cases(runs).values()] == [
        f"a [bright] square number {k}" for k in range(6)
    ]
    (tmp_path / "bench" / "mapping_file.json").unlink()
    assert benchmark_cases(runs) == {}
