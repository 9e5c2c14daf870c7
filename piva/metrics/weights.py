"""Weights that metrics need and the package does not ship: where they lie on this machine, and what fetches them.

Nothing here touches the network unless it is told to.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from piva.toybox.models.weights import MissingWeights

__all__ = ["MissingWeights", "WeightFile", "fingerprint", "hub_offline"]


@dataclass(frozen=True)
class WeightFile:
    """A file that is published under one or two names: in a hub repository, and at a URL."""

    what: str
    """As a message says it: "CLIP ViT-L-14/openai"."""
    repository: str = ""
    """Of the Hugging Face hub; empty where it is not there."""
    names: tuple[str, ...] = ()
    """Files of the repository that would do, the best one first."""
    url: str = ""
    kept_in: Path | None = None
    """Folder where programs keep the file of that URL; torch.hub's otherwise."""

    def find(self, folder: Path | None = None) -> Path | None:
        """The file on this machine, or None: in `folder`, in the hub's cache, in `kept_in`.

        In `folder` it may lie under its URL's name, or in a subfolder named like the repository's last part, as
        `hf download REPOSITORY --local-dir FOLDER/NAME` leaves it.
        """
        from huggingface_hub import try_to_load_from_cache

        places: list[Path] = []
        if folder is not None:
            places += [folder / self.repository.rpartition("/")[2] / name for name in self.names if self.repository]
            places += [folder / self._file] if self.url else []
        for name in self.names if self.repository else ():
            cached = try_to_load_from_cache(self.repository, name)
            places += [Path(cached)] if isinstance(cached, str) else []
        places += [self._kept] if self.url else []
        return next((place for place in places if place.is_file()), None)

    def locate(self, folder: Path | None = None, allow_download: bool = False) -> Path:
        """The file on this machine, fetched if that is allowed.

        Raises:
            MissingWeights: it is not there, and may not be fetched; says what fetches it.
        """
        found = self.find(folder)
        if found is None and not allow_download:
            raise MissingWeights(f"{self.what} is not on this machine; to fetch it: {self.command}")
        return found or self.fetch()

    def fetch(self) -> Path:
        """The file, downloaded into the cache where `find` looks."""
        if self.repository:
            from huggingface_hub import hf_hub_download

            return Path(hf_hub_download(self.repository, self.names[0]))
        from torch.hub import download_url_to_file

        self._kept.parent.mkdir(parents=True, exist_ok=True)
        download_url_to_file(self.url, str(self._kept))
        return self._kept

    @property
    def command(self) -> str:
        """A command line that fetches it."""
        if self.repository:
            return f"hf download {self.repository} {self.names[0]}"
        return f"curl -L --create-dirs -o {self._kept} {self.url}"

    @property
    def _file(self) -> str:
        return self.url.rpartition("/")[2]

    @property
    def _kept(self) -> Path:
        from torch.hub import get_dir

        return (self.kept_in or Path(get_dir()) / "checkpoints") / self._file


@contextmanager
def hub_offline(offline: bool = True) -> Iterator[None]:
    """Keeps what loads tokenizers and configurations through the hub's library on this machine."""
    from huggingface_hub import constants

    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = offline or before
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before


def fingerprint(model: Any) -> str:
    """Eight hexadecimal digits of the names, types and bytes of a module's weights and buffers."""
    import torch

    content = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        content.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        content.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return content.hexdigest()[:8]
