"""What `piva watch` shows: a picture for a terminal, or lines for whatever is none."""

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Column, Table
from rich.text import Text

from piva.records import CaseRecord, RunRecord
from piva.stats import Interval
from reports.labels import labels_of
from reports.tables.cells import head, shown
from reports.watch.standing import Sign, Standing

COLUMNS = (
    "clip_text", "consistency_direction_pair", "lpips", "psnr", "saturation_shift", "edit_success", "psnr_to_true",
)  # fmt: skip
"""Means that are shown unless others are asked for, as many as fit; a name that no run has is left out."""
ERRORS_SHOWN = 3
KEY_DIGITS = 8
BAR = 20
WIDE = 100
"""Columns of a terminal from which on there is room for the whole bar."""
BESIDES = 52
"""Columns beside the runs' names and the bar."""
WIDTH_OF_A_SENTENCE = 300

_COLOURS = {"running": "green", "done": "cyan", "silent": "yellow", "gone": "red", "stopped": "yellow"}


def names_of(found: Sequence[Standing]) -> list[str]:
    """The runs' names: the beginning of their keys, what `piva report` calls them, and the benchmark."""
    by_benchmark: dict[str, list[RunRecord]] = {}
    for standing in found:
        if standing.record is not None:
            by_benchmark.setdefault(standing.record.benchmark, []).append(standing.record)
    labels = {name: iter(labels_of(records)) for name, records in by_benchmark.items()}
    names = []
    for standing in found:
        record = standing.record
        if record is None:
            names.append(_clean(str(standing.path)))
        else:
            label = next(labels[record.benchmark])
            names.append(_clean(f"{record.edit_key[:KEY_DIGITS]} {label} on {record.benchmark}"))
    return names


def metrics_of(found: Sequence[Standing], asked: Sequence[str]) -> list[str]:
    """Names of the means to show: those asked for, or the usual ones, or any, of which some run has one."""
    has = {name for standing in found for name, mean in standing.means.items() if mean.n}
    given = {name: None for standing in found for name in standing.means if name in has}
    return [name for name in asked or COLUMNS if name in has] or ([] if asked else list(given))


def picture(
    found: Sequence[Standing], asked: Sequence[str], now: float, width: int, rows: int | None = None
) -> RenderableType:
    """Progress, means, who writes, and the last errors; of many runs, first those at work.

    Args:
        asked: names of metrics; the usual ones where there are none.
        now: Unix time.
        width: columns of the terminal.
        rows: how many runs to show; all where it is None.
    """
    pairs = sorted(zip(names_of(found), found, strict=True), key=lambda pair: (pair[1].state == "done", pair[0]))
    names, some = zip(*pairs[:rows], strict=True) if pairs else ((), ())
    parts: list[RenderableType] = [_progress(some, names, width)]
    if len(found) > 1:
        parts.append(
            Text(summary(found) + (f" ({len(found) - len(some)} not shown)" if len(found) > len(some) else ""))
        )
    if metrics := metrics_of(some, asked):
        parts += [Text(""), _means(some, names, metrics, width)]
    told = [
        f"{name}: {'; '.join(those)}" for name, one in zip(names, some, strict=True) if (those := told_of(one, now))
    ]
    errors = [f"{name}: {error(case)}" for name, one in zip(names, some, strict=True) for case in one.errors]
    parts += [Text(""), *map(Text, told)] if told else []
    parts += [Text(sentence, style="red") for sentence in errors[-ERRORS_SHOWN:]]
    return Group(*parts)


def _progress(found: Sequence[Standing], names: Sequence[str], width: int) -> Table:
    bar = BAR if width >= WIDE else BAR // 2
    right = [Column(name, justify="right", no_wrap=True) for name in ("cases", "failed", "a minute", "left")]
    table = Table(_run_column("run", names, width - bar - BESIDES), Column("", width=bar), *right, "", box=None)
    for standing, name in zip(found, names, strict=True):
        progress = ProgressBar(total=max(1, standing.planned), completed=standing.done, width=bar)
        failed = str(len(standing.errors) or "")
        cells = [f"{standing.done}/{standing.planned}", failed, speed(standing), time_left(standing)]
        state = Text(standing.state, style=_COLOURS.get(standing.state, ""), no_wrap=True)
        table.add_row(Text(name), progress, *map(Text, cells), state)
    return table


def _run_column(title: str, names: Sequence[str], room: int) -> Column:
    """Runs' names, cut off at their ends where there is no room."""
    return Column(title, no_wrap=True, overflow="ellipsis", width=min(max(map(len, [title, *names])), max(room, 20)))


