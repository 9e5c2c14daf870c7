"""How Toybox surfaces, ground and sky look, by day, at sunset and at night; and the pencil-sketch style.

Colours are linear until `to_srgb`. All values are ours, chosen so that every attribute can be told at 64 pixels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from piva.toybox import vocabulary as words
from piva.toybox.light import LIGHTS
from piva.toybox.parts import CHECKER_CELL, STRIPE_PERIOD, PartGroup
from piva.toybox.scene import Scene
from piva.toybox.views import Hits, Rays

PAPER = (0.96, 0.95, 0.91)
MIRROR = 0.5
"""Share of the light that a shiny surface mirrors when seen straight on."""


@dataclass
class World:
    """Light and ground of B scenes."""

    sun: Tensor  # [B, 3] unit, towards the sun
    sun_color: Tensor  # [B, 3]
    ambient: Tensor  # [B, 3]
    zenith: Tensor  # [B, 3]
    horizon: Tensor  # [B, 3]
    sun_share: Tensor  # [B] of the light on open ground
    ground: Tensor  # [B, 3]
    ground_kind: Tensor  # [B] index into vocabulary.GROUNDS
    phase: Tensor  # [B]


@dataclass
class Backdrop:
    """Ground and sky behind the objects."""

    color: Tensor  # [B, N, 3] linear
    distance: Tensor  # [B, N] along the ray, inf in the sky


def world_of(scenes: Sequence[Scene]) -> World:
    """Light and ground of scenes, as tensors."""
    lights = [scene.placement.light or LIGHTS[scene.time] for scene in scenes]
    azimuth = [math.radians(scene.placement.sun_azimuth_deg) for scene in scenes]
    lift = {"day": 1.0, "sunset": 0.5, "night": 1.0}
    height = [math.radians(scene.placement.sun_elevation_deg * lift[scene.time]) for scene in scenes]
    sun = [
        [math.sin(a) * math.cos(h), math.sin(h), math.cos(a) * math.cos(h)]
        for a, h in zip(azimuth, height, strict=True)
    ]
    sun_color, ambient = (
        torch.tensor([light.sun for light in lights]),
        torch.tensor([light.ambient for light in lights]),
    )
    direct = sun_color.mean(-1) * torch.tensor([math.sin(h) for h in height])
    return World(
        sun=torch.tensor(sun),
        sun_color=sun_color,
        ambient=ambient,
        zenith=torch.tensor([light.zenith for light in lights]),
        horizon=torch.tensor([light.horizon for light in lights]),
        sun_share=direct / (direct + ambient.mean(-1)),
        ground=torch.tensor([words.GROUNDS[scene.ground] for scene in scenes]),
        ground_kind=torch.tensor([tuple(words.GROUNDS).index(scene.ground) for scene in scenes]),
        phase=torch.tensor([scene.placement.texture_phase for scene in scenes]),
    )


def sky(direction: Tensor, world: World, scene: Tensor) -> Tensor:
    """Colour of the sky. direction: [M, 3], scene: [M]. Returns [M, 3]."""
    height = direction[..., 1:2].clamp(0, 1).sqrt()
    return world.horizon[scene] * (1 - height) + world.zenith[scene] * height


def ground_and_sky(rays: Rays, world: World) -> Backdrop:
    """The world without objects: open ground in full light, and the sky."""
    batch, pixels = rays.direction.shape[:2]
    scene = torch.arange(batch)[:, None].expand(batch, pixels)
    down = -rays.direction[..., 1]
    distance = torch.where(down > 1e-3, rays.origin[:, None, 1] / down.clamp(min=1e-3), torch.inf)
    distance = torch.where(distance < 60.0, distance, torch.inf)
    color = sky(rays.direction, world, scene)
    on_ground = torch.isfinite(distance)
    b, n = on_ground.nonzero(as_tuple=True)
    point = rays.origin[b] + distance[b, n, None] * rays.direction[b, n]
    light = world.sun_color * world.sun[:, 1:2] + world.ambient  # [B, 3]
    color[b, n] = world.ground[b] * texture(point, distance[b, n], world, b)[:, None] * light[b]
    return Backdrop(color, distance)


def texture(point: Tensor, distance: Tensor, world: World, scene: Tensor) -> Tensor:
    """Relative brightness of the ground, fading with distance. point: [M, 3]. Returns [M] around 1."""
    x, z, phase = point[:, 0], point[:, 2], world.phase[scene]
    kind = world.ground_kind[scene]
    tufts = torch.sin(5.1 * x + 2.0 * torch.sin(3.3 * z + phase)) * torch.sin(
        4.7 * z + 1.7 * torch.sin(2.9 * x + phase)
    )
    dunes = torch.sin(3.0 * x + 1.2 * z + phase + 0.8 * torch.sin(1.1 * z))
    drifts = torch.sin(0.9 * x + phase) * torch.sin(0.8 * z + 2 * phase)
    slabs = -((torch.sin(2.6 * x + phase).abs() < 0.16) | (torch.sin(2.6 * z).abs() < 0.16)).float()
    pattern = torch.stack([0.28 * tufts, 0.09 * dunes, 0.05 * drifts, 0.30 * slabs])  # in the order of GROUNDS
    chosen = pattern.gather(0, kind[None]).squeeze(0)
    return 1 + chosen * (1 - distance / 14.0).clamp(0, 1)


def with_haze(backdrop: Backdrop, rays: Rays, world: World) -> Tensor:
    """The ground fades into the horizon with distance. Returns [B, N, 3]."""
    haze = (1 - torch.exp(-(backdrop.distance - 6.0).clamp(min=0) / 14.0))[..., None]
    haze = torch.where(torch.isfinite(backdrop.distance)[..., None], haze, torch.zeros_like(haze))
    return backdrop.color * (1 - haze) + world.horizon[:, None] * haze


def albedo(parts: PartGroup, hits: Hits) -> tuple[Tensor, Tensor]:
    """Base colour and gloss at hits. Returns [M, 3], [M]."""
    scene, slot = hits.scene, hits.slot
    offset = (hits.point - parts.center[scene, slot]) / parts.scale[scene, slot, None]
    local = (parts.to_local[scene, slot] @ offset[..., None]).squeeze(-1)
    stripe = torch.floor(local[:, 1] / STRIPE_PERIOD * 2 + 0.5)
    cells = torch.floor(local / CHECKER_CELL + 0.5).sum(-1)
    kind = parts.pattern[scene, slot]
    odd = torch.where(kind == 1, stripe, torch.where(kind == 2, cells, torch.zeros_like(cells))) % 2 == 1
    color = torch.where(odd[:, None], parts.partner[scene, slot], parts.color[scene, slot])
    return color, parts.shiny[scene, slot]


def surface(parts: PartGroup, hits: Hits, normal: Tensor, lit: Tensor, rays: Rays, world: World) -> Tensor:
    """Light that leaves objects towards the camera. normal: [M, 3], lit: [M]. Returns [M, 3] linear."""
    scene = hits.scene
    color, gloss = albedo(parts, hits)
    view = -rays.direction[scene, hits.pixel]
    sun = world.sun[scene]
    diffuse = (normal * sun).sum(-1).clamp(min=0) * lit
    upward = (0.5 + 0.5 * normal[:, 1]) * (0.55 + 0.45 * (hits.point[:, 1] / 0.25).clamp(0, 1))
    bounce = world.ground[scene] * (0.5 - 0.5 * normal[:, 1:2]) * 0.3 * world.sun_color[scene]
    base = color * (world.sun_color[scene] * diffuse[:, None] + world.ambient[scene] * upward[:, None] + bounce)
    spot = (_mirrored(normal, view) * sun).sum(-1, keepdim=True).clamp(min=0)
    dull = base + world.sun_color[scene] * (spot**6 * lit[:, None] * 0.02)
    polished = _polished(base, color, hits, normal, view, lit, world)
    return torch.where(gloss[:, None] > 0, polished, dull)


def _mirrored(normal: Tensor, view: Tensor) -> Tensor:
    """Where a mirror sends the view direction. [M, 3]."""
    return 2 * (normal * view).sum(-1, keepdim=True) * normal - view


def _polished(
    base: Tensor, color: Tensor, hits: Hits, normal: Tensor, view: Tensor, lit: Tensor, world: World
) -> Tensor:
    """A shiny surface mirrors sky and ground in its own tint, as metals do, with a highlight and a streak of sun."""
    scene, sun = hits.scene, world.sun[hits.scene]
    mirror = _mirrored(normal, view)
    away = hits.point[:, 1:2] / (mirror[:, 1:2].abs() + 0.15)  # how far off the mirrored ray meets the ground
    far = 1 - torch.exp(-0.9 * away.clamp(min=0))
    open_ground = world.ground[scene] * (world.sun_color * world.sun[:, 1:2] + world.ambient)[scene]
    seen_ground = 0.5 * open_ground * (1 - far) + world.horizon[scene] * far
    seen = torch.where(mirror[:, 1:2] > 0, sky(mirror, world, scene), seen_ground)
    spot = (mirror * sun).sum(-1, keepdim=True).clamp(min=0) ** 20
    level = F.normalize(mirror[:, [0, 2]], dim=-1) * F.normalize(sun[:, [0, 2]], dim=-1)
    streak = level.sum(-1, keepdim=True).clamp(min=0) ** 40
    glint = world.sun_color[scene] * (2.0 * spot + 0.6 * streak) * (0.25 + 0.75 * lit[:, None])
    fresnel = MIRROR + (1 - MIRROR) * (1 - (normal * view).sum(-1, keepdim=True).clamp(0, 1)) ** 3
    return base * (1 - fresnel) + seen * fresnel * (0.22 + 0.78 * color) + glint


def to_srgb(linear: Tensor) -> Tensor:
    """Linear light to sRGB in [0, 1]."""
    linear = linear.clamp(0, 1)
    return torch.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear.clamp(min=1e-6) ** (1 / 2.4) - 0.055)


def sketch(image: Tensor, depth: Tensor, objects: Tensor) -> Tensor:
    """Pencil on paper: outlines, hatching where it is dark, a pale wash of colour. image: [B, 3, H, W]."""
    size = image.shape[-1]
    grey = image.mean(1, keepdim=True)
    steps = torch.cat([objects[:, None].float() * 0.4, (depth[:, None].clamp(max=12.0) * 0.12), grey * 0.9], 1)
    padded = F.pad(steps, (1, 1, 1, 1), mode="replicate")
    dx = (padded[..., 1:-1, 2:] - padded[..., 1:-1, :-2]).abs()
    dy = (padded[..., 2:, 1:-1] - padded[..., :-2, 1:-1]).abs()
    edge = ((dx + dy).sum(1, keepdim=True) * 1.1 - 0.12).clamp(0, 1)
    ramp = torch.arange(size) * (64.0 / size)
    hatch = 0.5 + 0.5 * torch.sin((ramp[None, :] + ramp[:, None]) * (2 * math.pi / 4.5))
    wash = torch.tensor(PAPER).view(1, 3, 1, 1) * (0.52 + 0.48 * image)
    wash = wash * (1 - 0.22 * hatch * (1 - grey))
    return (wash * (1 - 0.8 * edge)).clamp(0, 1)
