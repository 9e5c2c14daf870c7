"""What a merge comes to depends on the set of sources alone."""

import os
import random
from contextlib import suppress

import pytest
from harness_world import case_record, launch, run_record, write_run
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from piva.errors import ConfigError
from piva.records import CASES_FILE, RUN_FILE, RunFolder, read_cases, read_run
from piva.records.files import MERGED
from piva.records.merging import Source, differences, merged, write

LAUNCHES = [launch(["a"]).model_copy(update={"started": f"2026-01-0{day}T00:00:00+00:00"}) for day in (1, 2, 3)]
IDS = [f"case-{number}" for number in range(6)]


def source(cases, launches=(LAUNCHES[0],), **facts) -> Source:
    """A source that lies nowhere."""
    record = run_record(launches=list(launches), **facts)
    return Source(None, record, {case.case_id: case for case in cases})


def of_parts(*sources: Source) -> Source:
    """What a merge in steps reads back."""
    found = merged(sources)
    return Source(None, found.record, found.cases)


@st.composite
def cases(draw, launches: int):
    """A record of any of a few cases, as any status."""
    status = draw(st.sampled_from(["ok", "error", "skipped"]))
    facts = {"metrics": {"lpips": draw(st.sampled_from([0.1, 0.2]))}} if status == "ok" else {"stage": "edit"}
    number = draw(st.integers(0, launches - 1))
    return case_record(draw(st.sampled_from(IDS)), status=status, launch=number, **facts)


@st.composite
def sources(draw):
    """A source with some of the launches, in any order, and some cases."""
    launches = draw(st.lists(st.sampled_from(LAUNCHES), unique_by=id, min_size=1))
    found = draw(st.lists(cases(len(launches)), max_size=6, unique_by=lambda case: case.case_id))
    return source(found, launches, root=draw(st.sampled_from(["here", "there"])))


