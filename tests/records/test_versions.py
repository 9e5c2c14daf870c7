"""Records that older versions of the program wrote, and newer ones."""

import json
from pathlib import Path

import pytest
from harness_world import case_record, run_record, write_run

from piva.errors import ConfigError
from piva.records import RECORD_VERSION, RunFolder, read_cases, read_run

OLD = Path(__file__).parent / "version-1"


def test_a_run_of_version_1_is_read():
    """Of version 1: a picture, one that failed, and a scene's edit that was killed before its scores."""
    record, cases = read_run(OLD), read_cases(OLD)
    assert (record.record_version, record.method, record.steps) == (RECORD_VERSION, "dds", 3)
    launch = record.launches[0]
    assert (launch.executor, launch.ended, launch.provenance.determinism) == (None, None, {})
    assert [case.status for case in cases.values()] == ["ok", "error", "error"]
    assert [case.unscored for case in cases.values()] == [False, False, True]
    assert [case.failed for case in cases.values()] == [False, True, False]
    assert {case.record_version for case in cases.values()} == {RECORD_VERSION}


def test_it_goes_on_with_lines_of_this_version(tmp_path):
    for name in ("run.json", "cases.jsonl"):
        (tmp_path / name).write_bytes((OLD / name).read_bytes())
    with RunFolder(tmp_path) as folder:
        folder.write_run(read_run(tmp_path))
        folder.append(case_record("b" * 12))
    assert json.loads((tmp_path / "run.json").read_bytes())["record_version"] == RECORD_VERSION
    versions = [json.loads(line).get("record_version") for line in (tmp_path / "cases.jsonl").open()]
    assert versions == [None, None, None, RECORD_VERSION]
    assert len(read_cases(tmp_path)) == 4


@pytest.mark.parametrize("version", [RECORD_VERSION + 1, 0, None, "2"])
def test_another_version_is_refused(version, tmp_path):
    folder = write_run(tmp_path, run_record(), [case_record("a")])
    newer = json.loads((folder / "run.json").read_bytes()) | {"record_version": version}
    (folder / "run.json").write_text(json.dumps(newer))
    with pytest.raises(ConfigError, match=f"run.json: record version {version}: "):
        read_run(folder)
    line = json.loads((folder / "cases.jsonl").read_bytes()) | {"record_version": version}
    (folder / "cases.jsonl").write_text(json.dumps(line) + "\n")
    with pytest.raises(ConfigError, match=f"line 1: record version {version}: "):
        read_cases(folder)


def test_a_newer_version_says_what_to_do(tmp_path):
    folder = write_run(tmp_path, run_record(), [])
    newer = json.loads((folder / "run.json").read_bytes()) | {"record_version": 99}
    (folder / "run.json").write_text(json.dumps(newer))
    with pytest.raises(ConfigError, match="a newer piva wrote it: update piva"):
        read_run(folder)
