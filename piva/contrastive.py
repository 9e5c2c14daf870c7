"""A contrastive loss between feature maps of two pictures: what a place shows should be what it showed (CUT, CDS)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def patch_nce(current: Tensor, source: Tensor, places: Tensor | None, tau: float) -> Tensor:
    """-log softmax_j(<f^_i, f_j> / tau) at j = i, the mean over places i: [B].

    f and f^ are unit vectors of `current` and `source`: of all of the current's places, i's own should be most like
    what the source showed at i.

    Args:
        current: [B,D,h,w]; the gradient goes here.
        source: [B,D,h,w]
        places: [B,n] indices into h*w, those that are compared; None: all.
    """
    ours, theirs = _unit_vectors(current, places), _unit_vectors(source.detach(), places)
    similar = theirs @ ours.transpose(1, 2) / tau  # [B,n,n]
    return (similar.logsumexp(dim=2) - similar.diagonal(dim1=1, dim2=2)).mean(dim=1)


def patches(maps: Tensor, size: int) -> Tensor:
    """Means over squares of `size` places: [B,D,h,w] -> [B,D,h//size,w//size]; what is left at the edge is dropped."""
    height, width = maps.shape[2] // size, maps.shape[3] // size
    squares = maps[:, :, : height * size, : width * size].unflatten(3, (width, size)).unflatten(2, (height, size))
    return squares.mean(dim=(3, 5))


def _unit_vectors(maps: Tensor, places: Tensor | None) -> Tensor:
    """[B,D,h,w] -> [B,n,D]"""
    vectors = maps.flatten(2).transpose(1, 2)  # [B,h*w,D]
    if places is not None:
        vectors = vectors.gather(1, places[:, :, None].expand(-1, -1, vectors.shape[2]))
    return vectors / vectors.norm(dim=2, keepdim=True).clamp_min(1e-12)
