"""Figures: their numbers are the table's, their bytes the records', and none is drawn that records do not allow."""

import json

import pytest
from harness_world import case_record, launch, run_record, write_run
from matplotlib.colors import to_hex

from piva.cli import main
from piva.errors import ConfigError
from reports.figures.along_views import view_means, views_figure
from reports.figures.courses import course_figure, course_means
from reports.figures.drawing import Drawn, draw_all, left_out
from reports.figures.looks import NOTHING, family_of, looks_of
from reports.figures.plane import cost_figure, curves, plane_figure
from reports.figures.style import BANDS, COLORS, COLUMN, FEW, MARKERS, MOST, PAGE, legend, look, panels, plt
from reports.figures.types import type_figure
from reports.parts import parts
from reports.reading import Run, load_runs
from reports.tables.rows import rows
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
    found = {line.label: [line.value(row) for row in line.rows] for line in curves(rows(runs, ["lpips"]), runs)}
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


def test_the_same_records_give_the_same_bytes(tmp_path):
    for k, method in enumerate(("piva", "dds")):
        course = {"step": [50, 100], "lpips": [0.25, 0.5]}
        folder = make(tmp_path, f"aa{k}", 1.0, method, views=True, course=course, unet_rows=400, seconds_edit=1.0)
        for case_id in IDS:
            write_views(folder, '{"consistency_x": [0.25, 0.5]}', case_id)
    one, two = (draw_all(load_runs([], tmp_path), tmp_path / name) for name in ("one", "two"))
    kinds = ("identity-alignment", "steps", "types", "cost", "views")
    assert [file.name for file in one] == [f"{kind}.{ending}" for kind in kinds for ending in ("svg", "png")]
    assert [file.read_bytes() for file in one] == [file.read_bytes() for file in two]


def test_what_records_lack_is_not_drawn(tmp_path):
    make(tmp_path, "aa11", 1.0, metrics=("newest",))
    assert draw_all(load_runs([], tmp_path), tmp_path / "out") == []
    assert not (tmp_path / "out").exists()


def test_cost_is_drawn_where_it_was_measured(tmp_path):
    make(tmp_path, "aa11", 1.0, unet_rows=400)
    ax = cost_figure(load_runs([], tmp_path), "clip_text").axes[0]
    assert (ax.get_xlabel(), ax.lines[0].get_xdata()[0]) == ("UNet rows, cached and psi's included ↓", 400.0)
    make(tmp_path, "aa11", 1.0, unet_rows=400, rows_cached=200, psi_rows=30)  # as with a cache that another run filled
    assert cost_figure(load_runs([], tmp_path), "clip_text").axes[0].lines[0].get_xdata()[0] == 630.0


def test_points_of_cost_stand_alone_and_a_run_that_lacks_one_cost_is_in_the_other_panel(tmp_path):
    make(tmp_path, "aa11", 1.0, unet_rows=400, seconds_edit=3.0)
    make(tmp_path, "bb22", 2.0, unet_rows=500)
    loaded = load_runs([], tmp_path)
    seconds, unet_rows = cost_figure(loaded, "clip_text").axes
    table = {row.run.record.edit_key: row.cells for row in rows(loaded, ["clip_text", "seconds_edit", "unet_rows"])}
    means = {key: {name: cell.mean for name, cell in cells.items()} for key, cells in table.items()}
    assert points(seconds) == [(means["aa11"]["seconds_edit"], 100 * means["aa11"]["clip_text"])]
    assert points(unet_rows) == [(means[key]["unet_rows"], 100 * means[key]["clip_text"]) for key in ("aa11", "bb22")]
    assert [text.get_text() for text in seconds.figure.legends[0].get_texts()] == ["piva (lam)"]


def points(ax):
    """The marks of an axis, in order; each a line of its own."""
    lines = [line for line in ax.lines if line.get_marker() in MARKERS]
    assert all(len(line.get_xdata()) == 1 for line in lines)
    return sorted((line.get_xdata()[0], line.get_ydata()[0]) for line in lines)


def test_the_axes_of_steps_show_the_means_over_cases(tmp_path):
    make(tmp_path, "aa11", 1.0, course={"step": [50, 100], "lpips": [0.25, 0.5], "clip_text": [0.5, None]})
    (ax,) = course_figure(load_runs([], tmp_path)).axes  # of clip_text there is one step
    assert (list(ax.lines[0].get_xdata()), list(ax.lines[0].get_ydata())) == ([50, 100], [250.0, 500.0])
    assert ax.get_ylabel() == "lpips ↓ ×1000"


