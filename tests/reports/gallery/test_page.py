"""The page as a file: complete, of the same bytes, and safe whatever prompts and errors hold."""

import re
from html.parser import HTMLParser
from urllib.parse import parse_qs

import pytest
from gallery_world import NAMES, NASTY, write, write_runs

from reports.gallery import write_page


class Elements(HTMLParser):
    """The elements of a page, with their attributes, and the text of scripts."""

    def __init__(self, text):
        super().__init__()
        self.found, self.scripts = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        if tag == "script":
            self.scripts.append("")

    def handle_data(self, data):
        if self.lasttag == "script":
            self.scripts[-1] += data

    def all(self, name):
        return [facts[name] for _, facts in self.found if name in facts]


def test_the_page_refers_to_nothing_but_its_own_parts(tmp_path):
    elements = Elements(write(tmp_path).read_text(encoding="utf-8"))
    assert len(elements.all("href")) > 20
    assert {target[0] for target in elements.all("href")} == {"#", "d"}
    assert [target for target in elements.all("href") if target[0] == "d"] == ["data:,"]
    assert elements.all("src") == []


def test_nothing_in_the_data_is_markup(tmp_path):
    text = write(tmp_path, target=NASTY, error=NASTY, traceback=NASTY, label=NASTY).read_text(encoding="utf-8")
    elements = Elements(text)
    assert len(elements.scripts) == 2
    assert "window.hurt" not in elements.scripts[1]
    assert "<script>window" not in text
    assert "<img" not in text
    assert not any(name.startswith("on") for _, facts in elements.found for name in facts)


def test_only_the_pages_own_script_may_run(tmp_path):
    (policy,) = [facts["content"] for _, facts in Elements(write(tmp_path).read_text()).found if "content" in facts
                 and "default-src" in facts["content"]]  # fmt: skip
    assert "default-src 'none'" in policy
    assert re.search(r"script-src 'sha256-[A-Za-z0-9+/=]+';", policy)
    assert "connect-src" not in policy
    assert "unsafe" not in policy


def test_every_number_leads_to_its_cases(tmp_path):
    links = [parse_qs(target[1:]) for target in Elements(write(tmp_path).read_text()).all("href") if "run=" in target]
    for run in ("copy-0", "dds-1", "piva-2"):
        assert {link["sort"][0] for link in links if link["run"] == [run] and "sort" in link} == set(NAMES)
    assert {"run": ["dds-1"], "status": ["error"]} in links
    assert {"run": ["dds-1"], "status": ["undone"]} in links
    assert {"run": ["piva-2"], "minus": ["dds-1"], "sort": ["lpips"]} in links


def test_parts_have_rows_of_their_own_and_notes_are_said_once(tmp_path):
    text = write(tmp_path).read_text()
    links = [parse_qs(target[1:]) for target in Elements(text).all("href") if "type=" in target]
    assert {link["run"][0] for link in links if link.get("type") == ["1"]} == {"copy-0", "dds-1", "piva-2"}
    assert "The same by type" in text
    runs = write_runs(tmp_path / "dirty")
    for run in runs:
        for made in run.record.launches:
            made.provenance = made.provenance.model_copy(update={"git_dirty": True})
    said = write_page(tmp_path / "out-dirty", "t", runs, NAMES, "piva report").read_text()
    assert said.count("<li>made from a tree with uncommitted changes</li>") == 1
    assert len(re.findall(r'<sup class="mark" title="made from a tree with uncommitted changes">\d</sup>', said)) == 3


def test_the_same_records_give_the_same_bytes(tmp_path):
    runs = write_runs(tmp_path)
    for out in ("a", "b", "a"):
        write_page(tmp_path / out, "t", runs, NAMES, "piva report")
    first, second = (
        {file.relative_to(tmp_path / out): file.read_bytes() for file in (tmp_path / out).rglob("*") if file.is_file()}
        for out in ("a", "b")
    )
    assert first == second
    assert len(first) == 1 + 6 + 6 + 6 + 6 + 4  # the page, sources, masks, copy, piva, dds


def test_configuration_and_launches_of_every_run_are_on_the_page(tmp_path):
    text = write(tmp_path).read_text(encoding="utf-8")
    for run in ("copy-0", "dds-1", "piva-2"):
        assert f'id="about-{run}"' in text
    assert "<dt>guidance</dt><dd>7.5</dd>" in text
    assert "saturation-shift@1" in text


@pytest.mark.parametrize("length", [10_000])
def test_a_long_prompt_is_kept_whole(tmp_path, length):
    assert "x" * length in write(tmp_path, target="x" * length).read_text(encoding="utf-8")


def test_without_the_benchmarks_folder_the_edits_are_still_shown(tmp_path):
    runs = write_runs(tmp_path)
    (tmp_path / "bench" / "mapping_file.json").unlink()
    write_page(tmp_path / "out", "t", runs, NAMES, "piva report")
    assert sorted(folder.name for folder in (tmp_path / "out/pictures/runs").iterdir()) == ["copy-0", "dds-1", "piva-2"]
    assert list((tmp_path / "out/pictures").rglob("source*/*")) == []
