"""`piva toybox write|train|measure|samples`: the embedded world and its models."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import tyro

from piva.commands.arguments import parse
from piva.config import Settings, identity, runtime
from piva.errors import COMPLETE, ConfigError
from piva.registry import unknown

ACTIONS = {
    "write": "PIE-Toybox, in PIE-Bench's own format; noe-toybox, in2n-toybox or in2n-toybox-hard first: scenes",
    "train": "vae, diffusion, controlnet, instruct_pix2pix, clip, perceptual, judge or silhouette; continues itself",
    "measure": "the quality of the shipped models on held-out scenes",
    "samples": "pictures of prompts by the shipped diffusion model",
}

SCENE_SETS = {
    "noe-toybox": "single objects seen from all around, in NeRF-synthetic's format, with edits and true edits",
    "in2n-toybox": "objects on a ground under a sky, in nerfstudio's format, with edits and true edits",
    "in2n-toybox-hard": "the same with five objects that hide each other, in plain, coloured or moving light",
}


class WriteConfig(Settings):
    """What `piva toybox write` does."""

    folder: Annotated[Path, tyro.conf.Positional] = runtime()
    """Folder to write to."""

    split: Literal["dev", "test"] = identity("test")
    """Disjoint sets of scenes: dev for choosing settings, test for reporting."""

    n: int = identity(200, ge=1)
    """Number of cases, spread evenly over the ten edit types."""

    size: int = identity(64, ge=16, le=1024)
    """Side of the images in pixels."""


class WriteScenesConfig(Settings):
    """What `piva toybox write noe-toybox`, `in2n-toybox` and `in2n-toybox-hard` do."""

    folder: Annotated[Path, tyro.conf.Positional] = runtime()
    """Folder to write to; what a stopped command left there is completed."""

    split: Literal["dev", "test"] = identity("test")
    """Disjoint sets of scenes: dev for choosing settings, test for reporting."""

    size: int = identity(64, ge=16, le=1024)
    """Side of the images in pixels."""

    train_views: int = identity(60, ge=2, le=999)
    """Pictures of a scene to reconstruct it from."""

    test_views: int = identity(12, ge=1, le=999)
    """Pictures of a scene that are held out."""


class SamplesConfig(Settings):
    """What `piva toybox samples` does."""

    prompts: Annotated[tuple[str, ...], tyro.conf.Positional] = identity(min_length=1)
    """A row of pictures for each."""

    out: Path = runtime(Path("samples.png"))
    """The PNG to write."""

    seeds: tuple[int, ...] = identity((0, 1, 2, 3))
    """A column for each."""

    guidance: float = identity(5.0, ge=0)
    """Classifier-free guidance."""


def main(arguments: Sequence[str]) -> int:
    """Passes on to the action named first."""
    if not arguments or arguments[0] in ("-h", "--help"):
        rows = "\n".join(f"  {name:<10}{about}" for name, about in ACTIONS.items())
        print(f"usage: piva toybox ACTION ...\n\nactions:\n{rows}\n\n`piva toybox ACTION --help` tells more.")
        return COMPLETE
    action, rest = arguments[0], list(arguments[1:])
    if action not in ACTIONS:
        raise ConfigError(unknown("action", action, ACTIONS))
    if action == "write":
        _write(rest)
    elif action == "samples":
        _samples(rest)
    elif action == "train":
        from piva.toybox.models.train import main as train

        train(rest)
    else:
        from piva.toybox.models.measure import main as measure

        measure(rest)
    return COMPLETE


def _write(arguments: Sequence[str]) -> None:
    if arguments and arguments[0] in SCENE_SETS:
        return _write_scenes(arguments[0], arguments[1:])
    config = parse(WriteConfig, "toybox write", arguments, f"Write {ACTIONS['write']}.")
    from piva.disk import disk
    from piva.toybox.pie_toybox import write

    if (config.folder / "mapping_file.json").exists():
        raise ConfigError(f"{config.folder} holds a data set already; name another folder")
    with disk(config.folder):
        config.folder.mkdir(parents=True, exist_ok=True)
        write(config.folder, config.split, n=config.n, size=config.size)
    print(f"{config.n} {config.split} cases in {config.folder}")


def _write_scenes(name: str, arguments: Sequence[str]) -> None:
    config = parse(WriteScenesConfig, f"toybox write {name}", arguments, f"Write {SCENE_SETS[name]}.")
    from piva.disk import disk
    from piva.toybox.scene_sets import write

    with disk(config.folder):
        write(config.folder, name, config.split, config.size, config.train_views, config.test_views)
    print(f"{config.split} scenes and their true edits in {config.folder}")


def _samples(arguments: Sequence[str]) -> None:
    config = parse(SamplesConfig, "toybox samples", arguments, f"Draw {ACTIONS['samples']}.")
    from diffusers import StableDiffusionPipeline

    from piva.toybox.models.sampling import sample_grid
    from piva.toybox.models.weights import folder

    pipeline = StableDiffusionPipeline.from_pretrained(folder("diffusion"))
    sample_grid(pipeline, config.prompts, config.seeds, config.out, guidance=config.guidance)
    print(config.out)
