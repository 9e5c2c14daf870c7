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

from benchmarks.means.options import Options
from benchmarks.measurement import run


def main(arguments: list[str] | None = None) -> int:
    """See `benchmarks.measurement.run`."""
    return run("benchmarks.means", Options, __doc__, arguments)


if __name__ == "__main__":
    sys.exit(main())
