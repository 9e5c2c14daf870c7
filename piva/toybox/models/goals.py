"""What the Toybox models should reach."""

from typing import Any

GOALS: dict[str, tuple[float, str]] = {
    "vae.psnr_db": (30.0, "reconstruction of held-out renders, dB, mean"),
    "judge.worst_attribute": (0.98, "accuracy on held-out renders, worst attribute"),
    "samples.color": (0.95, "samples with the colour asked for, by the judge"),
    "samples.ground": (0.95, "samples with the ground asked for"),
    "samples.shape": (0.90, "samples with the shape asked for"),
    "samples.hat": (0.90, "samples with the hat, or none, that was asked for"),
    "samples.hat_where_asked": (0.90, "samples with the hat's colour, where a hat is asked for"),
    "clip.retrieval_of_64": (0.70, "right caption among 64 distinct held-out ones"),
    "perceptual.spearman.blur": (0.95, "Spearman correlation with growing blur"),
    "perceptual.spearman.noise": (0.95, "Spearman correlation with growing noise"),
    "perceptual.spearman.color_shift": (0.95, "Spearman correlation with a growing colour shift"),
    "perceptual.spearman.object_shift": (0.95, "Spearman correlation with a growing shift of the objects"),
    "perceptual.above_one_pixel.all": (0.95, "ideal edits that score above a one-pixel shift of the picture"),
    "silhouette.iou": (0.95, "silhouettes read off held-out renders, IoU, mean"),
    "controlnet.iou": (0.80, "silhouettes of samples given a held-out depth, IoU with that scene's, mean"),
    "instruct_pix2pix.changed": (0.80, "edits by instruction that change what was asked, by the judge"),
}
"""Number in quality.json -> (least value, what it is)."""


def lookup(quality: dict[str, Any], dotted: str) -> float | None:
    """The number under a dotted name, None where it was not measured."""
    value: Any = quality
    for part in dotted.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def verdict(value: float | None, goal: float) -> str:
    """One word."""
    return "not measured" if value is None else "reached" if value >= goal else "missed"
