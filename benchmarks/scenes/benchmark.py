"""Benchmarks of scenes: captures, a list of their edits, and, where the world is known, the true edits.

A folder has an edits file (`piva.data.edits`), with scene folders below it (`piva.data.scenes`). The Toybox's sets are
written on first use into the cache folder, as PIE-Toybox is; what their `dataset.json` says of each world gives the
scores that need to know it: success, and fronts.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from benchmarks.running.plan import Contents, unreadable
from piva.data.edits import SceneEdit, find_edits, read_edits
from piva.data.problems import DataError
from piva.data.scene_files import is_bounded, list_scene
from piva.errors import ConfigError, PreflightError
from piva.folders import cache_folder
from piva.keys import digest, file_hash
from piva.registry import unknown

if TYPE_CHECKING:
    from piva.toybox.scene import Scene

CLOSED_PATH = "orbit"


@dataclass(frozen=True)
class World:
    """What is known of a Toybox world."""

    attributes: dict[str, str]
    has_front: bool
    closed: bool
    """Its cameras stand all around."""


@dataclass(frozen=True)
class SceneEditCase:
    """One edit of a benchmark of scenes."""

    edit: SceneEdit
    source: World | None = None
    target: World | None = None
    shown: tuple[Scene, Scene] | None = None
    """The Toybox scenes before and after the true edit, where scores look at objects one by one."""

    @property
    def id(self) -> str:
        return self.edit.id

    @property
    def type_id(self) -> str:
        """The edit's group."""
        return self.edit.type

    @property
    def background(self) -> tuple[float, float, float] | None:
        """Behind transparent pixels; None: `piva.scenes.reconstruction.color_behind` says."""
        return self.edit.background


@dataclass(frozen=True)
class SceneDefaults:
    """What a benchmark's flags are unless they are given."""

    steps: int
    eval_views: int
    metrics_every: int
    lam: float | None = None
    """For methods that have one; None leaves theirs."""


@dataclass(frozen=True)
class SceneBenchmark:
    """A set of scene edits."""

    name: str
    defaults: SceneDefaults
    toybox: bool = False
    pictures: Literal["toybox", "toybox-clutter", "real"] = "real"
    """What its views are of: it decides which models score them unless a flag does."""
    seen: dict[Path, str] = field(default_factory=dict, compare=False)
    """Digests of the scene folders read so far."""

    def version(self) -> int:
        """Raised when cases, pictures or cameras change."""
        if not self.toybox:
            return 1
        from piva.toybox.scene_sets import VERSION

        return VERSION

    def locate(self, root: Path | None, split: str | None) -> Path:
        """The user's folder, or the Toybox's in the cache (of the test split unless told), written now if need be.

        Raises:
            ConfigError: there is none, or it holds something else.
        """
        if root is None and not self.toybox:
            raise ConfigError(f"{self.name} needs --root, the folder that has edits.yaml or edits.json")
        if root is None:
            return toybox_folder(self.name, split or "test")
        if not root.is_dir():
            raise ConfigError(f"{root}: there is no such folder")
        if find_edits(root) is None:
            raise ConfigError(f"{root}: there is no edits.yaml or edits.json in it")
        if self.toybox and split not in (None, self.split(root)):
            raise ConfigError(f"--split {split}: --root {root} holds the {self.split(root)} split")
        return root

    def split(self, root: Path) -> str | None:
        """The split that a folder of the Toybox's holds; None for real data.

        Raises:
            ConfigError: it does not say, or is of another set or version.
        """
        if not self.toybox:
            return None
        facts = _facts(root)
        known = isinstance(facts.get("captures"), dict)
        if facts.get("name") != self.name or facts.get("version") != self.version() or not known:
            raise ConfigError(f"{root}: no finished {self.name} of version {self.version()}: piva toybox write it anew")
        return str(facts["split"])

    def cases(self, root: Path, types: Collection[str] = (), ids: Collection[str] = ()) -> list[SceneEditCase]:
        """The selected edits in the file's order; an empty selection is all.

        One that is malformed is among them, with its fault.

        Raises:
            piva.data.problems.DataError: the file as a whole is malformed, or every selected edit is.
            ConfigError: a type or an id that there is not.
        """
        file = find_edits(root)
        assert file is not None  # `locate` has seen it
        edits = read_edits(file, lenient=True)
        for flag, wanted, known in (
            ("type", types, {edit.type for edit in edits}),
            ("case", ids, {edit.id for edit in edits}),
        ):
            for name in wanted:
                if name not in known:
                    raise ConfigError(f"--{flag} {name}: {unknown(flag, name, known)}")
        worlds = _worlds(root) if self.toybox else {}
        chosen = [edit for edit in edits if (not types or edit.type in types) and (not ids or edit.id in ids)]
        if chosen and all(edit.fault for edit in chosen):
            raise DataError(root, list(dict.fromkeys(str(edit.fault) for edit in chosen)))
        shown = _shown(self.name) if self.pictures == "toybox-clutter" else {}
        return [
            SceneEditCase(edit, worlds.get(edit.folder), worlds.get(edit.truth), shown.get(edit.id)) for edit in chosen
        ]

    def has_bounded(self, root: Path) -> bool:
        """Whether any of its scenes ends within a cube. Raises as `cases` does."""
        return any(is_bounded(case.edit.folder) for case in self.cases(root) if case.edit.fault is None)

    def contents(self, case: SceneEditCase, instructed: bool = False) -> Contents:
        """Hashes of a case, for its record.

        Args:
            instructed: its edit is made by its instruction.
        """
        edit = case.edit
        if edit.fault is not None:
            return unreadable(edit.fault)
        labels = [vars(world) for world in (case.source, case.target) if world is not None]
        try:
            scene, truth = self._digest(edit.folder), None if edit.truth is None else self._digest(edit.truth)
        except (DataError, OSError) as problem:
            return unreadable(str(problem))
        facts = [edit.source, edit.target, edit.background, *([edit.instruction] if instructed else [])]
        return Contents(
            edit=digest({"scene": scene, "facts": facts}),
            score=digest({"truth": truth, "worlds": labels}),
        )

    def _digest(self, folder: Path) -> str:
        if folder not in self.seen:
            self.seen[folder] = scene_digest(folder)
        return self.seen[folder]


