"""The page: complete, self-contained, and safe whatever prompts and errors hold."""

import re
from html.parser import HTMLParser

import pytest
from harness_world import case_record, run_record, write_bench, write_run
from PIL import Image

from piva.data.pie_bench import read
from reports.gallery import marked_words, write_page
from reports.reading import load_runs

NASTY = "<script>alert('x')</script> & \"quotes\" {{ 7 * 7 }} <img src=x onerror=alert(1)>"


class Links(HTMLParser):
    """Collects what a page refers to, and its script elements."""

    def __init__(self, text):
        super().__init__()
        self.found, self.scripts, self.lazy = [], 0, []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        facts = dict(attrs)
        self.scripts += tag == "script"
        self.found += [facts[name] for name in ("src", "href") if name in facts]
        if tag == "img":
            self.lazy.append(facts.get("loading"))
        assert not any(name.startswith("on") for name in facts)


def make(tmp_path, n=3, size=16, target=None):
    """Two runs (copy, dds) on a small data set; dds never did case 2, and failed on case 1: its message is nasty, and
    it left its last finite image."""
    root = write_bench(tmp_path / "bench", n=n, size=size)
    if target is not None:
        mapping = root / "mapping_file.json"
        mapping.write_text(mapping.read_text().replace("a [bright] square number 0", target))
    for method, key in (("copy", "aa"), ("dds", "bb")):
        folder = tmp_path / "runs" / "pie-toybox" / f"{method}-{key}"
        records = []
        for case in read(root):
            number = int(case.id)
            facts = {"type_id": case.type_id, "src": case.src, "tgt": case.tgt}
            if method == "dds" and number == 2:
                continue
            (folder / "images").mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (size, size), "red").save(folder / "images" / f"{case.id}.png")
            facts |= {"image": f"images/{case.id}.png"}
            if method == "dds" and number == 1:
                facts |= {"status": "error", "stage": "edit", "error": f"RuntimeError: {NASTY}"}
            else:
                facts |= {"metrics": {"lpips": 0.25, "edit_success": 1.0 - number}}
            records.append(case_record(case.id, **facts))
        metrics = {"lpips": "lpips@1", "edit_success": "judge@1"}
        facts = {"root": str(root), "image_size": (size, size), "metrics": metrics}
        write_run(folder, run_record(key, method, **facts), records)
    return load_runs([], tmp_path / "runs")


def page(tmp_path, **facts):
    runs = make(tmp_path, **facts)
    file = write_page(tmp_path / "out", "title", runs, ["lpips", "edit_success"], "piva report")
    return file.read_text(encoding="utf-8")


def test_the_page_refers_only_to_files_beside_it_and_they_are_there(tmp_path):
    links = Links(page(tmp_path))
    assert len(links.found) > 10
    for target in links.found:
        assert not re.match(r"[a-z]+:|//|/", target), target
        assert (tmp_path / "out" / target).is_file(), target
    assert set(links.lazy) == {"lazy"}


def test_every_case_has_source_and_every_edit(tmp_path):
    text = page(tmp_path)
    assert text.count('<section class="case"') == 3
    assert text.count("<figcaption>source") == 3
    assert text.count("<figcaption>dds") == 3
    assert text.count("not done") == 1
    assert "250.0" in text
    assert text.count(">success<") == 1
    assert 'data-type="1"' in text
    assert 'class="mask"' in text


def test_nothing_in_prompts_or_errors_is_markup(tmp_path):
    text = page(tmp_path, target=NASTY.replace("\\", "").replace('"', '\\"'))
    assert Links(text).scripts == 1
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(" in text
    assert "{{ 7 * 7 }}" in text
    assert "<img src=x" not in text


def test_the_words_that_change_are_marked():
    assert marked_words("a [red] cube [on] snow") == [
        ("a ", False), ("red", True), (" cube ", False), ("on", True), (" snow", False)
    ]  # fmt: skip
    assert marked_words("[red") == [("[red", False)]


def test_small_images_are_pixel_art_and_large_ones_get_thumbnails(tmp_path):
    assert '<body class="pixels">' in page(tmp_path / "a")
    text = page(tmp_path / "b", n=1, size=700)
    assert '<body class="">' in text
    assert Image.open(tmp_path / "b" / "out" / "pictures" / "dds-bb" / "000000000000.png").size == (336, 336)


def test_full_images_on_request(tmp_path):
    runs = make(tmp_path, n=1, size=700)
    write_page(tmp_path / "out", "title", runs, ["lpips"], "piva report", full=True)
    assert Image.open(tmp_path / "out" / "pictures" / "dds-bb" / "000000000000-full.png").size == (700, 700)


def test_without_the_benchmarks_folder_the_edits_are_still_shown(tmp_path):
    runs = make(tmp_path)
    (tmp_path / "bench" / "mapping_file.json").unlink()
    text = write_page(tmp_path / "out", "title", runs, ["lpips"], "piva report").read_text(encoding="utf-8")
    assert "<figcaption>source" not in text
    assert text.count('<section class="case"') == 3


@pytest.mark.parametrize("length", [10_000])
def test_a_long_prompt_is_kept_whole(tmp_path, length):
    assert "x" * length in page(tmp_path, target="x" * length)
