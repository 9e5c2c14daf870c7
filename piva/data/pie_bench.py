"""PIE-Bench's format: 700 images, each with a source prompt, a target prompt, an edit type and a mask.

    ROOT/mapping_file.json              {12-digit id: {image_path, original_prompt, editing_prompt, ...}}
    ROOT/annotation_images/<image_path>
    ROOT/true_edits/<image_path>        optional, ours: the ideal edit, where it is known
    ROOT/toybox.json                    optional, ours: {id: {"source": {attribute: value}, "target": {...}}}

The reader is strict: every malformed entry is named, all in one error, before any work. (Ju et al., "PnP Inversion",
ICLR 2024, is where the benchmark comes from.)
"""

import difflib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from piva.data.images import ImageFileError, read_image, resize_image
from piva.data.masks import decode_mask, encode_mask, resize_mask
from piva.data.pie_bench_checks import Entry, check_entry, check_files, check_labels, read_json
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

EDIT_TYPES: dict[str, str] = {
    "0": "random",
    "1": "change-object",
    "2": "add-object",
    "3": "delete-object",
    "4": "change-content",
    "5": "change-pose",
    "6": "change-colour",
    "7": "change-material",
    "8": "change-background",
    "9": "change-style",
}
"""editing_type_id -> name. PIE-Bench has 140 cases of type 0, 80 of 1, 2, 3, 8 and 9, and 40 of 4 to 7."""

EDIT_GROUPS: dict[str, tuple[str, ...]] = {
    "appearance": ("4", "5", "6", "7", "8", "9"),
    "addition": ("2",),
    "deletion": ("3",),
    "translation": ("1",),
    "mixed": ("0",),
}
"""Groups of Piva's experiments -> types; deletion stands apart, and what is random is mixed (our reading)."""


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


def read(root: Path, types: Collection[str] | None = None, ids: Collection[str] | None = None) -> list[Case]:
    """The selected cases, in the order of the mapping file.

    The fields of every entry are checked; image files are looked at (header only) for the selected cases.

    Args:
        root: the folder with mapping_file.json.
        types: edit types, as "8" or "change-background"; None is all.
        ids: case ids; None is all.

    Raises:
        DataError: anything is malformed; lists every problem, each with its case id.
        SelectionError: a type or an id does not exist, or no case is both of the types and among the ids.
    """
    root = Path(root).resolve()
    entries, problems = _read_mapping(root)
    labels, label_problems = _read_labels(root)
    if not problems:
        label_problems += [f"{id_}: is in toybox.json only" for id_ in labels if id_ not in entries]
    chosen = _select(entries, types, ids) if not problems else list(entries)
    cases, file_problems = _cases(root, {id_: entries[id_] for id_ in chosen}, labels)
    problems += label_problems + file_problems
    if problems:
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
    try:
        return resize_image(read_image(path), size)
    except ImageFileError as problem:
        raise DataError(path, [f"{case.id}: {problem}"]) from problem


def _read_mapping(root: Path) -> tuple[dict[str, Entry], list[str]]:
    """Entries by id, and what is wrong. Raises DataError where the file as a whole can't be read."""
    content, problems = read_json(root / "mapping_file.json")
    if content is None:
        raise DataError(root, problems)
    if not content:
        raise DataError(root, ["mapping_file.json has no entries"])
    entries: dict[str, Entry] = {}
    for id_, fields in content.items():
        entry, wrong = check_entry(id_, fields, EDIT_TYPES)
        problems += [f"{id_}: {sentence}" for sentence in wrong]
        if entry is not None:
            entries[id_] = entry
    return entries, problems


def _read_labels(root: Path) -> tuple[dict[str, tuple[dict, dict]], list[str]]:
    path = root / "toybox.json"
    if not path.exists():
        return {}, []
    content, problems = read_json(path)
    labels = {}
    for id_, value in (content or {}).items():
        pair, wrong = check_labels(value)
        problems += [f"{id_}: {sentence}" for sentence in wrong]
        if pair is not None:
            labels[id_] = pair
    return labels, problems


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


def _cases(
    root: Path, entries: Mapping[str, Entry], labels: Mapping[str, tuple[dict, dict]]
) -> tuple[list[Case], list[str]]:
    cases, problems = [], []
    for id_, entry in entries.items():
        files, wrong = check_files(root, entry.image_path)
        problems += [f"{id_}: {sentence}" for sentence in wrong]
        if files is None:
            continue
        cases.append(
            Case(
                id=id_,
                image_path=files.image,
                image_size=files.size,
                src=_without_brackets(entry.src),
                tgt=_without_brackets(entry.tgt),
                raw_src=entry.src,
                raw_tgt=entry.tgt,
                instruction=entry.instruction,
                type_id=entry.type_id,
                blended_words=tuple(entry.blended_word.split()),
                mask_rle=entry.mask,
                true_edit_path=files.true_edit,
                labels=labels.get(id_),
            )
        )
    return cases, problems


def _without_brackets(prompt: str) -> str:
    """[ and ] mark the words that change; no text encoder should see them."""
    return prompt.replace("[", "").replace("]", "")
