"""PIE-Bench as the Hugging Face hub has it (UB-CVML-Group/PIE_Bench_pp), brought into PIE-Bench's own layout.

    ROOT/<config>/V1-00000-of-00001.parquet     or <config>/V1/0000.parquet, as the hub converts it; configs are
                                                0_random_140, 1_change_object_80, ..., 9_change_style_80
    columns: image {bytes, path}, id, source_prompt, target_prompt, edit_action, aspect_mapping, blended_words, mask

All but the image are text: the mask is "start length start length ...", blended_words a JSON list of "source,target".
The edit type is the number that the config's name begins with. There is no editing instruction, and the prompts are
those of PIE-Bench++, which differ from PIE-Bench's in places. Image files are written as they are, byte for byte.
Sources: the dataset's card (columns, configs) and its list of files; public readers of it for how text is written.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

from piva.data.pie_bench import DataError

COLUMNS = ("image", "id", "source_prompt", "target_prompt", "blended_words", "mask")
SUFFIXES = {b"\xff\xd8\xff": ".jpg", b"\x89PNG": ".png", b"RIFF": ".webp"}
"""First bytes of an image file -> its suffix."""


def parquet_files(root: Path) -> list[Path]:
    """The dataset's files below `root`, in order; none where it is something else.

    Raises:
        DataError: a link leads out of the folder.
    """
    found = sorted(file for place in ("*", "V1/*") for file in root.glob(f"[0-9]_*/{place}.parquet") if file.is_file())
    out = [file for file in found if not file.resolve().is_relative_to(root.resolve())]
    if out:
        what = "leads out of the data folder: put the file itself there"
        raise DataError(root, [f"{file.relative_to(root).as_posix()} {what}" for file in out])
    return found


def unpack(root: Path, target: Path) -> None:
    """Writes mapping_file.json and annotation_images/ of the dataset in `root` into `target`.

    Raises:
        DataError: names every row that can't be read; `piva.data.pie_bench.read` checks the rest.
    """
    mapping: dict[str, dict[str, Any]] = {}
    seen: set[str] = set()
    problems: list[str] = []
    for file in parquet_files(root):
        config = file.relative_to(root).parts[0]
        for where, row in _rows(file, root, problems):
            entry, wrong = _entry(row, config)
            problems += [f"{where}: {sentence}" for sentence in wrong]
            if row["id"] in seen:
                problems.append(f"{where}: id {row['id']} appears more than once")
            seen.add(row["id"])
            if entry is None or problems:
                continue
            mapping[row["id"]] = entry
            image = target / "annotation_images" / entry["image_path"]
            image.parent.mkdir(parents=True, exist_ok=True)
            image.write_bytes(row["image"]["bytes"])
    if problems:
        raise DataError(root, problems)
    (target / "mapping_file.json").write_text(json.dumps(mapping, indent=1), encoding="utf-8")


def _rows(file: Path, root: Path, problems: list[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """(where it stands, row) for every row of a file; appends to `problems` what is wrong with the file."""
    name = file.relative_to(root).as_posix()
    try:
        table = pl.read_parquet(file)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as problem:
        problems.append(f"{name} is not a parquet file: {problem}")
        return
    missing = [column for column in COLUMNS if column not in table.columns]
    if missing:
        problems.append(f"{name} has no column {', '.join(missing)}")
        return
    kinds = {column: str(table.schema[column]) for column in COLUMNS}
    odd = [column for column in COLUMNS[1:] if kinds[column] not in ("String", "Null")]
    odd += [] if "'bytes': Binary" in kinds["image"] else ["image"]
    if odd:
        problems.append(f"{name}: not the type that is expected: {', '.join(f'{name} {kinds[name]}' for name in odd)}")
        return
    for number, row in enumerate(table.select(COLUMNS).iter_rows(named=True)):
        yield f"{name}, row {number}", row


def _entry(row: dict[str, Any], config: str) -> tuple[dict[str, Any] | None, list[str]]:
    """The row as mapping_file.json has it, or None; and what is wrong with it."""
    content = (row["image"] or {}).get("bytes") or b""
    suffix = next((suffix for start, suffix in SUFFIXES.items() if content.startswith(start)), None)
    wrong = [] if suffix else ["its image is not a JPEG, PNG or WebP file"]
    if not re.fullmatch(r"[0-9]{12}", row["id"] or ""):
        wrong.append(f"its id {str(row['id'])[:40]!r} is not 12 digits")
    if not re.fullmatch(r"[0-9\s]*", row["mask"] or ""):
        wrong.append(f"its mask is not numbers: {str(row['mask'])[:40]!r}")
    if wrong:
        return None, wrong
    return {
        "image_path": f"{config}/{row['id']}{suffix}",
        "original_prompt": row["source_prompt"],
        "editing_prompt": row["target_prompt"],
        "editing_instruction": "",
        "editing_type_id": config[0],
        "blended_word": _words(row["blended_words"] or ""),
        "mask": [int(number) for number in (row["mask"] or "").split()],
    }, []


def _words(text: str) -> str:
    """'["dog,cat", "red,blue"]' -> "dog cat red blue", as PIE-Bench writes its pairs; other text as it is."""
    try:
        pairs = json.loads(text)
    except ValueError:
        return text
    return (
        " ".join(word.strip() for pair in pairs for word in str(pair).split(",")) if isinstance(pairs, list) else text
    )
