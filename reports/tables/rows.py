"""Tables of runs: a mean, its bootstrap interval and n in every cell; paired differences; how each row was made.

Values are raw here and in CSV; `reports.tables.cells` shows them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from piva.errors import ConfigError
from piva.registry import unknown
from piva.stats import Interval, PairedDifference, bootstrap_means
from reports.parts import Part
from reports.reading import COSTS, Run, info, labels
from reports.tables.cells import SEED

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

CONTENTS = ("content", "score_content")
"""What two records of one case have in common: digests of image and prompts, and of mask and true edit."""


@dataclass(frozen=True)
class Row:
    """One run's line in a table."""

    run: Run
    label: str
    cells: dict[str, Interval]
    planned: int
    """Cases asked for."""
    ok: int
    """Cases edited and scored."""
    failed: int
    skipped: int
    unfinished: int
    """Cases asked for that have no record yet, or only scores of other metrics."""
    marks: tuple[str, ...]

    @property
    def ended(self) -> str:
        """How many cases there are of those asked for, and what became of the others: "3/6, 1 failed"."""
        others = {"failed": self.failed, "skipped": self.skipped, "not done": self.unfinished}
        return f"{self.ok}/{self.planned}" + "".join(f", {n} {what}" for what, n in others.items() if n > 0)


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


def rows(runs: Sequence[Run], names: Sequence[str], against: Run | None = None, part: Part | None = None) -> list[Row]:
    """One row for each run, identity rows first; marked where more than the method sets it apart from the baseline.

    Args:
        part: only these cases.
    """
    everyone = set().union(*(run.planned for run in runs)) if runs else set()
    result = []
    reference, whose = against or (runs[0] if runs else None), "the baseline" if against else "the first run"
    for run, label in zip(runs, labels(runs), strict=True):
        own = _within(run.table, part)
        planned = len(run.planned if part is None else run.planned & part.ids)
        error = _ended("error") & ~pl.col("unscored")
        ok, failed, skipped = (own.filter(which).height for which in ("scored", error, _ended("skipped")))
        row = Row(
            run,
            label,
            _cells(own.filter(_ended("ok")), names),  # what failed has its own column
            planned,
            ok,
            failed,
            skipped,
            unfinished=planned - ok - failed - skipped,
            marks=(
                *marks(run, everyone),
                *_others(run, reference, whose),
                *(unlike(run, against, names) if against else _device(run, runs)),
            ),
        )
        result.append(row)
    return sorted(result, key=lambda row: (not row.run.is_identity_row, row.label))


def differences(runs: Sequence[Run], baseline: Run, names: Sequence[str], part: Part | None = None) -> list[Difference]:
    """Every other run minus the baseline, case by case."""
    result = []
    for run, label in zip(runs, labels(runs), strict=True):
        if run.path != baseline.path and not run.is_identity_row:
            result.append(Difference(run, label, pairs(run, baseline, names, part)))
    return sorted(result, key=lambda difference: difference.label)


def paired(a: Run, b: Run, name: str) -> PairedDifference:
    """`pairs` of one number."""
    return pairs(a, b, [name])[name]


def pairs(a: Run, b: Run, names: Sequence[str], part: Part | None = None) -> dict[str, PairedDifference]:
    """a - b over the cases that both runs were asked for; those that lack a value on either side count as missing.

    A case whose image or prompts were others, or its mask or true edit, is another case, and is left out.

    Where nearer to some best value is better (a shift, a ratio), wins count the nearer run; the difference itself is
    of the values.
    """
    both = _side_by_side(a, b, names, part)
    differences = [both.select(pl.col(f"{name} a") - pl.col(f"{name} b")).to_series() for name in names]
    present = [values.drop_nulls().to_numpy() for values in differences]
    intervals = bootstrap_means(present, [values.null_count() for values in differences], SEED)
    found = {}
    for name, interval in zip(names, intervals, strict=True):
        gains = both.select(_gain(name)).to_series()
        wins, ties, losses = (int(which.sum()) for which in (gains > 0, gains == 0, gains < 0))
        found[name] = PairedDifference(**vars(interval), wins=wins, ties=ties, losses=losses)
    return found


