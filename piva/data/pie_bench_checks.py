"""What a well-formed PIE-Bench folder is: one check for each part, each returning sentences and raising nothing."""

import os
import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from piva.data.images import ImageFileError, image_size
from piva.data.json_files import JsonObject, kind_of, repeated_keys
from piva.data.prompts import prompt_problem, text_problem

FIELDS = {
    "image_path": "image_path",
    "original_prompt": "src",
    "editing_prompt": "tgt",
    "editing_instruction": "instruction",
    "editing_type_id": "type_id",
    "blended_word": "blended_word",
}
"""Keys of an entry that hold text -> Entry's names for them."""


@dataclass(frozen=True)
class Entry:
    """One value of mapping_file.json; what is not sound of it is empty. Its files have not been looked at."""

    image_path: str = ""
    src: str = ""
    tgt: str = ""
    instruction: str = ""
    type_id: str = ""
    blended_word: str = ""
    mask: tuple[int, ...] = ()


@dataclass(frozen=True)
class Files:
    """Where a case's pictures are; size is (H, W)."""

    image: Path
    size: tuple[int, int]
    true_edit: Path | None


def id_problems(id_: str) -> list[str]:
    """Records, images and folders are named by the id: nothing but digits is safe to."""
    return [] if re.fullmatch(r"[0-9]{12}", id_) else ["the id is not 12 digits"]


def check_entry(fields: Any, edit_types: Collection[str]) -> tuple[Entry, list[str]]:
    """The entry, as far as it is sound, and everything that is wrong with it."""
    if not isinstance(fields, JsonObject):
        return Entry(), [f"the entry is {kind_of(fields)}, not an object"]
    wrong = [f"key {key!r} appears more than once" for key in fields.repeated]
    wrong += [f"{key} is missing" for key in (*FIELDS, "mask") if key not in fields]
    sound: dict[str, Any] = {}
    for key, name in (FIELDS | {"mask": "mask"}).items():
        if key not in fields:
            continue
        value = fields[key]
        found = _mask_problems(value) if key == "mask" else _text_problems(key, value, edit_types)
        wrong += found
        if not found:
            sound[name] = tuple(value) if key == "mask" else value
    return Entry(**sound), wrong


def check_files(root: Path, image_path: str) -> tuple[Files | None, list[str]]:
    """Where the image and, if there is one, the true edit are; `root` is resolved, `image_path` a checked one."""
    image = root / "annotation_images" / image_path
    size, wrong = _picture(root, image)
    true_edit = root / "true_edits" / image_path
    if not os.path.lexists(true_edit):
        return (None, wrong) if size is None else (Files(image, size, None), [])
    true_size, true_wrong = _picture(root, true_edit)
    wrong += true_wrong
    if size is not None and true_size is not None and size != true_size:
        wrong.append(f"the true edit is {true_size[0]}x{true_size[1]}, the image {size[0]}x{size[1]} (height x width)")
    return (None, wrong) if wrong or size is None else (Files(image, size, true_edit), [])


def check_runs(mask: tuple[int, ...], size: tuple[int, int]) -> list[str]:
    """What is wrong with run lengths on an image of (H, W). One that ends past the image is clipped, as PIE-Bench's
    evaluator does; one that begins there is of another image."""
    cells = size[0] * size[1]
    bad = next((i for i in range(0, len(mask), 2) if mask[i] >= cells and mask[i + 1] > 0), None)
    return [] if bad is None else [f"mask[{bad}] is {_number(mask[bad])}, past the image's {cells} pixels"]


def check_labels(value: Any) -> tuple[tuple[dict[str, str], dict[str, str]] | None, list[str]]:
    """(source, target) attribute values of one case of toybox.json."""
    if not isinstance(value, dict) or set(value) != {"source", "target"}:
        return None, ["toybox.json: expected an object with 'source' and 'target'"]
    if twice := repeated_keys(value):
        return None, [f"toybox.json: {place} appears more than once" for place in twice]
    source, target = value["source"], value["target"]
    for side in (source, target):
        if not isinstance(side, dict) or not all(isinstance(text, str) for text in side.values()):
            return None, ["toybox.json: 'source' and 'target' must map attribute names to value names"]
    if set(source) != set(target):
        names = ", ".join(ascii(name).strip("'") for name in sorted(set(source) ^ set(target)))
        return None, [f"toybox.json: only one side has {names}"]
    return (dict(source), dict(target)), []


def _text_problems(key: str, value: Any, edit_types: Collection[str]) -> list[str]:
    if not isinstance(value, str):
        return [f"{key} is {kind_of(value)}, not text"]
    if key == "image_path":
        return _path_problems(value)
    if key == "editing_type_id":
        known = ", ".join(edit_types)
        return [] if value in edit_types else [f"editing_type_id {value[:40]!r} is not one of {known}"]
    problem = prompt_problem(value) if key in ("original_prompt", "editing_prompt") else text_problem(value)
    return [f"{key} {problem}"] if problem else []


def _path_problems(value: str) -> list[str]:
    """The path must be plain, relative and downward; whether a link leads out is seen when the file is looked up."""
    parts = PurePosixPath(value).parts
    odd = text_problem(value) is not None or any(character in "\\:\t\r\n" for character in value)
    if not parts or value.startswith("/") or ".." in parts or odd:
        return [f"image_path {value[:120]!r} is not a plain relative path below annotation_images/"]
    return []


def _mask_problems(value: Any) -> list[str]:
    if not isinstance(value, list):
        return [f"mask is {kind_of(value)}, not a list"]
    if len(value) % 2:
        return [f"mask has {len(value)} numbers; [start, length, ...] needs an even count"]
    bad = next((i for i, number in enumerate(value) if type(number) is not int or number < 0), None)
    return [] if bad is None else [f"mask[{bad}] is {_number(value[bad])}, not a non-negative integer"]


def _number(value: Any) -> str:
    return str(value)[:40] if isinstance(value, (int, float)) else kind_of(value)


def _picture(root: Path, path: Path) -> tuple[tuple[int, int] | None, list[str]]:
    """(H, W) from the header, or None and the reason."""
    shown = path.relative_to(root).as_posix()[:200]
    try:
        inside = path.resolve().is_relative_to(root)
        return (image_size(path), []) if inside else (None, [f"{shown} leads out of the data folder"])
    except ImageFileError as problem:
        return None, [f"{shown}: {problem}"]
    except (OSError, RuntimeError) as problem:  # a loop of links, a name the file system refuses
        return None, [f"{shown} can't be looked up: {getattr(problem, 'strerror', None) or problem}"]
