"""A scene as a radiance field: what a camera sees of it, differentiable, and its file.

The file is safetensors, with the settings as JSON in its header; nothing in it is code.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from piva.disk import write_atomically
from piva.errors import PreflightError
from piva.registry import resolve
from piva.rendering import volume
from piva.rendering.backgrounds import Constant, Sky
from piva.rendering.cameras import Cameras, Rays, all_rays
from piva.rendering.fields import FIELDS
from piva.rendering.fields.settings import FieldSettings
from piva.rendering.occupancy import Occupancy
from piva.rendering.space import Space

FILE_VERSION = 1
HEADER = "piva_radiance_field"
MIN_TRANSMITTANCE = 1e-3
"""A ray that has lost all but this share of its light has stopped: what lies behind is not evaluated."""
MIN_WEIGHT = 1e-4
"""A sample that adds less than this to its pixel is not asked for its colour."""
RAYS_AT_ONCE = 16384
FEWEST_SAMPLES = 48
"""Steps along a side of the cube while the field is much coarser than it will be."""


@dataclass(frozen=True, eq=False)
class Render:
    """What V cameras see."""

    image: Tensor  # [V,3,H,W] in [0,1]
    depth: Tensor  # [V,1,H,W] scene units along the optical axis, larger is farther; where nothing is, the far end
    opacity: Tensor  # [V,1,H,W] in [0,1]: 0 where only the background is seen


@dataclass(frozen=True, eq=False)
class RayRender:
    """What N rays see, and the samples that they were made of."""

    color: Tensor  # [N,3] in [0,1]
    depth: Tensor  # [N]
    opacity: Tensor  # [N]
    points: Tensor  # [M,3] field coordinates
    weights: Tensor  # [M]
    steps: Tensor  # [M] middle of the step in [0,1] along the ray, in field coordinates' measure
    step_length: float  # of every step, in the same measure
    packed: volume.Packed

    def distortion(self) -> Tensor:
        """Mean distortion loss of the rays, []."""
        width = torch.full_like(self.steps, self.step_length)
        return volume.distortion(self.weights, self.steps, width, self.packed).mean()


class RadianceField(nn.Module):
    """Density and colour in space, what is behind them, and which cells hold anything.

    Args:
        settings: of the field; what they leave to the kind of scene is filled in.
        space: where the scene is.

    Attributes:
        orient: [4,4] from the world of the capture's files to the scene's, where it is known. It travels with copies.
    """

    orient: Tensor | None = None

    def __init__(self, settings: FieldSettings, space: Space):
        super().__init__()
        settings = settings.suited(space.bounded)
        self.settings, self.space = settings, space
        self.field: Any = resolve("field", FIELDS, settings.kind)(settings)
        self.background: Any = Sky() if settings.background == "sky" else Constant(settings.background_color)
        self.occupancy = Occupancy(self.field.cells)

    def render(self, cameras: Cameras, background: Tensor | None = None, rays_at_once: int = RAYS_AT_ONCE) -> Render:
        """What the cameras see, with gradient to the field's parameters.

        Memory is bounded: pictures are rendered `rays_at_once` rays at a time. Where a gradient is wanted and there is
        more than one such chunk, a chunk keeps nothing but its result and is rendered again on the way back, at about a
        third more time.

        Args:
            background: [3] or [V,3], instead of the field's own.
        """
        views, height, width = len(cameras), cameras.height, cameras.width
        rays = all_rays(cameras).flat()
        behind = None if background is None else background.expand(views, 3).repeat_interleave(height * width, dim=0)
        total = views * height * width
        chunks = [slice(start, start + rays_at_once) for start in range(0, total, rays_at_once)]
        again = len(chunks) > 1 and torch.is_grad_enabled() and any(p.requires_grad for p in self.parameters())

        def part(chunk: slice) -> Tensor:
            seen = self.render_rays(rays[chunk], None if behind is None else behind[chunk])
            return torch.cat([seen.color, seen.depth[:, None], seen.opacity[:, None]], dim=-1)  # [n,5]

        parts = [
            checkpoint(part, chunk, use_reentrant=False, preserve_rng_state=False) if again else part(chunk)
            for chunk in chunks
        ]
        picture = torch.cat(parts).view(views, height, width, 5).permute(0, 3, 1, 2)
        return Render(picture[:, :3], picture[:, 3:4], picture[:, 4:])

    def render_rays(self, rays: Rays, background: Tensor | None = None, jitter: Tensor | None = None) -> RayRender:
        """What rays [N] see, with gradient to the field's parameters.

        Args:
            background: [3] or [N,3], instead of the field's own.
            jitter: [N] in [0,1), where in its steps each ray is sampled; otherwise in their middles.
        """
        samples = self._samples(rays, jitter)
        packed = samples.packed
        trains = torch.is_grad_enabled() and any(p.requires_grad for p in self.field.parameters())
        found = self.field.read(samples.points) if trains else None
        density = self.field.density(found) if trains else samples.density
        w, _ = volume.weights(density, samples.delta, packed)
        opacity = volume.gathered(w, packed)
        behind = self.background(rays.directions) if background is None else background.expand(packed.rays, 3)
        color = self._colors(samples.points, rays.directions[packed.ray], w.detach() > MIN_WEIGHT, found)
        return RayRender(
            color=volume.gathered(w[:, None] * color, packed) + (1 - opacity)[:, None] * behind,
            depth=volume.expected_depth(w, samples.depth, opacity, samples.far * rays.cosines, packed),
            opacity=opacity, points=samples.points, weights=w, steps=samples.steps, step_length=samples.step_length,
            packed=packed,
        )  # fmt: skip

    def _colors(self, points: Tensor, directions: Tensor, seen: Tensor, found: Any) -> Tensor:
        """Colours [M,3], with gradient where they are seen.

        What is not seen still needs its colour where density trains: it says whether there should be more of it.

        Args:
            found: at the points, where density trains; otherwise None.
        """
        places = seen.nonzero()[:, 0]
        color = torch.zeros_like(points)
        if found is None:
            visible = self.field.read(points[places])
        else:
            visible, others = found[places], (~seen).nonzero()[:, 0]
            with torch.no_grad():
                color[others] = self.field.color(found[others], directions[others])
        return color.index_copy(0, places, self.field.color(visible, directions[places]))

    @property
    def _samples_per_side(self) -> int:
        """Fewer while the field is coarse."""
        full = self.settings.samples
        return min(full, max(FEWEST_SAMPLES, full * self.field.resolution // self.settings.resolution))

    @torch.no_grad()
    def _samples(self, rays: Rays, jitter: Tensor | None) -> _Samples:
        """The samples of rays [N] in occupied cells, up to where the ray has stopped."""
        steps = self.space.steps(rays, self._samples_per_side, self.occupancy.box() if self.space.bounded else None)
        share = torch.full_like(steps.far, 0.5) if jitter is None else jitter  # [N]
        points = torch.lerp(steps.edges[:, :-1], steps.edges[:, 1:], share[steps.ray, None, None])
        kept = (steps.inside & self.occupancy(points)).view(-1).nonzero()[:, 0]  # [M]
        count = steps.inside.shape[1]
        row, place = kept // count, kept % count
        ray, place = steps.ray[row], place + steps.first[row]
        edge = kept + row  # a ray has one edge more than it has steps
        edges = steps.edges.view(-1, 3)
        points, delta = points.view(-1, 3)[kept], (edges[edge + 1] - edges[edge]).norm(dim=-1)
        packed, density = volume.Packed(ray, len(steps.far)), self.field.density(self.field.read(points))
        reached = (volume.weights(density, delta, packed)[1] > MIN_TRANSMITTANCE).nonzero()[:, 0]
        ray, place, edge = ray[reached], place[reached], edge[reached]
        distance = steps.distance.view(-1)
        along = torch.lerp(distance[edge], distance[edge + 1], share[ray])
        return _Samples(
            packed=volume.Packed(ray, packed.rays), points=points[reached], delta=delta[reached],
            density=density[reached], depth=along * rays.cosines[ray], steps=(place + 0.5) / steps.count,
            step_length=1 / steps.count, far=steps.far,
        )  # fmt: skip

    def refresh_occupancy(self, threshold: float = 0.01, margin: int = 1) -> None:
        """Find out anew which cells hold anything; see `Occupancy.update`. Where new things are to grow, leave room."""
        self.occupancy.update(self.field.densities(), threshold, margin)

    def clone_frozen(self) -> RadianceField:
        """A copy that shares nothing with this one, and does not train."""
        return copy.deepcopy(self).eval().requires_grad_(False)

    def save(self, path: Path, fit: Mapping[str, Any] | None = None) -> None:
        """Writes the file, whole or not at all.

        Args:
            fit: JSON values of the fit that made it, for `fit_of`.
        """
        settings = self.settings.model_copy(update={"samples": self._samples_per_side, **self.field.made_as})
        facts = {
            "version": FILE_VERSION,
            "settings": settings.model_dump(mode="json"),
            "bounded": self.space.bounded,
        }
        facts |= {} if self.orient is None else {"orient": self.orient.tolist()}
        facts |= {} if fit is None else {"fit": dict(fit)}
        tensors = {name: value.detach().cpu().contiguous() for name, value in self.state_dict().items()}
        write_atomically(path, save(tensors, metadata={HEADER: json.dumps(facts)}))

    @classmethod
    def load(cls, path: Path, device: torch.device | str = "cpu") -> RadianceField:
        """The field of a file.

        Raises:
            PreflightError: the file is not there, or holds no radiance field that this version reads.
        """
        facts = _header(path)
        try:
            with safe_open(path, framework="pt", device=str(device)) as file:
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except SafetensorError as problem:
            raise PreflightError(f"{path} is no safetensors file: {problem}") from problem
        try:
            space = Space(tensors["space.center"], float(tensors["space.scale"]), facts["bounded"])
            scene = cls(FieldSettings.model_validate(facts["settings"]), space)
            scene.occupancy.cells = tensors["occupancy.cells"]  # whose resolution may be another one
            scene.load_state_dict(tensors)
        except (KeyError, ValidationError, RuntimeError) as problem:
            raise PreflightError(f"{path} holds no radiance field that this version reads: {problem}") from problem
        scene.orient = torch.tensor(facts["orient"]) if "orient" in facts else None
        return scene.to(device)


def fit_of(path: Path) -> dict[str, Any]:
    """What `RadianceField.save` was told of the fit; empty where it was told nothing. Raises as `load` does."""
    return dict(_header(path).get("fit", {}))


def _header(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise PreflightError(f"{path}: there is no such file")
    try:
        with safe_open(path, framework="pt") as file:
            facts = dict(json.loads((file.metadata() or {}).get(HEADER, "{}")))
    except SafetensorError as problem:
        raise PreflightError(f"{path} is no safetensors file: {problem}") from problem
    if facts.get("version") != FILE_VERSION:
        raise PreflightError(f"{path} holds no radiance field of version {FILE_VERSION}")
    return facts


@dataclass(frozen=True, eq=False)
class _Samples:
    """M samples of N rays."""

    packed: volume.Packed
    points: Tensor  # [M,3] field coordinates
    delta: Tensor  # [M] length of their steps, in field coordinates
    density: Tensor  # [M] without gradient
    depth: Tensor  # [M] along the optical axis, scene units
    steps: Tensor  # [M] middle of the step, in [0,1]
    step_length: float
    far: Tensor  # [N] distance at which the ray ends
