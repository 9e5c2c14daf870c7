"""The page as a person has it: opened from file:// in Chromium, by mouse and by keys."""

import json
from urllib.parse import parse_qs

import pytest
from chromium_window import Window
from gallery_world import NASTY, numbers, write, write_runs

from piva.metrics import INFO
from piva.records import CASES_FILE
from reports.gallery.page import write_page
from reports.reading import load_runs

N = 24
"""Cases: two pages."""
IDS = [f"{k:012d}" for k in sorted(range(N), key=lambda k: (k % 10, k))]
"""In the order of the page: by type, then by id."""
DDS = [id_ for id_ in IDS if int(id_) not in (1, 2)]
"""Those that dds has scores for."""


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """A page of three runs over N cases."""
    return write(tmp_path_factory.mktemp("gallery"), n=N)


@pytest.fixture(scope="module")
def window(chromium, file):
    return Window(chromium).open(file)


@pytest.fixture(autouse=True)
def _nothing_goes_wrong(request):
    if "window" not in request.fixturenames:
        yield
        return
    wrong = request.getfixturevalue("window").wrong
    wrong.clear()
    yield
    assert wrong == []


def ordered(method, name, sign, ids):
    """Ids by a number, those without one last; ties in the order of the page."""
    best = INFO[name].best if INFO[name].higher_is_better is None else None

    def key(id_):
        value = numbers(method, int(id_))[name]
        value = None if (method, int(id_)) in (("dds", 1), ("dds", 2)) else value
        return (value is None, 0 if value is None else sign * (value if best is None else abs(value - best)))

    return sorted(ids, key=key)


def test_it_loads_with_pictures_of_one_page_only_and_asks_no_network(window, file):
    window.asked.clear()
    window.open(file)
    assert window.ids == IDS[:20]
    assert window.status == f"n = {N} of {N} cases, 1–20 shown"
    assert window.tab.evaluate("document.querySelector('article.case img').naturalWidth") == 16
    pictures = [url for url in window.asked if "/pictures/" in url]
    assert pictures
    assert not any(id_ in url for id_ in IDS[20:] for url in pictures)
    assert all(url.startswith(file.parent.as_uri()) for url in window.asked if url not in ("about:blank", "data:,"))


@pytest.mark.parametrize(("part", "method", "name", "sign"), [
    ("sort=lpips", "piva", "lpips", 1),
    ("sort=lpips&order=worst", "piva", "lpips", -1),
    ("run=dds-1&sort=lpips", "dds", "lpips", 1),
    ("sort=saturation_shift", "piva", "saturation_shift", 1),
    ("run=dds-1&sort=saturation_shift&order=worst", "dds", "saturation_shift", -1),
])  # fmt: skip
def test_sorting_gives_the_best_or_the_worst_first_and_nothing_last(window, part, method, name, sign):
    assert window.everything(part) == ordered(method, name, sign, IDS)


def test_sorting_by_the_difference_to_another_run(window):
    def gain(id_):  # success is 0 everywhere in dds
        return -numbers("piva", int(id_))["edit_success"]

    found = window.everything("sort=edit_success&minus=dds-1")
    assert found == [*sorted(DDS, key=gain), *[id_ for id_ in IDS if id_ not in DDS]]


@pytest.mark.parametrize(("part", "those"), [
    ("type=1,3", lambda k: k % 10 in (1, 3)),
    ("success=yes", lambda k: k % 2 == 0),
    ("success=no&type=2,3", lambda k: k % 10 == 3),
    ("run=dds-1&status=error", lambda k: k == 1),
    ("run=dds-1&status=undone", lambda k: k == 2),
    ("run=dds-1&status=missing&success=yes", lambda k: False),
    ("range=lpips:400..600", lambda k: 400 <= 1000 * (0.3 + (k * 7 % 10) / 20) <= 600),
    ("range=lpips:..500,saturation_shift:0..", lambda k: k != 3 and k * 7 % 10 <= 4 and k * 3 % 10 > 4.5),
    ("q=NUMBER+1+bright", lambda k: "1" in f"{k:012d} {k}"),
    ("q=000000000017", lambda k: k == 17),
    ("scene=cube", lambda k: k % 2 == 1),  # and none of the red cube
])  # fmt: skip
def test_filters_leave_what_fits_and_say_how_many(window, part, those):
    expected = [id_ for id_ in IDS if those(int(id_))]
    assert window.everything(part) == expected
    assert window.status.startswith(f"n = {len(expected)} of {N} cases")


