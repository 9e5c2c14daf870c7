"""runs, check run, merge and gc: what is on the disk, whether it is whole, shards, and what nobody needs."""

import json
import os
import shutil

import pytest
from harness_world import case_record, launch, run_record, use_plain_world, write_bench, write_run

from piva.cli import main
from piva.records import CASES_FILE, RUN_FILE, RunFolder, read_cases, read_run

DEAD_PID = 2**22 + 1
"""Above every number that Linux gives a process."""


@pytest.fixture
def world(tmp_path, monkeypatch):
    """`piva run` on the stand-ins: twelve cases of pie-bench in batches of two; returns the run's folder."""
    use_plain_world(monkeypatch)
    monkeypatch.setenv("PIVA_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "200")
    root = write_bench(tmp_path / "bench", n=12)

    def run(*flags, method="dds", out="runs"):
        common = ["--root", str(root), "--out", str(tmp_path / out), "--tracker", "none", "--batch-size", "2"]
        assert main(["run", "pie-bench", "--method", method, *common, *flags]) in (0, 1)
        return max((tmp_path / out / "pie-bench").glob(f"{method}-*"), key=lambda folder: folder.stat().st_mtime_ns)

    run.out, run.root = tmp_path / "runs", root
    return run


def poison(root, k: int) -> None:
    """Makes case k fail."""
    mapping = root / "mapping_file.json"
    mapping.write_text(mapping.read_text().replace(f'bright] square number {k}"', f'poison] square number {k}"'))


def recorded(out, key, planned, cases, **facts):
    """A run of pie-toybox below `out`, as if it had been launched."""
    folder = out / "pie-toybox" / f"dds-{key}"
    return write_run(folder, run_record(key, launches=[launch(planned)], **facts), cases)


def listed(capsys, out, *flags):
    """Path -> what `piva runs --json` says of the run."""
    capsys.readouterr()
    assert main(["runs", "--out", str(out), "--json", *flags]) == 0
    return {line["path"]: line for line in json.loads(capsys.readouterr().out)}


def files_of(folder):
    """All below a folder, but for locks."""
    return {path for path in folder.rglob("*") if path.name != "run.lock"}


def checked(capsys, *runs):
    """(exit code, sentences) of `piva check run`."""
    capsys.readouterr()
    code = main(["check", "run", *map(str, runs)])
    return code, capsys.readouterr().out


def test_runs_counts_what_is_done_failed_and_left(world, capsys):
    poison(world.root, 1)
    copy, dds = world(method="copy"), world("--method.guidance", "3")
    unfinished = recorded(world.out, "1" * 16, ["a", "b", "c"], [case_record("a")], method="theirs")
    found = listed(capsys, world.out)
    wanted = {copy: (12, 0, 0, "complete", []), dds: (11, 1, 0, "failed", ["guidance=3.0"])}
    wanted[unfinished] = (1, 0, 2, "unfinished", [])
    for folder, counts in wanted.items():
        line = found[str(folder)]
        assert (line["ok"], line["failed"], line["left"], line["state"], line["settings"]) == counts
        assert line["bytes"] == sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
        assert line["key"] == read_run(folder).edit_key
        assert line["started"] == read_run(folder).launches[-1].started


def test_runs_says_what_is_not_as_it_comes_or_sets_one_apart(tmp_path, capsys):
    off = {"guidance": 7.5, "aux": {"rank": 8}, "lam": None}
    for key, facts in {"1" * 16: {}, "2" * 16: {"settings": {"guidance": 2.0}}, "3" * 16: {"settings": off}}.items():
        prior = {"name": "sd15" if key[0] == "3" else "toybox", "fingerprint": "x"}
        recorded(tmp_path, key, [], [], **{"method": "piva", "prior": prior} | facts)
    said = [line["settings"] for line in listed(capsys, tmp_path).values()]
    assert said == [["prior=toybox"], ["guidance=2.0", "prior=toybox"], ["lam=None", "rank=8", "prior=sd15"]]


def test_runs_sees_what_a_killed_merge_had_decided(world, capsys):
    folder = recorded(world.out, "4" * 16, ["a", "b"], [case_record("a"), case_record("b")])
    (folder / ".merged").mkdir()
    one_line = (folder / CASES_FILE).read_bytes().splitlines(keepends=True)[0]
    (folder / ".merged" / CASES_FILE).write_bytes(one_line)
    capsys.readouterr()
    assert main(["runs", "--out", str(world.out), "--json"]) == 0
    (line,) = [line for line in json.loads(capsys.readouterr().out) if line["key"] == "4" * 16]
    assert (line["ok"], line["left"]) == (1, 1)


@pytest.mark.parametrize(
    ("size", "text"), [(12, "12 B"), (1234, "1.23 kB"), (999_600, "1 MB"), (123_456, "123 kB"), (1.234e12, "1.23 TB")]
)
def test_sizes_have_three_digits(size, text):
    from piva.commands.runs import _size

    assert _size(size) == text


def test_runs_filters_and_sorts(world, capsys):
    poison(world.root, 1)
    copy, dds = str(world(method="copy")), str(world())
    assert list(listed(capsys, world.out, "--method", "copy")) == [copy]
    assert list(listed(capsys, world.out, "--benchmark", "noe")) == []
    assert list(listed(capsys, world.out, "--state", "failed")) == [dds]
    assert list(listed(capsys, world.out, "--sort", "errors")) == [copy, dds]
    assert list(listed(capsys, world.out, "--sort", "errors", "--reverse")) == [dds, copy]


def test_runs_prints_a_table_and_names_the_damaged(world, capsys):
    folder = world()
    damaged = recorded(world.out, "2" * 16, ["a"], [case_record("a"), case_record("b")])
    lines = (damaged / CASES_FILE).read_bytes().splitlines(keepends=True)
    (damaged / CASES_FILE).write_bytes(lines[0] + lines[1][:40] + b"\n")
    lost = recorded(world.out, "3" * 16, ["a"], [])
    (lost / RUN_FILE).write_text("{")
    with RunFolder(folder):
        capsys.readouterr()
        assert main(["runs", "--out", str(world.out)]) == 0
    text = capsys.readouterr().out
    (running,) = [line for line in text.splitlines() if read_run(folder).edit_key[:8] in line]
    assert running.rstrip().endswith("running")
    assert f"damaged: {damaged}: line 2 of cases.jsonl is damaged" in text
    assert f"damaged: {lost}: {lost / RUN_FILE} is damaged" in text
    assert text.splitlines()[-1].startswith("3 runs, ")


def test_runs_of_other_metrics_are_left_and_odd_lines_are_read(world, capsys):
    unscored = case_record("d", status="error", stage="score", unscored=True)
    cases = [case_record("a"), case_record("b", score_key="0" * 16), unscored]
    folder = recorded(world.out, "4" * 16, ["a", "b", "c", "d"], cases)
    odd = json.dumps({"status": "ok", "case_id": "c", "score_key": "f" * 16}, separators=(",", ":"))
    with (folder / CASES_FILE).open("a") as file:
        file.write(odd + "\n" + '{"case_id":"a","status":"err')  # a torn line does not count
    line = listed(capsys, world.out)[str(folder)]
    assert (line["ok"], line["failed"], line["left"], line["state"]) == (2, 0, 2, "unfinished")
    assert "1 edited but not scored, 2 ok" in checked(capsys, folder)[1]


def test_a_whole_run_has_no_problem(world, capsys):
    poison(world.root, 1)
    folder = world()
    code, text = checked(capsys, folder)
    assert code == 0
    assert text.splitlines() == [f"{folder}: no problem", "  note: 1 error, 11 ok"]
    capsys.readouterr()
    assert main(["check", "run", read_run(folder).edit_key[:5], "--runs", str(world.out)]) == 0
    assert main(["check", "run", "nothing", "--runs", str(world.out)]) == 2


def break_line(folder):
    lines = (folder / CASES_FILE).read_bytes().splitlines(keepends=True)
    (folder / CASES_FILE).write_bytes(b"".join([lines[0], b"{}\n", *lines[1:], b"nonsense\n"]))


def change_image(folder):
    (folder / "images/000000000003.png").write_bytes(b"another")
    (folder / "images/000000000004.png").unlink()


def add_files(folder):
    (folder / "images/stranger.png").write_bytes(b"x")
    (folder / "scenes/stranger").mkdir(parents=True)


def forget_cases(folder):
    lines = (folder / CASES_FILE).read_bytes().splitlines(keepends=True)
    kept = [line.replace(b'"launch":0', b'"launch":4') if k == 0 else line for k, line in enumerate(lines[:11])]
    (folder / CASES_FILE).write_bytes(b"".join(kept))
    (folder / "images" / f"{json.loads(lines[11])['case_id']}.png").unlink()


def change_record(**facts):
    def change(folder):
        content = json.loads((folder / RUN_FILE).read_text())
        (folder / RUN_FILE).write_text(json.dumps(content | facts))

    return change


DAMAGES = [
    (break_line, ["cases.jsonl, line 2 is no record (case_id: Field required)", "cases.jsonl, line 14 is no record"]),
    (change_image, ["images/000000000003.png is not the file that was recorded", "000000000004.png is not there"]),
    (add_files, ["images/stranger.png: no record names it", "scenes/stranger: no record names it"]),
    (forget_cases, ["1 of 12 planned cases have no record", "run.json has no launch 4, which made it"]),
    (change_record(seed=1), ["seed is 0 in its key_facts and 1 elsewhere"]),
    (change_record(metrics={}), ["is not that of its edit_key and metrics"]),
    (change_record(edit_key="5" * 16), ["edit_key 5555555555555555 is not that of its key_facts", "score_key"]),
    (change_record(key_facts={}), ["its key_facts are not whole"]),
    (change_record(launches=[]), ["12 cases are recorded that no launch planned", *["has no launch 0"] * 12]),
]


@pytest.mark.parametrize(("damage", "sentences"), DAMAGES, ids=[str(number) for number in range(len(DAMAGES))])
def test_check_run_names_each_problem(world, capsys, damage, sentences):
    folder = world()
    damage(folder)
    code, text = checked(capsys, folder)
    problems = [line for line in text.splitlines()[1:] if not line.startswith("  note:")]
    assert code == 1
    assert len(problems) == len(sentences)
    assert all(sentence in text for sentence in sentences)


def test_what_is_no_problem_is_a_note(world, capsys):
    folder = world()
    change_record(key_facts=None)(folder)
    with (folder / CASES_FILE).open("a") as file:
        file.write('{"case_id":"torn')
    code, text = checked(capsys, folder)
    assert code == 0
    assert "its edit_key cannot be recomputed: it was recorded before" in text
    assert "the last line of cases.jsonl is torn" in text


def test_a_run_that_is_being_written_is_not_blamed_for_what_is_to_come(world, capsys):
    folder = world()
    forget_cases(folder)
    (folder / "images/stranger.png").write_bytes(b"x")
    with RunFolder(folder):
        code, text = checked(capsys, folder)
    assert code == 0
    assert "the run is being written now" in text
    assert "note: 1 of 12 planned cases have no record" in text


def test_shards_become_the_run(world, capsys):
    for number in (2, 1):
        world("--shard", f"{number}/2")
    (folder,) = (world.out / "pie-bench").iterdir()
    assert not (folder / RUN_FILE).exists()
    line = listed(capsys, world.out)[str(folder)]
    assert (line["state"], line["ok"], line["left"], line["shards"]) == ("shards", 12, 0, 2)
    key = folder.name.removeprefix("dds-")[:6]
    assert main(["merge", key, "--runs", str(world.out), "--keep-shards"]) == 0
    assert f"{folder}: 2 folders into one: 12 ok" in capsys.readouterr().out
    assert main(["show", key, "--runs", str(world.out)]) == 0
    assert main(["compare", key, key, "--runs", str(world.out)]) == 0
    assert "12 cases in both" in capsys.readouterr().out
    merged = [(folder / name).read_bytes() for name in (RUN_FILE, CASES_FILE)]
    assert sorted(read_cases(folder)) == list(read_cases(folder))
    assert len(read_run(folder).launches) == 2
    (folder / "shards/1-of-2/wandb").mkdir()
    (folder / "shards/1-of-2/wandb/offline-run-1").write_text("kept")
    assert main(["merge", str(folder)]) == 0
    assert "nothing new: 12 ok" in capsys.readouterr().out
    assert merged == [(folder / name).read_bytes() for name in (RUN_FILE, CASES_FILE)]
    assert not (folder / "shards").exists()
    assert (folder / "wandb/offline-run-1").read_text() == "kept"
    assert checked(capsys, folder)[0] == 0
    assert main(["merge", str(folder)]) == 0
    assert "nothing to merge" in capsys.readouterr().out
    world()
    assert merged[1] == (folder / CASES_FILE).read_bytes()


def test_a_shard_that_is_not_done_or_holds_more_stays(world, capsys):
    for number in (1, 2):
        world("--shard", f"{number}/2")
    (folder,) = (world.out / "pie-bench").iterdir()
    first, second = folder / "shards/1-of-2", folder / "shards/2-of-2"
    lines = (first / CASES_FILE).read_bytes().splitlines(keepends=True)
    (first / CASES_FILE).write_bytes(b"".join(lines[1:]))
    (second / "notes.txt").write_text("mine")
    assert main(["merge", str(folder)]) == 0
    said = capsys.readouterr().err
    assert f"{first} stays: 1 of its cases are left to do" in said
    assert f"{second} stays: merges know nothing of notes.txt in it" in said
    assert first.is_dir()
    assert second.is_dir()
    assert len(read_cases(folder)) == 11


def test_runs_of_two_machines_become_one_in_any_order(world, tmp_path, capsys):
    here, there = world("--type", "0", "1", "2"), world("--type", "2", "3", out="other")
    results = []
    for number, pair in enumerate(([here, there], [there, here])):
        assert main(["merge", *map(str, pair), "--out", str(tmp_path / f"all-{number}")]) == 0
        target = tmp_path / f"all-{number}" / "pie-bench" / here.name
        results.append([(target / name).read_bytes() for name in (RUN_FILE, CASES_FILE)])
        assert checked(capsys, target)[0] == 0
    assert results[0] == results[1]
    assert main(["merge", str(tmp_path / "other"), "--runs", str(world.out)]) == 0  # a folder of runs, into ours
    assert results[0] == [(here / name).read_bytes() for name in (RUN_FILE, CASES_FILE)]
    assert len(read_cases(here)) == 6


def test_merge_refuses_other_runs_and_open_ones(world, tmp_path, capsys):
    here, there = world("--limit", "2"), world("--limit", "2", "--method.guidance", "3", out="other")
    before = files_of(tmp_path)
    assert main(["merge", str(here), str(there), "--out", str(tmp_path / "all")]) == 2
    assert "method.settings.guidance: 7.5 and 3.0" in capsys.readouterr().err
    with RunFolder(here):
        assert main(["merge", str(here), "--out", str(tmp_path / "all")]) == 3
        assert "writing to" in capsys.readouterr().err
    assert main(["merge", str(tmp_path / "bench"), "--runs", str(world.out)]) == 2
    assert files_of(tmp_path) == before


def litter(folder):
    """Things of no record in a run; returns their paths below it."""
    (folder / "under-way").mkdir(exist_ok=True)
    names = [
        "images/stranger.png", f"images/.x.png.{DEAD_PID}.tmp", "under-way/0123456789abcdef.safetensors",
        "under-way/0123456789abcdef-0.json", f".{RUN_FILE}.{DEAD_PID}.tmp",
    ]  # fmt: skip
    for name in names:
        (folder / name).write_bytes(b"12345")
    (folder / "scenes/gone").mkdir(parents=True)
    (folder / "scenes/gone/edited.safetensors").write_bytes(b"12345")
    (folder / f"images/.y.png.{os.getpid()}.tmp").write_bytes(b"being written")
    return {*names, "scenes/gone"}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["merge"], "merge which run? piva merge RUN"),
        (["merge", "nothing"], "no run 'nothing'"),
        (["check", "run"], "check which run? piva check run RUN"),
        (["gc", "--out", "nowhere"], "nowhere: there is no such folder"),
    ],
)
def test_what_is_missing_is_said(arguments, sentence, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    assert sentence in capsys.readouterr().err


def test_gc_lists_and_removes_only_when_asked(world, capsys):
    folder = world()
    before = files_of(folder)
    names = litter(folder)
    capsys.readouterr()
    assert main(["gc", "--out", str(world.out)]) == 0
    text = capsys.readouterr().out
    assert {line.split(maxsplit=2)[2].partition(":")[0] for line in text.splitlines()[:-1]} == {
        str(folder / name) for name in names
    }
    assert text.splitlines()[-1] == "6 things, 0.00 MB; --remove removes them"
    assert all((folder / name).exists() for name in names)
    with RunFolder(folder):
        assert main(["gc", "--out", str(world.out), "--remove"]) == 0
    assert f"{folder} is open: left alone" in capsys.readouterr().err
    assert all((folder / name).exists() for name in names)
    assert main(["gc", "--out", str(world.out), "--remove"]) == 0
    kept = {folder / f"images/.y.png.{os.getpid()}.tmp", folder / "scenes", folder / "under-way"}
    assert files_of(folder) == before | kept
    assert checked(capsys, folder)[0] == 0


def test_gc_keeps_what_a_killed_run_goes_on_from(world, capsys):
    from benchmarks.pictures.under_way import checkpoint_of

    folder = world("--limit", "4")
    lines = (folder / CASES_FILE).read_bytes().splitlines(keepends=True)
    (folder / CASES_FILE).write_bytes(b"".join(lines[:2]))
    planned = read_run(folder).launches[0].planned
    for case_id in planned[2:]:
        (folder / f"images/{case_id}.png").unlink()
    done, open_ = (checkpoint_of(folder, planned[k : k + 2]) for k in (0, 2))
    done.parent.mkdir(exist_ok=True)
    for file in (done, open_, open_.with_name(f"{open_.stem}-1.json")):
        file.write_bytes(b"1")
    (folder / "scenes" / planned[3]).mkdir(parents=True)
    (folder / "scenes" / planned[3] / "checkpoint.safetensors").write_bytes(b"1")
    capsys.readouterr()
    assert main(["gc", "--out", str(world.out)]) == 0
    found = capsys.readouterr().out.splitlines()
    assert [line.split()[2] for line in found[:-1]] == [f"{done}:"]


def test_gc_removes_merged_shards_and_no_others(world, capsys):
    for number in (1, 2):
        world("--shard", f"{number}/2")
    (folder,) = (world.out / "pie-bench").iterdir()
    assert main(["gc", "--out", str(world.out)]) == 0
    assert "nothing to remove" in capsys.readouterr().out
    main(["merge", str(folder), "--keep-shards"])
    assert main(["gc", "--out", str(world.out), "--remove"]) == 0
    assert "removed 2 things" in capsys.readouterr().out
    assert not (folder / "shards").exists()
    assert len(read_cases(folder)) == 12


def test_gc_follows_no_link_out(world, tmp_path, capsys):
    folder, elsewhere = world(), tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "precious.png").write_text("x")
    (folder / "scenes").symlink_to(elsewhere)
    (folder / "images/link.png").symlink_to(elsewhere / "precious.png")
    shutil.copytree(folder, tmp_path / "away" / "dds-1", symlinks=True)
    (tmp_path / "away/dds-1/images/stranger.png").write_text("x")
    (world.out / "pie-toybox").mkdir()
    (world.out / "pie-toybox/dds-1").symlink_to(tmp_path / "away/dds-1")
    assert main(["gc", "--out", str(world.out), "--remove"]) == 0
    assert "removed 1 things" in capsys.readouterr().out
    assert (elsewhere / "precious.png").read_text() == "x"
    assert not (folder / "images/link.png").is_symlink()
    assert (tmp_path / "away/dds-1/images/stranger.png").exists()


