"""What can be chosen on the command line."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Kind = Literal["none", "lora", "lora-camera", "controlnet", "controlnet-lora", "controlnet-blank"]
KINDS: tuple[Kind, ...] = ("none", "lora", "lora-camera", "controlnet", "controlnet-lora", "controlnet-blank")


@dataclass(frozen=True)
class Options:
    """What to measure, and for how long."""

    sizes: tuple[str, ...] = ("toybox", "0.1", "0.25", "0.5", "1")
    """Shares of the widths of SD 1.5's UNet, "toybox", or folders of pipelines, whose shape is taken."""

    kinds: tuple[Kind, ...] = KINDS
    """Kinds of auxiliaries, as methods come with them but for the kind."""

    latent: int = 64
    """Side of the latents of SD shapes: 64 is 512 pixels. Other models have their own."""

    steps: int = 5
    """Steps that a turn measures, after one that it does not; fewer once they have taken a minute."""

    repeats: int = 3
    """Turns of every point; the numbers are medians over all of their steps."""

    seconds: float = 3600
    """How long to go on measuring; a turn that would end later is not begun. 0 counts only."""

    memory_gb: float | None = None
    """Memory to stay within, in GB; what is free unless given."""

    device: str = "auto"
    """auto, cpu, cuda, cuda:1."""

    dtype: Literal["float32", "float16", "bfloat16"] = "float32"
    """Number type of UNet and frozen ControlNet; adapters train in float32."""

    threads: int | None = None
    """Threads torch may use; torch's own choice unless given."""

    json: Path | None = None
    """Write all numbers here, with where they came from, and go on from what it holds."""

    markdown: Path | None = None
    """Write the tables here; between its results markers where the file has them, as `piva report --into` does."""

    figure: tuple[Path, ...] = ()
    """PNG or SVG files to draw: time and memory of a step against the size of the UNet."""
