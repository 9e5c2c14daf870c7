"""Where the shipped weights are: piva/toybox/weights/<name>, package data."""

from importlib.resources import files
from pathlib import Path

from piva.errors import PreflightError


class MissingWeights(PreflightError, FileNotFoundError):
    """A model's weights are not there."""


def root() -> Path:
    """Where all weights are."""
    return Path(str(files("piva.toybox"))) / "weights"


def folder(name: str) -> Path:
    """Folder with the weights of `diffusion`, `controlnet`, `instruct_pix2pix`, `clip`, `perceptual`, `judge` or
    `silhouette`.

    Raises:
        MissingWeights: it is not there, or empty.
    """
    path = root() / name
    if not path.is_dir() or not any(path.iterdir()):
        raise MissingWeights(f"no Toybox weights in {path}: train them with `piva toybox train {name}`")
    return path
