"""Each launch of a run stands in its record: when, of what, by which code on which machine, and how long it took."""

import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.running.plan import Plannable
from piva.disk import now
from piva.provenance import collect
from piva.records import Launch, RunFolder, RunRecord, read_cases, read_run


def launched(
    record: RunRecord, path: Path, cases: Sequence[Plannable], batch_size: int, device: str, config: Any = None
) -> RunRecord:
    """The record with this launch added to those its folder already has.

    Args:
        config: `piva.config.ExecutionFlags` of a run; None where records are only scored.
    """
    earlier = read_run(path).launches if (path / "run.json").exists() else []
    how = {} if config is None else config.model_dump(include={"executor", "workers", "shard", "overwrite"})
    planned = [case.id for case in cases]
    launch = Launch(started=now(), planned=planned, batch_size=batch_size, provenance=collect(device), **how)
    return record.model_copy(update={"launches": [*earlier, launch]})


def ended(record: RunRecord, folder: RunFolder, seconds: float, edited: Collection[str] = ()) -> RunRecord:
    """The record with its last launch completed, which is written, too.

    Args:
        seconds: wall time of the launch.
        edited: ids of the cases that it was to edit; those that it only scored keep the costs of an earlier edit.
    """
    number = len(record.launches) - 1
    own = [case for id_, case in read_cases(folder.path).items() if id_ in edited and case.launch == number]
    peaks = [case.peak_bytes for case in own if case.peak_bytes is not None]
    told = {"ended": now(), "seconds": seconds, "peak_bytes": max(peaks, default=None)}
    last = record.launches[-1].model_copy(update=told)
    record = record.model_copy(update={"launches": [*record.launches[:-1], last]})
    folder.write_run(record)
    return record


@contextmanager
def launching(
    record: RunRecord,
    folder: RunFolder,
    cases: Sequence[Plannable],
    batch_size: int,
    device: str,
    config: Any = None,
    edited: Collection[str] = (),
) -> Iterator[RunRecord]:
    """The record with this launch, which is written now, and completed when it ends, however that is.

    Args:
        edited: ids of the cases that are to be edited.
    """
    started = time.monotonic()
    record = launched(record, folder.path, cases, batch_size, device, config)
    folder.write_run(record)
    try:
        yield record
    finally:
        ended(record, folder, time.monotonic() - started, edited)
