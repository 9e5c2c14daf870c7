"""One case's trouble is one case's record."""

import json
import os
from dataclasses import replace

import numpy as np
import pytest
import torch
from harness_world import PlainScorer, brighten, case_file, output
from runner_world import Run

from benchmarks.pictures.runner import Skipped
from benchmarks.running.recording import joined
from benchmarks.running.watching import Stopped, Unwatched
from piva.data.images import read_image, to_eight_bits, to_pil
from piva.data.pie_bench import load_image, read
from piva.errors import ConfigError, PreflightError
from piva.records import read_cases


@pytest.fixture
def run(tmp_path):
    return Run(tmp_path)


def rename_target(root, k, target):
    path = root / "mapping_file.json"
    mapping = json.loads(path.read_text())
    mapping[f"{k:012d}"]["editing_prompt"] = target
    path.write_text(json.dumps(mapping))


def test_every_case_is_edited_written_scored_and_recorded(run):
    cases = run.go()
    assert {case.status for case in cases.values()} == {"ok"}
    case = cases["000000000003"]
    image = read_image(run.path / case.image)
    assert image.mean().item() == pytest.approx(round(255 * (60 / 255 + 0.2)) / 255, abs=1e-6)
    assert case.metrics["level"] == pytest.approx(image.mean().item(), abs=1e-6)
    assert case.metrics["lpips"] is None
    assert case.reasons == {"lpips": "there are no weights"}
    assert (case.unet_rows, case.seconds_edit, case.batch, case.resized) == (12, 0.5, 4, False)
    assert case.history == {"direction_rms": {"first": 3.0, "last": 1.0, "mean": 2.0}}


def test_scores_are_those_of_the_file(run):
    def third(inputs, on_step):
        return [output(case, torch.full_like(case.image, 1 / 3 + 1e-4)) for case in inputs]

    assert run.go(third)["000000000000"].metrics["level"] == pytest.approx(85 / 255, abs=1e-7)


def test_eight_bits_round_trip():
    image = torch.linspace(-0.1, 1.1, 3 * 16 * 16).view(3, 16, 16)
    exact = to_eight_bits(image)
    assert exact.min() == 0
    assert exact.max() == 1
    pixels = torch.from_numpy(np.asarray(to_pil(exact)).copy()).permute(2, 0, 1)
    assert torch.equal(pixels, (exact * 255).round().byte())


def test_a_poisoned_image_fails_alone(run):
    file = case_file(run.root, 2)
    file.write_bytes(file.read_bytes()[:45])  # the header is whole, the pixels are not
    cases = run.go()
    assert [id_ for id_, case in cases.items() if case.status != "ok"] == ["000000000002"]
    assert cases["000000000002"].stage == "load"
    assert "000000000002" in cases["000000000002"].error
    assert "Traceback" in cases["000000000002"].traceback


def test_a_poisoned_prompt_spoils_its_batch_but_fails_alone(run):
    rename_target(run.root, 2, "poison")
    cases = run.go()
    assert [id_ for id_, case in cases.items() if case.status != "ok"] == ["000000000002"]
    assert (cases["000000000002"].stage, cases["000000000002"].error) == (
        "edit",
        "RuntimeError: poisoned batch of 1",
    )
    assert [cases[f"{k:012d}"].batch for k in range(10)] == [1, 1, 1, 1, 4, 4, 4, 4, 2, 2]


def test_a_failed_case_is_tried_again_and_the_others_are_not(run):
    rename_target(run.root, 2, "poison")
    run.go()
    edited = []

    def healed(inputs, on_step):
        edited.extend(case.case_id for case in inputs)
        return [output(case, case.image) for case in inputs]

    assert run.go(healed)["000000000002"].status == "ok"
    assert edited == ["000000000002"]


@pytest.mark.parametrize(
    ("image", "sentence"),
    [
        (torch.full((3, 16, 16), float("nan")), "not finite"),
        (torch.zeros(3, 8, 8), "[3, 8, 8], its source [3, 16, 16]"),
    ],
)
def test_an_edit_that_is_no_image_fails_alone(run, image, sentence):
    def broken(inputs, on_step):
        return [output(case, image if case.case_id.endswith("5") else case.image) for case in inputs]

    cases = run.go(broken)
    failed = [case for case in cases.values() if case.status == "error"]
    assert [case.case_id for case in failed] == ["000000000005"]
    assert sentence in failed[0].error


def test_what_the_engine_calls_an_error_is_one(run):
    from dataclasses import replace

    def diverged(inputs, on_step):
        outputs = [output(case, case.image) for case in inputs]
        return [replace(out, error="ran away") if out.case_id.endswith("1") else out for out in outputs]

    cases = run.go(diverged)
    assert cases["000000000001"].error == "ValueError: ran away"
    assert sum(case.status == "ok" for case in cases.values()) == 9


