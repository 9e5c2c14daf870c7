"""PIE-Bench's format: 700 images, each with a source prompt, a target prompt, an edit type and a mask.

    ROOT/mapping_file.json              {12-digit id: {image_path, original_prompt, editing_prompt, ...}}
    ROOT/annotation_images/<image_path>
    ROOT/true_edits/<image_path>        optional, ours: the ideal edit, where it is known
    ROOT/toybox.json                    optional, ours: {id: {"source": {attribute: value}, "target": {...}}}

The reader is strict: every malformed entry is named, all in one error. A run asks it to be lenient: what is wrong with
one case alone is then that case's fault, and the others can be edited. (Ju et al., "PnP Inversion", ICLR 2024, is where
the benchmark comes from.)
"""

import difflib
import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from piva.data.edit_types import EDIT_GROUPS, EDIT_TYPES
from piva.data.images import ImageFileError, read_image, resize_image
from piva.data.json_files import JsonObject, kind_of, read_json, shown_key
from piva.data.masks import decode_mask, encode_mask, resize_mask
from piva.data.pie_bench_checks import Entry, check_entry, check_files, check_labels, check_runs, id_problems
from piva.data.problems import DataError
from piva.errors import ConfigError
from piva.registry import unknown

__all__ = [
    "EDIT_GROUPS",
    "EDIT_TYPES",
    "Case",
    "DataError",
    "SelectionError",
    "decode_mask",
    "encode_mask",
    "load_image",
    "load_mask",
    "load_true_edit",
    "read",
]

NO_TYPE = "?"
"""Type of a case that states none."""


class SelectionError(ConfigError):
    """A case id or an edit type was asked for that the data set does not have."""


@dataclass(frozen=True)
class Case:
    """One edit of one image. Prompts `src` and `tgt` have their [ ] marks removed; `raw_*` keep them."""

    id: str
    image_path: Path
    image_size: tuple[int, int]
    """(H, W) of the file; the mask is drawn on this grid."""
    src: str
    tgt: str
    raw_src: str
    raw_tgt: str
    instruction: str
    type_id: str
    blended_words: tuple[str, ...]
    mask_rle: tuple[int, ...]
    true_edit_path: Path | None = None
    labels: tuple[dict[str, str], dict[str, str]] | None = None
    """What is in the source picture and what should be in the edited one: attribute -> value."""
    fault: str | None = None
    """Why it cannot be edited. It then has no picture: its size is 0x0, and whatever is not sound of it is empty."""


@dataclass
class _Found:
    """What the JSON files of a data set say."""

    entries: dict[str, Entry] = field(default_factory=dict)
    labels: dict[str, tuple[dict, dict]] = field(default_factory=dict)
    faults: dict[str, list[str]] = field(default_factory=dict)
    """Case id -> what is wrong with that case alone."""
    problems: list[str] = field(default_factory=list)
    """What is wrong with all."""


def read(
    root: Path, types: Collection[str] | None = None, ids: Collection[str] | None = None, lenient: bool = False
) -> list[Case]:
    """The selected cases, in the order of the mapping file.

    The fields of every entry are checked; image files are looked at (header only) for the selected cases.

    Args:
        root: the folder with mapping_file.json.
        types: edit types, as "8" or "change-background"; None is all.
        ids: case ids; None is all.
        lenient: a selected case with a fault of its own is among the cases; otherwise it is an error.

    Raises:
        DataError: anything is malformed; lists every problem, each with its case id. If lenient: the folder as a whole
            is, an id is no id, or every case that was selected has a fault.
        SelectionError: a type or an id does not exist, or no case is both of the types and among the ids.
    """
    root = Path(root).resolve()
    found = _read_json_files(root)
    problems = found.problems + [f"{id_}: {fault}" for id_, faults in found.faults.items() for fault in faults]
    if found.problems and lenient:
        raise DataError(root, problems)
    chosen = _select(found.entries, types, ids) if lenient or not problems else list(found.entries)
    cases = [_case(root, id_, found, problems) for id_ in chosen]
    if problems and (not lenient or all(case.fault for case in cases)):
        raise DataError(root, problems)
    return cases


def load_image(case: Case, size: tuple[int, int]) -> Tensor:
    """float32 [3, H, W] in [0, 1]: the source image, resized once (antialiased bicubic) where its size differs."""
    return _load(case, case.image_path, size)


def load_true_edit(case: Case, size: tuple[int, int]) -> Tensor | None:
    """float32 [3, H, W] in [0, 1]: the ideal edit, or None where the benchmark has none."""
    return None if case.true_edit_path is None else _load(case, case.true_edit_path, size)


