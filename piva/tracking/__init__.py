"""Mirrors of a run for the eye: Weights & Biases, TensorBoard or a CSV file. The records on disk are the truth.

A mirror that fails says so once and is dropped: it cannot fail the run, nor hold it up. docs/tracking.md says what is
shown under which names. Importing this loads no tracker.
"""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from piva.errors import ConfigError
from piva.records import read_run
from piva.tracking.mirror import Guarded, Look, Mirror, unseen, updates_done
from piva.tracking.wandb_session import agent_waits, wandb_mode

__all__ = [
    "Guarded",
    "Look",
    "Mirror",
    "agent_waits",
    "check_tracker",
    "mirror_recorded",
    "open_mirror",
    "unseen",
    "updates_done",
    "wandb_mode",
]


def check_tracker(name: str) -> None:
    """Raises ConfigError where a tracker's package is not installed."""
    if name == "tensorboard" and find_spec("tensorboard") is None:
        raise ConfigError('--tracker tensorboard: it is not installed; pip install "piva[tensorboard]"')


def open_mirror(name: str, tags: Sequence[str] = ()) -> Guarded:
    """The mirror called "wandb", "tensorboard", "csv" or "none", guarded; `tags` are shown by W&B."""
    return Guarded(_mirror(name, tags))


def _mirror(name: str, tags: Sequence[str]) -> Mirror | None:
    if name == "wandb":
        from piva.tracking.weights_and_biases import WandbMirror

        return WandbMirror(tags)
    if name == "tensorboard":
        from piva.tracking.tensorboard import TensorBoardMirror

        return TensorBoardMirror()
    if name == "csv":
        from piva.tracking.csv_file import CsvMirror

        return CsvMirror()
    return None


def mirror_recorded(name: str, folder: Path, tags: Sequence[str] = ()) -> None:
    """Shows a run in which nothing remains to be done, as its records have it."""
    mirror = open_mirror(name, tags)
    mirror.start(read_run(folder), folder)
    mirror.finish()
