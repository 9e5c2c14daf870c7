"""The data set of the executors' tests, and what is to come out of it."""

import pytest
from executor_world import TWO, words
from harness_world import write_bench

from piva.cli import main


@pytest.fixture(scope="session")
def bench(tmp_path_factory):
    return write_bench(tmp_path_factory.mktemp("data") / "bench", n=6, size=32)


@pytest.fixture(scope="session")
def undisturbed(bench, tmp_path_factory, tiny_pipeline_folder):
    """Folder of a run by two processes that nobody disturbs."""
    out = tmp_path_factory.mktemp("undisturbed")
    assert main(words(bench, out, tiny_pipeline_folder, *TWO)) == 0
    return out
