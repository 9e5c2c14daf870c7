"""Measure edits: (a) literally as public code does them, (b) ours, (c) the floor, which is the UNet rows alone.

(a) benchmarks/reference: one image at a time, a UNet call for each branch, graphs kept, two UNet copies with LoRA.
    Beside it for information: the same with the prior's rows in one call and no graphs, as the careful of them do.
(b) `piva run` without metrics, from reading the images to the records on the disk, at each of the batch sizes.
(c) Only the rows that a step needs, in the batch size that runs them fastest: one call without gradient, one with its
    backward pass. No draws, no optimiser, no VAE.

COLD is the first visit of a case: no prompt encoded, no row cached, and a stored psi is trained then and counted.
WARM is a later one with the same draws, as in a sweep over lambda (over guidance for DDS): psi stored, rows cached.
Everything is the median over repeats that take turns (a, b, c, a, b, c, ...); ratios are medians of each repeat's own.

examples:
  python -m benchmarks.speed
  python -m benchmarks.speed --methods piva --batch-sizes 1 8 --steps 20 --repeats 5 --threads 2
  python -m benchmarks.speed --steps 200 --json speed.json --markdown speed.md
  python -m benchmarks.speed --prior.model FOLDER --prior.device cuda --prior.dtype float16 --cases 1 --batch-sizes 1 4
"""

import sys

import tyro

from benchmarks.speed.options import Options
from piva.errors import BAD_CONFIGURATION, COMPLETE, PREFLIGHT_FAILED, ConfigError, PreflightError


def main(arguments: list[str] | None = None) -> int:
    """Measures, prints, writes; returns the exit code."""
    options = tyro.cli(Options, prog="python -m benchmarks.speed", args=arguments, description=__doc__)
    try:
        from benchmarks.speed.measure import measure
        from benchmarks.speed.tables import markdown, print_tables, write_json, write_markdown

        report = measure(options)
    except (ConfigError, PreflightError) as problem:
        print(f"benchmarks.speed: {problem}", file=sys.stderr)
        return BAD_CONFIGURATION if isinstance(problem, ConfigError) else PREFLIGHT_FAILED
    print_tables(report)
    if options.markdown:
        write_markdown(options.markdown, markdown(report))
    if options.json:
        write_json(options.json, report)
    return COMPLETE


if __name__ == "__main__":
    sys.exit(main())
