"""Memory estimates as a document."""

from piva.memory import RESERVE, Memory
from reports.memory import Line, markdown

GIB = 2**30


def memory(peak, step):
    weights = {"unet": GIB, "vae": GIB // 2, "text_encoder": GIB // 2}
    return Memory(weights, GIB // 8, GIB // 8, GIB, GIB // 4, step, GIB, 2 * GIB, peak)


def test_the_largest_batch_that_fits_leaves_the_reserve():
    estimates = {1: memory(8 * GIB - RESERVE, 4 * GIB), 4: memory(8 * GIB - RESERVE + 1, GIB), 8: memory(99 * GIB, GIB)}
    text = markdown("toy", (64, 32), [Line("piva", "float16", estimates)], "piva check memory")
    assert "# Memory: toy at 32x64" in text
    assert "Made by `piva check memory`" in text
    assert "|  | 8 GB | 12 GB | 24 GB |" in text
    assert "| piva, float16 | 1 | 4 | 4 |" in text


def test_every_number_is_in_gib_and_the_fullest_moment_named():
    estimates = {1: memory(6 * GIB, 4 * GIB), 2: memory(7 * GIB, GIB)}
    text = markdown("toy", (64, 64), [Line("piva", "float16", estimates)], "piva check memory")
    assert "| 1 | 2.00 | 0.25 | 1.00 | 0.25 | 4.00 | 1.00 | 2.00 | 6.00 | step |" in text
    assert "| 2 | 2.00 | 0.25 | 1.00 | 0.25 | 1.00 | 1.00 | 2.00 | 7.00 | decode |" in text


def test_what_fits_nowhere_says_so():
    text = markdown("toy", (64, 64), [Line("dds", "float32", {1: memory(30 * GIB, GIB)})], "piva check memory")
    assert "| dds, float32 | none | none | none |" in text
