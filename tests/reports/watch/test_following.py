"""Records that grow under the reader: only what is new is read, and what is read is what a whole reading gives."""

import os

import pytest
from harness_world import case_record, run_record, write_run

from piva.records import CASES_FILE, RUN_FILE, read_cases
from piva.records.files import MERGED, settle
from reports.watch.following import Followed


def line(case_id: str, **facts) -> bytes:
    return case_record(case_id, **facts).model_dump_json(exclude_none=True).encode() + b"\n"


def add(folder, *pieces: bytes) -> None:
    with (folder / CASES_FILE).open("ab") as file:
        file.write(b"".join(pieces))


@pytest.fixture
def folder(tmp_path):
    return write_run(tmp_path / "pie-toybox" / "dds-aa11", run_record("aa11"), [case_record("a")])


def test_what_is_there_and_then_what_is_added(folder):
    followed = Followed(folder)
    assert followed.read()
    assert (followed.record.edit_key, list(followed.cases)) == ("aa11", ["a"])
    assert not followed.read()
    add(folder, line("b"), line("c"))
    assert followed.read()
    assert followed.cases == read_cases(folder)
    assert followed.grown == (folder / CASES_FILE).stat().st_mtime


def test_only_new_bytes_are_parsed(folder, monkeypatch):
    import reports.watch.following as following

    followed, parsed, real = Followed(folder), [], following.parse_case
    monkeypatch.setattr(following, "parse_case", lambda text: parsed.append(len(text)) or real(text))
    followed.read()
    add(folder, line("b"))
    followed.read()
    followed.read()
    assert len(parsed) == 2


def test_a_torn_line_waits_until_it_is_whole(folder):
    followed, whole = Followed(folder), line("b")
    followed.read()
    add(folder, whole[:-7])
    assert not followed.read()
    assert list(followed.cases) == ["a"]
    add(folder, whole[-7:])
    assert followed.read()
    assert list(followed.cases) == ["a", "b"]


def test_a_torn_line_that_the_next_writer_cuts_off_was_never_there(folder):
    followed = Followed(folder)
    add(folder, line("lost")[:40])
    followed.read()
    with (folder / CASES_FILE).open("r+b") as file:
        file.truncate(len(line("a")))
    add(folder, line("b"))
    followed.read()
    assert list(followed.cases) == ["a", "b"]


def test_later_lines_win_and_stand_last(folder):
    followed = Followed(folder)
    add(folder, line("b"), line("a", status="error", stage="edit", error="no"))
    followed.read()
    assert [(id_, case.status) for id_, case in followed.cases.items()] == [("b", "ok"), ("a", "error")]


def test_a_file_that_was_replaced_is_read_anew(folder):
    followed = Followed(folder)
    add(folder, line("b"))
    followed.read()
    other = folder / "other"
    other.write_bytes(line("x") + line("y") + line("z"))
    other.replace(folder / CASES_FILE)
    assert followed.read()
    assert list(followed.cases) == ["x", "y", "z"]


def test_so_is_one_that_was_written_over_in_its_place_however_long_it_is_now(folder):
    followed = Followed(folder)
    followed.read()
    inode = (folder / CASES_FILE).stat().st_ino
    (folder / CASES_FILE).write_bytes(line("x") + line("y"))
    assert (folder / CASES_FILE).stat().st_ino == inode
    followed.read()
    assert list(followed.cases) == ["x", "y"]
    (folder / CASES_FILE).write_bytes(b"")
    assert followed.read()
    assert followed.cases == {}


def test_a_run_that_has_not_begun_and_one_that_goes(tmp_path):
    followed = Followed(tmp_path / "pie-toybox" / "dds-aa11")
    assert not followed.read()
    write_run(followed.path, run_record("aa11"), [case_record("a")])
    assert followed.read()
    assert list(followed.cases) == ["a"]
    (followed.path / CASES_FILE).unlink()
    (followed.path / RUN_FILE).unlink()
    assert followed.read()
    assert (followed.record, followed.cases) == (None, {})


def test_what_is_damaged_is_counted_and_the_rest_is_read(folder):
    followed = Followed(folder)
    add(folder, b'{"case_id": 3}\n', b"\xff\n", b"null\n", line("b"))
    followed.read()
    assert (followed.damaged_lines, list(followed.cases)) == (3, ["a", "b"])
    (folder / RUN_FILE).write_text("{")
    followed.read()
    assert "is damaged" in followed.damaged_run
    assert followed.record.edit_key == "aa11"
    (folder / RUN_FILE).write_text(run_record("bb22").model_dump_json())
    followed.read()
    assert (followed.damaged_run, followed.record.edit_key) == (None, "bb22")


def test_a_look_at_ten_thousand_cases_without_news_opens_nothing(folder, monkeypatch):
    followed = Followed(folder)
    with (folder / CASES_FILE).open("ab") as file:
        file.writelines(line(f"{k:05}") for k in range(10_000))
    followed.read()
    assert len(followed.cases) == 10_001
    monkeypatch.setattr(type(folder), "open", lambda *_: pytest.fail("opened"))
    monkeypatch.setattr(os, "open", lambda *_: pytest.fail("opened"))
    assert not followed.read()


def test_what_a_merge_decided_before_it_was_killed_counts(folder):
    followed = Followed(folder)
    followed.read()
    (folder / MERGED).mkdir()
    (folder / MERGED / RUN_FILE).write_bytes((folder / RUN_FILE).read_bytes())
    (folder / MERGED / CASES_FILE).write_bytes(line("a", status="error") + line("b"))
    assert followed.read()
    assert followed.cases == read_cases(folder)
    assert list(followed.cases) == ["a", "b"]
    settle(folder)
    assert not followed.read()  # the same files, in their place
    add(folder, line("c"))
    assert followed.read()
    assert followed.fresh == ["c"]


def test_a_file_that_goes_away_while_it_is_looked_at_is_no_error(folder, monkeypatch):
    import reports.watch.following as following

    followed = Followed(folder)
    followed.read()
    add(folder, line("b"))
    real = following._stamp

    def and_gone(path, name):
        stamp = real(path, name)
        if name == CASES_FILE:
            (path / name).unlink()
        return stamp

    with monkeypatch.context() as patched:
        patched.setattr(following, "_stamp", and_gone)
        assert not followed.read()
    assert followed.read()  # it is gone by now
    assert followed.cases == {}