def _side_by_side(a: Run, b: Run, names: Sequence[str], part: Part | None) -> pl.DataFrame:
    """A row for each case that both runs were asked for, in the order of their ids: `<name> a` and `<name> b`.

    Whether two records are of one case is known where there are two.
    """
    ids = a.planned & b.planned
    both = pl.DataFrame({"case_id": sorted(ids if part is None else ids & part.ids)}, schema={"case_id": pl.String})
    for run, side in ((a, "a"), (b, "b")):
        columns = [pl.col(name).alias(f"{name} {side}") for name in names if name in run.table.columns]
        contents = [pl.col(name).alias(f"{name} {side}") for name in CONTENTS]
        own = run.table.select("case_id", *contents, *columns)
        lacking = [pl.lit(None, pl.Float64).alias(f"{n} {side}") for n in names if n not in run.table.columns]
        both = both.join(own, on="case_id", how="left").with_columns(lacking)
    return both.filter(_is_same()).sort("case_id")


def other_cases(a: Run, b: Run) -> int:
    """How many cases that both have records of were others: `pairs` leaves them out."""
    one, other = (run.table.select("case_id", *(pl.col(name).alias(f"{name} {side}") for name in CONTENTS))
                  for run, side in ((a, "a"), (b, "b")))  # fmt: skip
    return one.join(other, on="case_id").filter(~_is_same()).height


def _is_same() -> pl.Expr:
    """Of rows with the contents of two records, "" in those that are older than the field, null where there is none."""
    edited, scored = (pl.col(f"{name} a").eq(pl.col(f"{name} b")).fill_null(True) for name in CONTENTS)
    unknown = pl.col("score_content a").eq("").fill_null(True) | pl.col("score_content b").eq("").fill_null(True)
    return edited & (scored | unknown)


def _gain(name: str) -> pl.Expr:
    """Above 0 where a is better than b, 0 where they are equal."""
    a, b, facts = pl.col(f"{name} a"), pl.col(f"{name} b"), info(name)
    if facts.higher_is_better is None and facts.best is not None:
        return (b - facts.best).abs() - (a - facts.best).abs()
    return b - a if facts.higher_is_better is False else a - b


def _cells(cases: pl.DataFrame, names: Sequence[str]) -> dict[str, Interval]:
    nothing = pl.Series(dtype=pl.Float64)
    columns = [cases.get_column(name) if name in cases.columns else nothing for name in names]
    present = [column.drop_nulls().to_numpy() for column in columns]
    found = bootstrap_means(present, [column.null_count() for column in columns], SEED)
    return dict(zip(names, found, strict=True))


def _within(cases: pl.DataFrame, part: Part | None) -> pl.DataFrame:
    return cases if part is None else cases.filter(pl.col("case_id").is_in(list(part.ids)))


def _ended(status: str) -> pl.Expr:
    return pl.col("status") == status


def marks(run: Run, everyone: set[str]) -> tuple[str, ...]:
    """What a reader must know before trusting the row."""
    provenances = [launch.provenance for launch in run.record.launches]
    found = []
    if len(run.scored) < len(run.planned):
        found.append(f"partial: {len(run.scored)} of {len(run.planned)} cases")
    if run.planned != everyone:
        found.append(f"other cases: {len(run.planned)} of the {len(everyone)} that some run has")
    if any(provenance.git_dirty for provenance in provenances):
        found.append("made from a tree with uncommitted changes")
    if len(_devices(run)) > 1:
        found.append(f"several devices: {'; '.join(sorted(_devices(run)))}")
    if len({provenance.git_commit for provenance in provenances}) > 1:
        found.append("several commits")
    if run.table.filter(pl.col("scored") & pl.col("resized")).height:
        found.append("sources resized to the prior's size, and scored there")
    return tuple(found)


def _others(run: Run, reference: Run | None, name: str) -> tuple[str, ...]:
    count = other_cases(run, reference) if reference is not None and run.path != reference.path else 0
    return (f"{count} cases had other images, prompts, masks or true edits in {name}",) if count else ()


def _device(run: Run, runs: Sequence[Run]) -> tuple[str, ...]:
    """The run's device, where the rows of a table were not all made on the same."""
    mixed = any(_devices(one) != _devices(run) for one in runs)
    return (f"on {'; '.join(sorted(_devices(run)))}",) if mixed else ()


def _devices(run: Run) -> set[str]:
    return {launch.provenance.device for launch in run.record.launches}


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
    if _devices(run) != _devices(against):
        found.append("another device than the baseline's")
    both = [name for name in names if name in ours.metrics and name in theirs.metrics]
    scored = [name for name in both if ours.metrics[name] != theirs.metrics[name]]
    if scored:
        found.append(f"other metrics than the baseline's: {', '.join(scored)}")
    return tuple(found)
