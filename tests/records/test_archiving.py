"""Records to publish: the same tables, none of the files, nothing that names people, machines or folders."""

import shlex

import pytest
from harness_world import case_record, launch, run_record, write_run

from piva.cli import main
from piva.errors import ConfigError
from piva.keys import key_of, score_key
from piva.records import CASES_FILE, RUN_FILE, SCENES, RunFolder, read_cases, read_run
from piva.records.archiving import archive, nameless
from piva.records.checks import check_run
from piva.records.files import BY_OBJECT_FILE
from reports.reading import load_runs
from reports.tables.rows import rows

TRACE = """Traceback (most recent call last):
  File "/home/zoe/my work/piva/editing.py", line 12, in edit
    raise OSError("/mnt/secret/x.png is gone, says zoe@node7.example.org")
OSError: [Errno 2] No such file or directory: '/mnt/secret/x.png'
"""
COMMAND = shlex.join(
    ["piva", "run", "pie-bench", "--root=/home/zoe/my data/pie", "--out", "/scratch/zoe/runs", "--limit", "3"]
)


@pytest.fixture
def run(tmp_path):
    """A run of three cases with all that has names in it."""
    facts = {"key_version": 2, "method": {"name": "dds", "settings": {}}, "prior": "x"}
    key, metrics = key_of(facts), {"lpips": "lpips@1"}
    scores = {"score_key": score_key(key, metrics)}
    record = run_record(
        key, root="/home/zoe/data/test", launches=[launch(["a", "b", "c"], command=COMMAND)], key_facts=facts,
        prior={"name": "mine", "fingerprint": "x", "model": "/home/zoe/models/sd15"}, metrics=metrics, **scores,
    )  # fmt: skip
    cases = [
        case_record("b", metrics={"lpips": 0.25}, src="a /slash/ here", tgt="x", image="images/b.png", **scores,
                    image_sha256="0" * 64, history={"t": {"first": 1.0, "last": 2.0, "mean": 1.5}}),
        case_record("a", metrics={"lpips": 9.0}, **scores),
        case_record("a", metrics={"lpips": 0.123456789012345}, seconds_edit=1.5, **scores),
        case_record("c", status="error", stage="load", error="FileNotFoundError: /mnt/secret/x.png", traceback=TRACE),
    ]  # fmt: skip
    folder = write_run(tmp_path / "runs" / "pie-toybox" / f"dds-{key}", record, cases)
    (folder / SCENES / "b").mkdir(parents=True)
    (folder / SCENES / "b" / BY_OBJECT_FILE).write_bytes(b'{"sky": {"psnr": 30.5}}\n')
    (folder / SCENES / "b" / "edited.safetensors").write_bytes(b"large")
    return folder


def test_an_archive_gives_the_same_table(run, tmp_path):
    folder = archive(run, tmp_path / "kept")
    assert folder == tmp_path / "kept" / "pie-toybox" / run.name
    assert sorted(path.name for path in folder.iterdir()) == [CASES_FILE, RUN_FILE, SCENES]
    assert [path.name for path in (folder / SCENES).rglob("*")] == ["b", BY_OBJECT_FILE]
    assert (folder / SCENES / "b" / BY_OBJECT_FILE).read_bytes() == b'{"sky": {"psnr": 30.5}}\n'
    (whole,), (kept,) = load_runs([], run.parents[1]), load_runs([], tmp_path / "kept")
    assert kept.table.equals(whole.table)
    for before, after in zip(rows([whole], ["lpips"]), rows([kept], ["lpips"]), strict=True):
        assert (after.cells, after.failed, after.unfinished) == (before.cells, before.failed, before.unfinished)
    assert len((folder / CASES_FILE).read_bytes().splitlines()) == 3


