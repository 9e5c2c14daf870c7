"""Copies a page's pictures beside it, in threads; those that are there already, of the same file, are left alone."""

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image
from rich.console import Console
from rich.progress import track

from piva.data.images import ImageFileError, from_deep, is_deep, opened
from piva.data.pie_bench import Case, load_mask

MAPPING = "mapping_file.json"
"""Of a benchmark's folder: it says what the masks are."""
THUMBNAIL = 336
"""Longest side of a picture on the page, in pixels: twice the width at which it is shown."""
SHEET = 1024
"""The same of a scene's contact sheet."""
QUALITY = 92
"""Of a thumbnail's JPEG, without subsampled colours."""
CHUNK = 32
"""How many pictures a thread takes at a time."""
MASK_COLOR = (255, 40, 40, 110)

Files = Sequence[tuple[str, Path | None]]
"""Case ids, each with the file of its picture; None where there is none."""


class Pictures:
    """The folder of a page's pictures."""

    def __init__(self, out: Path, full: bool) -> None:
        """`full`: also copy images that are larger than a thumbnail, as they are."""
        self.folder, self.full = out / "pictures", full

    def images(
        self, group: str, files: Files, size: tuple[int, int] | None = None, longest: int = THUMBNAIL
    ) -> list[str]:
        """The endings of the pictures' names, ".png" or for a thumbnail ".jpg"; empty where no file can be read.

        Args:
            group: folder below `pictures/`.
            size: (H, W) to resize to first, as the run did.
            longest: side of a thumbnail.
        """

        def one(name: str, source: Path) -> str:
            return self._image(source, group, name, size, longest)

        return self._each(group, files, one)

    def films(self, group: str, files: Files) -> list[str]:
        """Copies videos; ".mp4", or empty where a file is gone."""
        return self._each(group, files, lambda name, source: self._copy(source, self.folder / group / f"{name}.mp4"))

    def masks(
        self, group: str, ids: Sequence[str], cases: Mapping[str, Case], size: tuple[int, int] | None
    ) -> list[str]:
        """Edit masks as translucent red pictures of a thumbnail's size, transparent outside; ".png" or empty."""
        folders = next((case.image_path.parents for case in cases.values()), ())
        mapping = next((file for folder in folders if (file := folder / MAPPING).is_file()), None)

        def one(name: str, source: Path) -> str:
            target, stamp = self.folder / group / f"{name}.png", _stamp(source)
            if not _is_of(target, stamp):
                _overlay(cases[name], size).save(target)
                os.utime(target, ns=(stamp, stamp))
            return ".png"

        return self._each(group, [(id_, mapping if id_ in cases else None) for id_ in ids], one)

    def _each(self, group: str, files: Files, one: Callable[[str, Path], str]) -> list[str]:
        (self.folder / group).mkdir(parents=True, exist_ok=True)

        def ending(pair: tuple[str, Path | None]) -> str:
            name, source = pair
            if source is None or not source.is_file():
                return ""
            try:
                return one(name, source)
            except ImageFileError:
                return ""

        console = Console(stderr=True)
        quiet = not console.is_terminal or len(files) <= CHUNK
        chunks = [files[start : start + CHUNK] for start in range(0, len(files), CHUNK)]
        with ThreadPoolExecutor() as pool:
            done = pool.map(lambda chunk: list(map(ending, chunk)), chunks)
            shown = track(done, f"pictures: {group}", total=len(chunks), console=console, transient=True, disable=quiet)
            return [one for some in shown for one in some]

    def _image(self, source: Path, group: str, name: str, size: tuple[int, int] | None, longest: int) -> str:
        stamp = _stamp(source)
        own = self.folder / group / name
        full = self.folder / "full" / group / f"{name}.png"
        for ending in (".png", ".jpg"):
            complete = ending == ".png" or not self.full or _is_of(full, stamp)
            if complete and _is_of(Path(f"{own}{ending}"), stamp):
                return ending
        with opened(source) as image:
            image.load()
            as_it_is = image.format == "PNG" and image.mode == "RGB"
            picture = (from_deep(image) if is_deep(image) else image).convert("RGB")
        if size is not None and picture.size != (size[1], size[0]):
            picture, as_it_is = picture.resize((size[1], size[0]), Image.Resampling.BICUBIC), False
        small = max(picture.size) <= longest
        if not small and self.full:
            full.parent.mkdir(parents=True, exist_ok=True)
        for target in [Path(f"{own}.png")] if small else [full] if self.full else []:
            if as_it_is:
                shutil.copyfile(source, target)
            else:
                picture.save(target)
            os.utime(target, ns=(stamp, stamp))
        return ".png" if small else _thumbnail(picture, Path(f"{own}.jpg"), longest, stamp)

    def _copy(self, source: Path, target: Path) -> str:
        stamp = _stamp(source)
        if not _is_of(target, stamp):
            shutil.copyfile(source, target)
            os.utime(target, ns=(stamp, stamp))
        return target.suffix


def _thumbnail(picture: Image.Image, target: Path, longest: int, stamp: int) -> str:
    picture.thumbnail((longest, longest), Image.Resampling.LANCZOS)
    picture.save(target, quality=QUALITY, subsampling=0)
    os.utime(target, ns=(stamp, stamp))
    return ".jpg"


def _overlay(case: Case, size: tuple[int, int] | None) -> Image.Image:
    height, width = size or case.image_size
    scale = min(1.0, THUMBNAIL / max(height, width))
    mask = load_mask(case, (max(1, round(height * scale)), max(1, round(width * scale)))).numpy()
    pixels = np.zeros((*mask.shape, 4), dtype=np.uint8)
    pixels[mask] = MASK_COLOR
    return Image.fromarray(pixels)


def _stamp(source: Path) -> int:
    """What a copy bears as its time: that of its file, in ns, moved by the file's size; both must be the same."""
    facts = source.stat()
    return facts.st_mtime_ns + facts.st_size


def _is_of(target: Path, stamp: int) -> bool:
    """Whether a picture was made of the file with this stamp."""
    return target.is_file() and target.stat().st_mtime_ns == stamp
