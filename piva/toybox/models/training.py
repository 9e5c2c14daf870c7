"""The training loop the Toybox recipes share: seeded, resumable, with an average of the weights.

Everything random in a step comes from one generator keyed by (seed, step), so that a run that was stopped and taken up
again computes what an uninterrupted one computes.
"""

import hashlib
import json
import math
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import torch
from pydantic import BaseModel, ConfigDict, Field
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from torch import Tensor, nn

from piva.allocator import keep_freed_memory

Precision = Literal["auto", "float32", "bfloat16"]
BatchLoss = Callable[[int, torch.Generator], tuple[Tensor, dict[str, float]]]
Watch = Callable[[int, dict[str, Tensor]], None]
RESUMABLE_CHANGES = {
    "steps",
    "learning_rate",
    "warmup_steps",
    "checkpoint_minutes",
    "log_every",
    "sheet_every",
    "device",
}


class TrainingSettings(BaseModel):
    """What every recipe can be told; each recipe's own settings extend it. All defaults are ours."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    steps: int = Field(1000, ge=1, description="Optimiser steps.")
    batch_size: int = Field(64, ge=1, description="Images in a step.")
    learning_rate: float = Field(1e-3, gt=0, description="Peak learning rate, after warm-up; a cosine takes it to 0.")
    warmup_steps: int = Field(100, ge=0, description="Steps over which the learning rate rises from 0 to its peak.")
    weight_decay: float = Field(0.01, ge=0, description="Decoupled weight decay (AdamW).")
    clip_norm: float = Field(1.0, gt=0, description="Gradients are scaled down to this norm.")
    ema_decay: float = Field(0.999, ge=0, lt=1, description="Decay of the running average of the weights.")
    seed: int = Field(0, description="Seeds the initial weights, the order of the data and all noise.")
    precision: Precision = Field("auto", description="auto: bfloat16 autocast where the device has it natively.")
    device: str = Field("auto", description="auto: cuda where there is one, else cpu.")
    checkpoint_minutes: float = Field(3.0, ge=0, description="Minutes between checkpoints.")
    log_every: int = Field(50, ge=1, description="Steps between lines of log.jsonl.")


def pick_device(name: str) -> torch.device:
    """The torch device of a `device` setting."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


def computes_in_bfloat16(device: torch.device, precision: Precision) -> bool:
    """Whether a recipe runs under bfloat16 autocast. On CPUs without bf16 instructions it would only be slower."""
    if precision != "auto":
        return precision == "bfloat16"
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return device.type == "cpu" and torch.cpu._is_avx512_bf16_supported()


def keyed_seed(*key: object) -> int:
    """A 63-bit seed from any key, the same on every machine."""
    return int.from_bytes(hashlib.blake2b(repr(key).encode(), digest_size=8).digest(), "big") >> 1


def keyed_generator(*key: object) -> torch.Generator:
    """A CPU generator seeded by a key such as (seed, "step", 17)."""
    return torch.Generator().manual_seed(keyed_seed(*key))


def gaussian(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Standard normal numbers [*shape], float32 on the CPU."""
    return torch.empty(shape).normal_(generator=generator)


def learning_rate_at(step: int, settings: TrainingSettings) -> float:
    """Linear warm-up, then half a cosine from the peak to 0 at the last step."""
    if step < settings.warmup_steps:
        return settings.learning_rate * (step + 1) / settings.warmup_steps
    progress = (step - settings.warmup_steps) / max(1, settings.steps - settings.warmup_steps)
    return settings.learning_rate * 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))


class Average:
    """Exponential moving average of a module's state; the decay itself warms up, so that the start is forgotten."""

    def __init__(self, model: nn.Module, decay: float):
        self.decay = decay
        self.state = {name: value.detach().clone() for name, value in model.state_dict().items()}

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        """a <- d a + (1 - d) w with d = min(decay, (1 + step) / (10 + step)); integer buffers are copied."""
        decay = min(self.decay, (1 + step) / (10 + step))
        for name, value in model.state_dict().items():
            if value.is_floating_point():
                self.state[name].lerp_(value, 1 - decay)
            else:
                self.state[name].copy_(value)


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Runs write(temporary path) and moves the result to `path`, so a reader never sees half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".partial")
    write(temporary)
    os.replace(temporary, path)


def forget_folders(export: Path) -> None:
    """Takes the folder that diffusers notes a model was loaded from out of the configurations below `export`."""
    for path in export.rglob("config.json"):
        config = json.loads(path.read_text(encoding="utf-8"))
        config.pop("_name_or_path", None)
        path.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