def load_mask(case: Case, size: tuple[int, int]) -> Tensor:
    """bool [H, W], true where the image is to be edited; resized by area > 0.5. For evaluation only."""
    return torch.from_numpy(resize_mask(decode_mask(case.mask_rle, case.image_size), size))


def _load(case: Case, path: Path, size: tuple[int, int]) -> Tensor:
    if case.fault is not None:
        raise DataError(path.parent, [f"{case.id}: {case.fault}"])
    try:
        return resize_image(read_image(path), size)
    except (ImageFileError, OSError) as problem:
        raise DataError(path, [f"{case.id}: {problem}"]) from problem


def _read_json_files(root: Path) -> _Found:
    """Raises DataError where the mapping file as a whole can't be read."""
    name = "mapping_file.json"
    content, wrong = read_json(root / name, root)
    if wrong is None and not (isinstance(content, JsonObject) and content):
        of = "has no entries" if content == {} else f"holds {kind_of(content)} where an object of cases by id belongs"
        wrong = f"{name} {of}"
    if wrong is not None:
        raise DataError(root, [wrong])
    found = _Found()
    for id_, fields in content.items():
        if bad := id_problems(id_):
            found.problems += [f"{shown_key(id_)}: {sentence}" for sentence in bad]
            continue
        found.entries[id_], faults = check_entry(fields, EDIT_TYPES)
        twice = [f"appears more than once in {name}"] if id_ in content.repeated else []
        if twice or faults:
            found.faults[id_] = twice + faults
    if os.path.lexists(root / "toybox.json"):
        _read_labels(root, found)
    return found


def _read_labels(root: Path, found: _Found) -> None:
    """Adds the labels of the cases, and what is wrong with them."""
    content, wrong = read_json(root / "toybox.json", root)
    if wrong is None and not isinstance(content, JsonObject):
        wrong = f"toybox.json holds {kind_of(content)} where an object of labels by id belongs"
    if wrong is not None:
        found.problems.append(wrong)
        return
    for id_, value in content.items():
        if id_ not in found.entries:
            found.problems.append(f"{shown_key(id_)}: is in toybox.json only")
            continue
        pair, faults = check_labels(value)
        if id_ in content.repeated:
            faults = ["appears more than once in toybox.json", *faults]
        if faults:
            found.faults.setdefault(id_, []).extend(faults)
        elif pair is not None:
            found.labels[id_] = pair


def _select(entries: Mapping[str, Entry], types: Collection[str] | None, ids: Collection[str] | None) -> list[str]:
    type_ids = None if types is None else {_type_id(name) for name in types}
    for id_ in ids or ():
        if id_ not in entries:
            near = difflib.get_close_matches(id_, entries, n=3, cutoff=0.5)
            raise SelectionError(f"no case {id_!r}" + (f"; near: {', '.join(near)}" if near else ""))
    wanted = None if ids is None else set(ids)
    chosen = [
        id_
        for id_, entry in entries.items()
        if (wanted is None or id_ in wanted) and (type_ids is None or entry.type_id in type_ids)
    ]
    if not chosen:
        raise SelectionError(f"no case is left: types {sorted(types or ())}, ids {sorted(ids or ())}")
    return chosen


def _type_id(name: str) -> str:
    by_name = {known: type_id for type_id, known in EDIT_TYPES.items()}
    if name in EDIT_TYPES:
        return name
    if name in by_name:
        return by_name[name]
    raise SelectionError(unknown("edit type", name, by_name))


def _case(root: Path, id_: str, found: _Found, problems: list[str]) -> Case:
    """The case; adds to `problems` what is wrong with its files."""
    entry, faults = found.entries[id_], list(found.faults.get(id_, ()))
    files = None
    if not faults:
        files, wrong = check_files(root, entry.image_path)
        wrong += check_runs(entry.mask, files.size) if files is not None else []
        problems += [f"{id_}: {sentence}" for sentence in wrong]
        faults += wrong
    is_sound = files is not None and not faults
    return Case(
        id=id_,
        image_path=files.image if files is not None and is_sound else root / "annotation_images" / id_,
        image_size=files.size if files is not None and is_sound else (0, 0),
        src=_without_brackets(entry.src),
        tgt=_without_brackets(entry.tgt),
        raw_src=entry.src,
        raw_tgt=entry.tgt,
        instruction=entry.instruction,
        type_id=entry.type_id or NO_TYPE,
        blended_words=tuple(entry.blended_word.split()),
        mask_rle=entry.mask,
        true_edit_path=files.true_edit if files is not None and is_sound else None,
        labels=found.labels.get(id_),
        fault="; ".join(faults) or None,
    )


def _without_brackets(prompt: str) -> str:
    """[ and ] mark the words that change; no text encoder should see them."""
    return prompt.replace("[", "").replace("]", "")
