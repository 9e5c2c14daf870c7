"""Benchmarks by name; `piva.registry.resolve` reads this."""

BENCHMARKS: dict[str, str] = {
    "pie-toybox": "benchmarks.pie_bench:PIE_TOYBOX",
    "pie-bench": "benchmarks.pie_bench:PIE_BENCH",
}