def test_gc_leaves_a_damaged_run_alone(world, capsys):
    folder = world("--limit", "2")
    litter(folder)
    (folder / CASES_FILE).write_text("nonsense\n")
    assert main(["gc", "--out", str(world.out), "--remove"]) == 0
    said = capsys.readouterr()
    assert "line 1 is damaged" in said.err
    assert "0 things" in said.out
    assert (folder / "images/stranger.png").exists()


def test_gc_looks_into_the_cache_only_when_asked(world, tmp_path, capsys):
    recorded(world.out, "6" * 16, ["a"], [case_record("a", reconstruction="abc0")])
    recorded(tmp_path / "more", "7" * 16, ["a"], [case_record("a", reconstruction="abc1")])
    cache = tmp_path / "cache"
    for name in ("fields/abc0", "fields/abc1", "fields/abc2", "fields/new", "psi/p"):
        (cache / name).mkdir(parents=True)
        (cache / name / "file").write_bytes(b"12345")
    (cache / "rows").mkdir()
    (cache / "rows/r.safetensors").write_bytes(b"12345")
    for path in cache.rglob("*"):
        if "new" not in str(path):
            os.utime(path, (0, 0))
    assert main(["gc", "--out", str(world.out)]) == 0
    assert "nothing to remove" in capsys.readouterr().out
    flags = ["gc", "--out", str(world.out), "--cache", "--also", str(tmp_path / "more"), "--remove"]
    assert main(flags) == 0
    assert "removed 3 things" in capsys.readouterr().out
    assert sorted(path.name for path in (cache / "fields").iterdir()) == ["abc0", "abc1", "new"]
    assert list((cache / "psi").iterdir()) == list((cache / "rows").iterdir()) == []
