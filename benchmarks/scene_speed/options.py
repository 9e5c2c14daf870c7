"""What can be chosen on the command line."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from piva.config import PriorConfig
from piva.modules.reconstruction_settings import ReconstructionSettings


def _short() -> ReconstructionSettings:
    return ReconstructionSettings(steps=500)


@dataclass(frozen=True)
class Options:
    """How to measure."""

    contenders: tuple[Literal["dds", "piva-lora", "piva-controlnet", "in2n"], ...] = (
        "dds", "piva-lora", "piva-controlnet", "in2n",
    )  # fmt: skip
    """Piva is measured as it comes but for the kind of psi and phi. in2n scores no views, and has its own table."""

    views: tuple[int, ...] = (1, 2, 4)
    """Views that a step renders and scores together."""

    steps: int = 25
    """Steps that are measured: as many as from one look at which cells hold anything to the next, so one is in them."""

    repeats: int = 3
    """Turns; the numbers are medians over them."""

    cameras: int = 8
    """Of the capture, evenly among its training views: a round through them comes before what is measured."""

    scene: Path = Path("noe-toybox/red-cube")
    """Folder of a capture, or a scene of the Toybox's own sets. Its reconstruction is kept in the cache."""

    source: str = "a red cube on grass"
    """What the scene shows."""

    target: str = "a blue cube on grass"
    """What it should show."""

    instruction: str = "make the cube blue"
    """The same, for in2n."""

    controlnet: str | None = "toybox"
    """Depth ControlNet that psi and phi start from; None: made from the UNet."""

    reconstruction: ReconstructionSettings = field(default_factory=_short)

    threads: int | None = None
    """Threads torch may use; torch's own choice unless given."""

    prior: PriorConfig = field(default_factory=PriorConfig)
    """The prior."""

    instructed: PriorConfig = field(default_factory=PriorConfig)
    """The InstructPix2Pix prior of in2n."""

    memory: bool = True
    """Measure peak memory too, each contender in a process of its own."""

    json: Path | None = None
    """Write all numbers here, with where they came from."""

    markdown: Path | None = None
    """Write the tables here; between its results markers where the file has them, as `piva report --into` does."""