def test_bars_are_the_tables_of_each_type(runs):
    (ax,) = type_figure(runs, ["lpips"]).axes
    found = {
        tuple(round(bar.get_height(), 9) for bar in bars.patches) for bars in ax.containers if hasattr(bars, "patches")
    }
    strengths = {run.path: run.record.settings["lam"] for run in runs}
    expected = set()
    for part in parts(runs, "type"):
        expected |= {(row.cells["lpips"].mean * 1000,) for row in rows(runs, ["lpips"], part=part)}
    assert found == expected
    assert {height for (height,) in found} == {1000 * (lam + k) for lam in strengths.values() for k in range(3)}


def test_of_more_runs_types_are_points_and_of_too_many_the_command_says_so(tmp_path, capsys):
    for k in range(FEW + 1):
        make(tmp_path, f"{k:04}", float(k))
    (ax,) = type_figure(load_runs([], tmp_path), ["lpips"]).axes
    assert sorted(y for _, y in points(ax)) == sorted(1000.0 * (lam + k) for lam in range(FEW + 1) for k in range(3))
    assert ax.patches[:] == []
    for k in range(FEW + 1, MOST + 1):
        make(tmp_path, f"{k:04}", float(k))
    assert type_figure(load_runs([], tmp_path), ["lpips"]) is None
    assert main(["report", "--runs", str(tmp_path), "--tables-only", "--figures"]) == 0
    assert f"no figure of types: there is room for {MOST} runs" in capsys.readouterr().err


def test_samplers_have_curves_too_and_many_curves_a_wide_plane(tmp_path):
    for k, method in enumerate(("sds", "dds", "nfsd", "vsd", "sds-bridge", "csd", "piva")):
        make(tmp_path, f"aa{k}", 1.0, method)
    assert plane_figure(load_runs([], tmp_path), "lpips", "clip_text").get_figwidth() == PAGE
    assert plane_figure(load_runs([], tmp_path)[:6], "lpips", "clip_text").get_figwidth() == COLUMN
    for k, t0 in enumerate((0.8, 0.2)):
        record = run_record(f"bb{k}", "sdedit", launches=[launch(IDS)], settings={"t0": t0})
        write_run(tmp_path / "other" / "pie-toybox" / f"sdedit-{k}", record, [case_record("a", metrics={"lpips": t0})])
    loaded = load_runs([], tmp_path / "other")
    (line,) = curves(rows(loaded, ["lpips"]), loaded)
    assert [line.value(row) for row in line.rows] == ["0.2", "0.8"]


def test_a_legend_has_as_many_columns_as_fit_and_room_for_its_lines():
    figure, [[ax]] = panels(1, 1, size=(PAGE, 2.0))
    handles = [ax.plot([0, 1], [k, k])[0] for k in range(13)]
    legend(figure, handles, [f"method {k}" for k in range(13)])
    assert figure.legends[0]._ncols == 6  # 6.7 inches by .55 and 9 letters of .047
    assert figure.get_figheight() == pytest.approx(2.0 + 0.12 * 3)
    plt.close(figure)


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


def test_the_axes_of_views_show_the_means_and_a_view_without_a_value_has_no_point(tmp_path):
    folder = make(tmp_path, "aa11", 1.0, views=True)
    for case_id, value in zip(IDS, (0.25, 0.5, 0.75), strict=True):
        write_views(folder, f'{{"consistency_x": [{value}, NaN, 1], "lpips": [1, 2, 3]}}', case_id)
    (ax,) = views_figure(load_runs([], tmp_path)).axes
    assert (list(ax.lines[0].get_xdata()), list(ax.lines[0].get_ydata())) == ([0, 2], [0.5, 1.0])
    assert ax.get_ylabel() == "consistency_x"


def test_a_link_out_of_the_run_is_not_followed(tmp_path):
    folder = make(tmp_path, "aa11", 1.0, views=True)
    secret = tmp_path / "secret.json"
    secret.write_text('{"lpips": [1]}')
    file = write_views(folder, "")
    file.unlink()
    file.symlink_to(secret)
    with pytest.raises(ConfigError, match="outside"):
        view_scores(load_runs([], tmp_path)[0], "a")


