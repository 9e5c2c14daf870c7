"""Depth of benchmark cases: from files beside the pictures, or from the world they were drawn from."""

import numpy as np
import pytest
import torch
from harness_world import PlainPrior, PlainScorer
from PIL import Image

import benchmarks.pictures.launch as launch
from benchmarks.depth import depths_of, file_depth
from benchmarks.identity_rows import IDENTITY_ROWS
from benchmarks.pie_bench import PIE_BENCH, PIE_TOYBOX
from benchmarks.running.making import weights_of
from piva.config import RunConfig
from piva.data.depth import scaled_inverse_depth
from piva.editing import EditInput
from piva.errors import ConfigError
from piva.methods.dds import DDS
from piva.methods.piva import Piva
from piva.registry import resolve
from piva.toybox.edits import sample_edit
from piva.toybox.pie_toybox import write
from piva.toybox.render import render

READS = Piva(aux={"kind": "controlnet"})


@pytest.fixture
def root(tmp_path):
    """Two cases of 16x16 in PIE-Bench's format."""
    write(tmp_path / "data", "dev", n=2, size=16)
    return tmp_path / "data"


def put_depth(root, case, level: float):
    path = root / "depth" / case.image_path.relative_to(root / "annotation_images")
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((16, 16), round(level * 65535), np.uint16)).save(path)


def test_toybox_draws_the_world_again(root):
    cases = PIE_TOYBOX.cases(root)
    depths = depths_of(PIE_TOYBOX, root, cases, READS, (16, 16))
    for case in cases:
        source = sample_edit(case.type_id, int(case.id[1:]), "dev").source
        assert torch.equal(depths(case.id), scaled_inverse_depth(render([source], 16).depth)[0])
        assert depths(case.id).max() == 1
    larger = depths_of(PIE_TOYBOX, root, cases, READS, (32, 32))(cases[0].id)
    assert larger.shape == (1, 32, 32)


@pytest.mark.parametrize(
    "method",
    [DDS(), Piva(), Piva(lam=0, aux={"kind": "controlnet"}), Piva(aux={"kind": "controlnet", "depth": "blank"})],
)
def test_methods_that_read_no_depth_need_none(root, method):
    assert depths_of(PIE_BENCH, root, PIE_BENCH.cases(root), method, (16, 16)) is None
    row = resolve("method", IDENTITY_ROWS, next(iter(IDENTITY_ROWS)))()
    assert depths_of(PIE_BENCH, root, PIE_BENCH.cases(root), row, (16, 16)) is None


def test_files_beside_the_pictures_are_read_and_their_absence_said(root):
    cases = PIE_BENCH.cases(root)
    put_depth(root, cases[0], 0.25)
    with pytest.raises(ConfigError, match=rf"1 of 2 cases have no depth, {cases[1].id} among them"):
        depths_of(PIE_BENCH, root, cases, READS, (16, 16))
    path = (root / "depth" / cases[1].image_path.relative_to(root / "annotation_images")).with_suffix(".npy")
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, np.full((8, 8), 0.5))
    depths = depths_of(PIE_BENCH, root, cases, READS, (16, 16))
    for case, level in zip(cases, (0.25, 0.5), strict=True):
        torch.testing.assert_close(depths(case.id), torch.full((1, 16, 16), level), atol=1e-4, rtol=0)
    assert file_depth(root, cases[0]) is not None


def test_depth_files_are_in_the_key_of_those_that_read_them(root):
    config = RunConfig()

    def key(method):
        return launch.describe(PIE_BENCH, root, config, method, PlainPrior(), PlainScorer(), 0).edit_key

    before = [key(method) for method in (Piva(), READS)]
    put_depth(root, PIE_BENCH.cases(root)[0], 0.25)
    some = [key(method) for method in (Piva(), READS)]
    put_depth(root, PIE_BENCH.cases(root)[0], 0.5)
    other = [key(method) for method in (Piva(), READS)]
    assert before[0] == some[0] == other[0]
    assert len({before[1], some[1], other[1]}) == 3


def test_a_given_controlnet_s_weights_are_in_the_key(tmp_path):
    from piva.auxiliary.controlnet import fingerprint

    def method(content: bytes, name: str):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text("{}")
        (tmp_path / name / "diffusion_pytorch_model.safetensors").write_bytes(content)
        return Piva(aux={"kind": "controlnet", "controlnet": str(tmp_path / name)})

    one, two = method(b"one", "one"), method(b"two", "two")
    assert weights_of("prior", one) == f"prior+controlnet/{fingerprint(str(tmp_path / 'one'))}"
    assert weights_of("prior", one) != weights_of("prior", two)
    for method in (Piva(), READS, DDS(), one.model_copy(update={"lam": 0.0})):
        assert weights_of("prior", method) == "prior"


def test_the_edit_is_given_the_depth(monkeypatch):
    seen = []
    monkeypatch.setattr(launch, "edit_batch", lambda prior, method, inputs, **_: seen.extend(inputs) or [])
    case = EditInput("a", torch.zeros(3, 4, 4), "a cat", "a dog")
    launch.editor(READS, None, 1, 0, 0, lambda case_id: torch.full((1, 4, 4), 0.5))([case], lambda values: None)
    launch.editor(READS, None, 1, 0)([case], lambda values: None)
    assert [None if given.depth is None else given.depth.mean().item() for given in seen] == [0.5, None]
