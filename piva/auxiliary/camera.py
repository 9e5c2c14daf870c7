"""Camera embedding: how an auxiliary knows which view of a scene it is shown (VSD, Wang et al. 2023).

The pose goes through two linear layers, and what comes out is added to the network's time embedding:

    temb + W2 silu(W1 pose)        W1 [64,16], W2 [D,64]; W2 starts at zero, so nothing changes at first
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from piva import noise

POSE = 16
"""Numbers of a pose: the rows of its camera-to-world matrix [4,4], in scene units."""
_HIDDEN = 64  # ours


class CameraEmbedding(nn.Module):
    """W1 [N,64,16] and W2 [N,D,64] of every case; float32 whatever the network's dtype.

    Args:
        width: D, numbers of the network's time embedding.
    """

    def __init__(self, n_cases: int, width: int, device: torch.device):
        super().__init__()
        self.first = nn.Parameter(torch.zeros(n_cases, _HIDDEN, POSE, device=device))
        self.second = nn.Parameter(torch.zeros(n_cases, width, _HIDDEN, device=device))

    @torch.no_grad()
    def initialise(self, seed: int, case_ids: Sequence[str]) -> None:
        """W1 uniform in +-1/sqrt(16) from keyed draws, which are the same for psi and phi; W2 zero."""
        for n, case_id in enumerate(case_ids):
            key: dict[str, Any] = {"seed": seed, "case_id": case_id, "step": 0, "purpose": "camera-embedding"}
            self.first[n] = noise.uniform(self.first.shape[1:], -(POSE**-0.5), POSE**-0.5, **key)
        self.second.zero_()

    def forward(self, poses: Tensor) -> Tensor:
        """What the time embeddings of rows with these poses gain: [N*V,16] -> [N*V,D], a case's rows adjacent."""
        by_case = poses.to(self.first.dtype).reshape(len(self.first), -1, POSE)
        hidden = F.silu(by_case @ self.first.transpose(1, 2))  # [N,V,64]
        return (hidden @ self.second.transpose(1, 2)).flatten(0, 1)

    def weights(self, case: int) -> dict[str, Tensor]:
        """One case's W1 and W2, on the CPU."""
        return {f"camera.{name}": p[case].detach().cpu().clone() for name, p in self.named_parameters()}

    @torch.no_grad()
    def set_weights(self, case: int, weights: Mapping[str, Tensor]) -> None:
        """Take one case's W1 and W2, as `weights` gives them."""
        for name, p in self.named_parameters():
            p[case] = weights[f"camera.{name}"].to(p)