def test_a_scene_is_a_filter_that_can_be_taken_back(window, file):
    window.open(file, "#scene=red+cube")
    assert window.status.startswith(f"n = {N // 2} of {N} cases")
    window.tab.select_option("select[name=scene]", "")
    window.drawn()
    assert window.status.startswith(f"n = {N} of {N} cases")


def addresses(window, selector):
    """Where links lead."""
    return window.tab.eval_on_selector_all(selector, "links => links.map(link => link.getAttribute('href'))")


def test_every_link_of_the_tables_resolves(window):
    links = window.tab.eval_on_selector_all(
        ".results td a:not(.breakdown a)", "links => links.map(link => link.getAttribute('href'))"
    )
    assert len(links) == 17
    for link in dict.fromkeys(links):
        window.go(link)
        assert window.tab.is_hidden("#unknown"), link
        said = parse_qs(link[1:])
        assert window.tab.eval_on_selector("select[name=sort]", "select => select.value") == said.get("sort", [""])[0]
        assert len(window.ids) == {"error": 1, "undone": 1}.get(said.get("status", [""])[0], 20)


def test_every_number_of_a_breakdown_leads_to_the_cases_of_its_part(window, file):
    window.open(file)
    links = addresses(window, ".breakdown td a")
    assert {parse_qs(link[1:])["type"][0] for link in links} == {str(k) for k in range(10)}
    for link in (links[0], links[-1]):
        type_id = parse_qs(link[1:])["type"][0]
        window.go(link)
        assert window.tab.is_hidden("#unknown"), link
        assert window.ids == [id_ for id_ in IDS if int(id_) % 10 == int(type_id)]
    window.tab.click(".breakdown summary")
    window.tab.click("text=6 change-colour >> nth=0")
    assert window.tab.is_visible(".breakdown td a")


def test_a_runs_name_leads_to_how_it_was_made(window, file):
    window.open(file)
    window.tab.click(".results tbody th a >> text=piva")
    window.drawn()
    assert window.tab.evaluate("document.activeElement.closest('details').id") == "about-piva-2"
    assert "edit_key 0000000000000002" in window.tab.inner_text("#about-piva-2")


def test_what_a_link_names_and_the_page_lacks_is_said(window):
    window.go("run=nobody&sort=<script>&type=1")
    assert window.tab.inner_text("#unknown").endswith("run=nobody, sort=<script>.")
    assert [int(id_) % 10 for id_ in window.ids] == [1, 1, 1]


def test_controls_and_address_say_the_same(window, file):
    window.open(file)
    window.tab.select_option("select[name=run]", "dds-1")
    window.tab.select_option("select[name=sort]", "lpips")
    window.tab.select_option("select[name=order]", "worst")
    window.tab.click("[data-menu=type] summary")
    window.tab.check("input[name=type][value='3']")
    window.tab.fill("#search", "13")
    window.until("location.hash.includes('q=13')")
    assert window.part == {"run": "dds-1", "sort": "lpips", "order": "worst", "type": "3", "q": "13"}
    window.drawn()
    assert window.ids == ["000000000013"]
    window.tab.reload()
    assert window.ids == ["000000000013"]
    assert window.tab.input_value("#search") == "13"
    assert window.tab.eval_on_selector("select[name=run]", "select => select.value") == "dds-1"


def test_a_range_is_set_and_taken_back(window, file):
    window.open(file)
    window.tab.click("[data-menu=range] summary")
    window.tab.select_option("[data-menu=range] select", "lpips")
    window.tab.fill("[data-menu=range] input >> nth=0", "400")
    window.tab.click("[data-menu=range] >> text=Apply")
    window.drawn()
    assert window.part["range"] == "lpips:400.."
    assert window.status.startswith(f"n = {sum(numbers('piva', k)['lpips'] >= 0.4 for k in range(N))} of")
    window.tab.click(".chip")
    window.drawn()
    assert window.part == {}


def test_pictures_of_a_method_alone(window):
    window.go("method=dds")
    runs = "figures => [...new Set(figures.map(figure => figure.dataset.run))]"
    assert window.tab.eval_on_selector_all("article figure", runs) == ["source", "dds-1"]
    window.go("hide=dds-1")
    assert window.tab.eval_on_selector_all("article figure", runs) == ["source", "piva-2"]
    window.go("run=copy-0")
    assert window.tab.eval_on_selector_all("article figure", runs) == ["source", "copy-0", "dds-1", "piva-2"]


