"""What a run needs is looked at before any work: what ends it is refused, what harms it is said."""

import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
from harness_world import PlainPrior, case_file, write_bench

from benchmarks.preflight import checks as preflight
from benchmarks.preflight.checks import check_disk, preflight_pictures
from benchmarks.preflight.device import Short
from benchmarks.running.plan import compose
from piva.data.pie_bench import read
from piva.errors import PreflightError
from piva.methods.dds import DDS


@pytest.fixture
def world(tmp_path):
    """Ten cases, a plan to edit them in batches of four, and a `look` that runs the preflight."""
    root = write_bench(tmp_path / "bench")
    plan = compose(read(root), 4, {}, "k", tmp_path / "run")
    config = SimpleNamespace(out=tmp_path / "runs", method=DDS(), dry_run=False)
    return SimpleNamespace(
        root=root, plan=plan, config=config, look=lambda: preflight_pictures(config, PlainPrior(), [plan])
    )


def free(monkeypatch, size):
    """The disk has so many bytes left."""
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=size))


def test_a_run_that_can_begin_is_told_nothing(world, capsys):
    world.look()
    assert capsys.readouterr().err == ""
    assert not world.config.out.exists()


def test_unreadable_images_are_named_and_the_run_begins(world, capsys):
    case_file(world.root, 2).unlink()
    os.truncate(case_file(world.root, 7), 45)
    world.look()
    said = capsys.readouterr().err
    assert said.startswith(
        "warning: 2 of 10 images cannot be read: 000000000002: the file does not exist; 000000000007: "
    )
    assert said.endswith(": these cases will be recorded as errors\n")


def test_many_unreadable_images_are_not_all_named(world, capsys):
    for k in range(8):
        case_file(world.root, k).unlink()
    world.look()
    said = capsys.readouterr().err
    assert "8 of 10 images cannot be read" in said
    assert "000000000004" in said
    assert "000000000005" not in said
    assert "; and 3 more: these cases" in said


def test_a_run_of_which_no_image_can_be_read_does_not_begin(world):
    shutil.rmtree(world.root / "annotation_images")
    with pytest.raises(
        PreflightError, match="none of the 10 images can be read: 000000000000: the file does not exist"
    ):
        world.look()


def test_a_full_disk_is_said_in_one_sentence_with_numbers(world, monkeypatch):
    needed = 10 * (16 * 16 * 3 // 2 + 2048)
    free(monkeypatch, 100 * 2**20 + needed)
    world.look()
    free(monkeypatch, 100 * 2**20 + needed - 1)
    with pytest.raises(PreflightError) as refused:
        world.look()
    assert str(refused.value) == (
        f"{world.config.out} has 101 MB left; what is to do takes about 1 MB, and 100 MB are to stay free: "
        "free 1 MB at least, or give another folder with --out"
    )


def test_a_dry_run_says_what_a_run_would_be_refused_for(world, monkeypatch, capsys):
    world.config.dry_run = True
    shutil.rmtree(world.root / "annotation_images")
    free(monkeypatch, 5 * 2**20)
    world.look()
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(":")[0] for line in lines] == ["a run would be refused"] * 2
    assert "has 5 MB left" in lines[1]


@pytest.mark.parametrize("never_fits", [False, True])
def test_short_memory_is_said_and_refused_only_where_nothing_ever_fits(world, monkeypatch, capsys, never_fits):
    asked = []

    def short(prior, method, batch, sharing):
        asked.append((batch, sharing))
        return Short("4 pictures together take too much", never_fits)

    monkeypatch.setattr(preflight, "picture_memory", short)
    if never_fits:
        with pytest.raises(PreflightError, match="take too much"):
            world.look()
    else:
        world.look()
        assert capsys.readouterr().err == "warning: 4 pictures together take too much\n"
    assert asked == [(4, 1)]


def test_others_on_the_device_are_a_warning(world, monkeypatch, capsys):
    monkeypatch.setattr(preflight, "busy", lambda device: [f"other processes are on {device}"])
    world.look()
    assert capsys.readouterr().err == "warning: other processes are on cpu\n"


def test_a_folder_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(PreflightError, match="cannot write to"):
        check_disk(tmp_path / "file" / "runs")


def test_the_room_of_a_folder_that_is_not_there_yet_is_that_of_its_parent(world, monkeypatch):
    seen = []
    monkeypatch.setattr(shutil, "disk_usage", lambda path: seen.append(Path(path)) or SimpleNamespace(free=2**40))
    world.look()
    assert seen == [world.config.out.parent]
