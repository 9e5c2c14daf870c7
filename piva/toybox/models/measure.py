"""Measures the Toybox models on held-out scenes, and writes quality.json and a model card beside each one's weights.

python -m piva.toybox.models.measure [--only vae judge ...] [--count N]
"""

import json
import platform
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from piva.toybox.models.measure_depth import measure_controlnet, measure_silhouette
from piva.toybox.models.measure_edits import measure_instruct_pix2pix
from piva.toybox.scene import Scene, Split, sample_scene

if TYPE_CHECKING:
    from piva.toybox.render import Rendering

QUALITY = "quality.json"
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


@dataclass(frozen=True)
class MeasureOptions:
    """What is measured, on how much."""

    only: tuple[str, ...] = (
        "vae", "judge", "samples", "clip", "perceptual", "silhouette", "controlnet", "instruct_pix2pix",
    )  # fmt: skip
    """Which measurements to make; the others keep their earlier numbers. `silhouette` and `controlnet` measure weights
    that do not come with the package: train them, and give their folder."""

    weights: Path | None = None
    """Folder with diffusion/, controlnet/, clip/, perceptual/, judge/, silhouette/; the shipped weights by default."""

    split: Split = "test"
    """Held-out scenes: test has combinations of colour and shape that no training scene shows."""

    count: int = 1024
    """Held-out renders."""

    samples: int = 256
    """Captions, or captions and depths, to sample from."""

    guidance: float = 5.0
    """Guidance of the samples, 25 DDIM steps."""

    device: str = "cpu"
    """Where the models run."""


@dataclass
class Held:
    """Held-out scenes, rendered on first use."""

    options: MeasureOptions
    scenes: list[Scene] = field(init=False)

    def __post_init__(self) -> None:
        self.scenes = [sample_scene(i, self.options.split) for i in range(self.options.count)]

    @cached_property
    def _renderings(self) -> "list[Rendering]":
        from piva.toybox.render import render

        return [render(self.scenes[i : i + 64]) for i in range(0, len(self.scenes), 64)]

    @cached_property
    def images(self) -> Tensor:
        """[N,3,64,64] in [0,1]."""
        return torch.cat([rendering.image for rendering in self._renderings])

    @cached_property
    def depth(self) -> Tensor:
        """[N,1,64,64] in scene units."""
        return torch.cat([rendering.depth for rendering in self._renderings])

    @cached_property
    def objects(self) -> Tensor:
        """Where any object is seen, bool [N,1,64,64]."""
        return torch.cat([rendering.objects for rendering in self._renderings])

    def folder(self, name: str) -> Path:
        """Weights of one model."""
        from piva.toybox.models import weights

        return self.options.weights / name if self.options.weights else weights.folder(name)


def psnr_db(a: Tensor, b: Tensor) -> Tensor:
    """Peak signal-to-noise ratio [B] of images [B,3,H,W] in [0,1]."""
    return -10 * (a - b).square().mean(dim=(1, 2, 3)).log10()


def measure_vae(held: Held) -> dict[str, Any]:
    """PSNR of the round trip."""
    from diffusers import AutoencoderKL

    from piva.toybox.models.vae import round_trip

    vae = AutoencoderKL.from_pretrained(held.folder("diffusion") / "vae").float().to(held.options.device).eval()
    parts = held.images.split(64)
    values = torch.cat([psnr_db(part, round_trip(vae, part.to(held.options.device)).cpu()) for part in parts])
    return {"psnr_db": values.mean().item(), "psnr_db_5_percent": values.quantile(0.05).item(), "n": len(values)}


def measure_judge(held: Held) -> dict[str, Any]:
    """Accuracy per attribute on clean renders, and on the autoencoder's round trip of them."""
    from diffusers import AutoencoderKL

    from piva.toybox.models.judge import load_judge
    from piva.toybox.models.vae import round_trip

    device = held.options.device
    judge = load_judge(device, held.folder("judge"))
    vae = AutoencoderKL.from_pretrained(held.folder("diffusion") / "vae").float().to(device).eval()
    softened = torch.cat([round_trip(vae, part.to(device)).cpu() for part in held.images.split(64)])
    clean, soft = (attribute_shares(judge.predict(images), held.scenes) for images in (held.images, softened))
    return {
        "worst_attribute": min(clean.values()),
        "accuracy": clean,
        "accuracy_on_reconstructions": soft,
        "n": len(held.scenes),
    }


def attribute_shares(found: Sequence[dict[str, str]], scenes: Sequence[Scene]) -> dict[str, float]:
    """Share of right answers per attribute."""
    from piva.toybox.scene import named_labels

    truth = [named_labels(scene) for scene in scenes]
    return {name: sum(f[name] == t[name] for f, t in zip(found, truth, strict=True)) / len(truth) for name in truth[0]}


