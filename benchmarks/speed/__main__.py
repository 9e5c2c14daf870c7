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

from benchmarks.measurement import run
from benchmarks.speed.options import Options


def main(arguments: list[str] | None = None) -> int:
    """See `benchmarks.measurement.run`."""
    return run("benchmarks.speed", Options, __doc__, arguments)


if __name__ == "__main__":
    sys.exit(main())
