"""Measure each mean of speed by itself: seconds WITHOUT and WITH it, and what else it changes.

Everything else is as by default: Piva, psi alongside, fused phi, no row kept between edits, the prior as given. A mean
is measured in pairs, without and with it by turns; "x as fast" is the median of the pairs' own ratios. Edits are what
`piva run` without metrics does, from reading the images to the records on the disk.

examples:
  python -m benchmarks.means
  python -m benchmarks.means --only batch stored-psi fused-phi --steps 100 --repeats 5
  python -m benchmarks.means --threads 2 --compile --json means.json --markdown means.md
  python -m benchmarks.means --prior.model FOLDER --prior.device cuda --only bfloat16 channels-last --batch-size 4
"""

import sys

import tyro

from benchmarks.means.options import Options
from piva.errors import BAD_CONFIGURATION, COMPLETE, PREFLIGHT_FAILED, ConfigError, PreflightError


def main(arguments: list[str] | None = None) -> int:
    """Measures, prints, writes; returns the exit code."""
    options = tyro.cli(Options, prog="python -m benchmarks.means", args=arguments, description=__doc__)
    try:
        from benchmarks.means.measure import measure
        from benchmarks.means.tables import markdown, print_table, write_json
        from benchmarks.speed.tables import write_markdown

        report = measure(options)
    except (ConfigError, PreflightError) as problem:
        print(f"benchmarks.means: {problem}", file=sys.stderr)
        return BAD_CONFIGURATION if isinstance(problem, ConfigError) else PREFLIGHT_FAILED
    print_table(report)
    if options.markdown:
        write_markdown(options.markdown, markdown(report))
    if options.json:
        write_json(options.json, report)
    return COMPLETE


if __name__ == "__main__":
    sys.exit(main())