def test_failures_show_their_error_and_what_is_not_done_says_so(window):
    window.go("run=dds-1&status=error")
    figure = window.tab.locator("article figure[data-run=dds-1]")
    assert "RuntimeError: no" in figure.inner_text()
    assert not figure.locator("pre").is_visible()
    figure.locator("summary").click()
    assert figure.locator("pre").inner_text() == "Traceback: no"
    window.go("run=dds-1&status=missing")
    assert "not done yet" in window.tab.inner_text("article figure[data-run=dds-1]")


def test_keys_lead_through_cases_and_pages(window, file):
    press = window.tab.keyboard.press
    window.open(file)
    focused = "document.activeElement.id"
    for key, at in (("j", 0), ("j", 1), ("ArrowRight", 2), ("k", 1)):
        press(key)
        assert window.tab.evaluate(focused) == f"case-{IDS[at]}"
    press("Enter")
    window.drawn()
    assert window.part == {"case": IDS[1]}
    press("j")
    window.drawn()
    assert window.tab.inner_text("#viewer-title") == IDS[2]
    press("Escape")
    window.drawn()
    assert window.part == {}
    assert window.tab.evaluate(focused) == f"case-{IDS[2]}"
    press("n")
    window.drawn()
    assert window.ids == IDS[20:]
    press("p")
    press("/")
    window.drawn()
    press("m")
    assert window.tab.input_value("#search") == "m"  # what is typed is no command
    press("Backspace")
    press("Escape")
    press("m")
    press("?")
    window.drawn()
    assert window.part["mask"] == "1"
    assert window.tab.is_visible("#help")


def test_a_case_that_is_closed_leaves_the_page_where_it_was(window, file):
    window.open(file)
    card = window.tab.locator("article.case").nth(8)
    card.scroll_into_view_if_needed()
    card.locator("button.open").click()
    window.drawn()
    before = window.tab.evaluate("scrollY")
    assert before > 1000
    window.tab.keyboard.press("Escape")
    window.drawn()
    assert abs(window.tab.evaluate("scrollY") - before) < 200
    assert window.part == {}


def test_the_theme_can_be_changed(window):
    brightness = "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).slice(0, 3).map(Number)"
    assert min(window.tab.evaluate(brightness)) > 200
    window.tab.keyboard.press("t")
    assert max(window.tab.evaluate(brightness)) < 40
    window.tab.click("#theme-button")
    assert min(window.tab.evaluate(brightness)) > 200


def test_slider_and_blink_lay_the_source_over_every_edit(window, file):
    window.open(file)
    window.tab.keyboard.press("s")
    window.drawn()
    strip = window.tab.locator(".strip").first
    sliders = strip.locator("input[type=range]")
    assert sliders.count() == 2
    sliders.first.focus()
    window.tab.keyboard.press("ArrowRight")
    assert strip.evaluate("strip => strip.style.getPropertyValue('--cut')") == "51%"
    assert sliders.nth(1).input_value() == "51"
    box = sliders.first.bounding_box()
    window.tab.mouse.click(box["x"] + 0.25 * box["width"], box["y"] + 40)
    assert abs(int(sliders.first.input_value()) - 25) <= 4
    under = strip.locator("img.under").first
    assert under.get_attribute("src") == f"pictures/source-16x16/{IDS[0]}.png"
    cut = 100 - int(sliders.first.input_value())
    assert under.evaluate("img => getComputedStyle(img).clipPath") == f"inset(-1px {cut}% -1px -1px)"
    sliders.first.blur()
    window.tab.keyboard.press("b")
    window.drawn()
    assert window.part == {"compare": "blink"}
    assert strip.locator("img.under").first.evaluate("img => getComputedStyle(img).animationName") == "blink"


