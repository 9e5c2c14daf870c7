"""What a metric is given and what it gives back."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Literal, Protocol

import torch
from torch import Tensor

from piva.metrics.cache import FeatureCache

Labels = tuple[Mapping[str, str], Mapping[str, str]]

Profile = Literal["strict", "official"]
"""How PIE-Bench is scored: by averages over the background alone, or as its authors' evaluator does.

official: a background score is of both images times (1 - mask), over the whole frame, zeros included; CLIP is cut at 0;
DINO sees 0..255. (Ju et al., "PnP Inversion", ICLR 2024: evaluation/ of their code.)
"""

NO_MASK = "the case has no mask"
FULL_MASK = "the mask covers the whole frame: there is no background"
EMPTY_MASK = "the mask is empty at this size"
NO_TRUE_EDIT = "the case has no true edit"


@dataclass(frozen=True)
class Missing:
    """A score that can't be computed, and why."""

    reason: str


Value = float | Missing


@dataclass(frozen=True, eq=False, kw_only=True)
class ScoreInput:
    """One edit to be scored. Images are float32 [3, H, W] in [0, 1], all of the source's size.

    Raises:
        ValueError: another shape, size or range, or a value that is not finite.
    """

    src_image: Tensor
    edited: Tensor
    src_prompt: str
    tgt_prompt: str
    mask: Tensor | None = None
    """bool [H, W], true where the image was to be edited."""
    true_edit: Tensor | None = None
    labels: Labels | None = None
    """Attributes in the source picture, and in the ideal edit."""

    def __post_init__(self) -> None:
        images = {"src_image": self.src_image, "edited": self.edited, "true_edit": self.true_edit}
        for name, image in images.items():
            if image is None:
                continue
            if image.dtype != torch.float32 or image.ndim != 3 or image.shape[0] != 3:
                raise ValueError(f"{name} is {image.dtype} {list(image.shape)}, not float32 [3, H, W]")
            if image.shape != self.src_image.shape:
                sizes = "x".join(map(str, image.shape[1:])), "x".join(map(str, self.src_image.shape[1:]))
                raise ValueError(f"{name} is {sizes[0]}, the source {sizes[1]}: an edit must keep the source's size")
            if not (image.min() >= 0 and image.max() <= 1):  # also false for NaN
                raise ValueError(f"{name} has values outside [0, 1] or not finite")
        if self.mask is not None and (self.mask.dtype != torch.bool or self.mask.shape != self.src_image.shape[1:]):
            raise ValueError(
                f"mask is {self.mask.dtype} {list(self.mask.shape)}, not bool {list(self.src_image.shape[1:])}"
            )


class Batch:
    """Edits of one image size, stacked on a device.

    Attributes:
        inputs: the edits, B of them.
        src, edited: [B, 3, H, W].
        mask: bool [B, H, W], false everywhere where the case has none.
        with_true: rows that have a true edit.
        true: their true edits, [len(with_true), 3, H, W], or None if there is none.
    """

    def __init__(self, inputs: Sequence[ScoreInput], device: torch.device | str = "cpu") -> None:
        self.inputs = list(inputs)
        self.src = torch.stack([case.src_image for case in inputs]).to(device)
        self.edited = torch.stack([case.edited for case in inputs]).to(device)
        none = torch.zeros(self.src.shape[-2:], dtype=torch.bool)
        self.mask = torch.stack([none if case.mask is None else case.mask.cpu() for case in inputs]).to(device)
        trues = {row: case.true_edit for row, case in enumerate(inputs) if case.true_edit is not None}
        self.with_true = list(trues)
        self.true = torch.stack(list(trues.values())).to(device) if trues else None

    def __len__(self) -> int:
        return len(self.inputs)

    @cached_property
    def src_keys(self) -> list[str]:
        """A hash of each source image: the key under which its features are kept."""
        return [content(case.src_image) for case in self.inputs]

    @cached_property
    def true_keys(self) -> list[str]:
        """The same for the true edits, in the order of `with_true`."""
        images = (self.inputs[row].true_edit for row in self.with_true)
        return [content(image) for image in images if image is not None]

    @cached_property
    def without_background(self) -> list[str | None]:
        """For each row why it has no background, or None where it has one."""
        whole = self.mask.flatten(1).all(1).tolist()
        return [
            NO_MASK if case.mask is None else FULL_MASK if covers else None
            for case, covers in zip(self.inputs, whole, strict=True)
        ]

    @cached_property
    def without_region(self) -> list[str | None]:
        """For each row why it has no edit region, or None where it has one."""
        some = self.mask.flatten(1).any(1).tolist()
        return [
            NO_MASK if case.mask is None else None if any_ else EMPTY_MASK
            for case, any_ in zip(self.inputs, some, strict=True)
        ]

    @cached_property
    def outside(self) -> Tensor:
        """The edit with the source put back inside the mask, [B, 3, H, W]: what the edit did to the background."""
        return torch.where(self.mask[:, None], self.src, self.edited)

    @cached_property
    def edited_without_region(self) -> Tensor:
        """The edit, black inside the mask, [B, 3, H, W]."""
        return self.edited * ~self.mask[:, None]

    @cached_property
    def src_without_region(self) -> Tensor:
        """The source, black inside the mask, [B, 3, H, W]."""
        return self.src * ~self.mask[:, None]

    def spread_true(self, scores: Tensor | None) -> list[Value]:
        """One value per row from one score per true edit, [len(with_true)]."""
        values: list[Value] = [Missing(NO_TRUE_EDIT)] * len(self)
        for row, score in zip(self.with_true, [] if scores is None else scores.tolist(), strict=True):
            values[row] = score
        return values


class Metric(Protocol):
    """A family of scores that share their work."""

    VERSION: ClassVar[int]
    """Raised whenever a score changes."""

    @property
    def ids(self) -> Mapping[str, str]:
        """Name -> backbone, weights, input size, scale and version: what the number is, part of the score's key."""

    def score(self, batch: Batch, cache: FeatureCache) -> dict[str, list[Value]]:
        """One value per row for each name in `ids`."""


def values(scores: Tensor, reasons: Sequence[str | None] | None = None) -> list[Value]:
    """Numbers of a [B] tensor, with Missing where there is a reason."""
    numbers = scores.tolist()
    return (
        numbers if reasons is None else [n if r is None else Missing(r) for n, r in zip(numbers, reasons, strict=True)]
    )


def average(x: Tensor, where: Tensor | None = None) -> Tensor:
    """Mean of each row, [B], over the pixels (and all channels) where `where` is true; NaN where it is true nowhere.

    Args:
        x: [B, H, W] or [B, C, H, W].
        where: bool [B, H, W], or None for all pixels.
    """
    x = x if x.ndim == 4 else x[:, None]
    if where is None:
        return x.flatten(1).mean(1)
    weight = where[:, None].to(x.dtype)
    return (x * weight).flatten(1).sum(1) / (weight.flatten(1).sum(1) * x.shape[1])


def content(image: Tensor) -> str:
    """A hash of an image's shape and values: a key for its features."""
    header = f"{tuple(image.shape)}".encode()
    return hashlib.blake2b(header + image.detach().cpu().contiguous().numpy().tobytes(), digest_size=16).hexdigest()
