"""Priors: frozen text-to-image models, and what the rest of the package may expect of one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from pathlib import Path

    import torch
    from torch import Tensor, nn
    from typing_extensions import Self

    from piva.auxiliary.settings import AuxiliarySettings


class Adapter(Protocol):
    """Auxiliary models of N cases on one shared prior: parameters [N, ...], one model per case."""

    settings: AuxiliarySettings
    n_cases: int

    def parameters(self) -> Iterator[nn.Parameter]: ...

    def requires_grad_(self, requires_grad: bool = True) -> Self: ...

    def weights(self, case: int) -> dict[str, Tensor]:
        """One case's parameters, on the CPU."""
        ...

    def set_weights(self, case: int, weights: Mapping[str, Tensor]) -> None:
        """Take one case's parameters, as `weights` gives them."""
        ...

    def save(self, folder: Path, weights: Mapping[str, Tensor]) -> None:
        """Write one case's parameters as the library does whose models these are."""
        ...

    def read(self, folder: Path) -> dict[str, Tensor]:
        """One case's parameters from such a folder."""
        ...


class Segment(NamedTuple):
    """Rows of a call that go through `adapter`, from `start` on: V for every case, those of a case adjacent.

    V is 1 for pictures, each a case of its own; the views of a scene share an adapter of one case.
    """

    adapter: Adapter
    start: int
    depth: Tensor | None = None  # [N*V,1,H,W] scaled inverse depth, which a ControlNet reads
    cameras: Tensor | None = None  # [N*V,16] poses, which a camera embedding reads


@dataclass
class Tap:
    """Takes the features of the first rows of a call: what the self-attention of the up blocks puts out."""

    rows: int
    maps: list[Tensor] = field(default_factory=list)  # [rows,D,h,w] of each layer, in the order of the network


class Prior(Protocol):
    """A frozen diffusion model. Images [B,3,H,W] in [0,1]; latents [B,C,h,w] in float32, scaled as the model wants."""

    name: str
    fingerprint: str  # of everything that can change a score: weights, number type
    image_size: tuple[int, int]
    latent_shape: tuple[int, int, int]
    prediction: str  # "epsilon" | "v_prediction": what `predict` puts out
    abar: Tensor  # [T] alphas_cumprod
    device: torch.device
    half: bool  # whether the network runs in float16, whose gradients need scaling
    cut_prompts: dict[str, str]  # of those embedded so far, the ones that were too long -> a phrase that says so

    def encode(self, images: Tensor) -> Tensor:
        """Latents [B,C,h,w] of images [B,3,H,W]: the posterior mean, scaled. Images that require grad get it."""
        ...

    def decode(self, latents: Tensor) -> Tensor:
        """Images [B,3,H,W] in [0,1] of latents [B,C,h,w]."""
        ...

    def embed(self, prompts: Sequence[str]) -> Tensor:
        """Prompt embeddings [B,L,D]."""
        ...

    def predict(
        self, x: Tensor, t: Tensor, embedding: Tensor, segments: Sequence[Segment] = (), tap: Tap | None = None
    ) -> Tensor:
        """The network's output [R,C,h,w] for noised latents x [R,C,h,w] at t [R] under prompts [R,L,D].

        Segments are adjacent, in order and the last rows of the call, with as many rows for every case. A gradient is
        kept where the caller's grad mode and the inputs ask for one, never for the frozen weights.
        Features have that of their rows.
        """
        ...

    def adapter(self, settings: AuxiliarySettings, seed: int, case_ids: Sequence[str]) -> Adapter:
        """A new adapter for these cases that changes nothing yet; its random start is keyed by (seed, case)."""
        ...
