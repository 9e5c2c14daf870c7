"""Visits: the rows they take, cold and warm, and the split of their time."""

from dataclasses import replace
from functools import partial

import pytest

from benchmarks.speed import memory, visits
from benchmarks.speed.contenders import COLD, WARM, contenders
from benchmarks.speed.floor import floor_seconds
from benchmarks.speed.options import Options
from benchmarks.speed.split import SECTIONS
from benchmarks.speed.visits import literal_visit, our_visits, visiting
from piva.errors import ConfigError
from piva.methods import METHODS
from piva.methods.dds import DDS
from piva.registry import resolve
from piva.sampling import SAMPLERS

STEPS = 2
CONTENDERS = {contender.name: contender for contender in contenders(("dds", "piva"), psi_steps=3)}
ROWS = {
    "dds": {COLD: (4, 0, 0), WARM: (2, 0, 0)},
    "piva": {COLD: (5, 2, 0), WARM: (3, 2, 0)},
    "piva, stored psi": {COLD: (5, 1, 3), WARM: (3, 1, 0)},
}
"""METHODS, "Work per step": rows without gradient, rows with a backward pass; psi's training before the edit."""


def rows(visit):
    return visit.rows_forward, visit.rows_backward, visit.psi_rows


@pytest.mark.parametrize("name", CONTENDERS)
@pytest.mark.parametrize("size", [1, 2])
def test_ours_takes_the_rows_that_are_needed_and_no_more(world, name, size):
    taken = our_visits(world, CONTENDERS[name], STEPS, size, split=True)
    assert {visit: rows(taken[visit]) for visit in taken} == ROWS[name]
    for kind, visit in taken.items():
        needs = CONTENDERS[name].needs[kind]
        assert rows(visit)[:2] == (needs.prior + needs.psi, needs.trained)
        assert sum(visit.split.values()) == pytest.approx(visit.seconds, rel=1e-9)


@pytest.mark.parametrize(
    ("name", "expected"), [("dds", (4, 0, 0)), ("piva", (6, 2, 0)), ("piva, stored psi", (6, 2, 0))]
)
def test_the_literal_twin_takes_the_rows_of_the_method_as_written(world, name, expected):
    for careful in (False, True):
        assert rows(literal_visit(world, CONTENDERS[name], STEPS, careful)) == expected


def test_sections_hold_what_their_names_say(world):
    cold, warm = our_visits(world, CONTENDERS["piva, stored psi"], STEPS, 2, split=True).values()
    assert set(cold.split) == set(SECTIONS)
    assert all(seconds > 0 for seconds in cold.split.values())
    assert warm.split["text"] < cold.split["text"]
    cold, _ = our_visits(world, CONTENDERS["dds"], STEPS, 2, split=True).values()
    assert {name for name, seconds in cold.split.items() if seconds == 0} == {"auxiliary", "psi"}


def test_every_cold_visit_encodes_its_prompts_and_no_warm_one_does(world, monkeypatch):
    encoded = []
    real = world.prior._encode_text
    monkeypatch.setattr(world.prior, "_encode_text", lambda prompts: encoded.append(len(prompts)) or real(prompts))
    for _ in range(2):
        our_visits(world, CONTENDERS["dds"], STEPS, 2)
    assert encoded == [5, 5]  # two cases, source and target, and the empty prompt


@pytest.mark.parametrize(("keep", "later"), [("nowhere", 4), ("memory", 2), ("disk", 2)])
def test_source_rows_are_kept_where_they_were_asked_for(world, keep, later):
    for _ in range(2):  # nothing is left over from the first time
        with visiting(world, STEPS, 2, keep) as visits:
            assert visits.one("first", DDS()).rows_forward == 4
            assert visits.one("later", DDS(guidance=5.0)).rows_forward == later


def test_a_failing_case_is_an_error(world, monkeypatch):
    def fail(*_, **__):
        raise ArithmeticError("no")

    monkeypatch.setattr(visits, "edit_batch", fail)
    with pytest.raises(RuntimeError, match="ArithmeticError: no"):
        our_visits(world, CONTENDERS["dds"], STEPS, 2)


def test_the_floor_runs_the_rows_in_two_calls(world, monkeypatch):
    calls = []
    real = world.prior.predict

    def watched(x, t, embedding, segments=()):
        out = real(x, t, embedding, segments)
        calls.append((len(x), out.requires_grad, [segment.start for segment in segments]))
        return out

    monkeypatch.setattr(world.prior, "predict", watched)
    piva = CONTENDERS["piva"]
    assert floor_seconds(world, piva, piva.needs[COLD], 3, 1) > 0
    assert calls[-2:] == [(15, False, [12]), (6, True, [0, 3])]
    calls.clear()
    assert floor_seconds(world, CONTENDERS["dds"], CONTENDERS["dds"].needs[WARM], 2, 1) > 0
    assert calls == [(4, False, [])] * 2


@pytest.mark.parametrize(
    ("measured", "variant"),
    [(memory.peak, "literal"), (partial(memory.in_new_process, memory.peak), "ours")],
    ids=["here", "apart"],
)
def test_peak_memory_is_above_what_was_loaded(options, measured, variant):
    peak = measured(replace(options, methods=("dds",)), "dds", variant, 1)
    assert peak.edit >= peak.loaded > 50e6


OTHERS = [name for name in METHODS | SAMPLERS if name not in ("dds", "piva")]


@pytest.mark.parametrize("name", OTHERS)
def test_every_other_method_is_measured_at_its_defaults(world, name):
    """Rows of a visit are those of its floor, where t asks for all of them."""
    (chosen,) = contenders((name,), psi_steps=3)
    assert not chosen.has_twin
    visits = our_visits(world, chosen, STEPS, 2, split=True)
    kind = resolve("method", METHODS | SAMPLERS, name)
    for visit, rows in chosen.needs.items():
        assert visits[visit].rows_forward <= rows.forward
        assert visits[visit].rows_backward == rows.backward
        assert floor_seconds(world, chosen, rows, 2, 1) > 0
    assert (chosen.needs[COLD].forward, chosen.needs[COLD].backward) == kind.rows
    assert sum(visits[COLD].split.values()) == pytest.approx(visits[COLD].seconds)


def test_everything_that_edits_a_picture_is_measured():
    names = {contender.method for contender in contenders(tuple(METHODS | SAMPLERS), 3)}
    assert names == set(METHODS | SAMPLERS)
    with pytest.raises(ConfigError, match="unknown method 'ddds': did you mean 'dds'"):
        Options(methods=("ddds",))
