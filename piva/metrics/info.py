"""What every number is: which way is better, its range, and how a table shows it. Imports no torch.

Values are stored raw (plain cosine, plain distance); `display_scale` is applied by a report and by nothing else.
`_region` is inside the edit mask, `_background` outside, `_to_true` against the true edit, none of these the whole
image against the source. Scores of family "objects" are of the pixels of single objects.
"""

from dataclasses import dataclass

INFINITY = float("inf")


@dataclass(frozen=True)
class MetricInfo:
    """Declared facts about one number. Where `higher_is_better` is None, nearer to `best` is better."""

    family: str
    """Key of `piva.metrics.METRICS` or `SCENE_METRICS`, or "cost" for what the runner measures on the way."""
    about: str
    higher_is_better: bool | None
    range: tuple[float, float]
    best: float | None = None
    display_scale: float = 1.0
    unit: str = ""
    """Shown behind the scaled number."""
    digits: int = 2
    needs: str = ""
    """The weights it can't do without; which ones exactly stands in the metric's id."""


def _clip(about: str, better: bool | None = True) -> MetricInfo:
    return MetricInfo("clip", about, better, (-1, 1), display_scale=100, needs="CLIP")


def _lpips(about: str) -> MetricInfo:
    return MetricInfo("lpips", about, False, (0, INFINITY), best=0, display_scale=1e3, digits=1, needs="LPIPS")


def _psnr(about: str) -> MetricInfo:
    return MetricInfo("fidelity", about, True, (0, INFINITY), unit="dB")


def _ssim(about: str) -> MetricInfo:
    return MetricInfo("fidelity", about, True, (-1, 1), best=1, display_scale=100)


def _mse(about: str) -> MetricInfo:
    return MetricInfo("fidelity", about, False, (0, 1), best=0, display_scale=1e4, digits=1)


def _shift(about: str) -> MetricInfo:
    return MetricInfo("drift", about, None, (-1, 1), best=0, display_scale=100)


def _ratio(about: str) -> MetricInfo:
    return MetricInfo("drift", about, None, (0, INFINITY), best=1)


def _judged(about: str) -> MetricInfo:
    return MetricInfo(
        "success", about, True, (0, 1), best=1, display_scale=100, unit="%", digits=1, needs="Toybox judge"
    )


def _consistent(about: str) -> MetricInfo:
    return MetricInfo("consistency", about, True, (-1, 1), best=1, display_scale=100, needs="CLIP")


