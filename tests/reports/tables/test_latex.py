"""Tables as LaTeX: what it says, that it is balanced, and that nothing in a name breaks it."""

import re

import pytest
from harness_world import launch
from report_world import four_runs, make

from reports.reading import load_runs
from reports.tables.documents import baselines
from reports.tables.latex import escaped, latex
from reports.tables.sheet import sheet


def text_of(runs, names=("lpips",), by=(), against=True, title="pie-toybox (version 1, test split)"):
    first = baselines(runs, (), runs[0].path.parent) if against else []
    return latex([sheet(title, runs, names, first, "piva report --runs a_b --by 'x'", by)])


def check(text):
    """Raises unless braces and environments are balanced, $ come in pairs and every row has its table's columns."""
    body = "\n".join(line for line in text.splitlines() if not line.startswith("%"))
    bare = re.sub(r"\\[\\{}$&#_%]", "", body)
    depth = 0
    for char in bare:
        depth += {"{": 1, "}": -1}.get(char, 0)
        assert depth >= 0
    assert depth == 0
    assert bare.count("$") % 2 == 0
    open_ = []
    for kind, name in re.findall(r"\\(begin|end)\{([a-z*]+)\}", body):
        open_.append(name) if kind == "begin" else open_.pop() == name or pytest.fail(f"\\end{{{name}}}")
    assert not open_
    for columns, table in re.findall(r"\\begin\{tabular\}\{(l r*|lr*)\}(.*?)\\end\{tabular\}", body, re.S):
        lines = [line for line in table.splitlines() if line.endswith("\\\\") and "multicolumn" not in line]
        assert lines
        assert {re.sub(r"\\&", "", line).count("&") for line in lines} == {len(columns) - 1}
        assert not any(line.startswith("[") for line in lines)  # after \\ that would be a length


def test_best_is_bold_second_underlined_and_copy_neither(tmp_path):
    text = text_of(four_runs(tmp_path))
    lines = {line.partition(" &")[0]: line for line in text.split("Paired")[0].splitlines() if line.endswith("\\\\")}
    assert "\\textbf{88} {\\scriptsize {[}62, 100{]}}" in lines["piva lam=1.0"]
    assert "\\underline{125}" in lines["piva lam=0.4"]
    assert re.search(r"& 250 \{", lines["dds"])
    assert "textbf" not in lines["copy"]
    assert "underline" not in lines["copy"]
    assert "lpips $\\downarrow$ $\\times$1000" in lines["run"]
    for needed in (
        "\\toprule",
        "\\midrule",
        "\\bottomrule",
        "\\usepackage{booktabs}",
        "% Made by: piva report --runs a_b",
    ):
        assert needed in text
    assert "Made by \\texttt{piva report -{}-runs a\\_b -{}-by {'}x{'}}" in text
    check(text)


def test_differences_have_signs_intervals_and_wins(tmp_path):
    text = text_of(four_runs(tmp_path))
    assert "each run minus \\texttt{dds}" in text
    assert re.search(r"piva lam=0\.4 & \$-\$125 \{\\scriptsize \{\[\}\$-\$250, \+0\{\]\} 3/0/1\}", text)


def test_a_wide_table_becomes_several_that_can_be_read(tmp_path):
    text = text_of(four_runs(tmp_path), names=["lpips", "psnr", "ssim", "mse", "clip_text", "clip_direction", "dino"])
    means = text.split("Paired")[0]
    widths = [len(columns) - 1 for columns in re.findall(r"\\begin\{tabular\}\{(lr*)\}", means)]
    assert widths == [4, 4]  # cases, and seven numbers
    heads = [line for line in means.splitlines() if line.startswith("run &")]
    assert [name for head in heads for name in re.findall(r"& (\w+)", head.replace("\\_", "_"))] == [
        "cases", "lpips", "psnr", "ssim", "mse", "clip_text", "clip_direction", "dino",
    ]  # fmt: skip
    assert means.count("(continued)") == 1
    assert means.count("\npiva lam=0.4 &") == 2
    assert "\\resizebox{\\textwidth}" not in text  # narrow ones are not magnified
    check(text)


def test_ties_share_their_place(tmp_path):
    make(tmp_path, "aa11", "dds", [0.1, 0.3])
    make(tmp_path, "bb22", "sds", [0.3, 0.1])
    make(tmp_path, "cc33", "piva", [0.2, 0.4])
    text = text_of(load_runs([], tmp_path))
    assert text.count("\\textbf{200}") == 2
    assert text.count("\\underline{300}") == 1


def test_footnotes_are_numbered_once_and_said_below(tmp_path):
    dirty = {"launches": [launch(["000000000000"], git_dirty=True)]}
    make(tmp_path, "aa11", "dds", [0.1], record=dirty)
    make(tmp_path, "bb22", "piva", [0.2], planned=["000000000000", "never"], made={"git_dirty": True})
    text = text_of(load_runs([], tmp_path))
    assert "dds\\textsuperscript{1,2} & 1/1" in text
    assert "piva\\textsuperscript{3,2} & 1/2, 1 not done" in text
    assert (
        "1: other cases: 1 of the 2 that some run has. 2: made from a tree with uncommitted changes. 3: partial" in text
    )


def test_parts_stand_under_their_titles(tmp_path):
    text = text_of(four_runs(tmp_path), by=["type", "group", "scene"])
    assert text.count("\\emph{1 change-object}") == 2  # means and differences
    assert "\\caption{By group.}" in text
    assert "\\caption{By scene.}" not in text  # images have none
    check(text)


@pytest.mark.parametrize("name", ["a_b%c$d#e&f{g}h~i^j\\k", "[x]", "`", "<i>|", "a\nb", "λ `code -- x` ''"])
def test_no_name_breaks_it(tmp_path, name):
    make(tmp_path, "aa11", "dds", [0.1, 0.2], record={"settings": {"note": name}})
    make(tmp_path, "bb22", "dds", [0.1, 0.3], record={"settings": {"note": "other"}})
    text = text_of(load_runs([], tmp_path), title=f"title {name}", against=False)
    assert not any(line.startswith("b") for line in text.splitlines() if "\nb" in name)  # comments stay comments
    check(text)


def test_escaping():
    assert escaped("50 % of a_b") == "50 \\% of a\\_b"
    assert escaped("see `a --b` now") == "see \\texttt{a -{}-b} now"
    assert escaped("a ` b") == "a {`} b"