def _means(found: Sequence[Standing], names: Sequence[str], metrics: Sequence[str], width: int) -> Table:
    """Means and half their intervals; as many columns as fit, and at least one."""
    counts = [max((mean.n for mean in standing.means.values()), default=0) for standing in found]
    cells = [
        [mean_of(name, standing.means.get(name), usual) for name in metrics]
        for standing, usual in zip(found, counts, strict=True)
    ]
    widths = [max(len(head(name)), *(len(row[k]) for row in cells)) + 2 for k, name in enumerate(metrics)]
    column = _run_column("mean ± half of its interval", names, width // 3)
    room = width - (column.width or 0) - 10
    fit: list[int] = []
    for k, needed in enumerate(widths):
        if not fit or sum(widths[other] for other in fit) + needed <= room:
            fit.append(k)
    right = [Column(name, justify="right", no_wrap=True) for name in ("n", *(head(metrics[k]) for k in fit))]
    table = Table(column, *right, box=None)
    for name, usual, row in zip(names, counts, cells, strict=True):
        table.add_row(Text(name), str(usual), *(Text(row[k]) for k in fit))
    return table


def mean_of(name: str, mean: Interval | None, usual: int | None = None) -> str:
    """A mean so far: `83.33 ± 1.20 n=37`, without the number of cases where it is the usual one."""
    if mean is None or mean.mean is None:
        return "–"
    half = "" if mean.low is None or mean.high is None else f" ± {shown(name, (mean.high - mean.low) / 2)}"
    return f"{shown(name, mean.mean)}{half}" + ("" if mean.n == usual else f" n={mean.n}")


def line(standing: Standing, name: str, asked: Sequence[str]) -> str:
    """How a run stands, in a line."""
    if standing.record is None:
        return f"{name}: nothing is recorded yet"
    parts = [f"{standing.done}/{standing.planned} cases"]
    parts += [f"{len(standing.errors)} failed"] if standing.errors else []
    parts += [f"{speed(standing)} a minute"] if standing.speed else []
    parts += [f"{time_left(standing)} left"] if time_left(standing) else []
    means = [f"{name} {mean_of(name, standing.means[name])}" for name in metrics_of([standing], asked)]
    return f"{name}: {standing.state}, {', '.join(parts)}" + (f"; {', '.join(means)}" if means else "")


def summary(found: Sequence[Standing]) -> str:
    """All runs together, in a line."""
    states = Counter(standing.state for standing in found)
    counts = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
    done, planned = (sum(getattr(standing, name) for standing in found) for name in ("done", "planned"))
    return f"{len(found)} runs: {counts}; {done}/{planned} cases"


def told_of(standing: Standing, now: float) -> list[str]:
    """Who writes to a run, since when nothing came, and what is wrong with it."""
    found = [_clean(_signed(sign)) for sign in standing.signs]
    if standing.state == "running" and standing.newest is not None:
        what = "the last case ended" if standing.speed else "begun"
        found.append(f"{what} {_clock(now - standing.newest)} ago")
        found += [f"{speed(standing)} a minute over {_clock(standing.speed_over)}"] if standing.speed else []
    if standing.state == "stopped":
        found.append("nobody writes to it; the command that made it does the rest")
    if standing.state == "not begun":
        found.append("nothing is recorded yet")
    return found + [_clean(remark) for remark in standing.remarks]


def _signed(sign: Sign) -> str:
    since = _clock(sign.silent_for)
    if sign.state == "gone":
        return f"its writer is no more, and did not sign off ({sign.owner}): the same command does the rest"
    if sign.state == "silent":
        return f"no sign of life for {since} from {sign.owner}: it died, or hangs"
    return f"sign of life {since} ago from {sign.owner}"


def error(case: CaseRecord) -> str:
    """How a case failed, in a line."""
    return _clean(f"{case.case_id}: {case.stage} failed: {case.error}")


def speed(standing: Standing) -> str:
    """Cases a minute."""
    a_minute = 60 * (standing.speed or 0.0)
    return "" if not a_minute else f"{a_minute:,.0f}" if a_minute >= 100 else f"{a_minute:.3g}"


def time_left(standing: Standing) -> str:
    """Hours, minutes and seconds."""
    return "" if standing.seconds_left is None or standing.state == "done" else _clock(standing.seconds_left)


def _clock(seconds: float) -> str:
    return str(timedelta(seconds=max(0, round(seconds))))


def _clean(text: str) -> str:
    """One line of what a record says, which may have been written anywhere: nothing in it moves the cursor."""
    line = "".join(char if char.isprintable() else " " for char in text)
    return " ".join(line.split())[:WIDTH_OF_A_SENTENCE]
