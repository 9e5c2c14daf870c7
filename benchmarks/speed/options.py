"""What can be chosen on the command line."""

from dataclasses import dataclass, field
from pathlib import Path

from piva.config import PriorConfig, Tracker
from piva.errors import ConfigError
from piva.methods import METHODS
from piva.registry import unknown
from piva.sampling import SAMPLERS


@dataclass(frozen=True)
class Options:
    """How to measure; nothing here says how to edit but for steps and prior."""

    methods: tuple[str, ...] = tuple(METHODS | SAMPLERS)
    """Piva is measured as it comes (psi alongside, phi fused) and with stored psi. Literal twins have dds and piva."""

    cases: int = 4
    """Cases that each contender edits in a repeat; a larger batch edits one batch."""

    steps: int = 50
    """Updates of the image. Few steps overstate what is done once an edit: VAE, LoRA's start, the trainer's."""

    repeats: int = 3
    """Turns; the numbers are medians over them."""

    batch_sizes: tuple[int, ...] = (1, 2, 4, 8, 16)
    """Cases that ours edits together; 1 is always among them."""

    psi_steps: int | None = None
    """Training steps of a stored psi; as many as the edit has unless given, as by default (200 and 200)."""

    threads: int | None = None
    """Threads torch may use; torch's own choice unless given."""

    root: Path | None = None
    """Folder in PIE-Bench's format to take cases from, instead of PIE-Toybox's dev split."""

    prior: PriorConfig = field(default_factory=PriorConfig)
    """The prior."""

    tracker: Tracker = "csv"
    """Mirror that the run's steps and cases are told to; its own start and end are not measured."""

    memory: bool = True
    """Measure peak memory too, each contender in a process of its own."""

    json: Path | None = None
    """Write all numbers here, with where they came from."""

    markdown: Path | None = None
    """Write the tables here; between its results markers where the file has them, as `piva report --into` does."""

    def __post_init__(self) -> None:
        for name in self.methods:
            if name not in METHODS | SAMPLERS:
                raise ConfigError(unknown("method", name, METHODS | SAMPLERS))

    @property
    def psi_training(self) -> int:
        """Training steps of a stored psi."""
        return self.steps if self.psi_steps is None else self.psi_steps

    @property
    def sizes(self) -> tuple[int, ...]:
        """Batch sizes in order, 1 among them."""
        return tuple(sorted({1, *self.batch_sizes}))
