"""The words of the Toybox world: what a scene can be made of, and how each thing looks.

Colours are linear-light albedos in [0, 1]. All values are ours.
"""

from __future__ import annotations

NONE = "none"

COLORS: dict[str, tuple[float, float, float]] = {
    "red": (0.80, 0.04, 0.04),
    "green": (0.03, 0.42, 0.08),
    "blue": (0.03, 0.10, 0.75),
    "yellow": (0.92, 0.75, 0.03),
    "purple": (0.32, 0.05, 0.50),
    "orange": (0.95, 0.30, 0.02),
    "white": (0.88, 0.88, 0.88),
    "black": (0.015, 0.015, 0.015),
}
SHAPES = ("sphere", "cube", "cylinder", "cone", "ring", "snowman")
COMPANION_SHAPES = ("sphere", "cube", "cylinder", "cone")
PATTERNS = ("plain", "striped", "checkered")
SIZES: dict[str, float] = {"small": 0.68, "medium": 0.95, "large": 1.28}
GROUNDS: dict[str, tuple[float, float, float]] = {
    "grass": (0.05, 0.22, 0.03),
    "sand": (0.66, 0.44, 0.18),
    "snow": (0.74, 0.78, 0.84),
    "stone": (0.13, 0.13, 0.14),
}
TIMES = ("day", "sunset", "night")
STYLES = ("photo", "sketch")
FRONTS = (NONE, "front", "away")

LEANING_SHAPES = frozenset({"cube", "cylinder", "cone", "snowman"})
"""Shapes whose tilt can be seen: a leaning sphere is a sphere, and a leaning ring reads as a turned one."""

DARK_PARTNER = frozenset({"yellow", "orange", "white"})
"""Pattern colours whose second colour is black; all others alternate with white."""

HELD_OUT_PAIRS = frozenset(
    {("purple", "cube"), ("orange", "cylinder"), ("green", "ring"), ("yellow", "cone"), ("white", "sphere")}
)
"""(colour, shape) of a subject that no training or dev scene shows."""

ATTRIBUTES: dict[str, tuple[str, ...]] = {
    "shape": SHAPES,
    "color": tuple(COLORS),
    "pattern": PATTERNS,
    "size": tuple(SIZES),
    "leaning": ("no", "yes"),
    "shiny": ("no", "yes"),
    "hat": (NONE, *COLORS),
    "companion": (NONE, *COMPANION_SHAPES),
    "companion_color": (NONE, *COLORS),
    "ground": tuple(GROUNDS),
    "time": TIMES,
    "style": STYLES,
    "front": FRONTS,
}
"""Judged attribute -> class names, in label order. `front` is none unless the subject has one."""


def pattern_partner(color: str) -> str:
    """The second colour of a striped or checkered `color`."""
    return "black" if color in DARK_PARTNER else "white"
