"""The course of an edit is that of the real loop: the same numbers, and the same work."""

import pytest
import torch

from piva.course import Course
from piva.editing import EditInput, edit_batch
from piva.methods.dds import DDS
from piva.methods.piva import Piva
from piva.noise import DrawPlan

CAPTIONS = [("a red cube", "a blue cube"), ("a red cube", "a green ball")]
STEPS = 3


@pytest.mark.parametrize(
    "method",
    [
        DDS(t_law="annealed", weighting="one_minus_abar"),
        Piva(aux={"lr": 1e-2}),
        Piva(aux={"lr": 1e-2, "phi": "fresh", "steps_per_iteration": 2}),
        Piva(aux={"lr": 1e-2, "kind": "controlnet"}),
    ],
    ids=["dds", "fused", "fresh", "controlnet"],
)
def test_its_steps_make_the_edit_of_the_loop(tiny_prior, method):
    generator = torch.Generator().manual_seed(0)
    images, depth = torch.rand(2, 3, 32, 32, generator=generator), torch.rand(2, 1, 32, 32, generator=generator)
    inputs = [EditInput(name, images[i], *CAPTIONS[i], depth[i]) for i, name in enumerate("ab")]
    z_src = tiny_prior.encode(images)
    plan = DrawPlan(7, ("a", "b"), method.t_min, method.t_max, tiny_prior.abar, z_src, method.t_law, STEPS)
    course = Course(tiny_prior, method, plan, CAPTIONS, depth)
    for index in range(STEPS):
        course.step(index)
    outputs = edit_batch(tiny_prior, method, inputs, steps=STEPS, seed=7)
    torch.testing.assert_close(tiny_prior.decode(course.z), torch.stack([one.image for one in outputs]))
    assert (course.z - z_src).abs().max() > 1e-3
    assert course.engine.rows_forward[0] + course.engine.rows_backward[0] == outputs[0].unet_rows


def test_a_camera_reaches_the_auxiliaries(tiny_prior):
    method = Piva(aux={"camera": True, "lr": 1e-2})
    z_src = torch.ones(1, *tiny_prior.latent_shape)
    plan = DrawPlan(0, ("a",), 50, 948, tiny_prior.abar, z_src)
    ends = []
    for pose in (torch.zeros(1, 16), torch.eye(4).reshape(1, 16)):
        course = Course(tiny_prior, method, plan, CAPTIONS[:1], cameras=pose)
        for index in range(STEPS):
            course.step(index)
        ends.append(course.z)
    assert (ends[0] - ends[1]).abs().max() > 1e-6
