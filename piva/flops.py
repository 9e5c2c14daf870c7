"""Floating-point operations of an edit's step, counted from shapes alone: no weights, no device.

The step runs on tensors without numbers, as in `piva.memory`. Products of matrices, convolutions and attention are
counted, forward and backward, a multiplication and an addition as two; norms, activations and AdamW are not.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils.flop_counter import FlopCounterMode, sdpa_backward_flop_count, sdpa_flop_count

from piva.course import course_without_numbers
from piva.priors.shapes import PriorShape, WeightlessPrior


def _attention(q: Any, k: Any, v: Any, *_: Any, **__: Any) -> int:
    return int(sdpa_flop_count(q, k, v))


def _attention_backward(gradient: Any, q: Any, k: Any, v: Any, *_: Any, **__: Any) -> int:
    return int(sdpa_backward_flop_count(gradient, q, k, v))


_FUSED_ON_CPU = {  # torch itself knows the attention of GPUs alone
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: _attention,
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward: _attention_backward,
}


def step_flops(shape: PriorShape, method: Any, batch_size: int = 1, image_size: tuple[int, int] | None = None) -> int:
    """Operations of one step of an edit of `batch_size` cases, the training of its auxiliaries included.

    Args:
        method: settings of a method, those of its auxiliaries among them.
        image_size: (H, W); None is the prior's own.
    """
    with FakeTensorMode():
        prior = WeightlessPrior(shape, torch.float32, image_size)
        course = course_without_numbers(prior, method, torch.empty(batch_size, *prior.latent_shape))
        return counted(lambda: course.step(1))  # a method may ask for less in its first


def counted(call: Callable[[], object]) -> int:
    """Operations of a call."""
    with FlopCounterMode(display=False, custom_mapping=_FUSED_ON_CPU) as counter:
        call()
    return int(counter.get_total_flops())