def measure_samples(held: Held) -> dict[str, Any]:
    """Share of 25-step samples of held-out captions in which the judge sees what the caption asks for."""
    from diffusers import StableDiffusionPipeline

    from piva.toybox.captions import caption
    from piva.toybox.models.judge import load_judge
    from piva.toybox.models.sampling import sample

    options, scenes = held.options, held.scenes[: held.options.samples]
    pipeline = StableDiffusionPipeline.from_pretrained(held.folder("diffusion")).to(options.device)
    prompts = [caption(scene) for scene in scenes]
    images = sample(pipeline, prompts, range(len(prompts)), guidance=options.guidance)
    found = load_judge(options.device, held.folder("judge")).predict(images)
    return {**sample_shares(found, scenes), "guidance": options.guidance, "n": len(scenes)}


def sample_shares(found: Sequence[dict[str, str]], scenes: Sequence[Scene]) -> dict[str, float]:
    """Share per attribute that captions name. Snowmen have no say in colour; front is never named."""
    shares = attribute_shares(found, scenes)
    del shares["front"]
    colored = [i for i, scene in enumerate(scenes) if scene.shape != "snowman"]
    hatted = [i for i, scene in enumerate(scenes) if scene.hat != "none"]

    def share(rows: list[int], attribute: str) -> float:
        right = [found[i][attribute] == getattr(scenes[i], attribute) for i in rows]
        return sum(right) / max(1, len(right))

    return shares | {"color": share(colored, "color"), "hat_where_asked": share(hatted, "hat")}


def measure_clip(held: Held) -> dict[str, Any]:
    """Top-1 retrieval of the right caption, and of the right picture, among 64 with distinct captions."""
    from piva.toybox.captions import caption
    from piva.toybox.models.clip import load_clip

    clip = load_clip(held.options.device, held.folder("clip"))
    texts = [caption(scene) for scene in held.scenes]
    first = list({text: i for i, text in reversed(list(enumerate(texts)))}.values())[::-1]
    rows = first[: len(first) // 64 * 64]
    image = torch.cat([clip.encode_image(part) for part in held.images[rows].split(64)])
    text = clip.encode_text([texts[i] for i in rows])
    return {
        "retrieval_of_64": retrieval(image, text, 64),
        "picture_retrieval_of_64": retrieval(text, image, 64),
        "n": len(rows),
    }


def retrieval(queries: Tensor, answers: Tensor, group: int) -> float:
    """Share of queries [N,D] whose own answer [N,D] has the highest cosine within its group of `group` rows."""
    q, a = (torch.nn.functional.normalize(x).unflatten(0, (-1, group)) for x in (queries, answers))
    best = (q @ a.transpose(1, 2)).argmax(dim=2).cpu()
    return (best == torch.arange(group)).float().mean().item()


def measure_perceptual(held: Held) -> dict[str, Any]:
    """The gate of `piva.toybox.models.gate`."""
    from piva.toybox.models.gate import attribute_sensitivity, monotonicity
    from piva.toybox.models.perceptual import load_lpips
    from piva.toybox.render import render

    lpips = load_lpips(held.options.device, held.folder("perceptual"))

    def distance(a: Tensor, b: Tensor) -> Tensor:
        with torch.no_grad():
            return lpips(a.to(held.options.device), b.to(held.options.device))

    scenes = held.scenes[:128]
    return {
        "spearman": monotonicity(distance, render(scenes)),
        "above_one_pixel": attribute_sensitivity(distance, held.options.split, per_type=32),
        "n": len(scenes),
    }


MEASUREMENTS: dict[str, Callable[[Held], dict[str, Any]]] = {
    "vae": measure_vae,
    "judge": measure_judge,
    "samples": measure_samples,
    "clip": measure_clip,
    "perceptual": measure_perceptual,
    "silhouette": measure_silhouette,
    "controlnet": measure_controlnet,
    "instruct_pix2pix": measure_instruct_pix2pix,
}
"""Name in quality.json -> how it is measured."""


def lookup(quality: dict[str, Any], dotted: str) -> float | None:
    """The number under a dotted name, None where it was not measured."""
    value: Any = quality
    for part in dotted.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def measure_command(options: MeasureOptions) -> dict[str, Any]:
    """Measures, writes quality.json and the model cards, and returns all numbers."""
    from piva.toybox.models import cards, weights

    held = Held(options)
    root = options.weights or weights.root()
    path = root / QUALITY
    quality: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    for name in options.only:
        print(f"measuring {name} ...", file=sys.stderr)
        quality[name] = MEASUREMENTS[name](held) | {"split": options.split}
    quality["made_with"] = {
        "python": platform.python_version(),
        **{package: version(package) for package in ("torch", "diffusers", "transformers", "open_clip_torch", "lpips")},
    }
    path.write_text(json.dumps(quality, indent=2) + "\n", encoding="utf-8")
    cards.write(root, quality)
    return quality


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints every goal with the number reached."""
    import tyro
    from rich.console import Console
    from rich.table import Table

    quality = measure_command(tyro.cli(MeasureOptions, args=arguments, prog="piva toybox measure"))
    table = Table("quality", "measured", "goal", "")
    for name, (goal, about) in GOALS.items():
        value = lookup(quality, name)
        table.add_row(about, "-" if value is None else f"{value:.4g}", f"{goal:g}", verdict(value, goal))
    Console().print(table)


def verdict(value: float | None, goal: float) -> str:
    """One word."""
    return "not measured" if value is None else "reached" if value >= goal else "missed"


if __name__ == "__main__":
    main()
