import json
import math
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from piva.toybox.models.training import (
    Average,
    TrainingSettings,
    average_in_checkpoint,
    fit,
    gaussian,
    keyed_generator,
    learning_rate_at,
    write_atomically,
)

SETTINGS = TrainingSettings(
    steps=12, warmup_steps=3, learning_rate=0.1, log_every=5, checkpoint_minutes=0, precision="float32"
)


class Stop(Exception):
    pass


def run(folder: Path, stop_before: int | None = None, settings: TrainingSettings = SETTINGS) -> dict[str, Tensor]:
    """Fits a line to random points; as if killed before step `stop_before`."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = nn.Linear(3, 1)

    def batch_loss(step: int, generator: torch.Generator) -> tuple[Tensor, dict[str, float]]:
        if step == stop_before:
            raise Stop
        x = gaussian((8, 3), generator)
        loss = (model(x) - x.sum(1, keepdim=True)).square().mean()
        return loss, {"twice": 2 * loss.item()}

    return fit("line", model, batch_loss, settings, folder)


def test_a_run_that_was_stopped_ends_with_the_same_weights(tmp_path: Path) -> None:
    whole = run(tmp_path / "whole")
    for stop in (4, 9):
        with pytest.raises(Stop):
            run(tmp_path / "parts", stop_before=stop)
    parts = run(tmp_path / "parts")
    assert all(torch.equal(whole[name], parts[name]) for name in whole)
    kept = average_in_checkpoint(tmp_path / "whole")
    assert all(torch.equal(kept[name], whole[name]) for name in whole)


def test_a_finished_run_is_not_trained_further(tmp_path: Path) -> None:
    first = run(tmp_path)
    second = run(tmp_path, stop_before=0)
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_the_log_has_the_means_of_its_steps(tmp_path: Path) -> None:
    run(tmp_path)
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [5, 10, 12]
    assert all(math.isclose(line["twice"], 2 * line["loss"], rel_tol=1e-3) for line in lines)
    assert lines[-1]["loss"] < lines[0]["loss"]


def test_a_checkpoint_of_another_recipe_is_refused(tmp_path: Path) -> None:
    run(tmp_path)
    with pytest.raises(ValueError, match="another seed"):
        run(tmp_path, settings=SETTINGS.model_copy(update={"seed": 1}))


def test_learning_rate_rises_then_falls_to_zero() -> None:
    rates = [learning_rate_at(step, SETTINGS) for step in range(13)]
    assert rates[:4] == pytest.approx([0.1 / 3, 0.2 / 3, 0.1, 0.1])
    assert learning_rate_at(7, SETTINGS) == pytest.approx(0.05 * (1 + math.cos(math.pi * 4 / 9)))
    assert rates[12] == pytest.approx(0)


def test_average_follows_its_formula() -> None:
    model = nn.Linear(1, 1, bias=False)
    nn.init.constant_(model.weight, 1.0)
    average, expected = Average(model, 0.5), 1.0
    for step, weight in enumerate((2.0, -1.0, 4.0, 0.0, 3.0, 3.0, 3.0, 3.0, 3.0, 5.0)):
        nn.init.constant_(model.weight, weight)
        average.update(model, step)
        decay = min(0.5, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * weight
    assert average.state["weight"].item() == pytest.approx(expected, rel=1e-6)


def test_draws_depend_on_the_key_alone() -> None:
    first, again = (gaussian((4,), keyed_generator(3, "x", 7)) for _ in range(2))
    assert torch.equal(first, again)
    assert not torch.equal(first, gaussian((4,), keyed_generator(3, "x", 8)))


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")

    def broken(part: Path) -> None:
        part.write_text("half")
        raise Stop

    with pytest.raises(Stop):
        write_atomically(path, broken)
    assert path.read_text() == "old"
