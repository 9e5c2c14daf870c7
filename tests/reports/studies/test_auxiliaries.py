"""The page of the study of psi and phi: costs, and differences from the base, of known records."""

import pytest
from study_world import case_ids, found, table_rows, write_sweep_records

from reports.studies.auxiliaries import STUDY, changed, page
from reports.studies.drawing import Figures
from reports.studies.study import FILES, read_sweep

IDS = case_ids(1)


def scores(config, seed, case_id):
    """psi stored is twice as fast and a little worse; a higher rate is better in every case."""
    method, k = config.method, IDS.index(case_id)
    aux = getattr(method, "aux", None)
    stored, lr = aux is not None and aux.psi == "stored", 0.0 if aux is None else aux.lr
    lost = (0.02 if stored else 0.0) - 10 * (lr - 1e-3) * (1 + k / 10)
    return {
        "metrics": {"lpips_to_true": 0.5 + 0.1 * k + lost, "clip_text": 0.8},
        "seconds_edit": (1 + k) * (0.5 if stored else 1.0), "unet_rows": 500 if stored else 600,
        "unet_rows_backward": 100 if stored else 200, "rows_cached": 20, "psi_rows": 0,
        "aux_parameters": None if aux is None else 1000 * aux.rank, "aux_bytes": None if aux is None else 2_000_000,
    }  # fmt: skip


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    root = tmp_path_factory.mktemp("runs")
    write_sweep_records(root, read_sweep(FILES / "auxiliaries.yaml"), scores, IDS)
    return found(STUDY, root)


@pytest.fixture(scope="module")
def lines(settings, tmp_path_factory):
    return page(settings, Figures(tmp_path_factory.mktemp("figures"), "auxiliaries"))


def test_every_point_but_dds_changes_one_thing(settings):
    found = [changed(one, settings[0]) for one in settings]
    assert found[:2] == [{}, {"method": "dds"}]
    assert found[2:5] == [{"aux.psi": "stored"}, {"psi_at": "source"}, {"source_branch": "current"}]
    assert [one.pop("aux.alpha", None) for one in found] == [None] * 8 + [1.0, 16.0] + [None] * 3
    assert {len(one) for one in found[1:]} == {1}
    assert [one["aux.lr"] for one in found[10:]] == [1e-4, 3e-4, 3e-3]


def test_costs_are_means_over_the_cases(lines):
    (row,) = [row for row in table_rows(lines, "psi stored") if len(row) == 8]
    assert row[1:4] == ["520", "100", "200"]  # cached rows are rows; psi's own come first, once
    assert row[4].startswith("2.75 [")
    assert row[5:] == ["0.50", "4", "2.0"]
    (row,) = [row for row in table_rows(lines, "dds") if len(row) == 8]
    assert row[1:4] == ["620", "200", "0"]
    assert row[6:] == ["0", "0.0"]
    (row,) = [row for row in table_rows(lines, "rank 16") if len(row) == 8]
    assert row[6] == "16"


def test_differences_are_paired_and_clear_ones_stand_out(lines):
    (row,) = [row for row in table_rows(lines, "psi stored") if len(row) == 3]
    assert row[1] == "**+20.0 [+20.0, +20.0] n=10**"
    assert row[2] == "+0.00 [+0.00, +0.00] n=10"
    (row,) = [row for row in table_rows(lines, "lr 0.003") if len(row) == 3]
    assert row[1].startswith("**-29.0 [-3")


def test_what_is_missing_is_left_out_of_the_comparison(settings, tmp_path):
    some = [settings[0], *(type(one)(one.part, one.point, one.benchmark, one.config, (None,)) for one in settings[1:3])]
    lines = page(some, Figures(tmp_path, "x"))
    assert lines[-2].endswith("nothing to compare yet.")
    lines = page([*some, settings[3]], Figures(tmp_path, "x"))
    assert [row[0] for row in table_rows(lines, "psi_at source")] == ["psi_at source"] * 2
    assert table_rows(lines, "psi stored") == []
