"""Metrics: one file per family, each with pure functions and a thin class that scores a batch of edits, or
the views of an edited scene.

Nothing heavy is imported here.
"""

from piva.metrics.info import INFO, SCENE_SCORES, MetricInfo

__all__ = ["INFO", "METRICS", "SCENE_METRICS", "SCENE_SCORES", "MetricInfo"]

METRICS: dict[str, str] = {
    "clip": "piva.metrics.clip:ClipScores",
    "lpips": "piva.metrics.lpips:LpipsScores",
    "fidelity": "piva.metrics.fidelity:FidelityScores",
    "drift": "piva.metrics.drift:DriftScores",
    "structure": "piva.metrics.structure:StructureScores",
    "success": "piva.metrics.success:SuccessScores",
}
"""Family -> class. The names that a family returns are those of `INFO` with that family."""

SCENE_METRICS: dict[str, str] = {
    "consistency": "piva.metrics.scene_clip:SceneClipScores",
    "janus": "piva.metrics.janus:JanusScores",
    "objects": "piva.metrics.objects:ObjectScores",
}
"""The same for families that need all views of a scene together. The first one also scores clip_text, clip_image and
clip_direction of a scene, from the same features."""
