"""Batches that do not fit are halved, what spoils a batch fails alone, and nothing of a failed attempt is kept."""

import gc
import weakref

import pytest
import torch

from benchmarks.running.fitting import Fitting, is_out_of_memory, release

SHORT = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    RuntimeError("[enforce fail at alloc_cpu.cpp:121] DefaultCPUAllocator: can't allocate memory: you tried to"),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    MemoryError(),
]


def doubled(largest, calls, problem=SHORT[0]):
    """Doubles its numbers, of which `largest` fit together; calls are noted."""

    def call(numbers):
        calls.append(list(numbers))
        if len(numbers) > largest:
            raise problem
        return [2 * number for number in numbers]

    return call


@pytest.mark.parametrize("problem", SHORT, ids=[type(problem).__name__ + str(k) for k, problem in enumerate(SHORT)])
def test_a_batch_is_halved_until_it_fits(problem, capsys):
    calls, fitting = [], Fitting()
    outcomes = fitting.done(range(7), doubled(2, calls, problem))
    assert [len(call) for call in calls] == [7, 4, 2, 2, 2, 1]
    assert [outcome.result for outcome in outcomes] == [0, 2, 4, 6, 8, 10, 12]
    assert [outcome.together for outcome in outcomes] == [2, 2, 2, 2, 2, 2, 1]
    assert {outcome.note for outcome in outcomes} == {"batch of 7 halved to 2: out of memory"}
    assert capsys.readouterr().err.splitlines() == [
        "out of memory with a batch of 7: from here on at most 4",
        "out of memory with a batch of 4: from here on at most 2",
    ]


def test_later_batches_begin_with_what_fitted(capsys):
    calls, fitting = [], Fitting()
    fitting.done(range(4), doubled(2, []))
    capsys.readouterr()
    outcomes = fitting.done(range(4), doubled(2, calls))
    assert calls == [[0, 1], [2, 3]]
    assert {outcome.note for outcome in outcomes} == {"batch of 4 halved to 2: out of memory"}
    assert {outcome.note for outcome in fitting.done(range(2), doubled(2, calls))} == {None}
    assert capsys.readouterr().err == ""


def test_one_that_does_not_fit_alone_fails_alone():
    def call(numbers):
        if 3 in numbers:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return numbers

    outcomes = Fitting().done(range(4), call)
    assert [outcome.result for outcome in outcomes[:3]] == [0, 1, 2]
    assert is_out_of_memory(outcomes[3].result)


def test_another_error_is_tried_alone_and_halves_nothing():
    calls, fitting = [], Fitting()

    def call(numbers):
        calls.append(list(numbers))
        if 1 in numbers:
            raise RuntimeError("poisoned")
        return numbers

    outcomes = fitting.done(range(3), call)
    assert calls == [[0, 1, 2], [0], [1], [2]]
    assert [str(outcome.result) for outcome in outcomes] == ["0", "poisoned", "2"]
    assert {outcome.note for outcome in outcomes} == {None}
    assert fitting.size is None


def test_an_error_in_a_part_is_tried_alone_and_the_other_parts_are_not():
    calls = []

    def call(numbers):
        calls.append(list(numbers))
        if len(numbers) > 2:
            raise MemoryError
        if 1 in numbers:
            raise RuntimeError("poisoned")
        return numbers

    outcomes = Fitting().done(range(4), call)
    assert calls == [[0, 1, 2, 3], [0, 1], [0], [1], [2, 3]]
    assert [outcome.together for outcome in outcomes] == [1, 1, 2, 2]


@pytest.mark.parametrize("problem", [KeyboardInterrupt(), ValueError("of all")])
def test_what_is_nobody_s_own_is_raised(problem):
    def call(numbers):
        raise problem

    with pytest.raises(type(problem)):
        Fitting().done(range(2), call, ends=(ValueError,))


def test_a_failed_attempt_holds_no_memory():
    class Held:
        """In place of a tensor on a device."""

    alive = []

    def attempt():
        held = Held()
        alive.append(weakref.ref(held))
        try:
            raise torch.OutOfMemoryError("CUDA out of memory")
        except RuntimeError as problem:
            raise RuntimeError("in a step: CUDA out of memory") from problem

    gc.disable()
    try:
        attempt()
    except RuntimeError as problem:
        assert alive[0]() is not None
        release(problem)
        assert alive[0]() is None
    finally:
        gc.enable()


def test_other_errors_are_not_of_memory():
    assert not is_out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    assert not is_out_of_memory(ValueError("out of memory"))
