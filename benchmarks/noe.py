"""Noe: synthetic objects, edited in three groups (appearance, addition, translation); and the Toybox's like of it."""

from benchmarks.scenes.benchmark import SceneBenchmark, SceneDefaults

NOE = SceneBenchmark("noe", SceneDefaults(steps=15_000, eval_views=120, metrics_every=1000, lam=0.4))
"""Steps, views and lambda are the paper's (arXiv 2406.08953)."""
NOE_TOYBOX = SceneBenchmark(
    "noe-toybox", SceneDefaults(steps=300, eval_views=40, metrics_every=50), toybox=True, pictures="toybox"
)
"""Steps and views are ours, for a laptop."""
