"""The report as tables."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from benchmarks.harness_overhead.copies import SCORE, SECTIONS
from benchmarks.harness_overhead.measure import Report, times_as_fast
from benchmarks.measurement import Grid, made_by

_WORKERS = ["executor", "cases a minute", "x as fast", "whole command, s", "x as fast"]


def grids(report: Report) -> list[Grid]:
    """A case; tables; workers: each where it was measured."""
    found = []
    if report.cases:
        head = ["scores", "all", "without scores", *SECTIONS]
        rows = [_case_row(report, name) for name in report.cases]
        found.append(Grid("what the harness takes for a case, ms", head, rows))
    if report.tables:
        head = ["", "s", "fastest", "slowest"]
        rows = [[name, *map(_seconds, (median(s), min(s), max(s)))] for name, s in report.tables.items()]
        found.append(Grid("an archive on one thread", head, rows))
    if report.workers:
        rows = [_worker_row(report, name) for name in report.workers]
        found.append(Grid("the same run by other executors", _WORKERS, rows))
    return found


def notes(report: Report) -> str:
    """What is to be said of them."""
    options, lines = report.options, [f"Medians of {report.options['repeats']} repeats."]
    if report.cases:
        lines.append(f"A case: of {options['cases']}, copied in batches of {options['batch_size']}.")
        lines += [f"{name}: {about}." for name, about in SECTIONS.items()]
    if report.tables:
        lines.append(
            f"The archive: {options['runs']} runs of {options['cases_a_run']} recorded cases each. Commands are whole, "
            "each a process; the three steps of `piva report` are without imports, for all runs together."
        )
    if report.workers:
        lines.append(
            f"Executors: {options['edits']} cases of DDS with {options['steps']} steps in batches of two, all cores "
            "divided among workers. Cases a minute: by the times of the images, after the workers' first batches."
        )
    return "\n".join([*lines, made_by(report.provenance)])


def _case_row(report: Report, name: str) -> list[str]:
    repeats, n = report.cases[name], report.options["cases"]
    whole = [sum(seconds.values()) for seconds in repeats]
    without = [sum(seconds.values()) - seconds.get(SCORE, 0.0) for seconds in repeats]
    parts = [[seconds.get(section, 0.0) for seconds in repeats] for section in SECTIONS]
    return [name, *(_milliseconds(values, n) for values in (whole, without, *parts))]


def _milliseconds(values: Sequence[float], n: int) -> str:
    return f"{1000 * median(values) / n:.2f}"


def _seconds(value: float) -> str:
    return f"{value:.2f}"


def _worker_row(report: Report, name: str) -> list[str]:
    runs = report.workers[name]
    command, rate = times_as_fast(report.workers, name)
    seconds, a_minute = median(run.command for run in runs), median(run.cases_a_minute for run in runs)
    return [name, f"{a_minute:.1f}", f"{rate:.2f}", f"{seconds:.1f}", f"{command:.2f}"]
