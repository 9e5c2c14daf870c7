"""Runs a recipe from the command line: `python -m piva.toybox.models.train vae --folder DIR --steps N`."""

import sys
from dataclasses import dataclass, make_dataclass
from pathlib import Path
from typing import Any

from piva.errors import BAD_CONFIGURATION
from piva.registry import resolve
from piva.toybox.models.recipes import RECIPES, SPATIAL, STEERING


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

    pipeline: Path | None = None
    """Pipeline the ControlNet or InstructPix2Pix is trained for; the shipped one by default."""

    install: bool = False
    """Copies the weights into the package when the training is done, with a record of the recipe."""


def train_command(name: str, where: Where, settings: Any) -> Path:
    """Trains the recipe `name` and returns the folder with its weights: FOLDER/<name>/export, or the package's."""
    from piva.toybox.models import weights
    from piva.toybox.models.install import install, machine_name
    from piva.toybox.models.training import pick_device
    from piva.toybox.training_set import load_or_render, load_or_render_edits, load_or_render_geometry

    pictures = where.data or where.folder / "data"
    data = load_or_render(pictures, "train", where.scenes)
    module, _, _ = RECIPES[name].partition(":")
    recipe = resolve("recipe", {name: f"{module}:train"}, name)
    extra: dict[str, Any] = {}
    if name == "diffusion":
        extra["vae_folder"] = where.vae or where.folder / "vae" / "export"
    if name in STEERING:
        extra["pipeline_folder"] = where.pipeline or weights.folder("diffusion")
    if name in SPATIAL:
        extra["geometry"] = load_or_render_geometry(pictures, "train", where.scenes)
    if name == "instruct_pix2pix":
        extra["edited"] = load_or_render_edits(pictures, "train", where.scenes)
    export: Path = recipe(settings, where.folder / name, data, **extra)
    if not where.install:
        return export
    machine = machine_name(pick_device(settings.device))
    return install(name, where.folder / name, weights.root(), where.scenes, machine)


def main(arguments: list[str] | None = None) -> None:
    """`NAME --folder DIR [--steps N ...]`: every field of the recipe's settings is a flag."""
    import tyro

    arguments = sys.argv[1:] if arguments is None else arguments
    if not arguments or arguments[0].startswith("-"):
        print(f"usage: piva toybox train {{{','.join(RECIPES)}}} --folder DIR [options]")
        sys.exit(0 if arguments else BAD_CONFIGURATION)
    settings_type = resolve("recipe", RECIPES, arguments[0])
    options = make_dataclass("Options", [("where", Where), ("settings", settings_type, settings_type())])
    name, *flags = arguments
    parsed: Any = tyro.cli(options, args=flags, config=(tyro.conf.OmitArgPrefixes,), prog=f"piva toybox train {name}")
    print(train_command(name, parsed.where, parsed.settings))


if __name__ == "__main__":
    main()
