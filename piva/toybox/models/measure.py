"""Measures the Toybox models on held-out scenes, and writes quality.json and a model card beside each one's weights.

python -m piva.toybox.models.measure [--only vae judge ...] [--count N]
"""

import json
import platform
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from piva.toybox.models import cards
from piva.toybox.models.goals import GOALS, lookup, verdict
from piva.toybox.models.held_out import Held, MeasureOptions, attribute_shares, psnr_db, sample_shares
from piva.toybox.models.measure_depth import measure_controlnet, measure_silhouette
from piva.toybox.models.measure_edits import measure_instruct_pix2pix

if TYPE_CHECKING:
    pass

QUALITY = "quality.json"


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


def measure_command(options: MeasureOptions) -> dict[str, Any]:
    """Measures, writes quality.json and the model cards, and returns all numbers."""
    from piva.toybox.models import weights

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


if __name__ == "__main__":
    main()
