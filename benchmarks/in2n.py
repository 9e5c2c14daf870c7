"""The captures of Instruct-NeRF2NeRF with source and target prompts; and the Toybox's like of it."""

from benchmarks.scenes import SceneBenchmark, SceneDefaults

IN2N = SceneBenchmark("in2n", SceneDefaults(steps=15_000, eval_views=120, metrics_every=1000, lam=0.2))
"""Steps, views and lambda are Piva's (arXiv 2406.08953)."""
IN2N_TOYBOX = SceneBenchmark(
    "in2n-toybox", SceneDefaults(steps=300, eval_views=40, metrics_every=50), toybox=True, pictures="toybox"
)
"""Steps and views are ours, for a laptop."""
