import pytest

from piva.folders import write_once


def test_a_writer_that_fails_leaves_nothing(tmp_path):
    def fail(draft):
        (draft / "half").write_text("")
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        write_once(tmp_path / "v1" / "dev", fail)
    assert list((tmp_path / "v1").iterdir()) == []


def test_others_may_read_what_was_written(tmp_path):
    write_once(tmp_path / "dev", lambda draft: None)
    assert (tmp_path / "dev").stat().st_mode & 0o777 == 0o755


def test_of_two_writers_the_first_wins(tmp_path):
    def slow(draft):
        (draft / "by").write_text("second")
        write_once(tmp_path / "dev", lambda other: (other / "by").write_text("first"))

    write_once(tmp_path / "dev", slow)
    assert (tmp_path / "dev" / "by").read_text() == "first"
    assert [folder.name for folder in tmp_path.iterdir()] == ["dev"]


def test_a_file_in_the_way_is_not_replaced(tmp_path):
    (tmp_path / "dev").write_text("mine")
    with pytest.raises(OSError, match="dev"):
        write_once(tmp_path / "dev", lambda draft: None)
    assert [path.read_text() for path in tmp_path.iterdir()] == ["mine"]
