"""Time and disk of edits of scenes, foretold."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from harness_world import case_record, run_record

from benchmarks.costs.calibration import Earlier
from benchmarks.scenes.forecast import field_bytes, sentences, step_seconds, view_bytes
from piva.disk import now
from piva.provenance import collect
from piva.records import Launch
from piva.rendering.fields.settings import FieldSettings

HERE = collect("cpu")
SMALL = FieldSettings(resolution=16)


def recorded(here=HERE, **facts):
    """A run over scenes on this machine."""
    scenes = {"scene": {"views": 2}, "reconstruction": {"field": {"resolution": 16}, "steps": 9}}
    launch = Launch(started=now(), planned=[], batch_size=1, provenance=here)
    made = {"prior": {"fingerprint": "p"}, "image_size": (32, 32), "scenes": scenes, "launches": [launch]}
    return run_record("k", "dds", **made | facts)


def earlier(*seconds, **facts):
    cases = [case_record(f"{k}", seconds_step=each) for k, each in enumerate(seconds)]
    return Earlier(Path("run"), recorded(**facts), cases)


def test_only_edits_that_take_as_long_are_looked_at():
    slower = HERE.model_copy(update={"threads": 99})
    runs = [
        earlier(0.5, None, 0.7),
        earlier(1.0, steps=5, seed=3),
        earlier(9.0, prior={"fingerprint": "q"}),
        earlier(9.0, scenes={"scene": {"views": 4}, "reconstruction": {"field": {"resolution": 16}}}),
        earlier(9.0, settings={"guidance": 1.0}),
        earlier(9.0, here=slower),
    ]
    assert step_seconds(runs, recorded(), HERE) == [0.5, 0.7, 1.0]


def said(runs, edits=2):
    folders = [Path("none/a"), Path("none/a"), Path("none/b")][:edits]
    cases = [SimpleNamespace(edit=SimpleNamespace(folder=folder)) for folder in folders]
    plan = SimpleNamespace(edits=edits, batches=[SimpleNamespace(cases=(case,)) for case in cases])
    config = SimpleNamespace(reconstruction=SimpleNamespace(field=SMALL), steps=200, eval_views=4)
    return sentences(plan, recorded(), config, runs, HERE, Path("cache"))


def test_time_is_the_median_s_and_disk_that_of_fields_and_views():
    time, disk = said([earlier(0.5, 0.6, 9.0)], edits=3)
    assert time.startswith("time  360 s (0.10 h) of editing")  # 3 x 200 x 0.6
    assert time.endswith("0.6 s a step, the median of 3 edits recorded before")
    field = 16**3 * 4 * 4  # density and three colours
    edited = 3 * (field_bytes(SMALL, True) + view_bytes(4, (32, 32)))
    assert field_bytes(SMALL, True) == pytest.approx(field, rel=0.1)
    assert view_bytes(4, (32, 32)) == pytest.approx(2 * 4 * 3 * 32 * 32 * 0.5, rel=0.2)
    assert disk.startswith(f"disk  {edited / 1e6:.1f} MB")
    assert disk.endswith(f"and up to {2 * field_bytes(SMALL, True) / 1e6:.1f} MB in cache, for 2 reconstructions")


def test_what_is_not_known_is_said_and_nothing_of_no_edits():
    assert said([])[0].startswith("time  unknown: no edit with this method")
    assert said([], edits=0) == []
