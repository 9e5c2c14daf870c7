"""A world small enough to be measured in a test: the tiny pipeline, grey squares, two steps."""

import pytest
from harness_world import write_bench

from benchmarks.speed.options import Options
from benchmarks.speed.world import World
from piva.config import PriorConfig


@pytest.fixture(scope="session")
def options(tiny_pipeline_folder, tmp_path_factory):
    root = write_bench(tmp_path_factory.mktemp("speed"), n=3, size=32)
    prior = PriorConfig(model=str(tiny_pipeline_folder), device="cpu")
    return Options(cases=2, steps=2, repeats=2, batch_sizes=(2,), psi_steps=3, root=root, prior=prior, memory=False)


@pytest.fixture(scope="session")
def world(options):
    return World(options)
