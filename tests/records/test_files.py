"""run.json and cases.jsonl are replaced together."""

import os

import pytest

from piva.records.files import CASES_FILE, MERGED, RUN_FILE, opened, replace_both, settle


def read(folder):
    found = []
    for name in (RUN_FILE, CASES_FILE):
        with opened(folder, name) as file:
            found.append(file.read())
    return tuple(found)


def test_what_was_decided_counts_before_it_is_moved(tmp_path, monkeypatch):
    (tmp_path / RUN_FILE).write_bytes(b"old run")
    (tmp_path / CASES_FILE).write_bytes(b"old cases\n")
    monkeypatch.setattr("piva.records.files.settle", lambda folder: None)
    replace_both(tmp_path, tmp_path / ".staged", b"new run", b"new cases\n")
    assert (tmp_path / CASES_FILE).read_bytes() == b"old cases\n"
    assert read(tmp_path) == (b"new run", b"new cases\n")
    os.replace(tmp_path / MERGED / RUN_FILE, tmp_path / RUN_FILE)
    assert read(tmp_path) == (b"new run", b"new cases\n")
    settle(tmp_path)
    assert read(tmp_path) == (b"new run", b"new cases\n")
    assert not (tmp_path / MERGED).exists()


def test_a_torn_line_is_cut_off_and_what_is_not_there_stays_away(tmp_path):
    settle(tmp_path)
    with pytest.raises(FileNotFoundError):
        opened(tmp_path, CASES_FILE)
    (tmp_path / "file").write_text("")
    with pytest.raises(FileNotFoundError, match=CASES_FILE):
        opened(tmp_path / "file", CASES_FILE)
    (tmp_path / CASES_FILE).write_bytes(b"whole\ntorn")
    settle(tmp_path)
    assert (tmp_path / CASES_FILE).read_bytes() == b"whole\n"
