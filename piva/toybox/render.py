"""Draws Toybox scenes: sphere-traced primitives on a ground plane, soft shadows, anti-aliased silhouettes.

Work is done only where it is due: rays that miss the sphere around a scene's objects are never traced, finished rays
leave the march, and scenes are grouped by signature so that each primitive is evaluated for all of them at once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from piva.toybox import shading
from piva.toybox.field import DistanceField
from piva.toybox.parts import OBJECTS, PartGroup, assemble, signature
from piva.toybox.scene import Scene
from piva.toybox.views import Hits, Rays, camera_rays

FAR = 20.0
"""Depth of the sky, in scene units."""
MARCH_ROUNDS, STEPS_PER_ROUND = 8, 6
SHADOW_STEPS, SHADOW_SHARPNESS = 18, 9.0
CHUNK_PIXELS = 1 << 20


@dataclass(frozen=True)
class Rendering:
    """What a camera sees of B scenes."""

    image: Tensor  # [B, 3, H, W] in [0, 1], sRGB
    depth: Tensor  # [B, 1, H, W] scene units along the optical axis, larger is farther, the sky at FAR
    owner: Tensor  # [B, H, W] int64, which object is seen: index into `parts.object_names`, -1 for ground and sky

    @property
    def masks(self) -> dict[str, Tensor]:
        """subject | hat | companion -> bool [B, H, W], where it is seen."""
        return {name: self.owner == k for k, name in enumerate(OBJECTS)}

    @property
    def objects(self) -> Tensor:
        """Where any object is seen: bool [B, 1, H, W]."""
        return (self.owner >= 0)[:, None]


def render(scenes: Sequence[Scene], size: int = 64) -> Rendering:
    """Renders scenes from their own cameras at `size` x `size`. Deterministic.

    Raises:
        ValueError: no scenes, or a size under 8.
    """
    image = torch.empty(len(scenes), 3, size, size)
    depth = torch.empty(len(scenes), 1, size, size)
    owner = torch.empty(len(scenes), size, size, dtype=torch.int64)
    for chunk in _chunks(scenes, size):
        group = [scenes[i] for i in chunk]
        seen = render_along(group, camera_rays([scene.placement.camera for scene in group], size), (size, size))
        image[chunk], depth[chunk], owner[chunk] = seen.image, seen.depth, seen.owner
    return Rendering(image, depth, owner)


def render_objects(scenes: Sequence[Scene], size: int = 64) -> Tensor:
    """The objects alone, lit as in `render` but with no ground or sky behind them: RGBA [B, 4, size, size] in [0, 1].

    The colour is sRGB, not multiplied by alpha, and black where alpha is 0. Alpha is the share of the pixel that
    objects fill, anti-aliased as in `render`. The style is always a photo's.

    Raises:
        ValueError: no scenes, or a size under 8.
    """
    rgba = torch.zeros(len(scenes), size * size, 4)
    with torch.inference_mode():
        for chunk in _chunks(scenes, size):
            group = [scenes[i] for i in chunk]
            rays = camera_rays([scene.placement.camera for scene in group], size)
            hits, surface = _lit_objects(assemble(group), rays, shading.world_of(group))
            seen = torch.tensor(chunk)[hits.scene], hits.pixel
            rgba[seen] = torch.cat([shading.to_srgb(surface), hits.coverage[:, None]], dim=1)
    return rgba.transpose(1, 2).reshape(len(scenes), 4, size, size)


def _chunks(scenes: Sequence[Scene], size: int) -> Iterator[list[int]]:
    """Indices of scenes of one signature, as many as are drawn at once."""
    if not scenes or size < 8:
        raise ValueError(f"can't render {len(scenes)} scenes at {size} px: give at least one scene and 8 px")
    groups: dict[tuple, list[int]] = defaultdict(list)
    for index, scene in enumerate(scenes):
        groups[signature(scene)].append(index)
    at_once = max(1, CHUNK_PIXELS // size**2)
    for members in groups.values():
        for start in range(0, len(members), at_once):
            yield members[start : start + at_once]


def _lit_objects(parts: PartGroup, rays: Rays, world: shading.World) -> tuple[Hits, Tensor]:
    """Where rays meet objects, and the light that leaves there towards the camera: linear [M, 3]."""
    hits = march(parts, rays)
    normal = _normal(parts, hits)
    lit = soft_shadow(parts, hits.scene, hits.point + 0.02 * normal, world.sun)
    return hits, shading.surface(parts, hits, normal, lit, rays, world)


@torch.inference_mode()
def render_along(scenes: list[Scene], rays: Rays, size: tuple[int, int]) -> Rendering:
    """What rays see of scenes of one signature, instead of the scenes' own cameras.

    Args:
        rays: of B views.
        size: height and width of the pictures.
    """
    parts = assemble(scenes)
    world = shading.world_of(scenes)
    ground = shading.ground_and_sky(rays, world)  # color [B, N, 3] linear, distance [B, N] (inf: sky)
    ground.color *= _ground_light(parts, rays, ground.distance, world)[..., None]
    color = shading.with_haze(ground, rays, world)

    hits, surface = _lit_objects(parts, rays, world)
    over = hits.coverage[:, None]
    below = color[hits.scene, hits.pixel]
    color[hits.scene, hits.pixel] = surface * over + below * (1 - over)

    solid = hits.coverage >= 0.5
    seen, pixel = hits.scene[solid], hits.pixel[solid]
    objects = torch.full(ground.distance.shape, -1)
    objects[seen, pixel] = torch.tensor(parts.objects)[hits.slot[solid]]
    distance = ground.distance.clone()
    distance[seen, pixel] = hits.distance[solid]
    z_depth = (distance * rays.cosine).clamp(max=FAR)  # [B, N]

    flat = shading.to_srgb(color).transpose(1, 2).reshape(len(scenes), 3, *size)
    z_depth, objects = z_depth.view(-1, *size), objects.view(-1, *size)
    sketched = [i for i, scene in enumerate(scenes) if scene.style == "sketch"]
    if sketched:
        flat[sketched] = shading.sketch(flat[sketched], z_depth[sketched], objects[sketched])
    return Rendering(flat, z_depth[:, None], objects)


def _through_bound(
    parts: PartGroup, scene: Tensor, origin: Tensor, direction: Tensor, margin: float
) -> tuple[Tensor, Tensor]:
    """Entry and exit distance of rays through the sphere around the objects; exit < entry where they miss. [M], [M]."""
    offset = parts.bound_center[scene] - origin
    middle = (offset * direction).sum(-1)
    miss_square = (offset.square().sum(-1) - middle.square()).clamp(min=0)
    radius = parts.bound_radius[scene] + margin
    half_square = radius.square() - miss_square
    half = half_square.clamp(min=0).sqrt()
    exit_ = torch.where(half_square > 0, middle + half, torch.full_like(middle, -1.0))
    return (middle - half).clamp(min=0.0), exit_


def march(parts: PartGroup, rays: Rays) -> Hits:
    """Follows every pixel's ray to the first object it meets, or passes within a pixel of.

    A ray that misses by less than a pixel's width keeps its closest approach, with a coverage that falls from 1 to 0
    over that width: silhouettes come out anti-aliased without further rays.
    """
    batch, pixels = rays.direction.shape[:2]
    scene = torch.arange(batch).repeat_interleave(pixels)
    pixel = torch.arange(pixels).repeat(batch)
    direction = rays.direction.reshape(-1, 3)
    t, stop = _through_bound(parts, scene, rays.origin[scene], direction, 0.05)
    keep = (stop > t).nonzero().squeeze(1)
    scene, pixel, direction, t, stop = scene[keep], pixel[keep], direction[keep], t[keep], stop[keep]
    origin = rays.origin[scene]
    closest = torch.full_like(t, float("inf"))  # miss distance in pixels, at `closest_t`
    closest_t = t.clone()
    active = torch.arange(len(t))
    for _ in range(MARCH_ROUNDS):
        field = DistanceField(parts, scene[active])
        a_origin, a_direction, a_t = origin[active].T.contiguous(), direction[active].T.contiguous(), t[active]
        a_closest, a_closest_t = closest[active], closest_t[active]
        for _ in range(STEPS_PER_ROUND):
            distance = field(torch.addcmul(a_origin, a_direction, a_t))
            in_pixels = distance / (rays.pixel_width * a_t)
            nearer = in_pixels < a_closest
            a_closest_t = torch.where(nearer, a_t, a_closest_t)
            a_closest = torch.minimum(in_pixels, a_closest)
            a_t = a_t + distance.clamp(min=1e-4) * 0.98
        t[active], closest[active], closest_t[active] = a_t, a_closest, a_closest_t
        active = active[(a_closest > 0.05) & (a_t < stop[active])]
        if not len(active):
            break
    coverage = (1.0 - closest).clamp(0, 1)
    coverage = torch.where(closest < 0.1, 1.0, coverage)
    met = (coverage > 0.02).nonzero().squeeze(1)
    scene, distance = scene[met], closest_t[met]
    point = origin[met] + distance[:, None] * direction[met]
    above = point[:, 1] > -0.01
    met, scene, point, distance = met[above], scene[above], point[above], distance[above]
    slot = DistanceField(parts, scene).slots(point.T).argmin(0)
    return Hits(scene, pixel[met], point, distance, coverage[met], slot)


def _normal(parts: PartGroup, hits: Hits) -> Tensor:
    """Outward unit normals by differences at the corners of a tetrahedron. [M, 3]."""
    corners = torch.tensor([[1.0, -1.0, -1.0], [-1.0, -1.0, 1.0], [-1.0, 1.0, -1.0], [1.0, 1.0, 1.0]])
    field, point = DistanceField(parts, hits.scene), hits.point.T.contiguous()
    normal = sum(field(point + 4e-3 * corner[:, None]) * corner[:, None] for corner in corners)
    return torch.nn.functional.normalize(normal.T, dim=-1)


def soft_shadow(parts: PartGroup, scene: Tensor, point: Tensor, sun: Tensor) -> Tensor:
    """Share of the sun seen from points, with penumbrae: [M] in [0, 1]. scene: [M], point: [M, 3], sun: [B, 3]."""
    seen = torch.ones(len(scene))
    direction = sun[scene]
    t, stop = _through_bound(parts, scene, point, direction, 0.25)
    near = (stop > t).nonzero().squeeze(1)
    field, t, stop = DistanceField(parts, scene[near]), t[near].clamp(min=0.02), stop[near]
    origin, direction = point[near].T.contiguous(), direction[near].T.contiguous()
    share = torch.ones(len(near))
    for _ in range(SHADOW_STEPS):
        distance = field(torch.addcmul(origin, direction, t))
        share = torch.where(t < stop, torch.minimum(share, SHADOW_SHARPNESS * distance / t.clamp(min=0.05)), share)
        t = t + distance.clamp(min=0.03, max=0.35)
    share = share.clamp(0, 1)
    seen[near] = share.square() * (3 - 2 * share)
    return seen


def _ground_light(parts: PartGroup, rays: Rays, distance: Tensor, world: shading.World) -> Tensor:
    """Light that falls on the ground pixels, 1 in the open: the sun's shadow, and darkness under objects. [B, N]."""
    light = torch.ones_like(distance)
    scene, pixel = torch.isfinite(distance).nonzero(as_tuple=True)
    point = rays.origin[scene] + distance[scene, pixel, None] * rays.direction[scene, pixel]
    lit = soft_shadow(parts, scene, point, world.sun)
    sky = torch.ones_like(lit)
    close = ((point - parts.bound_center[scene]).norm(dim=-1) < parts.bound_radius[scene] + 0.4).nonzero().squeeze(1)
    gap = DistanceField(parts, scene[close])(point[close].T)
    sky[close] = 0.35 + 0.65 * (gap / 0.4).clamp(0, 1).sqrt()
    share = world.sun_share[scene]
    light[scene, pixel] = share * lit + (1 - share) * sky
    return light
