"""Tables of runs: a mean, its bootstrap interval and n in every cell; paired differences; how each row was made.

Values are raw here and in CSV; `shown`, `cell` and `head` apply a metric's declared display scale and say so.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from piva.errors import ConfigError
from piva.records import CaseRecord
from piva.registry import unknown
from piva.stats import Interval, PairedDifference, bootstrap_mean, paired_difference
from reports.reading import COSTS, Run, info, labels

COLUMNS = (
    "clip_text",
    "clip_direction",
    "lpips",
    "psnr_background",
    "saturation_shift",
    "lpips_to_true",
    "psnr_to_true",
    "edit_success",
    "seconds_edit",
)
"""What a table shows unless other names are given; a name that no run has is left out."""

SCENE_COLUMNS = (
    "clip_text",
    "clip_direction",
    "consistency_direction_pair",
    "consistency_edit_direction",
    "janus_count",
    "lpips",
    "psnr",
    "lpips_growth",
    "lpips_to_true",
    "psnr_to_true",
    "edit_success",
    "seconds_step",
    "peak_bytes",
)
"""The same for runs over scenes."""

SEED = 0
"""Of the bootstrap: the same table every time."""


@dataclass(frozen=True)
class Row:
    """One run's line in a table."""

    run: Run
    label: str
    cells: dict[str, Interval]
    failed: int
    skipped: int
    unfinished: int
    """Cases asked for that have no record yet, or only scores of other metrics."""
    marks: tuple[str, ...]


@dataclass(frozen=True)
class Difference:
    """One run against the baseline, on the cases that both have."""

    run: Run
    label: str
    cells: dict[str, PairedDifference]


def usual_columns(runs: Sequence[Run]) -> tuple[str, ...]:
    """What a table of these runs shows unless other names are given."""
    return SCENE_COLUMNS if any(run.record.scenes is not None for run in runs) else COLUMNS


def check_names(names: Sequence[str], runs: Sequence[Run]) -> None:
    """Raises ConfigError for the name of a number that no run has."""
    known = {name for run in runs for name in run.record.metrics} | set(COSTS)
    for name in names:
        if name not in known:
            raise ConfigError(unknown("metric", name, known))


def present(runs: Sequence[Run], names: Sequence[str]) -> list[str]:
    """Those of `names` that at least one run has a value for."""
    known = {column.name for run in runs for column in run.table.iter_columns() if column.null_count() < len(column)}
    return [name for name in names if name in known]


def rows(runs: Sequence[Run], names: Sequence[str], against: Run | None = None) -> list[Row]:
    """One row for each run, identity rows first; marked where more than the method sets it apart from the baseline."""
    everyone = set().union(*(run.planned for run in runs)) if runs else set()
    result = []
    for run, label in zip(runs, labels(runs), strict=True):
        status = [case.status for case in run.cases.values()]
        cells = {name: bootstrap_mean(run.values(name), SEED) for name in names}  # what failed has its own column
        row = Row(
            run,
            label,
            cells,
            failed=status.count("error"),
            skipped=status.count("skipped"),
            unfinished=len(run.planned - run.ok.keys()) - status.count("error") - status.count("skipped"),
            marks=marks(run, everyone) + (unlike(run, against, names) if against else ()),
        )
        result.append(row)
    return sorted(result, key=lambda row: (not row.run.is_identity_row, row.label))


def differences(runs: Sequence[Run], baseline: Run, names: Sequence[str]) -> list[Difference]:
    """Every other run minus the baseline, case by case."""
    result = []
    for run, label in zip(runs, labels(runs), strict=True):
        if run.path == baseline.path or run.is_identity_row:
            continue
        result.append(Difference(run, label, {name: paired(run, baseline, name) for name in names}))
    return sorted(result, key=lambda difference: difference.label)