def test_a_case_in_full_compares_any_two_pictures(window):
    window.go(f"case={IDS[5]}&left=dds-1&right=piva-2")
    sources = "images => images.map(image => image.getAttribute('src'))"
    assert window.tab.eval_on_selector_all("#viewer .stage img:not(.mask)", sources) == [
        f"pictures/runs/piva-2/{IDS[5]}.png", f"pictures/runs/dds-1/{IDS[5]}.png"
    ]  # fmt: skip
    cells = window.tab.eval_on_selector_all(
        "#viewer tbody tr:first-child td", "cells => cells.map(cell => cell.innerText)"
    )
    dds, piva = (1000 * numbers(method, int(IDS[5]))["lpips"] for method in ("dds", "piva"))
    assert cells == [f"{dds:.1f}", f"{piva:.1f}{piva - dds:.1f}"]  # and the difference to the baseline, smaller
    window.tab.select_option("#viewer select[data-key=left]", "source")
    window.drawn()
    assert "left" not in window.part
    assert window.tab.eval_on_selector_all("#viewer .stage img.under", sources) == [
        f"pictures/source-16x16/{IDS[5]}.png"
    ]
    window.tab.click("#viewer button[aria-label=close]")
    window.drawn()
    assert not window.tab.is_visible("#viewer")


def test_everything_has_a_name_for_who_does_not_see_it(window):
    for part in ("page=1", f"case={IDS[0]}"):
        window.go(part)
        nameless = window.tab.evaluate("""() => [...document.querySelectorAll(
            'button, select, input, img, video, dialog[open]')]
            .filter(one => !one.getAttribute('aria-label') && !one.getAttribute('aria-labelledby') && !one.textContent
                && !one.closest('label')?.textContent && one.getAttribute('alt') === null)
            .map(one => one.outerHTML)""")
        assert nameless == []
    window.go("page=1")


def test_nothing_that_the_data_hold_is_run_or_shown_as_markup(chromium, tmp_path):
    long = "x" * 10_000
    file = write(tmp_path, n=3, target=f"{NASTY} ‮right to left {long}", error=NASTY, traceback=NASTY, label=NASTY)
    window = Window(chromium).open(file)
    prompt = window.tab.text_content("article .prompts")
    assert NASTY in prompt
    assert long in prompt
    assert window.tab.text_content("article figure[data-run=dds-1] .error") == NASTY
    window.go(f"case={IDS[0][:-1]}0")
    assert NASTY in window.tab.text_content("#viewer .prompts")
    assert NASTY.split()[0] in window.tab.text_content(".results")
    assert window.tab.evaluate("[window.hurt, document.querySelectorAll('script').length]") == [None, 2]
    assert window.tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert window.wrong == []


def test_a_picture_that_is_gone_or_broken_says_so(chromium, tmp_path):
    file = write(tmp_path, n=3)
    pictures = file.parent / "pictures" / "runs" / "piva-2"
    (pictures / f"{0:012d}.png").unlink()
    (pictures / f"{1:012d}.png").write_bytes(b"no picture")
    window = Window(chromium).open(file)
    window.until("document.querySelectorAll('figure[data-run=\"piva-2\"] .gone').length === 2")
    assert (
        window.tab.eval_on_selector_all("figure .gone", "all => all.map(one => one.innerText)")
        == ["the file is gone"] * 2
    )
    assert len(window.ids) == 3


def test_of_an_archive_it_says_that_pictures_were_left_behind(chromium, tmp_path):
    runs = write_runs(tmp_path, n=3)
    for run in runs:
        lines = [json.loads(line) for line in (run.path / CASES_FILE).read_text().splitlines()]
        for line in lines:
            line.update({"image": None, "image_sha256": "0" * 64})
        (run.path / CASES_FILE).write_text("".join(json.dumps(line) + "\n" for line in lines))
    archived = load_runs([], tmp_path / "runs")
    window = Window(chromium).open(write_page(tmp_path / "out", "x", archived, ["lpips"], "piva report"))
    said = window.tab.text_content("article figure[data-run=piva-2] .nothing")
    assert said == "left behind: an archive has records alone"


def test_it_fits_a_phone_and_the_dark(chromium, file):
    facts = {"viewport": {"width": 400, "height": 800}, "color_scheme": "dark"}
    window = Window(chromium, **facts).open(file)
    for part in ("page=1", f"case={IDS[0]}"):
        window.go(part)
        assert window.tab.evaluate("document.documentElement.scrollWidth") == 400
    brightness = "element => getComputedStyle(element).backgroundColor.match(/\\d+/g).slice(0, 3).map(Number)"
    assert max(window.tab.eval_on_selector("body", brightness)) < 40
    assert window.wrong == []
