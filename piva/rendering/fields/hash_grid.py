"""A multiresolution hash grid with small networks (Instant-NGP, Mueller et al. 2022): little memory, made for GPUs."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from piva.rendering.fields.settings import FieldSettings
from piva.rendering.fields.trilinear import interpolated
from piva.rendering.spherical_harmonics import count, harmonics

COARSEST = 16
"""Vertices along a side of the coarsest level, as in Instant-NGP."""
PRIMES = (1, 2654435761, 805459861)
"""Of the spatial hash (eq. 4)."""
GEOMETRY = 16
"""Numbers that the density's network hands to the colour's."""
DIRECTION_DEGREE = 2
START = -1.0
"""Logarithm of the density at the start."""
MAX_LOG_DENSITY = 10.0
CELLS = 64
"""Cells along a side of its occupancy grid; each is looked at in 2^3 places."""
POINTS_AT_ONCE = 1 << 17


def _growth(levels: int, finest: int) -> float:
    """Factor between the resolutions of neighbouring levels (eq. 3)."""
    return (finest / COARSEST) ** (1 / max(levels - 1, 1))


class HashGrid(nn.Module):
    """Features of points, interpolated on L grids whose vertices share a table each (eqs. 2 to 4).

    Args:
        levels: L.
        features: numbers an entry holds.
        log2_table: binary logarithm of a table's entries.
        finest: vertices along a side of the finest level.
    """

    def __init__(self, levels: int, features: int, log2_table: int, finest: int):
        super().__init__()
        growth = _growth(levels, finest)
        self.resolutions = [max(2, round(COARSEST * growth**level)) for level in range(levels)]
        self.entries = 1 << log2_table
        generator = torch.Generator().manual_seed(0)  # uniform in +-1e-4, the same for every field
        table = torch.empty(levels * self.entries, features).uniform_(-1e-4, 1e-4, generator=generator)
        self.table = nn.Parameter(table)

    @property
    def width(self) -> int:
        """Numbers a point gets."""
        return len(self.resolutions) * self.table.shape[1]

    def forward(self, points: Tensor) -> Tensor:
        """[N,3] in [-1,1] -> [N, levels * features]."""
        found = [self._corners(points, resolution) for resolution in self.resolutions]
        rows = torch.stack([rows + level * self.entries for level, (rows, _) in enumerate(found)], dim=1)  # [N,L,8]
        shares = torch.stack([shares for _, shares in found], dim=1)
        return interpolated(self.table, rows.view(-1, 8), shares.view(-1, 8)).view(len(points), self.width)

    def _corners(self, points: Tensor, resolution: int) -> tuple[Tensor, Tensor]:
        """Entries [N,8] of the vertices around points [N,3], and the share [N,8] of each.

        A level whose vertices fit into the table has one entry each; on the others they are hashed.
        """
        place = ((points + 1) * ((resolution - 1) / 2)).clamp(0, resolution - 1)
        low = place.floor().clamp_(max=resolution - 2)
        beyond = place - low  # [N,3]
        bits = torch.tensor([[i >> 2 & 1, i >> 1 & 1, i & 1] for i in range(8)], device=points.device)  # [8,3]
        vertex = low.long()[:, None] + bits  # [N,8,3]
        shares = torch.where(bits.bool(), beyond[:, None], 1 - beyond[:, None]).prod(-1)
        if resolution**3 <= self.entries:
            return (vertex[..., 0] * resolution + vertex[..., 1]) * resolution + vertex[..., 2], shares
        x, y, z = (vertex[..., axis] * prime for axis, prime in enumerate(PRIMES))
        return (x ^ y ^ z) & (self.entries - 1), shares


class TinyCudaHashGrid(nn.Module):
    """The same by tiny-cuda-nn: needs CUDA, and its table is laid out in its own way. Arguments as `HashGrid`'s."""

    def __init__(self, levels: int, features: int, log2_table: int, finest: int):
        super().__init__()
        import tinycudann

        facts = {
            "otype": "HashGrid", "n_levels": levels, "n_features_per_level": features, "log2_hashmap_size": log2_table,
            "base_resolution": COARSEST, "per_level_scale": _growth(levels, finest),
        }  # fmt: skip
        self.grid = tinycudann.Encoding(3, facts, dtype=torch.float32)
        self.width = levels * features

    def forward(self, points: Tensor) -> Tensor:
        """[N,3] in [-1,1] -> [N, levels * features]."""
        return self.grid((points + 1) / 2)


class HashGridField(nn.Module):
    """log sigma and 16 geometry features from a network on the hash grid's; colour from those and the direction."""

    def __init__(self, settings: FieldSettings):
        super().__init__()
        self.resolution = settings.resolution
        kind = TinyCudaHashGrid if settings.here().encoding == "tiny-cuda-nn" else HashGrid
        self.encoding = kind(settings.levels, settings.features, settings.log2_table, settings.resolution)
        width, hidden = self.encoding.width, settings.width
        self.geometry = nn.Sequential(nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, GEOMETRY))
        inputs = GEOMETRY + count(DIRECTION_DEGREE)
        self.appearance = nn.Sequential(
            nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, 3)
        )
        generator = torch.Generator().manual_seed(1)
        for layer in [*self.geometry, *self.appearance]:
            if isinstance(layer, nn.Linear):
                nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu", generator=generator)
                nn.init.zeros_(layer.bias)

    @property
    def cells(self) -> int:
        """See `Field.cells`."""
        return CELLS

    def read(self, points: Tensor) -> Tensor:
        """See `Field.read`: log sigma and geometry features [N,16]."""
        return self.geometry(self.encoding(points))

    def density(self, found: Tensor) -> Tensor:
        """See `Field.density`."""
        return (found[:, 0] + START).clamp(max=MAX_LOG_DENSITY).exp()

    def color(self, found: Tensor, directions: Tensor) -> Tensor:
        """See `Field.color`."""
        return self.appearance(torch.cat([found, harmonics(directions, DIRECTION_DEGREE)], dim=-1)).sigmoid()

    @torch.no_grad()
    def densities(self) -> Tensor:
        """See `Field.densities`: the largest of 2^3 places in each cell."""
        side = (torch.arange(2 * CELLS, device=self.geometry[0].weight.device) + 0.5) / CELLS - 1
        points = torch.stack(torch.meshgrid(side, side, side, indexing="ij"), dim=-1).view(-1, 3)
        density = torch.cat([self.density(self.read(part)) for part in points.split(POINTS_AT_ONCE)])
        return F.max_pool3d(density.view(1, 1, *(2 * CELLS,) * 3), 2)[0, 0]

    def roughness(self, points: Tensor) -> Tensor:
        """See `Field.roughness`; of the logarithm of density."""
        if not len(points):
            return points.new_zeros(())
        steps = torch.eye(3, device=points.device) * (2 / self.resolution)
        here = self.read(points)[:, 0]
        beside = [self.read((points + step).clamp(-1, 1))[:, 0] for step in steps]
        squares = torch.stack([(there - here).square() for there in beside]).sum(0)
        return (squares + 1e-4).sqrt().mean()

    def grow(self, share: float) -> bool:
        """See `Field.grow`: it has all its levels from the start."""
        return False

    @property
    def made_as(self) -> dict[str, str]:
        """See `Field.made_as`."""
        return {}
