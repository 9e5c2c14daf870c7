"""The measurement: what is compared takes turns, repeat after repeat."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.harness_overhead.archive import write_archive
from benchmarks.harness_overhead.copies import cases_of, copied, scorers
from benchmarks.harness_overhead.options import Options
from benchmarks.harness_overhead.reading import archive_seconds
from benchmarks.harness_overhead.workers import IN_PROCESS, RunTime, contenders, run_time
from benchmarks.measurement import facts_of, origin, say


@dataclass(frozen=True)
class Report:
    """All numbers, and where they came from; seconds of each repeat."""

    options: dict[str, Any]
    provenance: dict[str, Any]
    cases: dict[str, list[dict[str, float]]] = field(default_factory=dict)
    """Scores -> repeats of: section -> seconds of the whole run."""
    tables: dict[str, list[float]] = field(default_factory=dict)
    workers: dict[str, list[RunTime]] = field(default_factory=dict)


def measure(options: Options) -> Report:
    """What the options name.

    Raises:
        ConfigError, PreflightError: data or weights are missing.
    """
    report = Report(facts_of(options), origin("benchmarks.harness_overhead", "cpu"))
    if "cases" in options.parts:
        report.cases.update(_cases(options))
    if "tables" in options.parts:
        report.tables.update(_tables(options))
    if "workers" in options.parts:
        report.workers.update(_workers(options))
    return report


def _cases(options: Options) -> dict[str, list[dict[str, float]]]:
    cases, kinds = cases_of(options), scorers()
    found: dict[str, list[dict[str, float]]] = defaultdict(list)
    for repeat in range(-1, options.repeats):
        for name, scorer in kinds.items():
            say(f"copies, scores: {name}: {repeat + 1} of {options.repeats}")
            some = cases if repeat >= 0 else cases[: options.batch_size]  # the first prepares kernels
            seconds = copied(some, options.batch_size, scorer)
            if repeat >= 0:
                found[name].append(seconds)
    return found


def _tables(options: Options) -> dict[str, list[float]]:
    from piva.records import read_cases, read_run, run_folders

    found: dict[str, list[float]] = defaultdict(list)
    with TemporaryDirectory() as made, TemporaryDirectory() as archive:
        say(f"an archive of {options.runs} runs of {options.cases_a_run} cases")
        _real_run(Path(made), options)
        (source,) = run_folders(Path(made))
        records = list(read_cases(source).values())
        root = Path(archive)
        folders = write_archive(root, read_run(source), records, options.runs, options.cases_a_run)
        keys = [folder.name.rpartition("-")[2] for folder in folders]
        for repeat in range(options.repeats):
            say(f"tables: {repeat + 1} of {options.repeats}")
            for name, seconds in archive_seconds(root, keys).items():
                found[name].append(seconds)
    return found


def _real_run(out: Path, options: Options) -> None:
    """A short run of DDS, whose records are taken for the archive."""
    from piva.cli import main

    words = ["run", "pie-toybox", "--method", "dds", "--steps", "2", "--limit", str(options.edits)]
    main([*words, "--batch-size", str(options.edits), "--tracker", "none", "--out", str(out)])


def _workers(options: Options) -> dict[str, list[RunTime]]:
    found: dict[str, list[RunTime]] = defaultdict(list)
    for repeat in range(options.repeats):
        for name, (flags, count) in contenders(options.workers).items():
            say(f"{name}: {repeat + 1} of {options.repeats}")
            found[name].append(run_time(flags, count, options.edits, options.steps))
    return found


def times_as_fast(workers: dict[str, list[RunTime]], name: str) -> tuple[float, float]:
    """(Whole command, rate once it works) against in-process: medians of the repeats' own ratios."""
    pairs = list(zip(workers[IN_PROCESS], workers[name], strict=True))
    command = median(alone.command / one.command for alone, one in pairs)
    return command, median(one.cases_a_minute / alone.cases_a_minute for alone, one in pairs)