@pytest.mark.parametrize("sizes", [(20,), (7, 1, 1, 1, 1, 1, 8), (1,) * 20, (10, 10)])
def test_as_many_runs_as_are_drawn_are_told_apart_in_bars_and_in_curves(sizes, tmp_path):
    for place, size in enumerate(sizes):
        for k in range(size):
            make(tmp_path, f"aa{place:02d}{k:02d}", float(k), guidance=float(place))
    found = looks_of(load_runs([], tmp_path)).values()
    assert (
        len({(one.color, one.hatch) for one in found})
        == len({(one.color, one.line, one.marker) for one in found})
        == 20
    )


def test_runs_of_other_weights_or_of_another_version_are_no_one_curve(tmp_path):
    make(tmp_path, "aa11", 1.0)
    (run,) = load_runs([], tmp_path)
    changes = ({}, {"method_version": 9}, {"prior": run.record.prior | {"fingerprint": "other"}})
    assert len({family_of(Run(run.path, run.record.model_copy(update=change))) for change in changes}) == 3


def test_twenty_looks_are_told_apart():
    found = [look(place) for place in range(20)]
    assert len({(one.color, one.marker) for one in found}) == len({(one.color, one.line) for one in found}) == 20
    assert found[len(COLORS)].color == found[0].color


def test_a_run_looks_the_same_in_every_figure(tmp_path):
    """Baselines come first; a method has one colour over its strengths, and whoever edits nothing takes no place."""
    course = {"step": [50, 100], "lpips": [0.25, 0.5]}
    for k, (method, lam) in enumerate((("copy", 0.0), ("dds", 0.0), ("piva", 1.0), ("piva", 2.0), ("sds", 0.0))):
        make(tmp_path, f"aa{k}", lam, method, course=course, unet_rows=400)
    runs = load_runs([], tmp_path)
    runs.sort(key=lambda run: run.record.method != "sds")  # as a baseline
    looks = {run.record.edit_key: look for run, look in zip(runs, looks_of(runs).values(), strict=True)}
    assert looks["aa4"] == look(0)
    assert looks["aa0"] == NOTHING
    assert looks["aa2"].color == looks["aa3"].color
    assert (looks["aa2"].marker, looks["aa2"].line) != (looks["aa3"].marker, looks["aa3"].line)
    for figure in (plane_figure(runs, "lpips", "clip_text"), cost_figure(runs, "clip_text")):
        assert [text.get_text().split()[0] for text in figure.legends[0].get_texts()] == ["sds", "dds", "piva"]
        colors = [to_hex(handle.get_color()[0]) for handle in figure.legends[0].legend_handles]
        assert colors == [looks[key].color.lower() for key in ("aa4", "aa1", "aa2")]
    steps = course_figure(runs).legends[0].legend_handles
    assert [handle.get_color() for handle in steps] == [looks[run.record.edit_key].color for run in runs]
    drawn = [one for one in type_figure(runs, ["lpips"]).axes[0].containers if hasattr(one, "patches")]
    types = {one.get_label(): to_hex(one.patches[0].get_facecolor()) for one in drawn}
    for name, key in (("sds", "aa4"), ("dds", "aa1"), ("piva lam=2.0", "aa3")):
        assert types[name] == looks[key].color.lower()


def test_many_curves_have_no_bands(tmp_path):
    for k in range(BANDS + 1):
        make(tmp_path, f"aa{k}", float(k), course={"step": [50, 100], "lpips": [0.25, 0.5]})
    runs = load_runs([], tmp_path)
    assert [len(course_figure(some).axes[0].collections) for some in (runs[:BANDS], runs)] == [BANDS, BANDS + 1]
    kinds = {type(one).__name__ for one in course_figure(runs).axes[0].collections}
    assert kinds == {"LineCollection"}
    for k in range(BANDS + 1, MOST + 1):
        make(tmp_path, f"bb{k}", float(k), course={"step": [50, 100], "lpips": [0.25, 0.5]})
    runs = load_runs([], tmp_path)
    assert course_figure(runs[:-1]).get_figwidth() == PAGE
    assert course_figure(runs) is None
    assert left_out(runs[:-1]) == []
    assert left_out(runs) == ["types", "steps"]
