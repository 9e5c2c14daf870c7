"""Measure what the harness costs.

cases       A run whose edit is a copy of the source, through the real runner, split into its parts: with scores that
            cost nothing, and with all of the benchmark's.
tables      An archive of real records with other ids and numbers: commands on it, each in a fresh process on one
            thread.
workers     The same short run of DDS in this process, by one worker process and by two, cores divided.

Numbers are medians over repeats that take turns; ratios are medians of each repeat's own.

examples:
  python -m benchmarks.harness_overhead
  python -m benchmarks.harness_overhead --parts cases --cases 100 --repeats 5
  python -m benchmarks.harness_overhead --json harness.json --markdown reports/harness.md
"""

import sys

from benchmarks.harness_overhead.options import Options
from benchmarks.measurement import run


def main(arguments: list[str] | None = None) -> int:
    """See `benchmarks.measurement.run`."""
    return run("benchmarks.harness_overhead", Options, __doc__, arguments)


if __name__ == "__main__":
    sys.exit(main())
