"""One turn of one point: a model, a few steps, in a process of its own."""

from __future__ import annotations

import gc
from dataclasses import dataclass
from importlib import import_module
from typing import cast

import torch

from benchmarks.conditioning_cost.models import METHODS, RandomPrior, shape_of
from benchmarks.conditioning_cost.options import Kind, Options
from benchmarks.speed.memory import Peak
from benchmarks.speed.world import Machine
from piva import noise
from piva.allocator import keep_freed_memory
from piva.auxiliary.camera import POSE
from piva.config import PriorConfig
from piva.course import Course
from piva.devices import begin_peak, peak_bytes
from piva.noise import DrawPlan
from piva.priors import Prior

LONGEST = 60.0
"""Seconds of measured steps after which a turn ends; at least one is measured."""


@dataclass(frozen=True)
class Turn:
    """What was measured."""

    seconds: tuple[float, ...]  # of each step
    peak: Peak  # loaded: packages and the UNet, before there is an auxiliary


def take_turn(options: Options, size: str, kind: Kind) -> Turn:
    """Steps of an edit with this kind of auxiliaries, after a first one that makes kernels ready and AdamW's states."""
    machine = machine_of(options)
    if machine.device.type == "cpu":
        keep_freed_memory()  # as commands do
    prior = RandomPrior(shape_of(size, options), getattr(torch, options.dtype), machine.device)
    import_module("torch._dynamo")  # AdamW's first step would, and that memory is not the step's
    gc.collect()
    begin_peak(machine.device)
    loaded = peak_bytes(machine.device) or 0
    course = course_of(prior, kind)
    course.step(0)
    seconds: list[float] = []
    while len(seconds) < options.steps and sum(seconds) < LONGEST:
        started = machine.now()
        course.step(len(seconds) + 1)
        seconds.append(machine.now() - started)
    return Turn(tuple(seconds), Peak(max(peak_bytes(machine.device) or 0, loaded), loaded))


def machine_of(options: Options) -> Machine:
    """The device and its clock."""
    return Machine(PriorConfig(device=options.device), options.threads)


def course_of(prior: RandomPrior, kind: Kind) -> Course:
    """The edit of one latent, with a depth and a pose for whoever reads them."""
    method = METHODS[kind]
    z_src, depth, pose = (
        noise.to_device(numbers, prior.device)
        for numbers in (
            noise.draw((1, *prior.latent_shape), seed=0, case_id="a", step=0, purpose="latent"),
            noise.uniform((1, 1, *prior.image_size), 0, 1, seed=0, case_id="a", step=0, purpose="depth"),
            noise.draw((1, POSE), seed=0, case_id="a", step=0, purpose="pose"),
        )
    )
    if kind == "controlnet-blank":
        depth = torch.zeros_like(depth)
    plan = DrawPlan(0, ("a",), method.t_min, method.t_max, prior.abar, z_src)
    return Course(cast(Prior, prior), method, plan, [("source", "target")], depth, pose)
