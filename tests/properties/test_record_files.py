"""The readers of records: cut or spoiled anywhere, what is whole is read, or the line that is damaged is named."""

import json
import re

import pytest
from harness_world import case_record, run_record
from hypothesis import example, given, settings
from hypothesis import strategies as st
from json_values import ANY_JSON, STEADY, spoiled, text_of

from piva.errors import ConfigError
from piva.records import CASES_FILE, RUN_FILE, RunFolder, read_cases, read_run

RECORDS = [
    case_record("000000000000", src="a cube", metrics={"lpips": 0.25, "clip": None}, reasons={"clip": "é\u2028\n"}),
    case_record("000000000001", status="error", stage="load", error="DataError: gone\x85"),
    case_record("000000000000", src="a cube", metrics={"lpips": 0.5}),
    case_record("000000000002", history={"rms": {"first": 1.0, "last": 0.0, "mean": 0.5}}),
]
LINES = [record.model_dump_json(exclude_none=True).encode() + b"\n" for record in RECORDS]
WHOLE = b"".join(LINES)
RUN = json.loads(run_record().model_dump_json())


def kept(count):
    """What the first lines say."""
    return {record.case_id: record for record in RECORDS[:count]}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return tmp_path_factory.mktemp("run")


@STEADY
@given(st.integers(0, len(WHOLE)))
@example(len(WHOLE) - 1)
def test_cut_anywhere_all_whole_lines_before_are_read(run, place):
    (run / CASES_FILE).write_bytes(WHOLE[:place])
    assert read_cases(run) == kept(WHOLE[:place].count(b"\n"))


@STEADY
@given(st.integers(0, len(LINES)), st.binary(max_size=80).filter(lambda torn: b"\n" not in torn))
@example(4, LINES[0][:-1])
def test_a_torn_last_line_hides_no_whole_one(run, count, torn):
    (run / CASES_FILE).write_bytes(b"".join(LINES[:count]) + torn)
    assert read_cases(run) == kept(count)


@settings(STEADY, max_examples=12)
@given(st.integers(0, len(WHOLE)))
def test_the_next_writer_cuts_a_torn_line_off_and_goes_on(tmp_path, place):
    (tmp_path / CASES_FILE).write_bytes(WHOLE[:place])
    with RunFolder(tmp_path) as folder:
        folder.append(RECORDS[3])
    whole = WHOLE[:place].count(b"\n")
    assert (tmp_path / CASES_FILE).read_bytes() == b"".join(LINES[:whole]) + LINES[3]
    assert read_cases(tmp_path) == kept(whole) | {RECORDS[3].case_id: RECORDS[3]}


@STEADY
@given(st.integers(0, len(WHOLE)), st.integers(0, 300), st.binary(max_size=40))
@example(len(LINES[0]), 0, b"\n")
@example(len(LINES[0]), 0, b"[" * 100_000 + b"\n")
@example(10, 0, b"\xff")
@example(0, 0, b"\xef\xbb\xbf")
def test_spoiled_anywhere_the_line_is_named_or_all_lines_are_read(run, place, length, content):
    spoiled_bytes = WHOLE[:place] + content + WHOLE[place + length :]
    (run / CASES_FILE).write_bytes(spoiled_bytes)
    try:
        found = read_cases(run)
    except ConfigError as problem:
        line = int(re.search(r"line (\d+)", str(problem))[1])
        assert WHOLE[:place].count(b"\n") < line <= spoiled_bytes.count(b"\n")
        return
    before = WHOLE[:place].count(b"\n")
    assert {record.case_id for record in RECORDS[:before]} <= found.keys()


@STEADY
@given(ANY_JSON | spoiled(json.loads(LINES[0])), st.integers(0, 4))
def test_a_line_of_any_json(run, content, before):
    (run / CASES_FILE).write_bytes(b"".join(LINES[:before]) + text_of(content) + b"\n")
    try:
        found = read_cases(run)
    except ConfigError as problem:
        said = str(problem)
        assert f"line {before + 1}" in said
        return
    assert found.keys() - kept(before).keys() <= {content["case_id"]}


@STEADY
@given(ANY_JSON | spoiled(RUN))
@example(RUN | {"record_version": 10**30})
def test_a_run_of_any_json(run, content):
    (run / RUN_FILE).write_bytes(text_of(content))
    a_run_or_a_sentence(run)


@STEADY
@given(st.binary(max_size=40), st.integers(0, 2000), st.integers(0, 2000))
@example(b"[" * 100_000, 0, 5000)
@example(b"\xff\xfe", 0, 0)
@example(b"", 5, 5000)
def test_a_run_of_any_bytes(run, content, start, end):
    sound = text_of(RUN)
    (run / RUN_FILE).write_bytes(sound[: min(start, end)] + content + sound[max(start, end) :])
    a_run_or_a_sentence(run)


def a_run_or_a_sentence(run) -> None:
    try:
        record = read_run(run)
    except ConfigError as problem:
        said = str(problem)
        assert str(run) in said
        return
    assert json.loads(record.model_dump_json())["edit_key"] == record.edit_key
