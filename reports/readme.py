"""README's results, from the records of its runs, which lie beside this file: `make tables`.

    reports/records/<what>/<benchmark>/<method>-<edit_key>/    as `piva archive` writes them
    reports/results.md                                         the same in full, with how each row was made

Nothing else is read: no pictures, no data set, no weights.
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from piva.errors import COMPLETE
from piva.stats import Interval
from reports.reading import Run, load_runs
from reports.tables.cells import head, shown
from reports.tables.documents import baselines, groups, markdown, write_between_markers
from reports.tables.markdown import table
from reports.tables.ranking import digits_of
from reports.tables.rows import pairs, present, rows

HERE = Path(__file__).parent
COMMAND = "make tables"
NO_BREAK = ",\N{NO-BREAK SPACE}"
"""Between the ends of an interval, so that a narrow cell has the mean in one line and the interval in the next."""
FOOTER = (
    "Cells: mean [95 % bootstrap interval over cases]; a row `a - b` is the paired difference on the same cases.",
    f"Made by `{COMMAND}` from [these records](reports/records). How each row was made, and how many cases got better:",
    "[reports/results.md](reports/results.md).",
)


@dataclass(frozen=True)
class Section:
    """One folder of records, and what is told of it."""

    folder: str
    metrics: tuple[str, ...]
    """Columns: few enough to be read."""
    pairs: tuple[tuple[str, str], ...]
    """Labels of runs, and of those that they are compared with."""

    @property
    def against(self) -> list[str]:
        """Labels of the runs that others are compared with."""
        return list(dict.fromkeys(other for _, other in self.pairs))


SECTIONS = (
    Section(
        "editing",
        ("clip_text", "edit_success", "lpips", "saturation_shift_to_true", "psnr_to_true", "lpips_to_true"),
        (
            ("piva guidance=7.5 lam=2.0", "dds guidance=7.5"),
            ("piva guidance=3.0 lam=0.4", "dds guidance=3.0"),
            ("dds guidance=3.0", "dds guidance=7.5"),
        ),
    ),
    Section(
        "scenes",
        ("clip_text", "consistency_direction_pair", "edit_success", "lpips", "psnr_to_true", "lpips_to_true"),
        (("piva kind=lora", "dds"), ("piva kind=controlnet controlnet=toybox", "dds"), ("sds", "dds")),
    ),
)


def compact(records: Path = HERE / "records") -> str:
    """Markdown for README: a table for each benchmark, means first and paired differences below them."""
    parts = []
    for section in SECTIONS:
        for title, runs in groups(load_runs([], records / section.folder)).items():
            parts += [f"**{title}**", "", *_table(runs, section), ""]
    return "\n".join([*parts, *FOOTER])


def in_full(records: Path = HERE / "records") -> str:
    """The same as `piva report` has it, with how each row was made."""
    parts = []
    for section in SECTIONS:
        root = records / section.folder
        for title, runs in groups(load_runs([], root)).items():
            names = present(runs, section.metrics)
            parts.append(markdown(title, runs, names, baselines(runs, section.against, root), COMMAND))
    return "\n".join(parts)


def _table(runs: Sequence[Run], section: Section) -> list[str]:
    """Means, and below them differences; with two significant digits of the median interval, for narrow columns."""
    names = present(runs, section.metrics)
    lines = rows(runs, names)
    by_label = {row.label: row.run for row in lines}
    found = [(f"{label} - {other}", pairs(by_label[label], by_label[other], names)) for label, other in section.pairs]
    titles = [head(name).replace("_", " ") for name in names]  # so that they can be broken
    body = [[f"{row.label} ({row.ended})", *_cells(row.cells, [row.cells for row in lines])] for row in lines]
    body += [[label, *_cells(cells, [cells for _, cells in found], signed=True)] for label, cells in found]
    return table(["run (cases)", *titles], body)


def _cells(own: Mapping[str, Interval], all_rows: Sequence[Mapping[str, Interval]], signed: bool = False) -> list[str]:
    texts = []
    for name, interval in own.items():
        digits = digits_of(name, [cells[name] for cells in all_rows])
        mean, *ends = (shown(name, value, signed, digits) for value in (interval.mean, interval.low, interval.high))
        texts.append(f"{mean} [{NO_BREAK.join(ends)}]")
    return texts


def main(readme: Path, full: Path) -> int:
    """Writes the results between the markers of both files."""
    write_between_markers(readme, compact())
    write_between_markers(full, in_full())
    print(f"{readme} and {full}: results written")
    return COMPLETE


if __name__ == "__main__":
    sys.exit(main(Path("README.md"), HERE / "results.md"))
