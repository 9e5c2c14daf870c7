"""Source rows kept on disk between runs: what a sweep over lambda, guidance or methods would compute again.

A row at the noised source depends on the weights, the source, the prompt, the seed and the step, and on no setting of
a method besides its t range and law. One safetensors file holds all rows of one (prior, source, prompt):
    index [N], t [N]    int64, the step and its timestep
    rows [N,C,h,w]      the network's output, in its own number type
"""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from piva.cache import Tensors
from piva.disk import draft_of


class RowStore:
    """A `RowCache` with a folder behind it. In memory is only what was asked for since the last `flush`.

    Keys are the engine's: (prior, source, step, timestep, prompt). Several processes may share the folder; of two that
    write the same file the later one wins, and nothing worse happens.

    Args:
        folder: made on the first write.
        max_bytes: of all files; beyond that the least recently used go.
        device: where rows are handed out.
    """

    def __init__(self, folder: Path, max_bytes: int, device: torch.device | str = "cpu"):
        self.folder, self.max_bytes, self.device = folder, max_bytes, torch.device(device)
        self._groups: dict[Hashable, dict[tuple[int, int], Tensor]] = {}
        self._changed: set[Hashable] = set()

    def get(self, key: Hashable) -> Tensors | None:
        """The row [C,h,w] under `key`, in a tuple, or None."""
        group, entry = _split(key)
        row = self._group(group).get(entry)
        return None if row is None else (row,)

    def put(self, key: Hashable, tensors: Tensors) -> None:
        """Keep a copy of a row; it is on disk after the next `flush`."""
        group, entry = _split(key)
        self._group(group)[entry] = tensors[0].clone()
        self._changed.add(group)

    def flush(self) -> None:
        """Write what is new, forget what is in memory, and make room on the disk. A full disk costs only the cache."""
        try:
            for group in self._changed:
                self._write(group)
            self._make_room()
        except (OSError, SafetensorError) as problem:
            warnings.warn(f"source rows are not kept in {self.folder}: {problem}", stacklevel=2)
        self._groups.clear()
        self._changed.clear()

    def _group(self, group: Hashable) -> dict[tuple[int, int], Tensor]:
        if group not in self._groups:
            self._groups[group] = self._read(self._path(group))
        return self._groups[group]

    def _path(self, group: Hashable) -> Path:
        return self.folder / f"{hashlib.sha256(repr(group).encode()).hexdigest()[:32]}.safetensors"

    def _read(self, path: Path) -> dict[tuple[int, int], Tensor]:
        if not path.is_file():
            return {}
        try:
            content = load_file(path)
            entries = list(zip(content["index"].tolist(), content["t"].tolist(), strict=True))
            rows = content["rows"].to(self.device)
            os.utime(path)
        except (OSError, SafetensorError, KeyError, ValueError) as problem:  # damaged: as good as missing
            warnings.warn(f"{path} is not used: {problem}", stacklevel=2)
            return {}
        return dict(zip(entries, rows, strict=True))

    def _write(self, group: Hashable) -> None:
        path, rows = self._path(group), self._groups[group]
        self.folder.mkdir(parents=True, exist_ok=True)
        draft = draft_of(path)
        entries = torch.tensor(list(rows), dtype=torch.int64)  # [N,2]
        stacked = torch.stack(list(rows.values())).cpu()
        try:
            save_file({"index": entries[:, 0].clone(), "t": entries[:, 1].clone(), "rows": stacked}, draft)
            os.replace(draft, path)
        finally:
            draft.unlink(missing_ok=True)

    def _make_room(self) -> None:
        if not self._changed:
            return
        files = [(path.stat(), path) for path in self.folder.glob("*.safetensors")]
        used = sum(stat.st_size for stat, _ in files)
        for stat, path in sorted(files, key=lambda file: file[0].st_mtime):
            if used <= self.max_bytes:
                break
            path.unlink(missing_ok=True)
            used -= stat.st_size


def _split(key: Any) -> tuple[Hashable, tuple[int, int]]:
    """The file's part of a key, and the row's."""
    prior, source, step, t, prompt = key
    return (prior, source, prompt), (step, t)
