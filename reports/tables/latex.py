"""A benchmark's tables as LaTeX (booktabs), to be \\input into a paper."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import replace

from reports.tables.grids import Block, Cell, Grid
from reports.tables.origins import how_made
from reports.tables.ranking import BEST, SECOND
from reports.tables.sheet import Sheet

COUNTS = (
    "n is the number of cases that ended well, unless said. Of a difference a/b/c: better, equal, worse in so many."
)
COLUMNS = 5
"""That fit beside the rows' labels on a page of text; a wider table becomes several. Ours."""
_ESCAPED = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "_": r"\_", "%": r"\%",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": "$<$", ">": "$>$", "|": "$|$", "[": "{[}", "]": "{]}",
    "`": "{`}", "'": "{'}", "↑": r"$\uparrow$", "↓": r"$\downarrow$", "→": r"$\rightarrow$", "×": r"$\times$",
    "–": "--", "\n": " ", "\r": " ", "\t": " ",
}  # fmt: skip


_NOT_WIDER = r"\resizebox{\ifdim\width>\textwidth\textwidth\else\width\fi}{!}{%"
"""Around a table: shrunk to the page if it is wider, and never magnified."""


def latex(sheets: Sequence[Sheet]) -> str:
    """Every benchmark's tables; what made them stands in comments, and below them what a reader must know."""
    packages = "% In the preamble: \\usepackage[T1]{fontenc} \\usepackage{booktabs} \\usepackage{graphicx}\n"
    return packages + "\n".join(_sheet(sheet) for sheet in sheets)


def escaped(text: str) -> str:
    """Plain text, such that LaTeX shows it; `between backticks` is typewriter."""
    parts = ["".join(_ESCAPED.get(char, char) for char in part) for part in text.split("`")]
    if len(parts) % 2 == 0:  # a backtick without its partner is one
        parts[-2:] = [parts[-2] + _ESCAPED["`"] + parts[-1]]
    return "".join(_typewriter(part) if k % 2 else part for k, part in enumerate(parts))


def _sheet(sheet: Sheet) -> str:
    grids = sheet.grids()
    marks = [f"{number}: {mark}." for mark, number in sheet.notes.items()]
    below = [*marks, *sheet.footer(), COUNTS, f"Made by `{sheet.command}`."]
    pieces = [piece for grid in grids for piece in _pieces(grid)]
    tables = [_table(piece, [] if number else below) for number, piece in enumerate(pieces)]
    made = [f"{row.label}: {'; '.join(how_made(row.run.record))}" for row in sheet.rows]
    comments = [f"{sheet.title}", f"Made by: {sheet.command}", *made]
    return "\n".join([*(f"% {_one_line(comment)}" for comment in comments), *tables])


def _pieces(grid: Grid) -> list[Grid]:
    """The table's columns in as few tables as have at most `COLUMNS`, about as many in each."""
    number = max(1, math.ceil(len(grid.heads) / COLUMNS))
    ends = [round(k * len(grid.heads) / number) for k in range(number + 1)]
    return [_columns(grid, first, last) for first, last in itertools.pairwise(ends)]


def _columns(grid: Grid, first: int, last: int) -> Grid:
    blocks = tuple(
        replace(block, lines=tuple(replace(line, cells=line.cells[first:last]) for line in block.lines))
        for block in grid.blocks
    )
    caption = f"{grid.caption} (continued)" if first else grid.caption
    return replace(grid, caption=caption, heads=grid.heads[first:last], blocks=blocks)


def _table(grid: Grid, below: Sequence[str]) -> str:
    heads = [escaped(head) for head in ("run", *grid.heads)]
    body = [f"{' & '.join(heads)} \\\\", "\\midrule"]
    for number, block in enumerate(grid.blocks):
        body += ["\\midrule"] if number else []
        body += [f"\\multicolumn{{{len(heads)}}}{{l}}{{\\emph{{{escaped(block.title)}}}}} \\\\"] if grid.of else []
        body += _lines(block)
    lines = ["", "\\begin{table*}[t]", "\\centering\\footnotesize", f"\\caption{{{escaped(grid.caption)}}}"]
    lines += [_NOT_WIDER, f"\\begin{{tabular}}{{l{'r' * len(grid.heads)}}}", "\\toprule", *body]
    lines += ["\\bottomrule", "\\end{tabular}}"]
    if below:
        lines += ["\\par\\smallskip", f"{{\\footnotesize\\raggedright {' '.join(map(escaped, below))}\\par}}"]
    return "\n".join([*lines, "\\end{table*}", ""])


def _lines(block: Block) -> list[str]:
    lines = []
    for line in block.lines:
        notes = ",".join(map(str, line.notes))
        label = escaped(line.label) + (f"\\textsuperscript{{{notes}}}" if notes else "")
        lines.append(" & ".join([label, *map(_cell, line.cells)]) + " \\\\")
    return lines


def _cell(cell: Cell) -> str:
    text = {BEST: "\\textbf{%s}", SECOND: "\\underline{%s}", None: "%s"}[cell.place] % _number(cell.text)
    small = " ".join(part for part in (_number(cell.bounds), escaped(cell.brief)) if part)
    return text + (f" {{\\scriptsize {small}}}" if small else "")


def _number(text: str) -> str:
    """A cell's text; the minus of a number is one. (`3/6` and words have none before a digit.)"""
    pieces = escaped(text).split("-")
    return "".join(
        piece if k == 0 else f"$-${piece}" if piece[:1].isdigit() and not pieces[k - 1][-1:].isalnum() else f"-{piece}"
        for k, piece in enumerate(pieces)
    )


def _typewriter(escaped_text: str) -> str:
    """Two hyphens stay two."""
    return f"\\texttt{{{escaped_text.replace('--', '-{}-')}}}"


def _one_line(text: str) -> str:
    return " ".join(text.split())
