"""A world in which a sweep's metric is known: mse = ((guidance - OPTIMUM) / 10)^2, plus a little for each case."""

import os
import signal
from pathlib import Path

import torch
from harness_world import PlainScorer, output, use_plain_world, write_bench

from piva.cli import main
from piva.metrics.scorer import Scores

OPTIMUM = 3.0
CASES = 4
HEAD = """\
method: {method}
metric: {{name: mean/mse, goal: minimize}}
command: [piva, run, pie-bench, --root, "{root}", --method, dds, --limit, "{cases}", --batch-size, "{batch}",
          --tracker, none, "${{args}}"]
parameters:
"""
GRID = "  method.guidance: {values: [1, 3, 6]}\n"


class LevelScorer(PlainScorer):
    """The mean of the edit, called mse so that a sweep may be about it."""

    def __init__(self):
        super().__init__()
        self.spec = {"mse": "mse@1"}

    def _score(self, case):
        return Scores({"mse": case.edited.mean().item()}, {})


def loss(guidance):
    """The metric, without what a case adds and without the rounding to eight bits."""
    return ((guidance - OPTIMUM) / 10) ** 2


def use_sweep_world(monkeypatch, before=lambda guidance, inputs: None):
    """Lets `piva run` edit in closed form; `before` is called before every batch, and may fail or kill."""
    import benchmarks.pictures.launch as launch
    from benchmarks import models

    use_plain_world(monkeypatch)
    scorer = LevelScorer()
    monkeypatch.setattr(models, "load_scorer", lambda device, flags, pictures: scorer)

    def editor(method, prior, steps, seed, *rest):
        def edit(inputs, on_step):
            before(method.guidance, inputs)
            levels = [loss(method.guidance) + 0.02 * int(case.case_id) for case in inputs]
            return [output(case, torch.full_like(case.image, x)) for case, x in zip(inputs, levels, strict=True)]

        return edit

    monkeypatch.setattr(launch, "editor", editor)


def die_at(batch):
    """`before` that kills its own process, -9, in the batch of this number, from 0."""
    count = 0

    def before(guidance, inputs):
        nonlocal count
        if count == batch:
            os.kill(os.getpid(), signal.SIGKILL)
        count += 1

    return before


def write_sweep(folder: Path, parameters=GRID, method="grid", rest="", cases=CASES, batch=2) -> Path:
    """A sweep over dds's settings on a benchmark of ten cases, of which it takes some."""
    root = folder / "bench"
    if not root.exists():
        write_bench(root)
    file = folder / "sweep.yaml"
    file.write_text(HEAD.format(method=method, root=root, cases=cases, batch=batch) + parameters + rest)
    return file


def sweep(command, file, *flags):
    """`piva sweep COMMAND FILE`, with its runs beside the file; the exit code."""
    return main(["sweep", command, str(file), "--out", str(file.parent / "runs"), *flags])


def run_folders(file):
    """Folders of the runs, in the order of their keys."""
    return sorted((file.parent / "runs" / "pie-bench").iterdir())
