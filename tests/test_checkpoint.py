"""What a killed loop goes on from."""

import json

import pytest
import torch
from safetensors import safe_open

from piva import checkpoint
from piva.checkpoint import Checkpoint
from piva.errors import PreflightError


class Counter:
    """A loop whose state is one number."""

    def __init__(self):
        self.total, self.restored_at = torch.zeros(1), None

    def snapshot(self):
        return {"total": self.total}

    def restore(self, tensors, steps_done):
        self.total, self.restored_at = tensors["total"].clone(), steps_done


def go(kept, loop, steps):
    """So many steps, of which the last is written."""
    for _ in range(steps):
        loop.total += 1
        kept.step_done(kept.steps + 1)
    kept.write()


@pytest.fixture
def file(tmp_path):
    return tmp_path / "below" / "checkpoint.safetensors"


def test_a_loop_goes_on_from_its_last_step_with_its_facts_and_its_time(file):
    first = Counter()
    kept = Checkpoint(file, "k", first, facts=lambda: {"rows": 3})
    assert (kept.steps, kept.facts_found, first.restored_at) == (0, {}, None)
    go(kept, first, 4)
    second = Counter()
    again = Checkpoint(file, "k", second)
    assert (again.steps, again.facts_found, second.restored_at) == (4, {"rows": 3}, 4)
    assert second.total.item() == 4
    assert 0 < again.seconds == kept.seconds
    before = again.seconds
    go(again, second, 1)
    assert second.total.item() == 5
    assert again.seconds > before


def test_that_of_another_loop_is_not_gone_on_from(file):
    loop = Counter()
    go(Checkpoint(file, "k", loop), loop, 2)
    other = Counter()
    kept = Checkpoint(file, "another", other)
    assert (kept.steps, kept.seconds, kept.facts_found, other.restored_at) == (0, 0.0, {}, None)
    go(kept, other, 1)
    assert Checkpoint(file, "another", Counter()).steps == 1


@pytest.mark.parametrize(("seconds", "written"), [(3600.0, False), (0.0, True)])
def test_it_is_written_by_itself_now_and_then(file, monkeypatch, seconds, written):
    monkeypatch.setattr(checkpoint, "SECONDS_BETWEEN", seconds)
    kept = Checkpoint(file, "k", Counter())
    kept.step_done(1)
    assert file.exists() is written


def test_it_is_gone_when_the_loop_has_ended(file):
    loop = Counter()
    kept = Checkpoint(file, "k", loop)
    go(kept, loop, 1)
    assert file.is_file()
    kept.remove()
    assert list(file.parent.iterdir()) == []
    kept.remove()


def test_without_a_path_nothing_is_kept(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    loop = Counter()
    kept = Checkpoint(None, "k", loop)
    go(kept, loop, 2)
    kept.remove()
    assert kept.steps == 2
    assert list(tmp_path.iterdir()) == []


def test_the_file_holds_tensors_and_json_alone(file):
    loop = Counter()
    go(Checkpoint(file, "k", loop, facts=lambda: {"lines": [1.5]}), loop, 1)
    with safe_open(file, framework="pt") as opened:
        assert list(opened.keys()) == ["total"]
        (facts,) = (json.loads(value) for value in opened.metadata().values())
    assert (facts["key"], facts["steps"], facts["facts"]) == ("k", 1, {"lines": [1.5]})


def test_a_disk_that_refuses_is_said(file):
    file.parent.write_text("a file where a folder belongs")
    kept = Checkpoint(file, "k", Counter())
    with pytest.raises(PreflightError, match="cannot write to"):
        kept.write()


def test_a_file_that_takes_long_to_write_is_written_less_often(file, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(checkpoint.time, "monotonic", lambda: now[0])
    kept, written = Checkpoint(file, "k", Counter()), []

    def slow():
        written.append(now[0])
        now[0] += 2.0  # five times what a write may take

    monkeypatch.setattr(kept, "write", slow)
    for step in range(300):
        now[0] += 1.0
        kept.step_done(step)
    assert written[0] == pytest.approx(21)
    assert written[1] - written[0] == pytest.approx(103, abs=2)  # 2 s of writing in 100 s and more
