"""Writes PIE-Toybox: edits of the Toybox world in PIE-Bench's own format, with the true edit beside each source.

root/mapping_file.json                       as PIE-Bench's
root/annotation_images/<type>/<id>.png       source pictures
root/true_edits/<type>/<id>.png              the same world with the change made
root/toybox.json                             {id: {"source": {attribute: class}, "target": {...}}} for the judge
root/dataset.json                            {"split": ..., "version": ...}
"""

from __future__ import annotations

import json
from pathlib import Path

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from piva.data.depth import scaled_inverse_depth
from piva.data.masks import encode_mask
from piva.toybox.captions import caption
from piva.toybox.edits import CHANGES, Edit, blended_word, sample_edit
from piva.toybox.render import render
from piva.toybox.scene import Split, named_labels

VERSION = 2
"""Of the data set; another number means other pictures, prompts or masks."""

FOLDERS = {
    "0": "0_random",
    "1": "1_change_object",
    "2": "2_add_object",
    "3": "3_delete_object",
    "4": "4_change_attribute_content",
    "5": "5_change_attribute_pose",
    "6": "6_change_attribute_color",
    "7": "7_change_attribute_material",
    "8": "8_change_background",
    "9": "9_change_style",
}
CHANGED = 10 / 255
"""A pixel belongs to the edit if any channel of the true edit differs by more than this."""
BATCH = 256


def write(root: Path, split: Split, n: int = 200, size: int = 64) -> None:
    """Writes `n` cases of a split, spread evenly over the ten types; `mapping_file.json` comes last.

    Args:
        root: folder to create or overwrite.
        split: "dev" for choosing settings, "test" for reporting. Disjoint in scenes from the training split.
        n: number of cases; the first cases are the same for any number.
        size: picture side in pixels; masks have the same size.

    Raises:
        ValueError: n < 1, or an unknown split.
    """
    if n < 1:
        raise ValueError(f"can't write {n} cases: give at least one")
    places = [(tuple(CHANGES)[k % 10], k // 10) for k in range(n)]
    edits = {f"{type_id}{index:011d}": sample_edit(type_id, index, split) for type_id, index in places}
    mapping: dict[str, dict] = {}
    labels: dict[str, dict] = {}
    ids = list(edits)
    for start in range(0, n, BATCH):
        chunk = ids[start : start + BATCH]
        sources = render([edits[case_id].source for case_id in chunk], size)
        targets = render([edits[case_id].target for case_id in chunk], size)
        masks = edit_mask(sources.image, targets.image)
        for k, case_id in enumerate(chunk):
            edit = edits[case_id]
            path = f"{FOLDERS[edit.type_id]}/{case_id}.png"
            _save(sources.image[k], root / "annotation_images" / path)
            _save(targets.image[k], root / "true_edits" / path)
            mapping[case_id] = _entry(edit, path, encode_mask(masks[k]))
            labels[case_id] = {"source": named_labels(edit.source), "target": named_labels(edit.target)}
    (root / "dataset.json").write_text(json.dumps({"split": split, "version": VERSION}))
    (root / "toybox.json").write_text(json.dumps(labels, indent=1))
    (root / "mapping_file.json").write_text(json.dumps(mapping, indent=1))


def source_depth(case_id: str, split: Split, size: int) -> Tensor:
    """Scaled inverse depth [1,H,W] in [0,1], near = 1, of a case's source picture: its world is drawn again."""
    source = sample_edit(case_id[0], int(case_id[1:]), split).source
    return scaled_inverse_depth(render([source], size).depth)[0]


def edit_mask(source: Tensor, target: Tensor) -> Tensor:
    """The region that the true edit changes, widened by a pixel per 64. Images [B, 3, H, W]. Returns bool [B, H, W]."""
    changed = ((source - target).abs().amax(1, keepdim=True) > CHANGED).float()
    reach = max(1, round(source.shape[-1] / 64))
    return F.max_pool2d(changed, 2 * reach + 1, stride=1, padding=reach)[:, 0] > 0.5


def _entry(edit: Edit, path: str, mask: list[int]) -> dict:
    src, tgt = edit.prompts
    return {
        "image_path": path,
        "original_prompt": src,
        "editing_prompt": tgt,
        "editing_instruction": edit.instruction,
        "editing_type_id": edit.type_id,
        "blended_word": blended_word(caption(edit.source), caption(edit.target)),
        "mask": mask,
    }


def _save(image: Tensor, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image.mul(255).round().to(torch.uint8).permute(1, 2, 0).numpy()).save(path)
