"""`piva merge RUN | DIR...`: shards of a run, or copies from several machines, become one run."""

import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import tyro

from piva.commands.arguments import parse
from piva.config import Settings, runtime
from piva.errors import COMPLETE, ConfigError

ABOUT = """\
Bring the shards of a run into it, and remove them; or make one run of those that several machines have done.

Of a case that several have, an edit that ended well stays, rather than a skipped or a failed one; then the later one.
What comes out is the same in whatever order, at once or in steps, once or twice. Runs with different keys are refused.

examples:
  piva merge RUN                              the shards in RUN/shards
  piva merge RUN --keep-shards
  piva merge runs machine-b/runs              every run of machine-b, into runs/
  piva merge a/dds-1f2e b/dds-1f2e --out all  two folders of one run, into all/<benchmark>/dds-1f2e
"""


class MergeConfig(Settings):
    """What `piva merge` does."""

    sources: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="RUN|DIR")] = runtime(())
    """Runs (folders, or beginnings of keys), or folders of runs."""

    out: Path | None = runtime(None)
    """Folder of runs to merge into. None: a run with its shards stays where it is, others go to --runs."""

    runs: Path = runtime(Path("runs"))
    """Folder that holds all runs."""

    keep_shards: bool = runtime(False)
    """Leave shards that are merged where they are."""


def main(arguments: Sequence[str]) -> int:
    """Exit code: complete."""
    config = parse(MergeConfig, "merge", arguments, ABOUT)
    if not config.sources:
        raise ConfigError("merge which run? piva merge RUN, or several folders: piva merge DIR DIR --out DIR")
    from piva.records.merge_plan import carry_out, merges

    for merge in merges(config.sources, config.runs, config.out):
        if merge.sources == (merge.target,):
            print(f"{merge.target}: nothing to merge")
            continue
        found, changed, staying = carry_out(merge, config.keep_shards)
        counts = Counter(case.status for case in found.cases.values())
        ended = ", ".join(f"{count} {status}" for status, count in sorted(counts.items())) or "no cases"
        what = f"{len(merge.sources)} folders into one" if changed else "nothing new"
        print(f"{merge.target}: {what}: {ended}")
        for sentence in [*staying, *_disagreeing(found.disagreeing)]:
            print(f"  {sentence}", file=sys.stderr)
    return COMPLETE


def _disagreeing(case_ids: Sequence[str]) -> list[str]:
    if not case_ids:
        return []
    named = ", ".join(case_ids[:3]) + (", ..." if len(case_ids) > 3 else "")
    return [f"of {len(case_ids)} cases ({named}) image or prompts were not the same everywhere: were the data?"]