INFO: dict[str, MetricInfo] = {
    "clip_text": _clip("cosine of edited image and target prompt"),
    "clip_text_region": _clip("the same with black outside the edit mask"),
    "clip_direction": _clip("cosine of the image's change and the prompt's change, signed"),
    "clip_image": _clip("cosine of edited and source image"),
    "leakage": MetricInfo(
        "clip",
        "share of the gain in clip_text that remains with the source put back inside the mask",
        False,
        (-INFINITY, INFINITY),
        best=0,
        needs="CLIP",
    ),
    "lpips": _lpips("perceptual distance to the source"),
    "lpips_background": _lpips("perceptual distance to the source outside the mask"),
    "lpips_to_true": _lpips("perceptual distance to the true edit"),
    "psnr": _psnr("PSNR against the source"),
    "psnr_background": _psnr("PSNR against the source outside the mask"),
    "psnr_to_true": _psnr("PSNR against the true edit"),
    "ssim": _ssim("structural similarity to the source"),
    "ssim_background": _ssim("structural similarity to the source outside the mask"),
    "mse": _mse("mean squared difference to the source"),
    "mse_background": _mse("mean squared difference to the source outside the mask"),
    "structure_distance": MetricInfo(
        "structure",
        "mean squared difference of DINO self-similarities to the source's",
        False,
        (0, 4),
        best=0,
        display_scale=1e3,
        needs="DINO",
    ),
    "saturation_shift": _shift("mean HSV saturation, edit minus source"),
    "saturation_shift_background": _shift("mean HSV saturation outside the mask, edit minus source"),
    "saturation_shift_to_true": _shift("mean HSV saturation, edit minus true edit"),
    "clipped_fraction": _shift("share of pixels with a channel at 0 or 1, edit minus source"),
    "clipped_fraction_background": _shift("share of clipped pixels outside the mask, edit minus source"),
    "clipped_fraction_to_true": _shift("share of clipped pixels, edit minus true edit"),
    "detail_ratio": _ratio("energy of the Laplacian, edit over source"),
    "detail_ratio_background": _ratio("energy of the Laplacian outside the mask, edit over source"),
    "detail_ratio_to_true": _ratio("energy of the Laplacian, edit over true edit"),
    "edit_success": _judged("every changed attribute has its new value and every other one its old value"),
    "changed": _judged("every attribute that the prompt changes has its new value"),
    "kept": _judged("every attribute that the prompt does not change has its old value"),
    "consistency_direction_pair": _consistent("cosine of the steps from view to view in the original and in the edit"),
    "consistency_edit_direction": _consistent("cosine of the changes of neighbouring views"),
    "janus_count": MetricInfo(
        "janus", "fronts seen around an orbit", None, (0, INFINITY), best=1, digits=1, needs="Toybox judge"
    ),
    "psnr_kept_objects": MetricInfo(
        "objects", "PSNR of each object that was not to change, mean over them", True, (0, INFINITY), unit="dB"
    ),
    "psnr_worst_object": MetricInfo(
        "objects", "PSNR of the object that was not to change and fares worst", True, (0, INFINITY), unit="dB"
    ),
    "color_shift_kept_objects": MetricInfo(
        "objects",
        "how far the mean colour of each object that was not to change goes, mean over them",
        False,
        (0, 3**0.5),
        best=0,
        display_scale=100,
    ),
    "psnr_backdrop": MetricInfo("objects", "PSNR of ground and sky", True, (0, INFINITY), unit="dB"),
    "psnr_changed_object_to_true": MetricInfo(
        "objects", "PSNR of the object that was to change against the true edit", True, (0, INFINITY), unit="dB"
    ),
    "change_made_to_true": MetricInfo(
        "objects",
        "how much of its change was made: 0 is no edit, 1 the true edit",
        True,
        (-INFINITY, 1),
        best=1,
        display_scale=100,
        unit="%",
        digits=1,
    ),
    "seconds_edit": MetricInfo("cost", "wall seconds of a batch over its cases", False, (0, INFINITY), unit="s"),
    "seconds_step": MetricInfo(
        "cost", "wall seconds of a step of a scene's edit", False, (0, INFINITY), unit="s", digits=3
    ),
    "unet_rows": MetricInfo("cost", "latents sent through the UNet", False, (0, INFINITY), digits=0),
    "unet_rows_backward": MetricInfo("cost", "those of them with a backward pass", False, (0, INFINITY), digits=0),
    "rows_cached": MetricInfo("cost", "latents whose row a cache had", False, (0, INFINITY), digits=0),
    "psi_rows": MetricInfo("cost", "latents a stored psi was trained on first", False, (0, INFINITY), digits=0),
    "peak_bytes": MetricInfo(
        "cost", "peak memory, of the process on a CPU", False, (0, INFINITY), display_scale=1e-9, unit="GB", digits=2
    ),
    "lpips_growth": MetricInfo(
        "cost",
        "LPIPS to the source at a scene's last step minus half-way: late drift",
        False,
        (-INFINITY, INFINITY),
        display_scale=1e3,
        digits=1,
    ),
}
"""Name -> facts, in the order in which a full listing shows them."""

SCENE_SCORES: tuple[str, ...] = tuple(
    name
    for name, info in INFO.items()
    if info.family != "cost" and name != "leakage" and not name.endswith(("_region", "_background"))
)
"""What an edited scene can be scored with: all that needs no mask. Scores of images are means over its views."""

NOE_SCALE = 2.5
"""CLIP scores are often shown as 2.5 cos (Hessel et al. 2021). Of Piva's own number on Noe, 0.5175, the scale is not
known: a report shows clip_text raw and times this, and claims neither."""
