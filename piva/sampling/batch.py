"""Edit a batch of images by sampling."""

from __future__ import annotations

import time
from collections.abc import Sequence

import torch

from piva.devices import begin_peak, peak_bytes
from piva.editing import EditInput, EditOutput, cut_note
from piva.priors import Prior
from piva.sampling.common import SamplerSettings
from piva.sampling.course import OnStep, SamplingCourse


@torch.no_grad()
def sample_batch(
    prior: Prior,
    method: SamplerSettings,
    inputs: Sequence[EditInput],
    *,
    steps: int,
    seed: int,
    on_step: OnStep | None = None,
    image_every: int = 0,
) -> list[EditOutput]:
    """The inputs edited together, each as it would be edited alone (within float tolerance).

    Args:
        steps: of the sampler over the whole schedule; `method.made(steps)` of them are made.
        seed: of the noise, together with the case ids.
        on_step: called with a dict a step on the way to the target: "step" (of `steps`), "t", "drift_rms",
            "rows_forward" (those of an inversion are in the first) and "rows_backward", per case.
        image_every: add "images" [B,3,H,W], as the prior sees them then, to every so manyth of these dicts; 0 never.

    Raises:
        ConfigError: for a number of steps that the sampler cannot do.
    """
    method.check_steps(steps, len(prior.abar))
    if not inputs:
        return []
    started = time.perf_counter()
    begin_peak(prior.device)
    course = SamplingCourse(prior, inputs, steps, method.made(steps), seed, on_step, image_every)
    latents = method.edited(course)
    images = prior.decode(latents).float().cpu()
    seconds, peak = (time.perf_counter() - started) / len(inputs), peak_bytes(prior.device)
    history, rows = course.history.by_case(len(inputs)), course.engine.rows_forward
    return [
        EditOutput(
            case_id=case.case_id, image=images[i], seconds=seconds, unet_rows=rows[i], unet_rows_backward=0,
            peak_bytes=peak, history=history[i], note=cut_note(prior, case.src, case.tgt),
            error=None if bool(latents[i].isfinite().all()) else "the latent left the finite numbers",
        )
        for i, case in enumerate(inputs)
    ]  # fmt: skip
