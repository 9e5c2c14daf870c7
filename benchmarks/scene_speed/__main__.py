"""Measure a step of an edit in 3D, and its parts alone: the floor.

A step renders V views, encodes them, asks the UNet, trains the auxiliaries, takes the direction back through encoder
and renderer into the field, and updates that. Measured are the steps of `piva.scenes.editing.edit_scene` after the
first round, when the views of the source are known. The field's learning rates are 0, so that all steps show the same
field.

The floor is the sum of three parts, each measured alone: the same field rendered, forward and backward; the pictures
encoded, forward and backward; the UNet rows in two calls, one without gradient and one with its backward pass. It is
taken at the number of views that suits each part best, and at the step's own.
in2n scores no views: measured are a step of its fit and the edit of a picture, against that edit's UNet rows alone.
Everything is the median over repeats that take turns; ratios are medians of each repeat's own.

examples:
  python -m benchmarks.scene_speed
  python -m benchmarks.scene_speed --contenders dds --views 1 2 --repeats 5 --threads 2
  python -m benchmarks.scene_speed --scene in2n-toybox/red-cube --json scenes.json --markdown scenes.md
"""

import sys

from benchmarks.measurement import run
from benchmarks.scene_speed.options import Options


def main(arguments: list[str] | None = None) -> int:
    """See `benchmarks.measurement.run`."""
    return run("benchmarks.scene_speed", Options, __doc__, arguments)


if __name__ == "__main__":
    sys.exit(main())