@given(st.lists(sources(), min_size=1, max_size=5), st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_any_order_any_steps_and_twice_come_to_the_same_bytes(parts, chance):
    wanted = merged(parts).files()
    for _ in range(2):
        rest = [*parts, chance.choice(parts)]
        chance.shuffle(rest)
        while len(rest) > 1:
            taken = [rest.pop(chance.randrange(len(rest))) for _ in range(min(len(rest), chance.choice([2, 3])))]
            rest.append(of_parts(*taken))
        assert merged(rest).files() == wanted


@given(st.lists(st.integers(0, 2), min_size=len(IDS), max_size=len(IDS)), st.permutations(range(3)))
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_shards_come_to_the_bytes_of_the_whole(tmp_path_factory, of_case, order):
    folder = tmp_path_factory.mktemp("merge")
    launches = [LAUNCHES[0].model_copy(update={"planned": IDS})]
    whole = [case_record(case_id, metrics={"lpips": float(k)}) for k, case_id in enumerate(IDS)]
    random.Random(0).shuffle(whole)
    wanted = merged([Source.read(write_run(folder / "whole", run_record(launches=launches), whole))]).files()
    shards = [folder / f"shard-{number}" for number in range(3)]
    for number, shard in enumerate(shards):
        own = [case for case, chosen in zip(whole, of_case, strict=True) if chosen == number]
        write_run(shard, run_record(launches=launches), own)
    with RunFolder(folder / "merged") as target:
        write(target, merged([Source.read(shards[number]) for number in order]))
    assert ((folder / "merged" / RUN_FILE).read_bytes(), (folder / "merged" / CASES_FILE).read_bytes()) == wanted


def test_an_edit_that_ended_well_stays_then_present_scores_then_the_later_launch():
    early, late = LAUNCHES[:2]
    failed = case_record("a", status="error", stage="edit", error="late")
    skipped = case_record("a", status="skipped")
    stale, fresh = case_record("a", score_key="0" * 16), case_record("a", metrics={"lpips": 1.0})
    for better, worse in ((fresh, failed), (skipped, failed), (fresh, skipped), (fresh, stale)):
        found = merged([source([better], [early]), source([worse], [late])])
        assert found.cases["a"] == better
    newer = case_record("a", metrics={"lpips": 2.0})
    found = merged([source([newer], [late]), source([fresh], [early])])
    assert found.cases["a"] == newer.model_copy(update={"launch": 1})
    assert found.record.launches == [early, late]


def test_a_launch_in_two_sources_counts_once_with_its_end():
    begun = LAUNCHES[0]
    ended = begun.model_copy(update={"ended": "2026-01-01T01:00:00+00:00", "seconds": 3600.0})
    for pair in ([begun, ended], [ended, begun]):
        found = merged([source([case_record(f"{k}")], [one]) for k, one in enumerate(pair)])
        assert found.record.launches == [ended]
        assert {case.launch for case in found.cases.values()} == {0}


def test_other_content_is_said():
    found = merged([source([case_record("a"), case_record("b")]), source([case_record("a", content="other")])])
    assert found.disagreeing == ("a",)


def test_different_runs_are_refused_with_what_differs():
    with pytest.raises(ConfigError, match=r"different runs: .*seed: 0 and 1; settings.guidance: 7.5 and 3.0"):
        merged([source([]), source([], key="1" * 16, seed=1, settings={"guidance": 3.0})])
    with pytest.raises(ConfigError, match="different scores: lpips: lpips@1 and lpips@2; piva score"):
        merged([source([]), source([], score_key="2" * 16, metrics={"lpips": "lpips@2"})])
    a, b = run_record(key_facts={"prior": "x", "steps": 3}), run_record(key_facts={"prior": "y", "steps": 3})
    assert differences(a, b) == ["prior: x and y"]


def with_image(folder, value: int, **facts):
    """A run of one case whose image is grey."""
    with RunFolder(folder) as opened:
        opened.write_run(run_record(launches=[LAUNCHES[0]]))
        path, sha256 = opened.write_image("a", Image.new("L", (2, 2), value))
        opened.append(case_record("a", image=path, image_sha256=sha256, **facts))
    return folder


def test_images_are_copied_and_their_hashes_checked(tmp_path):
    good, bad = with_image(tmp_path / "good", 1), with_image(tmp_path / "bad", 1)
    (bad / "images/a.png").write_bytes(b"torn")
    target = tmp_path / "target"
    with RunFolder(target) as opened:
        with pytest.raises(ConfigError, match=r"a: images/a.png is not as it was recorded in .*bad"):
            write(opened, merged([Source.read(bad)]))
        assert not (target / RUN_FILE).exists()
        assert list((target / "images").iterdir()) == []
        assert write(opened, merged([Source.read(bad), Source.read(good)]))
    assert (target / "images/a.png").read_bytes() == (good / "images/a.png").read_bytes()
    assert read_cases(target) == read_cases(good)
    assert not list(target.glob(".*.tmp"))


def test_a_merge_that_brings_nothing_writes_nothing(tmp_path):
    run = with_image(tmp_path / "run", 1)
    with RunFolder(run) as opened:
        write(opened, merged([Source.read(run)]))
    files = [run / RUN_FILE, run / CASES_FILE, run / "images/a.png"]
    before = [file.stat().st_mtime_ns for file in files]
    with RunFolder(run) as opened:
        assert not write(opened, merged([Source.read(run), Source.read(run)]))
    assert [file.stat().st_mtime_ns for file in files] == before
    assert read_run(run).launches == [LAUNCHES[0]]


def test_a_whole_scene_folder_comes_along(tmp_path):
    from piva.records.merging import sha256_of

    run = tmp_path / "run"
    own = run / "scenes" / "a"
    (own / "views").mkdir(parents=True)
    for name in ("edited.safetensors", "views.png", "views/0.png", "by_object.json", ".views.png.123.tmp"):
        (own / name).write_text(name)
    facts = {
        "field": "scenes/a/edited.safetensors", "field_sha256": sha256_of(own / "edited.safetensors"),
        "image": "scenes/a/views.png", "image_sha256": sha256_of(own / "views.png"),
    }  # fmt: skip
    write_run(run, run_record(launches=[LAUNCHES[0]]), [case_record("a", **facts)])
    with RunFolder(tmp_path / "target") as target:
        write(target, merged([Source.read(run)]))
    below = tmp_path / "target" / "scenes" / "a"
    found = sorted(str(file.relative_to(below)) for file in below.rglob("*") if file.is_file())
    assert found == ["by_object.json", "edited.safetensors", "views.png", "views/0.png"]


def test_a_record_of_no_launch_is_refused(tmp_path):
    write_run(tmp_path, run_record(launches=[LAUNCHES[0]]), [case_record("a", launch=1)])
    with pytest.raises(ConfigError, match=r"case a is of launch 1, which run\.json lacks"):
        Source.read(tmp_path)


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("moves", range(7))
def test_a_merge_that_is_killed_between_any_two_moves_leaves_the_run_as_it_was_or_merged(tmp_path, monkeypatch, moves):
    """The launch of the shard began before the run's own: the numbers of launches change in both files."""
    early, late = LAUNCHES[:2]
    run, shard = tmp_path / "run", with_image(tmp_path / "shard", 3)  # of the early launch
    with RunFolder(run) as target:
        target.write_run(run_record(launches=[late]))
        target.append(case_record("b"))
    before, left = started(run), iter(range(moves))
    real = {name: getattr(os, name) for name in ("replace", "rename")}

    def move(name):
        def moved(*places):
            if next(left, None) is None:
                raise Killed
            real[name](*places)

        return moved

    with monkeypatch.context() as patched, RunFolder(run) as target:
        for name in real:
            patched.setattr(os, name, move(name))
        done = False
        with suppress(Killed):
            write(target, merged([Source.read(run), Source.read(shard)]))
            done = True
    after = {"a": early.started, "b": late.started}
    assert before == {"b": late.started}
    assert started(run) == (after if moves >= DECIDED else before)
    assert done == (moves == 6)
    with RunFolder(run) as target:  # the next writer finds both in their places
        assert started(run) == (after if moves >= DECIDED else before)
        assert not (run / MERGED).exists()
        write(target, merged([Source.read(run), Source.read(shard)]))
    assert started(run) == after


DECIDED = 4
"""Moves of a merge of one image: it, two files of records that are written, and their folder."""


def started(run):
    """Case -> start of the launch that made it."""
    launches = read_run(run).launches
    return {id_: launches[case.launch].started for id_, case in read_cases(run).items()}
