"""Runs a recipe from the command line: `python -m piva.toybox.models.train vae --folder DIR --steps N`."""

import sys
from dataclasses import dataclass, make_dataclass
from pathlib import Path
from typing import Any

from piva.registry import resolve

RECIPES: dict[str, str] = {
    "vae": "piva.toybox.models.vae:VAESettings",
    "diffusion": "piva.toybox.models.diffusion:DiffusionSettings",
    "clip": "piva.toybox.models.clip:ClipSettings",
    "perceptual": "piva.toybox.models.perceptual:PerceptualSettings",
    "judge": "piva.toybox.models.judge:JudgeSettings",
}
"""What can be trained: name -> the recipe's settings; its `train` stands in the same module."""


@dataclass(frozen=True)
class Where:
    """Where a training reads and writes, and on how many scenes it trains."""

    folder: Path
    """Working folder; the recipe uses FOLDER/<recipe>, and a training found there is continued."""

    data: Path | None = None
    """Folder of the rendered training scenes, made if missing; FOLDER/data by default."""

    scenes: int = 60_000
    """Number of training scenes."""

    vae: Path | None = None
    """Autoencoder the diffusion model is trained on; FOLDER/vae/export by default."""


def train_command(name: str, where: Where, settings: Any) -> Path:
    """Trains the recipe `name` and returns the folder with its weights, FOLDER/<name>/export."""
    from piva.toybox.training_set import load_or_render

    data = load_or_render(where.data or where.folder / "data", "train", where.scenes)
    module, _, _ = RECIPES[name].partition(":")
    recipe = resolve("recipe", {name: f"{module}:train"}, name)
    extra = {"vae_folder": where.vae or where.folder / "vae" / "export"} if name == "diffusion" else {}
    export: Path = recipe(settings, where.folder / name, data, **extra)
    return export


def main(arguments: list[str] | None = None) -> None:
    """`NAME --folder DIR [--steps N ...]`: every field of the recipe's settings is a flag."""
    import tyro

    arguments = sys.argv[1:] if arguments is None else arguments
    if not arguments or arguments[0].startswith("-"):
        sys.exit(f"usage: python -m piva.toybox.models.train {{{','.join(RECIPES)}}} --folder DIR [options]")
    settings_type = resolve("recipe", RECIPES, arguments[0])
    options = make_dataclass("Options", [("where", Where), ("settings", settings_type, settings_type())])
    parsed = tyro.cli(options, args=arguments[1:], config=(tyro.conf.OmitArgPrefixes,), prog=f"train {arguments[0]}")
    print(train_command(arguments[0], parsed.where, parsed.settings))


if __name__ == "__main__":
    main()
