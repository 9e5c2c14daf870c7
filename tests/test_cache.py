"""The bounded cache: what it forgets, and what it counts."""

import torch

from piva.cache import TensorCache


def test_the_cache_keeps_the_recently_used_within_its_budget():
    cache = TensorCache(max_bytes=100)
    for key in "abc":
        cache.put(key, (torch.zeros(4), torch.zeros(4)))  # 32 bytes
    assert len(cache) == 3
    assert cache.get("a") is not None
    cache.put("d", (torch.zeros(8),))
    assert [cache.get(key) is not None for key in "abcd"] == [True, False, True, True]
    assert cache.bytes == 96
    cache.put("d", (torch.zeros(1),))
    assert cache.bytes == 68
    cache.put("huge", (torch.zeros(100),))
    assert (len(cache), cache.bytes) == (0, 0)


def test_the_cache_does_not_keep_a_whole_batch_alive():
    cache, batch = TensorCache(), torch.zeros(1000, 4)
    cache.put("row", (batch[0],))
    (kept,) = cache.get("row")
    assert kept.untyped_storage().nbytes() == 16
