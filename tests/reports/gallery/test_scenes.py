"""Edited scenes on the page: views to compare, their scores, videos that wait until they are looked at."""

import json

from chromium_window import Window
from gallery_world import write_scenes
from PIL import Image

from reports.gallery.scenes import by_view
from reports.reading import load_runs


def test_six_views_along_the_path_are_beside_the_page(tmp_path):
    pictures = write_scenes(tmp_path).parent / "pictures"
    for folder, red in (("original", 40), ("dds-0", 120), ("piva-1", 180)):
        found = [Image.open(pictures / "views" / folder / str(k) / "cube.png").getpixel((0, 0)) for k in range(6)]
        assert found == [(red, 20 * k, 0) for k in range(6)]
    assert (pictures / "films" / "piva-1" / "cube.mp4").read_bytes() == b"not really a film"
    assert not (pictures / "views" / "dds-0" / "0" / "cone.png").exists()


def test_scores_by_view_are_those_that_some_view_has(tmp_path):
    write_scenes(tmp_path)
    dds, piva = load_runs([], tmp_path / "runs")
    assert by_view(piva, "cube") == {"lpips": [round(0.1 + 0.01 * k, 4) for k in range(12)]}
    assert by_view(piva, "cone") == {}
    (dds.path / "scenes/cube/by_view.json").write_text(json.dumps({"lpips": [float("nan"), 1.0]}))
    assert by_view(dds, "cube") == {"lpips": [None, 1.0]}
    for damaged in ("{torn", "[1]", '{"lpips": 1}', '{"lpips": ["one"]}'):
        (dds.path / "scenes/cube/by_view.json").write_text(damaged)
        assert by_view(dds, "cube") == {}
    (dds.path / "scenes/cube/by_view.json").unlink()
    assert by_view(dds, "cube") == {}
    (dds.path / "scenes/cube/by_view.json").symlink_to(piva.path / "scenes/cube/by_view.json")
    assert by_view(dds, "cube") == {}


def test_views_are_compared_and_scores_drawn_in_full_view(chromium, tmp_path):
    window = Window(chromium).open(write_scenes(tmp_path), "#case=cube&right=dds-0&view=2")
    sources = "images => images.map(image => image.getAttribute('src'))"
    stage = "#viewer .stage img"
    assert window.tab.eval_on_selector_all(stage, sources) == [
        f"pictures/views/{one}/2/cube.png" for one in ("dds-0", "original")
    ]
    window.tab.keyboard.press("v")
    window.drawn()
    assert window.part["view"] == "3"
    assert window.tab.eval_on_selector_all(stage, sources)[0] == "pictures/views/dds-0/3/cube.png"
    assert window.tab.locator("#viewer .lines path").count() == 2
    assert window.tab.text_content("#viewer .lines title") == "lpips of each view, from 0.0 to 210.0"
    assert window.tab.locator("#viewer .sheet").get_attribute("src") == "pictures/runs/dds-0/cube.png"


def test_a_scene_has_no_mask_and_a_broken_video_says_so(chromium, tmp_path):
    window = Window(chromium).open(write_scenes(tmp_path))
    assert window.ids == ["cone", "cube"]
    assert window.tab.locator("#mask-button").count() == 0
    assert window.tab.locator("[data-compare]").count() == 0
    window.tab.keyboard.press("m")
    window.drawn()
    assert window.part == {}
    window.tab.locator("#case-cube figure").last.scroll_into_view_if_needed()
    window.until("document.querySelectorAll('#case-cube .gone').length === 2")
    assert window.tab.inner_text("#case-cone figure[data-run=dds-0]").split("\n")[0] == "failed (edit)"
