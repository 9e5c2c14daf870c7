"""A run whose memory is short, whose latents leave the finite numbers, or that is interrupted: what it keeps."""

import signal
from dataclasses import replace

import pytest
import torch
from harness_world import PlainScorer, brighten
from runner_world import Run

from benchmarks.running.fitting import Fitting
from benchmarks.running.limits import ErrorLimit, TooManyErrors
from benchmarks.running.recording import UNSCORED
from benchmarks.running.watching import Unwatched
from piva.data.images import read_image
from piva.keys import file_hash
from piva.records import read_cases


@pytest.fixture
def run(tmp_path):
    return Run(tmp_path)


def fits(largest, calls):
    """`brighten` on a machine for so many cases together; the sizes asked for are noted."""

    def edit(inputs, on_step):
        calls.append(len(inputs))
        if len(inputs) > largest:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return brighten(inputs, on_step)

    return edit


def test_a_batch_that_does_not_fit_is_halved_and_later_ones_begin_there(run, capsys):
    calls = []
    cases = run.go(fits(2, calls), batch_size=5)
    assert calls == [5, 3, 2, 2, 1, 2, 2, 1]
    assert {case.status for case in cases.values()} == {"ok"}
    assert {case.note for case in cases.values()} == {"batch of 5 halved to 2: out of memory"}
    assert [case.batch for case in cases.values()] == [2, 2, 2, 2, 1] * 2
    assert capsys.readouterr().err.count("out of memory") == 2


def test_what_fits_is_known_to_the_next_job_of_the_run(run):
    calls, fitting = [], Fitting()
    fitting.size = 2
    run.go(fits(2, calls), edits=fitting)
    assert calls == [2] * 5


def test_scoring_that_does_not_fit_is_halved_too(run):
    class Small(PlainScorer):
        def score_batch(self, inputs):
            if len(inputs) > 2:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return super().score_batch(inputs)

    run.scorer = Small()
    cases = run.go(batch_size=4)
    assert {case.status for case in cases.values()} == {"ok"}
    assert [case.note for case in cases.values()] == ["scoring of 4 halved to 2: out of memory"] * 8 + [None] * 2
    assert {case.batch for case in cases.values()} == {4, 2}
    again = run.go(score_key="k2")
    assert {case.note for case in again.values()} == {
        "scoring of 4 halved to 2: out of memory; scoring of 10 halved to 2: out of memory",
        "scoring of 10 halved to 2: out of memory",
    }
    assert run.go(score_key="k3")["000000000009"].note == again["000000000009"].note


def ran_away(inputs, on_step):
    """The last case of five leaves the finite numbers; what was last finite of it is grey."""
    outputs = brighten(inputs, on_step)
    last = torch.full((3, 16, 16), 0.5)
    sentence = "the latent left the finite numbers at step 1"
    return [replace(out, image=last, error=sentence) if out.case_id.endswith("4") else out for out in outputs]


def test_the_last_finite_image_of_a_case_that_ran_away_is_kept(run):
    cases = run.go(ran_away)
    case = cases["000000000004"]
    assert (case.status, case.stage) == ("error", "edit")
    assert case.error == "ValueError: the latent left the finite numbers at step 1"
    assert (read_image(run.path / case.image) * 255).round().unique().tolist() == [128]
    assert file_hash(run.path / case.image) == case.image_sha256
    assert (case.metrics, case.unet_rows, case.batch) == ({}, 12, 4)
    assert sum(case.status == "ok" for case in cases.values()) == 9


def test_the_last_finite_image_is_never_scored_as_an_edit(run):
    run.go(ran_away)
    scored = run.scorer.scored
    assert run.go(ran_away, score_key="k2")["000000000004"].error.endswith("finite numbers at step 1")
    assert run.scorer.scored == scored + 9


def test_observers_are_shown_the_last_finite_image(run):
    shown, watch = {}, Unwatched()
    watch.case = lambda record, source, edited: shown.update({record.case_id: edited})
    run.go(ran_away, observers=(watch,))
    assert torch.allclose(shown["000000000004"], torch.tensor(128 / 255))


@pytest.mark.parametrize("stage", ["writing", "scoring", "recording"])
def test_ctrl_c_after_an_edit_loses_none_of_its_batch(run, monkeypatch, stage):
    import benchmarks.pictures.runner as runner

    def interrupt(*_):
        signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patch:
        if stage == "writing":
            real = runner.to_pil
            patch.setattr(runner, "to_pil", lambda image: (interrupt(), real(image))[1])
        if stage == "scoring":
            patch.setattr(run.scorer, "score_batch", interrupt)
        watch = Unwatched()
        if stage == "recording":
            watch.case = interrupt
        with pytest.raises(KeyboardInterrupt):
            run.go(observers=(watch,))
    kept = read_cases(run.path)
    assert list(kept) == [f"{k:012d}" for k in range(4)]
    scored = 1 if stage == "recording" else 0
    assert [case.error for case in kept.values()] == [None] * scored + [UNSCORED] * (4 - scored)
    assert all((run.path / case.image).is_file() for case in kept.values())


def test_too_many_errors_end_the_run_between_batches(run):
    def broken(inputs, on_step):
        raise RuntimeError("no kernel image is available")

    limit = ErrorLimit(3)
    with pytest.raises(TooManyErrors, match="no kernel image"):
        run.go(broken, batch_size=2, observers=(limit,), goes_on=limit.goes_on)
    assert len(read_cases(run.path)) == 4
