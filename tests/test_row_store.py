"""Source rows on disk: the same edit, fewer rows; bounded, and never in the way."""

import pytest
import torch

from piva.editing import EditInput, edit_batch
from piva.methods.dds import DDS
from piva.methods.piva import Piva
from piva.row_store import RowStore

GIB = 2**30


def key(step=3, t=400, source="image", prompt="a cat"):
    return ("weights", (source, 0, "case"), step, t, prompt)


def cases(prior, n=2):
    images = [torch.rand(3, *prior.image_size, generator=torch.Generator().manual_seed(i)) for i in range(n)]
    return [EditInput(f"case-{i}", image, "a cat", "a dog") for i, image in enumerate(images)]


def test_rows_come_back_from_the_disk_bit_for_bit(tmp_path):
    row = torch.randn(4, 8, 8)
    store = RowStore(tmp_path, GIB)
    store.put(key(), (row,))
    store.put(key(step=4, t=90), (2 * row,))
    store.flush()
    again = RowStore(tmp_path, GIB)
    assert torch.equal(again.get(key())[0], row)
    assert torch.equal(again.get(key(step=4, t=90))[0], 2 * row)
    for other in (key(step=5), key(t=401), key(source="another"), key(prompt="a dog")):
        assert again.get(other) is None
    assert len(list(tmp_path.iterdir())) == 1  # one source, one prompt


def test_a_source_image_is_encoded_once(tiny_prior, tmp_path, monkeypatch):
    encoded, encode = [], tiny_prior.encode
    monkeypatch.setattr(tiny_prior, "encode", lambda images: encoded.append(len(images)) or encode(images))
    latents = []
    for n in (2, 2, 3):  # the third image is new
        store = RowStore(tmp_path, GIB)
        (output, *_) = edit_batch(tiny_prior, DDS(), cases(tiny_prior, n), steps=0, seed=n, cache=store)
        store.flush()
        latents.append(output.image)
    assert encoded == [2, 1]
    assert torch.equal(latents[0], latents[1])
    torch.testing.assert_close(latents[0], latents[2], atol=1e-5, rtol=0)


def test_later_rows_join_those_on_the_disk(tmp_path):
    store = RowStore(tmp_path, GIB)
    for step in (1, 2):
        store.put(key(step=step), (torch.full((2,), float(step)),))
        store.flush()
    assert [store.get(key(step=step))[0][0].item() for step in (1, 2)] == [1.0, 2.0]


def test_a_sweep_computes_source_rows_once(tiny_prior, tmp_path):
    plain = edit_batch(tiny_prior, DDS(guidance=3), cases(tiny_prior), steps=3, seed=0)
    outputs, store = {}, RowStore(tmp_path, GIB)
    for method in (DDS(), DDS(guidance=3)):
        outputs[method.guidance] = edit_batch(tiny_prior, method, cases(tiny_prior), steps=3, seed=0, cache=store)
        store.flush()
    assert [(o.unet_rows, o.rows_cached) for o in outputs[7.5]] == [(12, 0)] * 2
    assert [(o.unet_rows, o.rows_cached) for o in outputs[3.0]] == [(6, 6)] * 2
    for warm, cold in zip(outputs[3.0], plain, strict=True):
        torch.testing.assert_close(warm.image, cold.image, atol=1e-5, rtol=0)
    piva = edit_batch(tiny_prior, Piva(), cases(tiny_prior), steps=3, seed=0, cache=RowStore(tmp_path, GIB))
    assert {o.rows_cached for o in piva} == {6}  # another method, the same rows
    other = edit_batch(tiny_prior, DDS(), cases(tiny_prior), steps=3, seed=1, cache=RowStore(tmp_path, GIB))
    assert {o.rows_cached for o in other} == {0}


def test_beyond_its_size_the_files_used_longest_ago_go(tmp_path):
    row = torch.zeros(1000)  # 4 KB
    for number in range(4):
        store = RowStore(tmp_path, 10_000)
        store.put(key(source=f"image {number}"), (row,))
        store.flush()
    kept = [RowStore(tmp_path, 10_000).get(key(source=f"image {number}")) is not None for number in range(4)]
    assert kept == [False, False, True, True]


def test_a_damaged_file_is_as_good_as_none(tmp_path):
    store = RowStore(tmp_path, GIB)
    store.put(key(), (torch.ones(3),))
    store.flush()
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:40])
    with pytest.warns(UserWarning, match="is not used"):
        assert store.get(key()) is None
    store.put(key(), (torch.ones(3),))
    store.flush()
    assert torch.equal(store.get(key())[0], torch.ones(3))


def test_a_disk_that_refuses_costs_only_the_cache(tmp_path):
    (tmp_path / "rows").write_text("a file where the folder should be")
    store = RowStore(tmp_path / "rows", GIB)
    store.put(key(), (torch.ones(3),))
    with pytest.warns(UserWarning, match="are not kept"):
        store.flush()
