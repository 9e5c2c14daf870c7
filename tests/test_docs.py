"""Every `piva ...` line of README.md and docs/ is read by the real command line; nothing is loaded or done."""

import importlib
import re
import shlex
from pathlib import Path

import pytest

from benchmarks import BENCHMARKS, SCENE_BENCHMARKS
from piva.cli import COMMANDS, main
from piva.commands.sweep import COMMANDS as SWEEP_COMMANDS

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "sweeps" / "README.md"]
LINE = re.compile(r"^ {4,}piva (?:.*\\\n)*.*", re.MULTILINE)
"""A command in an indented block, to the end of its continuation lines."""
PARSERS = ("piva.commands.run_settings", "piva.commands.check_run")
"""Modules besides the commands' own that read flags."""


class Parsed(Exception):
    """The command line was read to its end."""


def commands(page: Path) -> list[str]:
    return [found.replace("\\\n", " ").strip() for found in LINE.findall(page.read_text())]


@pytest.fixture
def only_parse(monkeypatch):
    """Commands end where their flags are read."""

    def end(*_):
        raise Parsed

    for where in [*(where for where, _ in (COMMANDS | SWEEP_COMMANDS).values()), *PARSERS]:
        module = importlib.import_module(where.partition(":")[0])
        if hasattr(module, "parse"):
            monkeypatch.setattr(module, "parse", lambda *given, real=module.parse: end(real(*given)))
    monkeypatch.setattr("piva.commands.check._environment", end)
    monkeypatch.setattr("piva.commands.check._data", end)
    monkeypatch.setattr("piva.commands.listing._rows", end)
    monkeypatch.setattr("piva.toybox.models.train.train_command", end)


def ended_with(arguments: list[str]) -> int | None:
    """The exit code of a command that ended before its flags were read; None where they were."""
    try:
        return main(arguments)
    except Parsed:
        return None
    except SystemExit as ended:
        return ended.code


def test_there_are_pages_with_commands():
    assert all(len(commands(page)) >= 5 for page in PAGES)
    assert "stable-diffusion.md" in {page.name for page in PAGES}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_of_a_page_is_one(page, only_parse):
    for line in commands(page):
        _, *arguments = shlex.split(line, comments=True)
        if arguments[0] in ("run", "score-folder"):
            assert arguments[1] in BENCHMARKS | SCENE_BENCHMARKS, line
        assert ended_with(arguments) is None, line


@pytest.mark.parametrize(
    "line", ["piva run pie-bench --method dds --prior.modle x", "piva chek env", "piva check dta x"]
)
def test_a_line_that_is_no_command_would_be_found(line, only_parse):
    assert ended_with(shlex.split(line)[1:]) == 2


def test_files_that_pages_name_exist():
    for page in PAGES:
        links = re.findall(r"\]\((?!https?:)([^)#]+)\)", page.read_text())
        assert [link for link in links if not (page.parent / link).exists()] == []
