"""Operations by hand; without numbers as many as with; rows, cases and ranks in proportion."""

import pytest
import torch
import torch.nn.functional as F

from piva.course import Course
from piva.flops import counted, step_flops
from piva.methods.dds import DDS
from piva.methods.piva import Piva
from piva.noise import DrawPlan
from piva.priors.shapes import PriorShape


@pytest.fixture(scope="module")
def shape(tiny_prior):
    return PriorShape.of(tiny_prior)


def test_a_convolution_by_hand():
    x, weight = torch.zeros(2, 3, 8, 6), torch.zeros(5, 3, 3, 3, requires_grad=True)
    forward = 2 * (2 * 5 * 8 * 6) * (3 * 3 * 3)  # numbers put out, each of so many products and sums
    assert counted(lambda: F.conv2d(x, weight, padding=1)) == forward
    assert counted(lambda: F.conv2d(x, weight, padding=1).sum().backward()) == 2 * forward  # x wants no gradient


def test_attention_by_hand():
    q, k = torch.zeros(2, 3, 16, 8, requires_grad=True), torch.zeros(2, 3, 5, 8, requires_grad=True)
    product = 2 * (2 * 3) * (16 * 5) * 8  # of every query with every key
    assert counted(lambda: F.scaled_dot_product_attention(q, k, k)) == 2 * product
    # backward: the scores once more, and the gradients of weights, values, queries and keys
    assert counted(lambda: F.scaled_dot_product_attention(q, k, k).sum().backward()) == 7 * product


def test_dds_is_four_rows(tiny_prior, shape):
    x, t = torch.zeros(1, *tiny_prior.latent_shape), torch.zeros(1, dtype=torch.int64)
    embedding = tiny_prior.embed(["a red cube"])
    row = counted(lambda: tiny_prior.predict(x, t, embedding))
    assert step_flops(shape, DDS()) == 4 * row
    assert step_flops(shape, DDS(guidance=1)) == 2 * row


@pytest.mark.parametrize(
    "aux", [{}, {"phi": "fresh"}, {"camera": True}, {"kind": "controlnet"}], ids=["lora", "fresh", "camera", "own"]
)
def test_as_many_as_of_a_step_with_numbers(tiny_prior, shape, aux):
    method = Piva(aux=aux)
    z_src, depth = torch.ones(1, *tiny_prior.latent_shape), torch.rand(1, 1, 32, 32)
    plan = DrawPlan(0, ("a",), 50, 948, tiny_prior.abar, z_src)
    course = Course(tiny_prior, method, plan, [("a red cube", "a blue cube")], depth, torch.ones(1, 16))
    course.step(0)  # prompts are encoded now
    assert step_flops(shape, method) == counted(lambda: course.step(1))


def test_in_proportion_to_cases_and_rank(shape):
    one, two, three = (step_flops(shape, Piva(aux={"rank": rank})) for rank in (1, 2, 3))
    assert three - two == two - one > 0
    assert step_flops(shape, Piva(), 3) == 3 * step_flops(shape, Piva())


def test_a_controlnet_costs_more_than_lora_and_blank_depth_saves_nothing(shape):
    own = {"kind": "controlnet"}
    given, blank = step_flops(shape, Piva(aux=own)), step_flops(shape, Piva(aux=own | {"depth": "blank"}))
    assert given == blank > step_flops(shape, Piva()) > step_flops(shape, DDS())
