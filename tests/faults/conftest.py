"""One undisturbed run that all others are compared with."""

import pytest
from fault_world import finish, table, words
from harness_world import write_bench


@pytest.fixture(scope="session")
def bench(tmp_path_factory):
    """Eight cases."""
    return write_bench(tmp_path_factory.mktemp("faults") / "bench", n=8, size=32)


@pytest.fixture(scope="session")
def undisturbed(bench, tmp_path_factory, tiny_pipeline_folder):
    """The table of a run that nobody disturbs."""
    folder = tmp_path_factory.mktemp("undisturbed")
    assert finish(words(bench, folder / "runs", tiny_pipeline_folder), folder / "log") == 0
    found = table(folder / "runs")
    assert [case[0] for case in found.values()] == ["ok"] * 8
    return found
