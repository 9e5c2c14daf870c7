"""Ctrl-C and its kin, also at a moment when something is being written."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""A key, a scheduler that takes the machine back, a terminal that is closed."""


@contextmanager
def interruptible() -> Iterator[None]:
    """SIGTERM and SIGHUP raise KeyboardInterrupt as Ctrl-C does; a SIGHUP that `nohup` ignores stays ignored."""
    heard = [number for number in SIGNALS[1:] if signal.getsignal(number) is not signal.SIG_IGN]
    usual = {number: signal.signal(number, signal.default_int_handler) for number in heard}
    try:
        yield
    finally:
        for number, handler in usual.items():
            signal.signal(number, handler)


@contextmanager
def finishing() -> Iterator[None]:
    """Puts off SIGNALS that somebody handles until what is done within is done.

    Other threads than the main one get no signals anyway.
    """
    handlers = {number: signal.getsignal(number) for number in SIGNALS}
    before = {number: handler for number, handler in handlers.items() if callable(handler)}
    if threading.current_thread() is not threading.main_thread() or not before:
        yield
        return
    waiting: list[tuple[int, Any]] = []

    def put_off(number: int, frame: Any) -> None:
        waiting.append((number, frame))

    for heard in before:
        signal.signal(heard, put_off)
    try:
        yield
    finally:
        for heard, handler in before.items():
            signal.signal(heard, handler)
        if waiting:
            number, frame = waiting[0]
            before[signal.Signals(number)](number, frame)
