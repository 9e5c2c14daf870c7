"""The committed pages of studies are those of the committed records."""

import re
import shutil

import pytest
from archive_world import check_published

from piva.commands.study import main
from piva.records import run_folders
from reports.studies.study import RECORDS

REPORTS = RECORDS.parents[1]
KEPT = sorted(folder.name for folder in RECORDS.glob("*"))
PAGES = [name for name in KEPT if (REPORTS / f"{name}.md").is_file()]
"""Of studies that are done; records of others are on their way."""


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_not_stale(name, tmp_path, monkeypatch):
    """Where this fails, `piva study NAME --report-only` writes it again, and its words want to be looked at."""
    monkeypatch.chdir(tmp_path)  # where no study was run
    for beside in REPORTS.glob("*.md"):  # pages link to each other
        shutil.copy(beside, tmp_path)
    page = tmp_path / f"{name}.md"
    assert main([name, "--report-only", "--reports", str(tmp_path)]) == 0
    assert page.read_text() == (REPORTS / page.name).read_text()
    figures = {file.name for file in tmp_path.glob("*.png")}
    assert figures == set(re.findall(r"\(([\w-]+\.png)\)", page.read_text()))
    assert all((REPORTS / figure).is_file() for figure in figures)


@pytest.mark.parametrize("name", KEPT)
def test_records_are_whole_small_and_without_names(name):
    folders = list(run_folders(RECORDS / name))
    assert folders
    for folder in folders:
        check_published(folder, under_way=name not in PAGES)
