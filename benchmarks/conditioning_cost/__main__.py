"""Measure what psi and phi cost by kind and by size of the model: time, memory and operations of a step, parameters.

Kinds: none (DDS), LoRA, LoRA with a camera embedding, a depth ControlNet of its own, LoRA on a frozen ControlNet, and a
ControlNet that is shown no depth. A size is a share of the widths of SD 1.5's UNet ("0.25"; rounded to multiples of 32,
for its norms of 32 groups), or the shape of a model: "toybox", or the folder of a pipeline. All weights are random; VAE
and text encoder take no part.

A step is one update of the latent of one picture (or one view of a scene): the rows of the prior, the scores and the
training of psi and phi. Rendering and encoding a view come on top in 3D (`benchmarks.scene_speed`), at the same price
for every kind.

Memory and operations of every point are counted from shapes. Time and peak memory are measured in turns, each in a
process of its own, where the estimate fits this machine and as long as --seconds last. The file that --json names is
written after every turn, and a second call goes on from it.

examples:
  python -m benchmarks.conditioning_cost --sizes toybox 0.1 --json cost.json
  python -m benchmarks.conditioning_cost --threads 2 --seconds 7200 --json cost.json --markdown cost.md \\
    --figure cost.png cost.svg
  python -m benchmarks.conditioning_cost --seconds 0 --latent 96
"""

import sys

from benchmarks.conditioning_cost.options import Options
from benchmarks.measurement import run


def main(arguments: list[str] | None = None) -> int:
    """See `benchmarks.measurement.run`."""
    return run("benchmarks.conditioning_cost", Options, __doc__, arguments)


if __name__ == "__main__":
    sys.exit(main())
