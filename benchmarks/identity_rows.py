"""The rows that stand beside every method: what the metrics say of an image that nobody edited.

`copy` is the source itself. `no-edit` is the source through the VAE and back, which bounds every metric of
preservation that a latent method can reach. Neither asks the prior for a score.
"""

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

from piva.config import Settings

IDENTITY_ROWS: dict[str, str] = {
    "copy": "benchmarks.identity_rows:Copy",
    "no-edit": "benchmarks.identity_rows:NoEdit",
}


def unedited(case_id: str, image: Any) -> Any:
    """An `EditOutput` of an image [3, H, W] that cost nothing here."""
    from piva.editing import EditOutput

    return EditOutput(
        case_id=case_id, image=image, seconds=0.0, unet_rows=0, unet_rows_backward=0, peak_bytes=None, history={},
        error=None,
    )  # fmt: skip


class Copy(Settings):
    """The source image itself."""

    name: ClassVar[str] = "copy"
    VERSION: ClassVar[int] = 1

    def edit(self, prior: Any, inputs: Sequence[Any]) -> list[Any]:
        """One `EditOutput` for each `EditInput`, with the same image."""
        return [unedited(case.case_id, case.image.clone()) for case in inputs]


class NoEdit(Settings):
    """The source image through the prior's VAE and back."""

    name: ClassVar[str] = "no-edit"
    VERSION: ClassVar[int] = 1

    def edit(self, prior: Any, inputs: Sequence[Any]) -> list[Any]:
        """One `EditOutput` for each `EditInput`: decode(encode(image))."""
        import torch

        outputs, start = Copy().edit(prior, inputs), time.perf_counter()
        with torch.no_grad():
            sources = torch.stack([case.image for case in inputs]).to(prior.device)  # [B, 3, H, W]
            images = prior.decode(prior.encode(sources)).float().clamp(0, 1).cpu()  # waits for the device
        seconds = (time.perf_counter() - start) / len(inputs)
        return [replace(output, image=image, seconds=seconds) for output, image in zip(outputs, images, strict=True)]
