"""Names to objects."""

import pytest

from benchmarks import BENCHMARKS, SCENE_BENCHMARKS
from benchmarks.identity_rows import IDENTITY_ROWS
from piva.cli import COMMANDS
from piva.errors import ConfigError
from piva.methods import METHODS
from piva.metrics import METRICS, SCENE_METRICS
from piva.registry import resolve, unknown

TABLES = {
    "method": METHODS | IDENTITY_ROWS,
    "benchmark": BENCHMARKS | SCENE_BENCHMARKS,
    "metric": METRICS | SCENE_METRICS,
    "command": {name: where for name, (where, _) in COMMANDS.items()},
}


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, table in TABLES.items() for name in table])
def test_every_listed_name_is_there(kind, name):
    thing = resolve(kind, TABLES[kind], name)
    if kind in ("method", "benchmark"):
        assert thing.name == name


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(ConfigError, match=r"unknown method 'pivaa': did you mean 'piva'\?"):
        resolve("method", METHODS, "pivaa")
    assert unknown("method", "zzz", ["b", "a"]) == "unknown method 'zzz': choose from a, b"
