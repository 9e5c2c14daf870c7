"""Benchmarks by name; `piva.registry.resolve` reads these."""

BENCHMARKS: dict[str, str] = {
    "pie-toybox": "benchmarks.pie_bench:PIE_TOYBOX",
    "pie-bench": "benchmarks.pie_bench:PIE_BENCH",
}
"""Of pictures."""

SCENE_BENCHMARKS: dict[str, str] = {
    "noe-toybox": "benchmarks.noe:NOE_TOYBOX",
    "noe": "benchmarks.noe:NOE",
    "in2n-toybox": "benchmarks.in2n:IN2N_TOYBOX",
    "in2n-toybox-hard": "benchmarks.in2n:IN2N_TOYBOX_HARD",
    "in2n": "benchmarks.in2n:IN2N",
}
"""Of scenes."""
