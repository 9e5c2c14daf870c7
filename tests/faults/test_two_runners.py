"""Two commands on one run at once: one does the work, the other says who does, and nothing is done twice."""

import os
import signal

from fault_world import code_of, finish, lines_of, start, table, wait_for_lines, words


def test_the_second_is_turned_away_and_may_come_again(bench, tmp_path, tiny_pipeline_folder, undisturbed):
    out, log = tmp_path / "runs", tmp_path / "second.log"
    arguments = words(bench, out, tiny_pipeline_folder)
    first = start(arguments, tmp_path / "first.log")
    wait_for_lines(out, 1, first)
    os.kill(first.pid, signal.SIGSTOP)  # so that it is not done before the second has loaded its models
    assert finish(arguments, log) == 3
    assert f"pid {first.pid}" in log.read_text()
    os.kill(first.pid, signal.SIGCONT)
    assert code_of(first) == 0
    assert finish(arguments, log) == 0
    assert table(out) == undisturbed
    assert sorted(lines_of(out)) == sorted(undisturbed)


def test_a_killed_owner_is_followed_with_a_message(bench, tmp_path, tiny_pipeline_folder, undisturbed):
    out, log = tmp_path / "runs", tmp_path / "second.log"
    arguments = words(bench, out, tiny_pipeline_folder)
    first = start(arguments, tmp_path / "first.log")
    wait_for_lines(out, 1, first)
    first.kill()
    first.join()
    assert finish(arguments, log) == 0
    assert f"pid {first.pid}" in log.read_text()
    assert table(out) == undisturbed