def test_where_it_came_from_stays_and_names_go(run, tmp_path):
    folder = archive(run, tmp_path / "kept")
    text = (folder / RUN_FILE).read_text() + (folder / CASES_FILE).read_text()
    for name in ("/home", "zoe", "/scratch", "/mnt", "secret", "node7", "my data"):
        assert name not in text, name
    record, before = read_run(folder), read_run(run)
    made, was = record.launches[0].provenance, before.launches[0].provenance
    assert made.command == "piva run pie-bench --root=.../pie --out .../runs --limit 3"
    assert made == was.model_copy(update={"command": made.command})
    assert (record.root, record.prior["model"], record.prior["fingerprint"]) == ("test", ".../sd15", "x")
    case = read_cases(folder)["c"]
    assert case.error == "FileNotFoundError: .../x.png"
    assert case.traceback.splitlines()[1] == '  File ".../editing.py", line 12, in edit'
    assert case.traceback.splitlines()[2] == '    raise OSError(".../x.png is gone, says user@host")'


def test_prompts_stay_and_hashes_but_no_file_is_named(run, tmp_path):
    folder = archive(run, tmp_path / "kept")
    case = read_cases(folder)["b"]
    assert (case.src, case.image, case.image_sha256, case.history) == ("a /slash/ here", None, "0" * 64, {})
    findings = check_run(folder)
    assert findings.problems == []
    assert "1 images are not here, only their hashes: an archive of records" in findings.notes


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("n/a and/or 3 / 4, 0..1/whole", "n/a and/or 3 / 4, 0..1/whole"),
        ("https://x.org/a/b", "https://x.org/a/b"),
        ("clip@1 psnr@2", "clip@1 psnr@2"),
        ("(/a/b c:/d/e.png)", "(.../b c:.../e.png)"),
        ("no space on /home/zoe", "no space on ~"),
        ("'/a b/c d/e.txt'", "'.../e.txt'"),
        ("file:///home/zoe/x and file:///a/b.txt", ".../x and .../b.txt"),
    ],
)
def test_of_a_path_the_last_name_stays(text, expected):
    assert nameless(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("gandalf:8080 http://gandalf/x gandalf", "host:8080 http://host/x gandalf"),
        ("gandalfs:1", "gandalfs:1"),
    ],
)
def test_a_plain_name_of_this_host_goes_where_it_stands_as_one(text, expected, monkeypatch):
    monkeypatch.setattr("socket.gethostname", lambda: "gandalf")
    assert nameless(text) == expected


def test_a_key_that_was_made_of_a_path_is_not_claimed_to_be_recomputable(run, tmp_path):
    record = read_run(run)
    assert read_run(archive(run, tmp_path / "kept")).key_facts == record.key_facts
    facts = record.key_facts | {"method": {"name": "dds", "settings": {"aux": {"controlnet": "/home/zoe/net"}}}}
    with RunFolder(run) as folder:
        folder.write_run(record.model_copy(update={"key_facts": facts}))
    folder = archive(run, tmp_path / "again")
    assert read_run(folder).key_facts is None
    assert "zoe" not in (folder / RUN_FILE).read_text()


def test_what_is_no_whole_run_is_refused(run, tmp_path):
    with RunFolder(run), pytest.raises(ConfigError, match="is being written"):
        archive(run, tmp_path / "kept")
    with pytest.raises(ConfigError, match="is where its archive would be"):
        archive(run, run.parents[1])
    write_run(run / "shards" / "1-of-2", read_run(run), [])
    with pytest.raises(ConfigError, match="piva merge"):
        archive(run, tmp_path / "kept")


def test_the_command_writes_all_runs_or_those_named(run, tmp_path, capsys):
    other = write_run(run.with_name("dds-bb22"), run_record("bb22", launches=[launch(["a"])]), [case_record("a")])
    assert main(["archive", "--runs", str(run.parents[1]), "--out", str(tmp_path / "all")]) == 0
    assert "2 runs, " in capsys.readouterr().out
    assert main(["archive", "bb22", "--runs", str(run.parents[1]), "--out", str(tmp_path / "one")]) == 0
    assert [path.name for path in (tmp_path / "one" / "pie-toybox").iterdir()] == [other.name]
    same = [
        (root / "pie-toybox" / other.name / CASES_FILE).read_bytes() for root in (tmp_path / "all", tmp_path / "one")
    ]
    assert same[0] == same[1]
    assert main(["archive", "--runs", str(tmp_path / "none"), "--out", str(tmp_path / "x")]) == 2