class Checkpoint:
    """One file with the weights, their average, the optimiser's state and the number of steps done."""

    def __init__(self, folder: Path, settings: TrainingSettings):
        self.path = folder / "checkpoint.pt"
        self.settings = settings

    def save(self, step: int, model: nn.Module, average: Average, optimizer: torch.optim.Optimizer) -> None:
        state = {
            "step": step,
            "model": model.state_dict(),
            "average": average.state,
            "optimizer": optimizer.state_dict(),
            "settings": self.settings.model_dump_json(),
        }
        write_atomically(self.path, lambda path: torch.save(state, path))

    def load(self, model: nn.Module, average: Average, optimizer: torch.optim.Optimizer) -> int:
        """Steps done so far, 0 without a checkpoint.

        Raises:
            ValueError: the checkpoint was made with settings that a resumed run must not change.
        """
        if not self.path.exists():
            return 0
        state = torch.load(self.path, map_location="cpu", weights_only=True)
        old, new = json.loads(state["settings"]), self.settings.model_dump(mode="json")
        changed = sorted(k for k in old.keys() | new.keys() if old.get(k) != new.get(k) and k not in RESUMABLE_CHANGES)
        if changed:
            raise ValueError(f"{self.path} was made with another {', '.join(changed)}: use an empty folder")
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        for name, value in state["average"].items():
            average.state[name].copy_(value)
        return state["step"]


def average_in_checkpoint(folder: Path) -> dict[str, Tensor]:
    """The averaged weights of the checkpoint in `folder`, for a look at a training that is still running."""
    return torch.load(folder / "checkpoint.pt", map_location="cpu", weights_only=True)["average"]


class Log:
    """A progress bar for people and log.jsonl, one line every `log_every` steps, for everything else."""

    def __init__(self, folder: Path, name: str, settings: TrainingSettings, done: int):
        self.file = (folder / "log.jsonl").open("a", encoding="utf-8")
        self.settings = settings
        self.bar = Progress(
            TextColumn(name),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
        )
        self.task = self.bar.add_task(name, total=settings.steps, completed=done, note="")
        self.sums: dict[str, float] = {}
        self.first, self.since = done, time.monotonic()

    def __enter__(self) -> "Log":
        self.bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.stop()
        self.file.close()

    def add(self, step: int, values: dict[str, float], learning_rate: float) -> None:
        """Counts one step (`step` is its number, from 1)."""
        for name, value in values.items():
            self.sums[name] = self.sums.get(name, 0.0) + value
        self.bar.update(self.task, completed=step)
        if step % self.settings.log_every and step != self.settings.steps:
            return
        count = step - self.first
        seconds = time.monotonic() - self.since
        line = {"step": step, "lr": learning_rate, "steps_per_second": count / max(seconds, 1e-9)}
        line |= {name: total / count for name, total in self.sums.items()}
        text = json.dumps({name: float(f"{value:.5g}") for name, value in line.items()})
        print(text, file=self.file, flush=True)
        self.bar.update(self.task, note=f"loss {line['loss']:.4f}  {line['steps_per_second']:.2f} steps/s")
        if not self.bar.console.is_terminal:
            print(text, flush=True)
        self.sums, self.first, self.since = {}, step, time.monotonic()


def fit(
    name: str,
    model: nn.Module,
    batch_loss: BatchLoss,
    settings: TrainingSettings,
    folder: Path,
    watch: Watch | None = None,
) -> dict[str, Tensor]:
    """Trains `model` in place and returns its averaged weights.

    Args:
        name: shown beside the progress bar.
        model: already on its device; all parameters that require a gradient are trained.
        batch_loss: (step, generator) -> (scalar loss, further numbers to log); runs under autocast if settings say so.
        settings: the recipe's.
        folder: holds checkpoint.pt and log.jsonl; a run found there is continued.
        watch: called after every step with its number, from 1, and the averaged weights.
    """
    folder.mkdir(parents=True, exist_ok=True)
    keep_freed_memory()
    device = next(model.parameters()).device
    bfloat16 = computes_in_bfloat16(device, settings.precision)
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=settings.learning_rate, weight_decay=settings.weight_decay, fused=True)
    average = Average(model, settings.ema_decay)
    checkpoint = Checkpoint(folder, settings)
    done = checkpoint.load(model, average, optimizer)
    saved = time.monotonic()
    model.train()
    with Log(folder, name, settings, done) as log:
        for step in range(done, settings.steps):
            rate = learning_rate_at(step, settings)
            for group in optimizer.param_groups:
                group["lr"] = rate
            with torch.autocast(device.type, torch.bfloat16, enabled=bfloat16):
                loss, extra = batch_loss(step, keyed_generator(settings.seed, name, step))
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(parameters, settings.clip_norm)
            optimizer.step()
            average.update(model, step)
            log.add(step + 1, {"loss": loss.item(), **extra}, rate)
            if time.monotonic() - saved > 60 * settings.checkpoint_minutes or step + 1 == settings.steps:
                checkpoint.save(step + 1, model, average, optimizer)
                saved = time.monotonic()
            if watch is not None:
                watch(step + 1, average.state)
    return average.state
