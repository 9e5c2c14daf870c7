"""Model cards: a README.md beside each model's weights, with the numbers that were measured."""

import json
from pathlib import Path
from typing import Any

from piva.toybox.models.goals import GOALS, verdict

MEASURED: dict[str, tuple[str, ...]] = {
    "diffusion": ("vae", "samples"),
    "clip": ("clip",),
    "perceptual": ("perceptual",),
    "judge": ("judge",),
    "silhouette": ("silhouette",),
    "controlnet": ("controlnet", "silhouette"),
    "instruct_pix2pix": ("instruct_pix2pix",),
}
"""Weights folder -> the measurements that its card shows."""

ABOUT: dict[str, str] = {
    "diffusion": """\
A Stable Diffusion pipeline of the Toybox world: `diffusers.StableDiffusionPipeline.from_pretrained(FOLDER)` loads it.
Autoencoder 64x64x3 -> 16x16x4, CLIP text encoder with a vocabulary of its own, UNet with cross-attention on its two
inner levels, Stable Diffusion's betas, epsilon prediction.""",
    "clip": """\
An open_clip model of the Toybox world: `open_clip.create_model("local-dir:FOLDER")` loads it. Trained contrastively,
independent of the diffusion model's text encoder. Pictures are normalised with mean 0.5 and standard deviation 0.5.""",
    "perceptual": """\
`lpips-toybox`: the trunk (SqueezeNet 1.1) of the `lpips` package, trained to classify the attributes and the view of
Toybox renders. Every channel of every layer has weight 1: no human judgments went into it, and its values can't be
compared with those of the published LPIPS networks.""",
    "judge": """\
A small residual network that reads every attribute of a Toybox scene off a picture, trained on distorted renders. It
judges samples and edits.""",
    "silhouette": """\
A small U-Net that finds the pixels of a Toybox picture that show an object, trained on distorted renders and the
renderer's masks. It measures whether samples follow a given depth.""",
    "controlnet": """\
A depth ControlNet of the Toybox diffusion model: `diffusers.ControlNetModel.from_pretrained(FOLDER)` loads it, and
`StableDiffusionControlNetPipeline` samples with it. It started as a copy of the UNet's encoder; the UNet was left as it
is. Condition: inverse depth scaled to [0, 1] per view, near = 1, in three equal channels
(`piva.data.depth.depth_condition`), at the pictures' size.""",
    "instruct_pix2pix": """\
An InstructPix2Pix model of the Toybox world, kept as a low-rank difference to the diffusion model of `../diffusion`,
text encoder included: `piva.toybox.models.instruct_pix2pix.load_instruct_pix2pix()` merges the two and returns a plain
`diffusers.StableDiffusionInstructPix2PixPipeline`, which `save_pretrained` writes as any other. Beside each scene of
the data stands its picture after an edit drawn by this package (`piva.toybox.instructed`), and the instruction.""",
}

LIMITS: dict[str, str] = {
    "diffusion": """\
It knows the Toybox world and nothing else: unknown words fall into pieces that mean nothing to it. Fine patterns and
the second, small object are its weak points. Outside 64x64 pixels it was not trained.""",
    "clip": """\
It compares Toybox pictures with Toybox captions; its cosines say nothing about photographs, and their scale is not
that of OpenAI's models.""",
    "perceptual": """\
The gate below is all that is known of it: it orders growing distortions of Toybox pictures. It was not compared with
people's judgments.""",
    "judge": """\
It always answers: a picture that shows no Toybox scene gets attributes too. The snowman's front is ambiguous close to
90 degrees, and an answer for a picture of another size than 64x64 is refused.""",
    "silhouette": """\
It knows the objects of the Toybox world and nothing else. It sees colours and edges, no depth: where an object looks
like the ground behind it, its outline is a guess.""",
    "controlnet": """\
It knows the depths of the Toybox world: one or two objects on a plane, seen from slightly above. It was not trained on
captions that contradict the depth. `controlnet.iou` is read off the samples by the silhouette reader, whose own error
is `1 - silhouette.iou_on_reconstructions`. `controlnet.iou_unconditioned` is that of samples of the same captions from
the same noise without a depth: an object stands near the middle of every picture, so even it is well above 0.""",
    "instruct_pix2pix": """\
It follows the instructions of its training edits, in their wording. It was trained briefly: it mostly changes what is
asked, and of the rest it keeps layout and ground better than patterns, small things and hats; edits from noise are
softer than the pictures. Longer training (`--steps`, which goes on where a run stopped) is what it lacks. It needs more
guidance towards the picture, and less towards the text, than published models: 3 and 3 instead of 1.5 and 7.5, which is
under `as_published`.""",
}


