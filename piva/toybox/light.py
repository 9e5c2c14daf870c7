"""The light of Toybox scenes: by day, at sunset, at night, through coloured glass, and over an afternoon.

All values are ours, linear, chosen so that every attribute can be told at 64 pixels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

RGB = tuple[float, float, float]


@dataclass(frozen=True)
class Light:
    """What lights a scene."""

    sun: RGB
    ambient: RGB
    zenith: RGB
    horizon: RGB


LIGHTS = {
    "day": Light((1.0, 0.95, 0.86), (0.34, 0.38, 0.45), (0.16, 0.36, 0.78), (0.62, 0.76, 0.92)),
    "sunset": Light((0.95, 0.52, 0.28), (0.30, 0.24, 0.32), (0.24, 0.16, 0.40), (0.98, 0.42, 0.14)),
    "night": Light((0.16, 0.20, 0.32), (0.08, 0.10, 0.17), (0.004, 0.006, 0.03), (0.02, 0.03, 0.09)),
}
"""By the time of day that a caption names."""

COLORED = {
    "rose": Light((1.0, 0.56, 0.62), (0.42, 0.28, 0.38), (0.44, 0.26, 0.60), (0.92, 0.60, 0.70)),
    "teal": Light((0.52, 1.0, 0.88), (0.22, 0.42, 0.42), (0.08, 0.40, 0.56), (0.46, 0.84, 0.84)),
}
"""As through coloured glass: what is white in it is not white in a picture, and no caption says so."""

LATITUDE_DEG = 40.0
HOURS = 4.4
"""An afternoon begins at noon and lasts so long: the sun sinks from 50 to 18 degrees."""
OPTICAL_DEPTH = (0.08, 0.20, 0.42)
"""Of the air straight up, for red, green and blue: hazier than clear air, so that an hour can be seen."""


def sun_at(hours: float) -> tuple[float, float]:
    """How far the sun has gone west of south, and its height, so many hours after noon of an equinox. Degrees.

    sin(elevation) = cos(latitude) cos(hour angle), tan(azimuth) = tan(hour angle) / sin(latitude); the hour angle grows
    by 15 degrees an hour.
    """
    latitude, angle = math.radians(LATITUDE_DEG), math.radians(15.0 * hours)
    azimuth = math.atan2(math.sin(angle), math.sin(latitude) * math.cos(angle))
    return math.degrees(azimuth), math.degrees(math.asin(math.cos(latitude) * math.cos(angle)))


def light_at(hours: float) -> Light:
    """The light so many hours after noon, when it is that of "day".

    The sun's colour is what the air lets through, exp(-depth / sin(elevation)) (Beer and Lambert); the sky goes towards
    that of "sunset" as the sun's height, sin(elevation), goes towards 0.
    """
    high, now = (math.sin(math.radians(sun_at(at)[1])) for at in (0.0, hours))
    day, dusk = LIGHTS["day"], LIGHTS["sunset"]
    passed = (math.exp(-depth * (1 / now - 1 / high)) for depth in OPTICAL_DEPTH)
    red, green, blue = (full * share for full, share in zip(day.sun, passed, strict=True))
    late = 1 - now / high
    ambient, zenith, horizon = (
        _mixed(getattr(day, name), getattr(dusk, name), late) for name in ("ambient", "zenith", "horizon")
    )
    return Light((red, green, blue), ambient, zenith, horizon)


def _mixed(a: RGB, b: RGB, share: float) -> RGB:
    red, green, blue = (x * (1 - share) + y * share for x, y in zip(a, b, strict=True))
    return red, green, blue
