"""`piva reconstruct SCENE`: fits a radiance field to a capture."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from piva.commands.arguments import parse
from piva.config import identity, runtime
from piva.errors import COMPLETE, ConfigError, PreflightError
from piva.modules.reconstruction_settings import ReconstructionSettings

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from piva.data.scenes import SceneCapture
    from piva.representations.radiance_field import RadianceField

ABOUT = """\
Reconstruct a captured scene as a radiance field, and score it on the held-out views. Continues where it stopped.

example: piva reconstruct captures/bear --downscale 4
"""
SHEET_FILE = "held_out.png"


class ReconstructConfig(ReconstructionSettings):
    """What `piva reconstruct` does."""

    scene: Annotated[Path, tyro.conf.Positional] = runtime()
    """Folder of the capture: nerfstudio's transforms.json, or NeRF-synthetic's transforms_train.json and its like."""

    downscale: int = identity(1, ge=1)
    """Make the pictures so many times smaller."""

    out: Path | None = runtime(None)
    """Folder to write to; reconstructions/<scene>-<key> otherwise."""

    lpips: Literal["toybox", "squeeze", "alex", "vgg"] = identity("toybox")
    """LPIPS net of the held-out score; its numbers are not comparable with another net's. toybox is shipped. A finished
    reconstruction is scored again with another one."""

    device: str = runtime("cpu")
    """Where it runs: cpu, cuda."""


def main(arguments: Sequence[str]) -> int:
    """Writes field.safetensors, reconstruction.json and held_out.png (photo | render | depth)."""
    config = parse(ReconstructConfig, "reconstruct", arguments, ABOUT)
    from piva.allocator import keep_freed_memory
    from piva.data.scenes import read_scene
    from piva.devices import pick_device
    from piva.representations.radiance_field import RadianceField
    from piva.scenes.reconstruction import (
        FIELD_FILE,
        RECORD_FILE,
        read_record,
        reconstruct,
        reconstruction_key,
        write_record,
    )

    keep_freed_memory()
    device = pick_device(config.device, "--device")
    settings = ReconstructionSettings(**{name: getattr(config, name) for name in ReconstructionSettings.model_fields})
    lpips = _load_lpips(config.lpips, device)
    capture = read_scene(config.scene, config.downscale)
    key = reconstruction_key(capture, settings)
    folder = config.out or Path("reconstructions") / f"{capture.name}-{key}"
    found = read_record(folder)
    if found is not None and (found.key, found.lpips_net) == (key, config.lpips):
        print(f"{folder} is finished; other settings, or another --out, make another one")
        _print_scores(found.scores)
        return COMPLETE
    if found is not None and found.key != key:
        raise ConfigError(f"{folder} holds a reconstruction of other photographs or settings; name another --out")
    print(_about(capture), file=sys.stderr)
    if found is not None:  # only the LPIPS net is another one
        scene, seconds = RadianceField.load(folder / FIELD_FILE, device), found.seconds
    else:
        from benchmarks.running.progress import Bar

        with Bar(capture.name, 1, settings.steps) as bar:
            scene, seconds = reconstruct(
                capture, settings, folder, device, lambda index, _: bar.step({"step": index, "cases": 1})
            )
    scores = _score(folder, scene, capture, lpips, device)
    record = write_record(folder, capture, settings, seconds, scores, config.lpips)
    _print_scores(record.scores)
    print(f"{seconds:.0f} s\n{folder / FIELD_FILE}\n{folder / RECORD_FILE}")
    return COMPLETE


def _about(capture: "SceneCapture") -> str:
    height, width = capture.train.images.shape[-2:]
    kind = "bounded" if capture.bounded else "unbounded"
    text = (
        f"{capture.name}: {len(capture.train)} views to fit and {len(capture.test)} held out, {width}x{height}, {kind}"
    )
    return text + (f"; {capture.skipped} frames have no file" if capture.skipped else "")


def _load_lpips(name: str, device: "torch.device") -> Any:
    """Distances [V] of two stacks of pictures.

    Raises:
        PreflightError: the net's weights are not on this machine.
    """
    from piva.metrics.lpips import distance, features, layer_maps, load_net
    from piva.toybox.models.perceptual import load_lpips

    try:
        net = load_lpips(device) if name == "toybox" else load_net(name, device)
    except FileNotFoundError as problem:
        raise PreflightError(f"--lpips {name}: {problem}") from problem
    return lambda a, b: distance(layer_maps(net, features(net, a), features(net, b)))


def _score(
    folder: Path, scene: "RadianceField", capture: "SceneCapture", lpips: Any, device: "torch.device"
) -> "dict[str, Tensor]":
    """Scores of the held-out views, and their contact sheet; nothing where there are none."""
    if not len(capture.test):
        print("no views are held out: no scores, no contact sheet", file=sys.stderr)
        return {}
    from piva.disk import disk
    from piva.rendering.depth_pictures import inverse_depth
    from piva.rendering.picture_grid import view_sheet
    from piva.scenes.reconstruction import held_out

    seen, photos, scores = held_out(scene, capture.test.to(device), lpips)
    stacks = {"photograph": photos, "render": seen.image, "inverse depth": inverse_depth(seen).expand(-1, 3, -1, -1)}
    with disk(folder):
        view_sheet(folder / SHEET_FILE, {name: stack.cpu() for name, stack in stacks.items()})
    return scores


def _print_scores(scores: "dict[str, float | None]") -> None:
    found = [f"{name} {value:.4f}" for name, value in scores.items() if value is not None]
    if found:
        print("held-out views: " + ", ".join(found))
