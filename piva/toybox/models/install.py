"""Takes finished trainings over into the package's weights, each with a record of its recipe."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import torch

from piva.registry import resolve
from piva.toybox.models.recipes import RECIPES


def machine_name(device: torch.device) -> str:
    """What a training ran on, in words."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else f"{os.cpu_count()} CPU cores"


def recipe_record(name: str, work: Path, scenes: int, machine: str) -> dict[str, Any]:
    """What the model card needs to know of the training in `work`: its settings, and how long it took.

    A training that started from another's weights holds that one's record under `after`. No folder of this machine is
    named.
    """
    checkpoint = torch.load(work / "checkpoint.pt", map_location="cpu", weights_only=True, mmap=True)
    settings = json.loads(checkpoint["settings"])
    earlier = []
    if start := settings.get("start"):
        earlier = [recipe_record(name, Path(start).parent, scenes, machine)]
        settings["start"] = f"DIR/{name}/export"
    folder = "DIR/second" if earlier else "DIR"
    return {
        "name": name,
        "command": f"piva toybox train {name} --folder {folder} --scenes {scenes}{flags(name, settings)}",
        "settings": settings,
        "scenes": scenes,
        "minutes": minutes(work / "log.jsonl"),
        "machine": machine,
        "after": earlier,
    }


def flags(name: str, settings: dict[str, Any]) -> str:
    """The flags of the settings that differ from the recipe's defaults."""
    defaults = resolve("recipe", RECIPES, name)().model_dump(mode="json")
    changed = {key: value for key, value in settings.items() if value != defaults.get(key)}
    return "".join(_flag(key.replace("_", "-"), value) for key, value in changed.items())


def _flag(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return f" --{name}" if value else f" --no-{name}"
    return f" --{name} {' '.join(map(str, value)) if isinstance(value, list) else value}"


def minutes(log: Path) -> float:
    """Time spent in steps, from a training's log."""
    seconds, done = 0.0, 0
    for line in log.read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)
        seconds += max(0.0, entry["step"] - done) / entry["steps_per_second"]
        done = max(done, entry["step"])
    return seconds / 60


def install(name: str, work: Path, root: Path, scenes: int, machine: str) -> Path:
    """Copies work/export to root/<name> (the autoencoder's to root/diffusion/vae) with a recipe.json. Returns it."""
    target = root / "diffusion" / "vae" if name == "vae" else root / name
    record = recipe_record(name, work, scenes, machine)
    if name == "diffusion" and target.exists():  # its own autoencoder's record stays
        for path in target.iterdir():
            if path.name != "vae":
                shutil.rmtree(path) if path.is_dir() else path.unlink()
    elif target.exists():
        shutil.rmtree(target)
    shutil.copytree(work / "export", target, dirs_exist_ok=True)
    (target / "recipe.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    return target
