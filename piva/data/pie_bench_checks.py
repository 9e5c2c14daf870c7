"""What a well-formed PIE-Bench folder is: one check for each part, each returning sentences and raising nothing."""

import json
import os
import re
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from piva.data.images import ImageFileError, image_size

MAX_JSON_BYTES = 256 * 2**20
"""Ours. PIE-Bench's mapping file is a few megabytes; one past this is not a mapping file."""

TEXT_KEYS = (
    "image_path",
    "original_prompt",
    "editing_prompt",
    "editing_instruction",
    "editing_type_id",
    "blended_word",
)
"""In the order of Entry's fields, which end with the mask."""


@dataclass(frozen=True)
class Entry:
    """One value of mapping_file.json whose fields are sound; its files have not been looked at."""

    image_path: str
    src: str
    tgt: str
    instruction: str
    type_id: str
    blended_word: str
    mask: tuple[int, ...]


@dataclass(frozen=True)
class Files:
    """Where a case's pictures are; size is (H, W)."""

    image: Path
    size: tuple[int, int]
    true_edit: Path | None


class _Object(dict):
    """A JSON object that remembers the keys it was given twice."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        self.repeated = [key for key, times in Counter(key for key, _ in pairs).items() if times > 1]


def read_json(path: Path, of: str = "cases by id") -> tuple[dict[str, Any] | None, list[str]]:
    """The object (`of` what) in the file, or None; and what is wrong with the file. Keys given twice are named."""
    name = path.name
    try:
        if path.stat().st_size > MAX_JSON_BYTES:
            return None, [f"{name} is larger than {MAX_JSON_BYTES // 2**20} MiB"]
        content = json.loads(path.read_bytes().decode("utf-8-sig"), object_pairs_hook=_Object)
    except OSError as problem:
        return None, [f"{name} can't be read: {problem.strerror or problem}"]
    except UnicodeDecodeError as problem:
        return None, [f"{name} is not UTF-8 text: {problem}"]
    except RecursionError:
        return None, [f"{name} is nested too deeply"]
    except ValueError as problem:
        return None, [f"{name} is not JSON: {problem}"]
    if not isinstance(content, _Object):
        return None, [f"{name} holds {_kind(content)} where an object of {of} belongs"]
    return content, [f"{key}: appears more than once in {name}" for key in content.repeated]


def check_entry(id_: str, fields: Any, edit_types: Collection[str]) -> tuple[Entry | None, list[str]]:
    """The entry, or None where a field is missing or wrong; and everything that is wrong with it."""
    wrong = [] if re.fullmatch(r"[0-9]{12}", id_) else ["the id is not 12 digits"]
    if not isinstance(fields, _Object):
        return None, [*wrong, f"the entry is {_kind(fields)}, not an object"]
    wrong += [f"key {key!r} appears more than once" for key in fields.repeated]
    missing = [key for key in (*TEXT_KEYS, "mask") if key not in fields]
    wrong += [f"{key} is missing" for key in missing]
    for key in TEXT_KEYS:
        if key not in missing:
            wrong += _text_problems(key, fields[key])
    if isinstance(fields.get("editing_type_id"), str) and fields["editing_type_id"] not in edit_types:
        wrong.append(f"editing_type_id {fields['editing_type_id'][:40]!r} is not one of {', '.join(edit_types)}")
    if "image_path" not in missing:
        wrong += _path_problems(fields["image_path"])
    if "mask" not in missing:
        wrong += _mask_problems(fields["mask"])
    if wrong:
        return None, wrong
    image_path, src, tgt, instruction, type_id, blended_word = (fields[key] for key in TEXT_KEYS)
    return Entry(image_path, src, tgt, instruction, type_id, blended_word, tuple(fields["mask"])), []


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


def check_labels(value: Any) -> tuple[tuple[dict[str, str], dict[str, str]] | None, list[str]]:
    """(source, target) attribute values of one case of toybox.json."""
    if not isinstance(value, dict) or set(value) != {"source", "target"}:
        return None, ["toybox.json: expected an object with 'source' and 'target'"]
    source, target = value["source"], value["target"]
    for side in (source, target):
        if not isinstance(side, dict) or not all(isinstance(text, str) for text in side.values()):
            return None, ["toybox.json: 'source' and 'target' must map attribute names to value names"]
    if set(source) != set(target):
        return None, [f"toybox.json: only one side has {', '.join(sorted(set(source) ^ set(target)))}"]
    return (dict(source), dict(target)), []


def _text_problems(key: str, value: Any) -> list[str]:
    if not isinstance(value, str):
        return [f"{key} is {_kind(value)}, not text"]
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        return [f"{key} holds half of a surrogate pair"]
    if key in ("original_prompt", "editing_prompt") and not value.strip(" []\t\r\n"):
        return [f"{key} is empty"]
    return []


def _path_problems(value: Any) -> list[str]:
    """The path must be plain, relative and downward; whether a link leads out is seen when the file is looked up."""
    if not isinstance(value, str):
        return []  # named already, as not text
    parts = PurePosixPath(value).parts
    odd = any(ord(character) < 32 or character in "\\:" for character in value)
    if not parts or value.startswith("/") or ".." in parts or odd:
        return [f"image_path {value[:120]!r} is not a plain relative path below annotation_images/"]
    return []


def _mask_problems(value: Any) -> list[str]:
    if not isinstance(value, list):
        return [f"mask is {_kind(value)}, not a list"]
    if len(value) % 2:
        return [f"mask has {len(value)} numbers; [start, length, ...] needs an even count"]
    bad = next((i for i, number in enumerate(value) if type(number) is not int or number < 0), None)
    return [] if bad is None else [f"mask[{bad}] is {str(value[bad])[:40]}, not a non-negative integer"]


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


def _kind(value: Any) -> str:
    names = {_Object: "an object", list: "a list", str: "text", bool: "true or false", type(None): "null"}
    return names.get(type(value)) or f"the number {str(value)[:40]}"