def paired(a: Run, b: Run, name: str) -> PairedDifference:
    """a - b over the cases that both runs were asked for; those that lack a value on either side count as missing.

    A case whose image or prompts were others (`content`) is another case, and is left out.

    Where nearer to some best value is better (a shift, a ratio), wins count the nearer run; the difference itself is
    of the values.
    """
    ids = [id_ for id_ in sorted(a.planned & b.planned) if _same_content(a.cases.get(id_), b.cases.get(id_))]
    values_a, values_b = ([run.value(id_, name) for id_ in ids] for run in (a, b))
    facts = info(name)
    if facts.higher_is_better is not None or facts.best is None:
        better = facts.higher_is_better if facts.higher_is_better is not None else True
        return paired_difference(values_a, values_b, SEED, higher_is_better=better)
    best = facts.best
    near_a, near_b = ([None if v is None else abs(v - best) for v in values] for values in (values_a, values_b))
    of_values = paired_difference(values_a, values_b, SEED)
    nearer = paired_difference(near_a, near_b, SEED, higher_is_better=False, resamples=1)
    return PairedDifference(
        of_values.mean, of_values.low, of_values.high, of_values.n, of_values.missing,
        wins=nearer.wins, ties=nearer.ties, losses=nearer.losses,
    )  # fmt: skip


def marks(run: Run, everyone: set[str]) -> tuple[str, ...]:
    """What a reader must know before trusting the row."""
    provenances = [launch.provenance for launch in run.record.launches]
    found = []
    if len(run.ok) < len(run.planned):
        found.append(f"partial: {len(run.ok)} of {len(run.planned)} cases")
    if run.planned != everyone:
        found.append(f"other cases: {len(run.planned)} of the {len(everyone)} that some run has")
    if any(provenance.git_dirty for provenance in provenances):
        found.append("made from a tree with uncommitted changes")
    if len({provenance.device for provenance in provenances}) > 1:
        found.append("several devices")
    if len({provenance.git_commit for provenance in provenances}) > 1:
        found.append("several commits")
    if any(case.resized for case in run.ok.values()):
        found.append("sources resized to the prior's size, and scored there")
    return tuple(found)


def unlike(run: Run, against: Run, names: Sequence[str]) -> tuple[str, ...]:
    """What sets a row apart from the baseline besides the method: seed, prior, device, and the metrics shown.

    Identity rows have no seed; images made elsewhere have no prior either.
    """
    ours, theirs = run.record, against.record
    found = []
    if ours.prior["name"] != "none":
        if not run.is_identity_row and ours.seed != theirs.seed:
            found.append(f"seed {ours.seed}, the baseline has {theirs.seed}")
        if ours.prior["fingerprint"] != theirs.prior["fingerprint"]:
            found.append("another prior than the baseline's")
    devices, others = ({launch.provenance.device for launch in record.launches} for record in (ours, theirs))
    if devices != others:
        found.append("another device than the baseline's")
    both = [name for name in names if name in ours.metrics and name in theirs.metrics]
    scored = [name for name in both if ours.metrics[name] != theirs.metrics[name]]
    if scored:
        found.append(f"other metrics than the baseline's: {', '.join(scored)}")
    return tuple(found)


def head(name: str) -> str:
    """A column's title: name, which way is better, and how the number is displayed."""
    facts = info(name)
    nearer = "" if facts.best is None else f" →{facts.best:g}"
    arrow = {True: " ↑", False: " ↓", None: nearer}[facts.higher_is_better]
    scale = "" if facts.display_scale == 1 or facts.unit else f" ×{facts.display_scale:g}"
    return name + arrow + scale + (f" ({facts.unit})" if facts.unit else "")


def shown(name: str, value: float | None, signed: bool = False) -> str:
    """One displayed number; a dash where there is none."""
    if value is None:
        return "–"
    facts = info(name)
    return f"{value * facts.display_scale:{'+' if signed else ''}.{facts.digits}f}"


def cell(name: str, interval: Interval, signed: bool = False) -> str:
    """`mean [low, high] n=N`; `n=0` where there is nothing."""
    mean = shown(name, interval.mean, signed)
    low, high = (shown(name, bound, signed) for bound in (interval.low, interval.high))
    bounds = "" if interval.low is None else f" [{low}, {high}]"
    missing = f", {interval.missing} missing" if interval.missing else ""
    return f"{mean}{bounds} n={interval.n}{missing}"


def _same_content(a: CaseRecord | None, b: CaseRecord | None) -> bool:
    """Whether two records are of one case, as far as one can tell: a case without a record counts as missing."""
    return a is None or b is None or a.content == b.content