def scene_digest(folder: Path) -> str:
    """Hash of all files that a scene lists.

    Raises:
        DataError: it cannot be read.
        OSError: a file is gone since it was listed.
    """
    listing = list_scene(folder.resolve())
    shots = [*listing.train, *listing.test, *listing.others]
    files = {*listing.files, *(shot.file for shot in shots), *([listing.points] if listing.points else [])}
    return digest({path.relative_to(folder.resolve()).as_posix(): file_hash(path) for path in files if path.is_file()})


def toybox_folder(name: str, split: str) -> Path:
    """A Toybox set's folder in the cache, written or completed now if need be.

    Raises:
        PreflightError: the disk refuses.
    """
    from piva.disk import disk
    from piva.toybox.scene_sets import VERSION, write

    folder = cache_folder() / f"{name}-v{VERSION}" / split
    with disk(folder):
        write(folder, name, "dev" if split == "dev" else "test")
    return folder


def toybox_scene(capture: Path) -> Path | None:
    """The folder of a scene named "SET/SCENE", such as in2n-toybox/red-cube; None where no set has it."""
    from piva.toybox.scene_sets import SETS

    name, scene = capture.parent.as_posix(), capture.name
    splits = [known.split for known in SETS[name].scenes() if known.id == scene] if name in SETS else []
    return toybox_folder(name, splits[0]) / scene if splits else None


def scene_folder(capture: Path) -> Path:
    """Where a capture is; a scene of a Toybox set is written into the cache when it is not there.

    Raises:
        PreflightError: there is no such folder.
    """
    found = capture if capture.is_dir() else toybox_scene(capture)
    if found is None:
        raise PreflightError(f"{capture}: there is no such folder, nor such a scene of noe-toybox or in2n-toybox")
    return found


def _shown(name: str) -> dict[str, tuple[Scene, Scene]]:
    """Of each edit of a Toybox set, the scenes before and after."""
    from piva.toybox.scene_sets import SETS

    return {edit.id: (scene.source, edit.target) for scene in SETS[name].scenes() for edit in scene.edits}


def _facts(root: Path) -> dict[str, Any]:
    try:
        return dict(json.loads((root / "dataset.json").read_bytes()))
    except (OSError, ValueError, TypeError) as problem:
        raise ConfigError(f"{root}/dataset.json cannot be read: {problem}") from problem


def _worlds(root: Path) -> dict[Path | None, World]:
    """What is known of each capture below `root`."""
    return {
        root.resolve() / folder: World(
            {name: str(value) for name, value in shown["attributes"].items()},
            has_front=shown["front_azimuth_deg"] is not None,
            closed=shown["path"] == CLOSED_PATH,
        )
        for folder, shown in _facts(root)["captures"].items()
    }
