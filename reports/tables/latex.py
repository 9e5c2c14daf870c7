"""A benchmark's tables as LaTeX (booktabs), to be \\input into a paper."""

from collections.abc import Sequence

from reports.tables.grids import Block, Cell, Grid
from reports.tables.origins import how_made
from reports.tables.ranking import BEST, SECOND
from reports.tables.sheet import Sheet

COUNTS = (
    "n is the number of cases that ended well, unless said. Of a difference a/b/c: better, equal, worse in so many."
)
_ESCAPED = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "_": r"\_", "%": r"\%",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": "$<$", ">": "$>$", "|": "$|$", "[": "{[}", "]": "{]}",
    "`": "{`}", "'": "{'}", "↑": r"$\uparrow$", "↓": r"$\downarrow$", "→": r"$\rightarrow$", "×": r"$\times$",
    "–": "--", "\n": " ", "\r": " ", "\t": " ",
}  # fmt: skip


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
    tables = [_table(grid, below if grid is grids[0] else []) for grid in grids]
    made = [f"{row.label}: {'; '.join(how_made(row.run.record))}" for row in sheet.rows]
    comments = [f"{sheet.title}", f"Made by: {sheet.command}", *made]
    return "\n".join([*(f"% {_one_line(comment)}" for comment in comments), *tables])


def _table(grid: Grid, below: Sequence[str]) -> str:
    heads = [escaped(head) for head in ("run", *grid.heads)]
    body = [f"{' & '.join(heads)} \\\\", "\\midrule"]
    for number, block in enumerate(grid.blocks):
        body += ["\\midrule"] if number else []
        body += [f"\\multicolumn{{{len(heads)}}}{{l}}{{\\emph{{{escaped(block.title)}}}}} \\\\"] if grid.of else []
        body += _lines(block)
    lines = ["", "\\begin{table*}[t]", "\\centering", f"\\caption{{{escaped(grid.caption)}}}"]
    lines += ["\\resizebox{\\textwidth}{!}{%", f"\\begin{{tabular}}{{l{'r' * len(grid.heads)}}}", "\\toprule", *body]
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