def test_a_score_that_fails_keeps_the_image_and_is_only_scored_again(run):
    def refuse(inputs):
        if any(case.src_prompt.endswith("7") for case in inputs):
            raise RuntimeError("no score")
        return PlainScorer().score_batch(inputs)

    run.scorer.score_batch = refuse
    case = run.go()["000000000007"]
    assert (case.status, case.stage) == ("error", "score")
    assert (run.path / case.image).exists()
    run.scorer = PlainScorer()
    cases = run.go(edit=None)
    assert {case.status for case in cases.values()} == {"ok"}
    assert run.scorer.scored == 1
    assert cases["000000000007"].seconds_edit == 0.5
    assert cases["000000000007"].error is None


def test_new_metrics_score_old_images_without_editing(run):
    before = run.go()
    after = run.go(edit=None, score_key="k2")
    assert {case.score_key for case in after.values()} == {"k2"}
    assert [case.metrics for case in after.values()] == [case.metrics for case in before.values()]
    assert {case.image_sha256 for case in after.values()} == {case.image_sha256 for case in before.values()}


def test_nothing_is_done_twice(run):
    run.go()
    lines = (run.path / "cases.jsonl").read_bytes()
    run.go(edit=None)
    assert (run.path / "cases.jsonl").read_bytes() == lines


def test_skipped_is_no_error(run):
    def none(inputs, on_step):
        raise Skipped("nothing here")

    case = run.go(none, batch_size=1)["000000000000"]
    assert (case.status, case.error) == ("skipped", "Skipped: nothing here")


def test_images_of_another_size_are_resized_and_said_to_be(tmp_path):
    run = Run(tmp_path, n=3, size=(8, 8))
    case = run.go()["000000000001"]
    assert (case.resized, case.source_size) == (True, (16, 16))
    assert read_image(run.path / case.image).shape == (3, 8, 8)


def test_a_full_disk_stops_the_run_and_keeps_what_is_there(run, monkeypatch):
    real, calls = os.fsync, []

    def full(handle):
        calls.append(handle)
        if len(calls) > 6:  # that of run.json, and of the lines
            raise OSError(28, "No space left on device")
        real(handle)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(PreflightError, match="No space left"):
        run.go()
    monkeypatch.undo()
    kept = read_cases(run.path)
    assert 0 < len(kept) < 10
    assert {case.status for case in run.go().values()} == {"ok"}
    assert len(read_cases(run.path)) == 10


@pytest.mark.parametrize("problem", [ConfigError("no such layer"), PreflightError("no such device")])
def test_wrong_settings_stop_the_run_and_are_no_case_s_error(run, problem):
    def refuse(inputs, on_step):
        raise problem

    with pytest.raises(type(problem), match="no such"):
        run.go(refuse)
    assert read_cases(run.path) == {}


def test_observers_see_steps_and_cases(run):
    class Watch:
        def __init__(self):
            self.steps, self.cases = [], []

        def step(self, values):
            self.steps.append(values["cases"])

        def case(self, record, source, edited):
            self.cases.append((record.case_id, tuple(edited.shape)))

    watch = Watch()
    run.go(observers=(watch,))
    assert watch.steps == [4] * 6 + [2] * 3
    assert watch.cases[0] == ("000000000000", (3, 16, 16))
    assert len(watch.cases) == 10


def test_an_interruption_passes_through(run):
    def interrupted(inputs, on_step):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run.go(interrupted)
    assert len(run.go()) == 10


def test_sources_are_on_the_grid_of_eight_bits(run):
    run.size = (11, 11)
    seen = {}

    def keep(inputs, on_step):
        seen.update({case.case_id: case.image for case in inputs})
        return [output(case, case.image) for case in inputs]

    cases = run.go(keep)
    assert cases["000000000004"].metrics["shift"] == 0.0
    levels = load_image(read(run.root)[4], (11, 11)) * 255
    assert torch.equal((seen["000000000004"] * 255).round(), levels.round())


def test_a_watch_ends_the_run_between_batches_and_the_rest_can_follow(run):
    told = []

    class Watch(Unwatched):
        def case(self, record, source, edited):
            told.append(record.case_id)

        def goes_on(self):
            return len(told) < 5

    watch = Watch()
    with pytest.raises(Stopped):
        run.go(observers=(watch,), goes_on=watch.goes_on)
    assert list(read_cases(run.path)) == told
    assert len(told) == 8  # the second batch of four began after four, and was kept whole
    assert len(run.go()) == 10


def test_a_case_s_note_has_what_its_edit_says_and_what_became_of_its_batch(tmp_path):
    def edit(inputs, on_step):
        if len(inputs) > 2:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return [replace(out, note="the target was cut") for out in brighten(inputs, on_step)]

    notes = [case.note for _, case in sorted(Run(tmp_path, n=8).go(edit, batch_size=8).items())]
    assert notes == ["batch of 8 halved to 2: out of memory; the target was cut"] * 8


def test_notes_are_joined_and_none_is_said_twice():
    assert joined("a; b", None, "b; c") == "a; b; c"
    assert joined(None, None) is None
