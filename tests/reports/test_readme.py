"""README's results are those of the committed records, and what README says of them is so."""

import json
import shutil
from pathlib import Path

import pytest
from archive_world import check_published

from piva.records import CASES_FILE, run_folders
from piva.records.run_files import size_of
from reports.reading import load_runs
from reports.readme import SECTIONS, compact, in_full, main
from reports.tables.documents import groups
from reports.tables.rows import paired, rows

ROOT = Path(__file__).resolve().parents[2]
RECORDS = ROOT / "reports" / "records"
EDITING, SCENES = SECTIONS


def differences(section):
    """(benchmark, label, label of the other) -> number -> the paired difference, of every pair of a section."""
    found = {}
    for runs in groups(load_runs([], RECORDS / section.folder)).values():
        by_label = {row.label: row.run for row in rows(runs, [])}
        for label, other in section.pairs:
            pairs = {name: paired(by_label[label], by_label[other], name) for name in section.metrics}
            found[runs[0].record.benchmark, label, other] = pairs
    return found


def test_results_are_not_stale(tmp_path):
    """Where this fails, `make tables` writes them again, and README's words about them want to be looked at."""
    for name in ("README.md", "reports/results.md"):
        shutil.copy(ROOT / name, tmp_path)
    main(tmp_path / "README.md", tmp_path / "results.md")
    assert (tmp_path / "README.md").read_bytes() == (ROOT / "README.md").read_bytes()
    assert (tmp_path / "results.md").read_bytes() == (ROOT / "reports/results.md").read_bytes()


def test_another_record_gives_another_table(tmp_path):
    records = shutil.copytree(RECORDS, tmp_path / "records")
    assert compact(records) == compact()
    file = next((records / "editing" / "pie-toybox").glob("piva-*")) / CASES_FILE
    first, *others = file.read_text().splitlines(keepends=True)
    case = json.loads(first)
    case["metrics"]["lpips"] += 1
    file.write_text(json.dumps(case, separators=(",", ":")) + "\n" + "".join(others))
    before, after = compact().splitlines(), compact(records).splitlines()
    changed = [line for line, other in zip(before, after, strict=True) if line != other]
    assert len(changed) == 2  # its means, and its difference
    assert in_full(records) != in_full()


def test_records_are_whole_small_and_without_names():
    folders = [folder for section in SECTIONS for folder in run_folders(RECORDS / section.folder)]
    assert len(folders) == 13
    for folder in folders:
        check_published(folder)
    assert sum(size_of(folder) for folder in folders) < 1_050_000


def test_what_readme_says_of_pictures_is_so():
    found = differences(EDITING)
    at_7 = found["pie-toybox", "piva guidance=7.5 lam=2.0", "dds guidance=7.5"]
    at_3 = found["pie-toybox", "piva guidance=3.0 lam=0.4", "dds guidance=3.0"]
    lower = found["pie-toybox", "dds guidance=3.0", "dds guidance=7.5"]
    assert {pair.n for pairs in found.values() for pair in pairs.values()} == {100}
    assert at_7["lpips"].high < 0 < min(at_7["psnr_to_true"].low, at_7["clip_text"].low)
    assert at_3["lpips"].high < 0 < at_3["psnr_to_true"].low
    for pair in (at_7["edit_success"], at_3["edit_success"], at_3["clip_text"], at_3["lpips_to_true"]):
        assert pair.low < 0 < pair.high
    means = {row.label: row.cells for row in rows(load_runs([], RECORDS / "editing"), ["saturation_shift_to_true"])}
    dds, piva = (means[label]["saturation_shift_to_true"].mean for label in EDITING.pairs[0][::-1])
    assert piva / dds == pytest.approx(0.5, abs=0.05)
    assert lower["psnr_to_true"].mean > at_7["psnr_to_true"].mean > at_3["psnr_to_true"].mean


def test_what_readme_says_of_scenes_is_so():
    for (benchmark, label, _), pairs in differences(SCENES).items():
        assert {pair.n for pair in pairs.values()} == {6}
        if label == "sds":
            assert pairs["consistency_direction_pair"].high < 0
            continue
        assert pairs["lpips"].high < 0 < min(pairs[name].low for name in ("psnr_to_true", "consistency_direction_pair"))
        assert (pairs["clip_text"].high < 0) == (benchmark == "noe-toybox")
