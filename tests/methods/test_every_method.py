"""What holds for every method: what it says of itself, batches, scenes, and the code that says what it costs."""

from pathlib import Path

import pytest
import torch
from scene_world import ball_case
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.costs.cost import Rows, needs_of
from piva.editing import EditInput, edit_batch
from piva.flops import step_flops
from piva.memory import estimate
from piva.methods import METHODS
from piva.modules.scene_settings import SceneEditSettings
from piva.priors.shapes import PriorShape
from piva.registry import resolve
from piva.scenes.editing import edit_scene

FAMILIES = {"sds", "classifier", "delta"}
VISIBLE: dict[str, dict] = {
    "cds": {"contrast": 3000.0},
    "vsd": {"aux": {"lr": 0.01, "phi": "fresh"}},
    "piva": {"aux": {"lr": 0.01}, "lam": 4.0},
}
"""Settings under which all of a method shows within two steps of the tiny UNet; the defaults elsewhere."""


def kind_of(name):
    return resolve("method", METHODS, name)


def at_the_largest_t(name):
    """Where a method asks for most."""
    kind = kind_of(name)
    return kind(t_min=kind().t_max)


def inputs(n):
    images = [torch.rand(3, 32, 32, generator=torch.Generator().manual_seed(i)) for i in range(n)]
    return [EditInput(f"case-{i}", image, f"a red cube {i}", f"a blue cube {i}") for i, image in enumerate(images)]


@pytest.fixture(scope="module")
def shape(tiny_prior):
    return PriorShape.of(tiny_prior)


@pytest.mark.parametrize("name", METHODS)
def test_what_it_says_of_itself(name):
    kind = kind_of(name)
    assert kind.family in FAMILIES
    assert kind.strength in kind.model_fields
    assert len(kind.source) > 10
    assert len(kind.__doc__) < 130
    assert {"psi", "phi"} >= set(kind().auxiliaries)


@pytest.mark.parametrize("name", METHODS)
def test_the_rows_it_says_are_the_rows_counted(tiny_prior, name):
    method = at_the_largest_t(name)
    (output,) = edit_batch(tiny_prior, method, inputs(1), steps=2, seed=0)
    assert (output.history["rows_forward"][-1], output.history["rows_backward"][-1]) == kind_of(name).rows
    assert needs_of(kind_of(name)()).step == Rows(*kind_of(name).rows)


def test_the_page_says_the_same():
    page = Path(__file__).resolve().parents[2] / "docs" / "methods.md"
    table = [[cell.strip() for cell in line.split("|")] for line in page.read_text().splitlines() if "|" in line]
    said = {cells[1]: (cells[3], cells[4]) for cells in table if cells[1] in METHODS}
    expected = {}
    for name in METHODS:
        forward, backward = kind_of(name).rows
        expected[name] = (f"{forward}+{backward}" if backward else str(forward), kind_of(name).strength)
    assert said == expected


@pytest.mark.parametrize("name", METHODS)
def test_eight_cases_together_are_edited_as_each_alone(tiny_prior, name):
    method, cases = kind_of(name)(**VISIBLE.get(name, {})), inputs(8)
    together = edit_batch(tiny_prior, method, cases, steps=2, seed=0)
    for case, output in zip(cases, together, strict=True):
        (alone,) = edit_batch(tiny_prior, method, [case], steps=2, seed=0)
        torch.testing.assert_close(output.image, alone.image, atol=2e-4, rtol=1e-3)
        assert output.history["rows_forward"] == alone.history["rows_forward"]
        assert output.history["rows_backward"] == alone.history["rows_backward"]


@pytest.mark.parametrize("name", METHODS)
def test_it_edits_a_scene(tiny_prior, name):
    case = ball_case()
    output = edit_scene(tiny_prior, at_the_largest_t(name), case, SceneEditSettings(), steps=2, seed=0)
    assert output.error is None
    assert output.history["rows_forward"][-1] == kind_of(name).rows[0]  # of a view
    moved = [(a - b).abs().max() for a, b in zip(output.scene.parameters(), case.source.parameters(), strict=True)]
    assert max(moved) > 1e-4


@pytest.mark.parametrize("name", METHODS)
def test_its_memory_is_estimated(shape, name):
    """Where rows take a gradient something is kept for them."""
    found = estimate(shape, kind_of(name)(), batch_size=2)
    assert (found.saved > 0) == (kind_of(name).rows[1] > 0)
    assert found.forward > 0
    assert (found.adapters > 0) == bool(kind_of(name)().auxiliaries)


@pytest.mark.parametrize("name", METHODS)
def test_its_operations_are_those_of_its_rows(tiny_prior, shape, name):
    """A backward pass through frozen weights is about one more forward pass; adapters add to both."""
    x, t, embedding = torch.zeros(1, 4, 8, 8), torch.tensor([500]), tiny_prior.embed(["a cat"])
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        tiny_prior.predict(x, t, embedding)
    row, (forward, backward) = counter.get_total_flops(), kind_of(name).rows
    assert forward + 1.3 * backward <= step_flops(shape, kind_of(name)()) / row * 1.02
    assert step_flops(shape, kind_of(name)()) / row <= 1.3 * (forward + 2.3 * backward)
