"""piva run --shard I/N: shares of a run, on any number of machines, come to what one machine finds."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
from harness_world import PlainScorer, brighten, output, use_plain_world, write_bench

from benchmarks.running.shards import shard_folder
from piva.cli import main
from piva.records import RUN_FILE, RunFolder, read_cases, read_run

PROGRAM = """
import sys, time
sys.path.insert(0, {tests!r})
import pytest
from harness_world import brighten, use_plain_world
def slow(inputs, on_step):
    time.sleep(0.2)
    return brighten(inputs, on_step)
use_plain_world(pytest.MonkeyPatch(), edit=slow)
from piva.cli import main
sys.exit(main({words!r}))
"""


@pytest.fixture
def bench(tmp_path, monkeypatch):
    use_plain_world(monkeypatch)
    return write_bench(tmp_path / "bench")


def words(bench: Path, out: Path, *flags: str) -> list[str]:
    common = ["--method", "dds", "--batch-size", "2", "--tracker", "none"]
    return ["run", "pie-bench", "--root", str(bench), "--out", str(out), *common, *flags]


def only_run(out: Path) -> Path:
    (path,) = (out / "pie-bench").iterdir()
    return path


def outcome(run: Path) -> dict:
    """What is found of each case, without when and by whom."""
    cases = read_cases(run).values()
    return {case.case_id: (case.status, case.image_sha256, case.metrics, case.batch) for case in cases}


def fails_at(k: int):
    """An edit that cannot do case k, nor a batch that has it."""

    def edit(inputs, on_step):
        if any(int(case.case_id) == k for case in inputs):
            raise RuntimeError("no luck")
        return brighten(inputs, on_step)

    return edit


@pytest.mark.parametrize("order", [(1, 2, 3), (3, 1, 2)])
def test_shards_in_any_order_come_to_the_whole_run(order, bench, tmp_path, capsys):
    assert main(words(bench, tmp_path / "whole")) == 0
    parts = tmp_path / "parts"
    for number in order:
        assert main(words(bench, parts, "--shard", f"{number}/3")) == 0
    run = only_run(parts)
    assert not (run / RUN_FILE).exists()
    assert [len(read_cases(shard_folder(run, f"{number}/3"))) for number in (1, 2, 3)] == [4, 4, 2]  # batches of two
    capsys.readouterr()
    assert main(["merge", str(run)]) == 0
    assert "3 folders into one: 10 ok" in capsys.readouterr().out
    assert outcome(run) == outcome(only_run(tmp_path / "whole"))
    assert len(read_run(run).launches) == 3
    assert not (run / "shards").exists()
    assert main(words(bench, parts)) == 0
    assert "0 of 10 cases to edit" in capsys.readouterr().err


def test_a_shard_leaves_out_what_the_run_has_and_says_when_that_is_all(bench, tmp_path, capsys):
    assert main(words(bench, tmp_path, "--limit", "3")) == 0
    assert main(words(bench, tmp_path, "--shard", "2/5")) == 0
    run = only_run(tmp_path)
    first, second = (shard_folder(run, shard) for shard in ("1/5", "2/5"))
    assert len(read_cases(second)) == 1  # of its batch of two the run has one
    assert next(iter(read_cases(second).values())).batch == 2
    capsys.readouterr()
    assert main(words(bench, tmp_path, "--shard", "1/5")) == 0
    assert "nothing to do: the run has all of this share" in capsys.readouterr().out
    assert not first.exists()
    assert main(words(bench, tmp_path, "--shard", "2/5")) == 0
    assert "0 of 1 cases to edit in 0 batches, 1 done before" in capsys.readouterr().err
    assert len(read_run(second).launches) == 1


def test_a_run_says_that_shards_lie_there(bench, tmp_path, capsys):
    assert main(words(bench, tmp_path, "--shard", "1/2")) == 0
    capsys.readouterr()
    assert main(words(bench, tmp_path, "--dry-run")) == 0
    run = only_run(tmp_path)
    assert (
        f"1 shards lie in {run / 'shards'}, and count once they are brought in: piva merge" in capsys.readouterr().err
    )


def test_two_shards_and_the_run_at_once_do_not_disturb_each_other(bench, tmp_path):
    assert main(words(bench, tmp_path / "whole")) == 0
    out, tests = tmp_path / "parts", str(Path(__file__).resolve().parents[1])
    programs = [PROGRAM.format(tests=tests, words=words(bench, out, "--shard", f"{k}/2")) for k in (1, 2)]
    shards = [subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.PIPE) for program in programs]
    while not list(out.glob("pie-bench/*/shards/*/run.json")):
        assert any(shard.poll() is None for shard in shards)
        time.sleep(0.01)
    assert main(words(bench, out, "--limit", "2")) == 0  # somebody else works on the run itself
    assert [shard.wait(60) for shard in shards] == [0, 0]
    run = only_run(out)
    assert len(read_cases(run)) == 2
    assert main(["merge", str(run)]) == 0
    assert outcome(run) == outcome(only_run(tmp_path / "whole"))


def test_a_shard_that_somebody_works_on_is_left_to_him(bench, tmp_path, capsys):
    assert main(words(bench, tmp_path, "--shard", "1/2", "--limit", "2")) == 0
    with RunFolder(shard_folder(only_run(tmp_path), "1/2")):
        assert main(words(bench, tmp_path, "--shard", "1/2")) == 3
        assert main(words(bench, tmp_path, "--shard", "2/2")) == 0
    assert "is writing to" in capsys.readouterr().err


def test_scores_by_other_metrics_are_made_the_same_first(bench, tmp_path, monkeypatch, capsys):
    assert main(words(bench, tmp_path, "--limit", "2")) == 0
    monkeypatch.setattr("benchmarks.models.load_scorer", lambda device, flags, pictures: PlainScorer(version=2))
    assert main(words(bench, tmp_path, "--shard", "1/2")) == 2
    assert "without --shard, the same command scores it again first" in capsys.readouterr().err
    assert main(words(bench, tmp_path, "--limit", "2")) == 0
    assert main(words(bench, tmp_path, "--shard", "1/2")) == 0


def test_errors_of_the_run_are_tried_again_by_a_shard(bench, tmp_path, monkeypatch, capsys):
    assert main(words(bench, tmp_path / "whole")) == 0
    use_plain_world(monkeypatch, edit=fails_at(3))
    out = tmp_path / "parts"
    assert main(words(bench, out)) == 1
    run = only_run(out)
    assert [case_id for case_id, case in read_cases(run).items() if case.status == "error"] == [f"{3:012d}"]
    use_plain_world(monkeypatch)
    time.sleep(1.1)  # launches are told apart by the second
    again = ("--overwrite", "retry-errors", "--shard")
    assert main(words(bench, out, *again, "1/2")) == 0  # the first, third and fifth batch
    assert main(words(bench, out, *again, "2/2")) == 0
    assert "nothing to do" in capsys.readouterr().out
    (tried,) = read_cases(shard_folder(run, "2/2")).values()
    assert (tried.case_id, tried.status, tried.batch) == (f"{3:012d}", "ok", 1)
    assert main(["merge", str(run)]) == 0
    found, whole = outcome(run), outcome(only_run(tmp_path / "whole"))
    assert {case_id: facts[:3] for case_id, facts in found.items()} == {
        case_id: facts[:3] for case_id, facts in whole.items()
    }
    assert sum(case.launch == 1 for case in read_cases(run).values()) == 1


def test_an_error_of_a_shard_does_not_replace_an_edit_and_a_later_error_an_earlier(bench, tmp_path, monkeypatch):
    """What comes of --overwrite once shards are merged: ok wins, then what is newer."""
    use_plain_world(monkeypatch, edit=fails_at(3))
    assert main(words(bench, tmp_path, "--case", f"{3:012d}", f"{2:012d}")) == 1
    run = only_run(tmp_path)
    time.sleep(1.1)  # launches are told apart by the second
    assert main(words(bench, tmp_path, "--overwrite", "retry-errors", "--shard", "2/2")) == 1
    assert main(["merge", str(run)]) == 0
    cases = read_cases(run)
    assert (cases[f"{2:012d}"].status, cases[f"{2:012d}"].launch) == ("ok", 0)
    assert (cases[f"{3:012d}"].status, cases[f"{3:012d}"].launch) == ("error", 1)


def test_always_does_everything_again_and_the_newer_edit_stays(bench, tmp_path, monkeypatch):
    assert main(words(bench, tmp_path, "--limit", "4")) == 0
    run = only_run(tmp_path)
    before = outcome(run)
    use_plain_world(monkeypatch, edit=lambda inputs, on_step: [output(case, case.image + 0.4) for case in inputs])
    time.sleep(1.1)  # launches are told apart by the second
    assert main(words(bench, tmp_path, "--limit", "4", "--overwrite", "always", "--shard", "1/2")) == 0
    assert main(["merge", str(run)]) == 0
    shifts = [facts[2]["shift"] for facts in outcome(run).values()]
    assert shifts == pytest.approx([0.4, 0.4, 0.2, 0.2], abs=0.01)  # the first batch is the shard's
    assert list(outcome(run).items())[2:] == list(before.items())[2:]


def test_a_shard_that_was_never_finished_goes_when_the_run_has_its_cases(bench, tmp_path, monkeypatch, capsys):
    def first_batch_only(inputs, on_step):
        if any(int(case.case_id) > 1 for case in inputs):
            raise KeyboardInterrupt
        return brighten(inputs, on_step)

    use_plain_world(monkeypatch, edit=first_batch_only)
    assert main(words(bench, tmp_path, "--shard", "1/2")) == 130
    run = only_run(tmp_path)
    assert main(["merge", str(run)]) == 0
    assert "shards/1-of-2 stays: 4 of its cases are left to do" in capsys.readouterr().err
    use_plain_world(monkeypatch)
    assert main(words(bench, tmp_path)) == 0
    assert main(["merge", str(run)]) == 0
    assert not (run / "shards").exists()
    assert {facts[0] for facts in outcome(run).values()} == {"ok"}