def write(root: Path, quality: dict[str, Any]) -> None:
    """Writes root/<model>/README.md for every model that is there."""
    for name, sections in MEASURED.items():
        if (root / name).is_dir():
            measured = {section: quality[section] for section in sections if section in quality}
            text = card(name, measured, read_recipes(root / name))
            (root / name / "README.md").write_text(text, encoding="utf-8")


def read_recipes(folder: Path) -> list[dict[str, Any]]:
    """The recipe.json files of a weights folder and of the folders in it, each after the one it started from."""
    paths = sorted([*folder.glob("recipe.json"), *folder.glob("*/recipe.json")])
    records = [json.loads(path.read_text(encoding="utf-8")) for path in paths]
    return [recipe for record in records for recipe in [*record.get("after", []), record]]


def card(name: str, measured: dict[str, Any], recipes: list[dict[str, Any]]) -> str:
    """The text of one model card."""
    parts = [f"# Toybox {name}", ABOUT[name], "## Data", _data(recipes), "## Recipe"]
    parts += [_recipe(recipe) for recipe in recipes] or ["Not recorded."]
    parts += ["## Measured quality", _quality(measured), "## Limits", LIMITS[name]]
    return "\n\n".join(parts) + "\n"


def _data(recipes: list[dict[str, Any]]) -> str:
    from piva.toybox.vocabulary import HELD_OUT_PAIRS

    counts = " and ".join(sorted({f"{recipe['scenes']:,}" for recipe in recipes})) or "An unrecorded number of"
    pairs = ", ".join(sorted(f"{color} {shape}" for color, shape in HELD_OUT_PAIRS))
    return (
        f"{counts} renders of the training split of the Toybox world (seeds from 0), drawn by this package, with its\n"
        f"captions. No other data. No training scene shows a subject that is a {pairs}."
    )


def _recipe(recipe: dict[str, Any]) -> str:
    module = f"piva/toybox/models/{recipe['name']}.py"
    minutes = f", {recipe['minutes']:.0f} minutes on {recipe['machine']}" if "minutes" in recipe else ""
    rows = "\n".join(f"| {key} | {value} |" for key, value in recipe["settings"].items())
    note = f"\n\n{recipe['note']}" if "note" in recipe else ""
    return f"`{recipe['command']}` ({module}{minutes}):\n\n| setting | value |\n|---|---|\n{rows}{note}"


def _quality(measured: dict[str, Any]) -> str:
    if not measured:
        return "Not measured yet: run `piva toybox measure`."
    split = next(iter(measured.values()))["split"]
    lines = [f"By `piva toybox measure`, on held-out scenes ({split} split).", "", "| number | value | goal |"]
    lines += ["|---|---|---|"]
    for key, value in flatten(measured).items():
        goal = GOALS.get(key)
        lines.append(f"| {key} | {value:.4g} | {f'>= {goal[0]:g}: {verdict(value, goal[0])}' if goal else ''} |")
    return "\n".join(lines)


def flatten(tree: dict[str, Any], prefix: str = "") -> dict[str, float]:
    """Numbers of a nested dict under dotted names; anything else is left out."""
    found: dict[str, float] = {}
    for key, value in tree.items():
        if isinstance(value, dict):
            found |= flatten(value, f"{prefix}{key}.")
        elif isinstance(value, int | float):
            found[prefix + key] = value
    return found
