"""Scores of an edit on its way: how they went, step by step."""

from __future__ import annotations

import json
from pathlib import Path

from piva.disk import disk, write_atomically


class Course:
    """Scores of an edit on its way, kept in a file until it is recorded.

    Args:
        content: of the case; what the file has of another is not taken.
    """

    def __init__(self, file: Path, content: str) -> None:
        self.file, self.content = file, content
        self.points: dict[int, dict[str, float | None]] = {}
        self._seconds: dict[int, float] = {}
        found = json.loads(file.read_bytes()) if file.is_file() else {}
        if found.get("content") == content:
            for point in found["points"]:
                self._take(**point)

    def note(self, step: int, scores: dict[str, float | None], seconds: float) -> None:
        """Keep the scores after so many steps, which took so long; a resumed edit may come by again."""
        self._take(step, scores, seconds)
        points = [{"step": step, "scores": self.points[step], "seconds": self._seconds[step]} for step in self.points]
        with disk(self.file.parent):
            write_atomically(self.file, json.dumps({"content": self.content, "points": points}).encode())

    def _take(self, step: int, scores: dict[str, float | None], seconds: float) -> None:
        self.points[step], self._seconds[step] = scores, seconds

    @property
    def seconds(self) -> float:
        """What the looks took, which is no part of the edit."""
        return sum(self._seconds.values())

    def columns(self) -> dict[str, list[float | None]] | None:
        """ "step" and every score, as columns; None where nothing was scored."""
        if not self.points:
            return None
        steps = sorted(self.points)
        names = self.points[steps[0]]
        return {"step": list(map(float, steps)), **{n: [self.points[step][n] for step in steps] for n in names}}

    def remove(self) -> None:
        """It is recorded."""
        self.file.unlink(missing_ok=True)


def growth(course: dict[str, list[float | None]] | None) -> float | None:
    """LPIPS at the end minus that half-way (the look nearest to it); None with fewer than two looks."""
    if course is None or "lpips" not in course or len(course["step"]) < 2:
        return None
    steps = [step or 0.0 for step in course["step"]]
    half = min(range(len(steps) - 1), key=lambda k: abs(steps[k] - steps[-1] / 2))
    first, last = course["lpips"][half], course["lpips"][-1]
    return None if first is None or last is None else last - first
