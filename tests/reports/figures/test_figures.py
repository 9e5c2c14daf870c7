"""Figures: their numbers are the table's, their bytes the records', and none is drawn that records do not allow."""

import json

import pytest
from harness_world import case_record, launch, run_record, write_run

from piva.errors import ConfigError
from reports.figures import Drawn, draw_all
from reports.figures.along_views import view_means
from reports.figures.courses import course_means
from reports.figures.plane import cost_figure, curves, plane_figure
from reports.reading import load_runs
from reports.style import COLORS, look
from reports.tables import rows
from reports.view_scores import view_scores

IDS = ["a", "b", "c"]


def make(root, key, lam, method="piva", metrics=("lpips", "clip_text"), guidance=7.5, views=False, **facts):
    """A run whose case k scores lam + k for each number."""
    record = run_record(
        key, method, launches=[launch(IDS)], metrics={name: f"{name}@1" for name in metrics},
        settings={"guidance": guidance, "lam": lam},
    )  # fmt: skip
    cases = [
        case_record(
            id_,
            metrics={name: lam + k for name in metrics},
            type_id=str(k),
            **facts | ({"by_view": f"scenes/{id_}/by_view.json"} if views else {}),
        )
        for k, id_ in enumerate(IDS)
    ]
    return write_run(root / "pie-toybox" / f"{method}-{key}", record, cases)


@pytest.fixture
def runs(tmp_path):
    make(tmp_path, "aa11", 2.0)
    make(tmp_path, "bb22", 0.0)
    make(tmp_path, "cc33", 10.0)
    make(tmp_path, "dd44", 1.0, "dds")
    return load_runs([], tmp_path)


def test_a_curve_is_ordered_by_the_strength_of_its_method(runs):
    found = {line.label: [line.value(row) for row in line.rows] for line in curves(rows(runs, ["lpips"]))}
    assert found == {"dds": ["7.5"], "piva": ["0", "2", "10"]}


def test_points_intervals_and_words_are_the_tables(runs):
    ax = plane_figure(runs, "lpips", "clip_text").axes[0]
    by_lam = sorted((row for row in rows(runs, ["lpips", "clip_text"]) if row.run.record.method == "piva"),
                    key=lambda row: row.run.record.settings["lam"])  # fmt: skip
    line = next(line for line in ax.lines if len(line.get_xdata()) == 3)
    assert list(line.get_xdata()) == [row.cells["lpips"].mean * 1000 for row in by_lam]
    assert list(line.get_ydata()) == [row.cells["clip_text"].mean * 100 for row in by_lam]
    ends = [bar.get_segments()[0][:, 0].tolist() for bar in ax.collections[:2]]
    assert any(end == pytest.approx([1000.0, 3000.0]) for end in ends)
    assert sorted(word.get_text() for word in ax.texts) == ["0", "10", "2", "7.5"]


def test_a_number_that_no_version_knows_is_drawn(tmp_path):
    make(tmp_path, "aa11", 2.0, metrics=("newest", "clip_text"))
    files = draw_all(load_runs([], tmp_path), tmp_path / "out", drawn=Drawn(identity="newest"))
    assert "identity-alignment.svg" in {file.name for file in files}


def test_the_same_records_give_the_same_bytes(runs, tmp_path):
    one, two = draw_all(runs, tmp_path / "one"), draw_all(runs, tmp_path / "two")
    assert {file.name for file in one} == {f"{n}.{e}" for n in ("identity-alignment", "types") for e in ("svg", "png")}
    assert [file.read_bytes() for file in one] == [file.read_bytes() for file in two]


def test_what_records_lack_is_not_drawn(tmp_path):
    make(tmp_path, "aa11", 1.0, metrics=("newest",))
    assert draw_all(load_runs([], tmp_path), tmp_path / "out") == []
    assert not (tmp_path / "out").exists()


def test_cost_is_drawn_where_it_was_measured(tmp_path):
    make(tmp_path, "aa11", 1.0, unet_rows=400)
    ax = cost_figure(load_runs([], tmp_path), "clip_text").axes[0]
    assert (ax.get_xlabel(), ax.lines[0].get_xdata()[0]) == ("unet_rows ↓", 400.0)


def test_a_course_is_the_mean_over_the_cases_scored_then(tmp_path):
    make(tmp_path, "aa11", 1.0, course={"step": [50, 100], "lpips": [0.25, None]})
    means = course_means(load_runs([], tmp_path)[0], "lpips")
    assert {step: (one.mean, one.n) for step, one in means.items()} == {50: (0.25, 3)}


def write_views(folder, text, case_id="a"):
    file = folder / "scenes" / case_id / "by_view.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def test_views_are_read_and_averaged(tmp_path):
    folder = make(tmp_path, "aa11", 1.0, views=True)
    for case_id, value in zip(IDS, (0.25, 0.5, 0.75), strict=True):
        write_views(folder, json.dumps({"consistency_x": [value, None], "lpips": [1, 2]}), case_id)
    run = load_runs([], tmp_path)[0]
    assert view_scores(run, "a") == {"consistency_x": [0.25, None], "lpips": [1.0, 2.0]}
    assert [(one.mean, one.n) for one in view_means(run)["consistency_x"]] == [(0.5, 3), (None, 0)]
    write_views(folder, '{"lpips": ["one"]}')
    with pytest.raises(ConfigError, match="holds no scores"):
        view_scores(run, "a")


def test_a_link_out_of_the_run_is_not_followed(tmp_path):
    folder = make(tmp_path, "aa11", 1.0, views=True)
    secret = tmp_path / "secret.json"
    secret.write_text('{"lpips": [1]}')
    file = write_views(folder, "")
    file.unlink()
    file.symlink_to(secret)
    with pytest.raises(ConfigError, match="outside"):
        view_scores(load_runs([], tmp_path)[0], "a")


def test_twenty_looks_are_told_apart():
    found = [look(place) for place in range(20)]
    assert len({(one.color, one.marker) for one in found}) == len({(one.color, one.line) for one in found}) == 20
    assert found[len(COLORS)].color == found[0].color
