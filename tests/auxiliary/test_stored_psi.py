"""Stored psi: trained once per source, whatever edits it afterwards."""

import os
import time
from pathlib import Path

import pytest
import torch

from piva.auxiliary import stored
from piva.auxiliary.settings import AuxiliarySettings
from piva.auxiliary.stored import psi_key, trained_psi
from piva.editing import EditInput, edit_batch
from piva.methods.piva import Piva

SETTINGS = AuxiliarySettings(psi="stored", psi_steps=3, lr=1e-2)
RANGE = (50, 948)


@pytest.fixture
def z_src(tiny_prior):
    return torch.randn(3, *tiny_prior.latent_shape, generator=torch.Generator().manual_seed(0))


SOURCES = ["image 0", "image 1", "image 0"]
CAPTIONS = [("a cat", "a dog"), ("a tree", "a house"), ("a cat", "a fox")]


def weights_of(stack, case):
    return torch.cat([w.flatten() for w in stack.weights(case).values()])


def test_what_is_stored_is_used_and_the_rest_is_trained(tiny_prior, z_src, tmp_path):
    first, rows = trained_psi(tiny_prior, SETTINGS, CAPTIONS[:1], z_src[:1], SOURCES[:1], RANGE, tmp_path)
    assert rows == [3]
    both, rows = trained_psi(tiny_prior, SETTINGS, CAPTIONS[:2], z_src[:2], SOURCES[:2], RANGE, tmp_path)
    assert rows == [0, 3]
    assert torch.equal(weights_of(both, 0), weights_of(first, 0))
    assert not any(p.requires_grad for p in both.parameters())
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        psi_key(tiny_prior, SOURCES[i], CAPTIONS[i][0], SETTINGS, RANGE) for i in (0, 1)
    )


def test_without_a_store_the_same_weights_are_trained_again(tiny_prior, z_src, tmp_path):
    kept, _ = trained_psi(tiny_prior, SETTINGS, CAPTIONS[:1], z_src[:1], SOURCES[:1], RANGE, tmp_path)
    again, rows = trained_psi(tiny_prior, SETTINGS, CAPTIONS[:1], z_src[:1], SOURCES[:1], RANGE, None)
    assert rows == [3]
    assert torch.equal(weights_of(again, 0), weights_of(kept, 0))


def test_a_source_that_comes_twice_is_trained_once(tiny_prior, z_src):
    z = z_src[[0, 0]]
    stack, rows = trained_psi(tiny_prior, SETTINGS, [CAPTIONS[0], CAPTIONS[2]], z, SOURCES[::2], RANGE, None)
    assert rows == [3, 0]
    assert torch.equal(weights_of(stack, 0), weights_of(stack, 1))


def test_the_key_covers_what_psi_depends_on_and_nothing_else(tiny_prior):
    def key(source="image 0", src="a cat", t_range=RANGE, **changed):
        return psi_key(tiny_prior, source, src, AuxiliarySettings(**SETTINGS.model_dump() | changed), t_range)

    base = key()
    assert key(phi="fresh", warmup_steps=5, steps_per_iteration=2) == base
    others = [key("image 1"), key(src="a dog"), key(t_range=(20, 980)), key(rank=2), key(alpha=1.0), key(lr=0.1)]
    others += [key(psi_steps=4), key(target_modules=("to_q",)), key(weight_decay=0.0)]
    assert len({base, *others}) == 10


def test_a_psi_that_is_read_is_in_use(tiny_prior, z_src, tmp_path):
    def train():
        trained_psi(tiny_prior, SETTINGS, CAPTIONS[:1], z_src[:1], SOURCES[:1], RANGE, tmp_path)

    train()
    (folder,) = tmp_path.iterdir()
    os.utime(folder, (0, 0))
    train()
    assert folder.stat().st_mtime > time.time() - 60


def test_a_psi_that_does_not_learn_takes_no_rows(tiny_prior, z_src):
    settings = SETTINGS.model_copy(update={"lr": 0.0})
    _, rows = trained_psi(tiny_prior, settings, CAPTIONS[:1], z_src[:1], SOURCES[:1], RANGE, None)
    assert rows == [0]


def test_a_store_that_cannot_be_written_to_says_so_and_keeps_no_draft(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError("no space left on device")

    class Psi:
        def save(self, folder, weights):
            (folder / "weights").write_bytes(b"half")

    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(OSError, match="no space left"):
        stored.keep(tmp_path / "key", Psi(), {})
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "key").mkdir()  # another process was first
    stored.keep(tmp_path / "key", Psi(), {})
    assert [path.name for path in tmp_path.iterdir()] == ["key"]


def test_one_psi_serves_every_lambda_and_seed(tiny_prior, tmp_path):
    case = EditInput("a", torch.full((3, 32, 32), 0.4), "a cat", "a dog")
    costs = [
        edit_batch(tiny_prior, Piva(lam=lam, aux=SETTINGS), [case], steps=2, seed=seed, psi_store=tmp_path)[0]
        for lam, seed in [(0.4, 0), (2.0, 0), (0.4, 1)]
    ]
    assert [output.psi_rows for output in costs] == [3, 0, 0]
    assert [output.unet_rows_backward for output in costs] == [2, 2, 2]  # whatever the store held
    assert len({output.unet_rows for output in costs}) == 1
    assert len(list(tmp_path.iterdir())) == 1
