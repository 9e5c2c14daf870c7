import json
from collections import Counter

import torch

from piva.data.pie_bench import load_image, load_mask, load_true_edit, read
from piva.toybox.edits import sample_edit
from piva.toybox.pie_toybox import VERSION, write
from piva.toybox.render import render


def test_the_ordinary_reader_reads_it(tmp_path):
    write(tmp_path, "dev", n=20)
    cases = read(tmp_path)
    assert Counter(case.type_id for case in cases) == dict.fromkeys("0123456789", 2)
    for case in cases:
        source, true_edit = load_image(case, (64, 64)), load_true_edit(case, (64, 64))
        edit = sample_edit(case.type_id, int(case.id[1:]), "dev")
        assert (case.raw_src, case.raw_tgt) == edit.prompts
        drawn = render([edit.source, edit.target]).image
        assert (source - drawn[0]).abs().max() <= 0.5 / 255 + 1e-4
        assert (true_edit - drawn[1]).abs().max() <= 0.5 / 255 + 1e-4
        assert case.labels[0] != case.labels[1]


def test_outside_the_mask_the_true_edit_is_the_source(tmp_path):
    write(tmp_path, "test", n=20)
    for case in read(tmp_path):
        mask = load_mask(case, (64, 64))
        difference = (load_image(case, (64, 64)) - load_true_edit(case, (64, 64))).abs().amax(0)
        assert mask.sum() > 10 + 252  # the border rule sets 252 pixels
        assert (difference[~mask] <= 12 / 255).all()


def test_masks_have_the_image_s_own_size(tmp_path):
    write(tmp_path, "dev", n=10, size=96)
    for case in read(tmp_path):
        assert case.image_size == (96, 96)
        assert load_mask(case, (96, 96)).shape == (96, 96)


def test_more_cases_begin_with_the_same_ones(tmp_path):
    write(tmp_path / "few", "test", n=12)
    write(tmp_path / "more", "test", n=30)
    few, more = (json.loads((tmp_path / name / "mapping_file.json").read_text()) for name in ("few", "more"))
    assert all(more[case_id] == entry for case_id, entry in few.items())
    dev = json.loads((tmp_path / "few" / "toybox.json").read_text())
    assert dev.keys() == few.keys()


def test_writing_twice_gives_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        write(tmp_path / name, "dev", n=10)
    files = [
        sorted(p.relative_to(tmp_path / name) for p in (tmp_path / name).rglob("*") if p.is_file()) for name in "ab"
    ]
    assert files[0] == files[1]
    assert all((tmp_path / "a" / f).read_bytes() == (tmp_path / "b" / f).read_bytes() for f in files[0])
    assert torch.tensor([len(files[0])]).item() == 23
    assert json.loads((tmp_path / "a" / "dataset.json").read_text()) == {"split": "dev", "version": VERSION}
