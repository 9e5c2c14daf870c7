"""Metrics: one file per family, each with pure functions and a thin class that scores a batch of edits.

Nothing heavy is imported here.
"""

from piva.metrics.info import INFO, MetricInfo

__all__ = ["INFO", "METRICS", "MetricInfo"]

METRICS: dict[str, str] = {
    "clip": "piva.metrics.clip:ClipScores",
    "lpips": "piva.metrics.lpips:LpipsScores",
    "fidelity": "piva.metrics.fidelity:FidelityScores",
    "drift": "piva.metrics.drift:DriftScores",
    "structure": "piva.metrics.structure:StructureScores",
    "success": "piva.metrics.success:SuccessScores",
}
"""Family -> class. The names that a family returns are those of `INFO` with that family."""
