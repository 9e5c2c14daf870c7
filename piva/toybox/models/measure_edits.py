"""How well instructions are followed: a measurement of `measure.py`."""

from collections.abc import Sequence
from typing import Any

import torch

from piva.metrics.success import judged
from piva.toybox.edits import Edit
from piva.toybox.instructed import instructed_edit
from piva.toybox.models.held_out import Held, psnr_db
from piva.toybox.scene import named_labels

GUIDANCES = ((7.5, 1.5), (3.0, 3.0))
"""(text, image): the paper's, whose numbers stand under `as_published`, and ours, which suit this small model."""


def measure_instruct_pix2pix(held: Held) -> dict[str, Any]:
    """Edits of held-out pictures from noise, 25 DDIM steps: success by the judge, and the distance to the true edit.

    `success` counts edits in which every attribute is that of the true edit; `changed` those that are right in what the
    instruction is about, `kept` in all else. `source_psnr_to_true_db` is that of doing nothing.
    """
    from piva.toybox.models.instruct_pix2pix import edit_pictures, load_instruct_pix2pix
    from piva.toybox.models.judge import load_judge
    from piva.toybox.render import render

    device = held.options.device
    edits = [instructed_edit(i, held.options.split) for i in range(held.options.samples)]
    src, tgt = (torch.cat([render(part).image for part in _parts(scenes)]) for scenes in _sides(edits))
    pipeline = load_instruct_pix2pix(
        device, held.folder("instruct_pix2pix"), held.folder("diffusion") if held.options.weights else None
    )
    judge = load_judge(device, held.folder("judge"))

    def measured(guidance: float, image_guidance: float) -> dict[str, Any]:
        found = edit_pictures(
            pipeline, src, [edit.instruction for edit in edits], range(len(edits)),
            guidance=guidance, image_guidance=image_guidance,
        )  # fmt: skip
        shares = success_shares(judge.predict(found), edits)
        distance = {"psnr_to_true_db": psnr_db(found, tgt).mean().item()}
        return shares | distance | {"guidance": guidance, "guidance_image": image_guidance}

    published, ours = (measured(*pair) for pair in GUIDANCES)
    source = psnr_db(src, tgt).clamp(max=60).mean().item()
    return ours | {"as_published": published, "source_psnr_to_true_db": source, "n": len(edits)}


def success_shares(found: Sequence[dict[str, str]], edits: Sequence[Edit]) -> dict[str, float]:
    """Shares of edits that succeed, that change what was asked, and that keep the rest, as the judge reads them."""
    rows = []
    for prediction, edit in zip(found, edits, strict=True):
        rows.append(judged(prediction, (named_labels(edit.source), named_labels(edit.target))))
    names = {"edit_success": "success", "changed": "changed", "kept": "kept"}
    values: dict[str, list[Any]] = {short: [row[name] for row in rows] for name, short in names.items()}
    return {name: sum(x for x in known if isinstance(x, float)) / len(rows) for name, known in values.items()}


def _sides(edits: Sequence[Edit]) -> tuple[list[Any], list[Any]]:
    return [edit.source for edit in edits], [edit.target for edit in edits]


def _parts(scenes: list[Any]) -> list[list[Any]]:
    return [scenes[i : i + 64] for i in range(0, len(scenes), 64)]
