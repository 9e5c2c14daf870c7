"""A run that is killed, -9, again and again: nothing recorded is lost or done twice, and the table is the same."""

import random
import time
from itertools import count

from fault_world import code_of, finish, lines_of, recorded, start, table, words

KILLS = 20


def test_twenty_kills_at_random_points(bench, tmp_path, tiny_pipeline_folder, undisturbed):
    """Anywhere in a process's life: while it loads, edits, scores or writes. A run that gets through begins anew."""
    log, chance, kills = tmp_path / "log", random.Random(7), 0
    started = time.monotonic()
    assert finish(words(bench, tmp_path / "whole", tiny_pipeline_folder), log) == 0
    whole = time.monotonic() - started
    for number in count():
        out = tmp_path / f"runs-{number}"
        arguments, done = words(bench, out, tiny_pipeline_folder), set()
        while kills < KILLS:
            process = start(arguments, log)
            time.sleep(whole * chance.uniform(0.2, 1.0))
            process.kill()
            if code_of(process) == 0:
                break  # it was done before
            kills += 1
            now = recorded(out)
            assert now >= done
            done = now
        assert finish(arguments, log) == 0
        assert table(out) == undisturbed
        assert sorted(lines_of(out)) == sorted(undisturbed)
        if kills == KILLS:
            return
