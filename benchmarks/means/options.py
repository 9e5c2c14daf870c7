"""What can be chosen on the command line."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from piva.config import PriorConfig

Name = Literal[
    "batch", "stored-psi", "fused-phi", "rows-in-memory", "rows-on-disk", "source-branch", "channels-last", "bfloat16",
    "inference-mode", "stacked-lora", "keep-freed-memory", "encodings", "compile",
]  # fmt: skip


@dataclass(frozen=True)
class Options:
    """How to measure."""

    steps: int = 30
    """Updates of the image; where calls are measured and not edits, so many of them."""

    repeats: int = 3
    """Pairs of measurements, without and with; the numbers are medians over them."""

    batch_size: int = 8
    """Cases edited together, where nothing else is said."""

    only: tuple[Name, ...] = ()
    """Only these means."""

    compile: bool = False
    """Measure torch.compile too, which takes minutes."""

    threads: int | None = None
    """Threads torch may use; torch's own choice unless given."""

    root: Path | None = None
    """Folder in PIE-Bench's format to take cases from, instead of PIE-Toybox's dev split."""

    prior: PriorConfig = field(default_factory=PriorConfig)
    """The prior."""

    json: Path | None = None
    """Write all numbers here, with where they came from."""

    markdown: Path | None = None
    """Write the table here; between its results markers where the file has them, as `piva report --into` does."""
