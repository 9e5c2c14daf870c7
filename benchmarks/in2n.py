"""The captures of Instruct-NeRF2NeRF with source and target prompts; the Toybox's like of it; and its hard scenes."""

from benchmarks.scenes.benchmark import SceneBenchmark, SceneDefaults

IN2N = SceneBenchmark("in2n", SceneDefaults(steps=15_000, eval_views=120, metrics_every=1000, lam=0.2))
"""Steps, views and lambda are Piva's (arXiv 2406.08953)."""
IN2N_TOYBOX = SceneBenchmark(
    "in2n-toybox", SceneDefaults(steps=300, eval_views=40, metrics_every=50), toybox=True, pictures="toybox"
)
"""Steps and views are ours, for a laptop."""
IN2N_TOYBOX_HARD = SceneBenchmark(
    "in2n-toybox-hard",
    SceneDefaults(steps=200, eval_views=40, metrics_every=50),
    toybox=True,
    pictures="toybox-clutter",
)
"""Five objects in plain, coloured or moving light (`piva.toybox.hard_scenes`), scored object by object."""
