"""PIE-Bench in the hub's parquet form, written here with the card's columns, read as the folder form is."""

from io import BytesIO

import numpy as np
import polars as pl
import pytest
from hostile_pictures import png_header
from PIL import Image

from benchmarks.pie_bench import PIE_BENCH
from piva.cli import main
from piva.data.pie_bench import DataError, load_image, load_mask
from piva.data.pie_bench_parquet import parquet_files, unpack


def picture(value, form="JPEG"):
    buffer = BytesIO()
    Image.fromarray(np.full((8, 8, 3), value, np.uint8)).save(buffer, format=form)
    return buffer.getvalue()


def row(id_, **changes):
    fields = {
        "image": {"bytes": picture(100), "path": f"{id_}.jpg"},
        "id": id_,
        "source_prompt": "a [red] cube on grass",
        "target_prompt": "a [blue] cube on grass",
        "edit_action": "{'blue': {'position': 1, 'edit_type': 6, 'action': 'red'}}",
        "aspect_mapping": "{'cube': ['blue']}",
        "blended_words": '["red cube,blue cube"]',
        "mask": "18 2 26 2",
    }
    return fields | changes


def write(root, config, *rows, name="V1-00000-of-00001.parquet"):
    file = root / config / name
    file.parent.mkdir(parents=True, exist_ok=True)
    pl.DataFrame(rows).write_parquet(file)


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("PIVA_CACHE", str(tmp_path / "cache"))
    root = tmp_path / "hub"
    write(root, "6_change_attribute_color_40", row("611000000000"))
    style = row("912000000001", image={"bytes": picture(200, "PNG"), "path": None}, mask="0 64", blended_words="")
    write(root, "9_change_style_80", style)
    return root


def test_it_is_read_as_the_folder_form_is(root):
    found = PIE_BENCH.locate(root, None)
    colour, style = PIE_BENCH.cases(found)
    assert (colour.id, colour.type_id, style.id, style.type_id) == ("611000000000", "6", "912000000001", "9")
    assert (colour.raw_src, colour.src, colour.tgt) == (
        "a [red] cube on grass", "a red cube on grass", "a blue cube on grass"
    )  # fmt: skip
    assert (colour.mask_rle, style.mask_rle) == ((18, 2, 26, 2), (0, 64))
    assert (colour.blended_words, style.blended_words) == (("red", "cube", "blue", "cube"), ())
    assert colour.image_path.read_bytes() == picture(100)  # not encoded anew
    assert load_image(style, (8, 8)).mean().item() == pytest.approx(200 / 255)
    assert load_mask(style, (8, 8)).all()
    assert load_mask(colour, (8, 8))[1:-1, 1:-1].sum() == 4


def test_it_is_unpacked_once_and_anew_when_it_changes(root):
    first = PIE_BENCH.locate(root, None)
    stamp = (first / "mapping_file.json").stat().st_mtime_ns
    assert PIE_BENCH.locate(root, None) == first
    assert (first / "mapping_file.json").stat().st_mtime_ns == stamp
    write(root, "6_change_attribute_color_40", row("611000000000", target_prompt="a green cube"))
    second = PIE_BENCH.locate(root, None)
    assert second != first
    assert PIE_BENCH.cases(second)[0].tgt == "a green cube"


def test_the_hubs_own_conversion_has_another_place(tmp_path):
    write(tmp_path / "hub", "0_random_140/V1", row("000000000000"), name="0000.parquet")
    assert [file.name for file in parquet_files(tmp_path / "hub")] == ["0000.parquet"]
    (tmp_path / "out").mkdir()
    unpack(tmp_path / "hub", tmp_path / "out")
    assert (tmp_path / "out" / "annotation_images" / "0_random_140" / "000000000000.jpg").is_file()


def test_check_data_takes_it(root, capsys):
    assert main(["check", "data", str(root)]) == 0
    assert "2 cases, 2 of 8x8" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"id": 611000000001}, "not the type that is expected: id Int64"),
        ({"image": "611.png"}, "not the type that is expected: image String"),
        ({"image": None}, "not the type that is expected: image Null"),
        ({"mask": [1, 2]}, "not the type that is expected: mask List(Int64)"),
        ({"id": "../../x"}, "row 0: its id '../../x' is not 12 digits"),
        ({"mask": "-4 2"}, "row 0: its mask is not numbers: '-4 2'"),
    ],
)
def test_columns_of_another_type_and_hostile_rows_are_named(root, changes, sentence):
    write(root, "7_change_attribute_material_40", row("711000000000", **changes))
    with pytest.raises(DataError) as caught:
        PIE_BENCH.locate(root, None)
    (found,) = caught.value.problems
    assert found.startswith("7_change_attribute_material_40/V1-00000-of-00001.parquet")
    assert sentence in found
    assert not (root.parent / "cache").exists() or list((root.parent / "cache").iterdir()) == []


def test_a_file_cut_short_and_a_link_out_of_the_folder(root, tmp_path):
    file = root / "6_change_attribute_color_40" / "V1-00000-of-00001.parquet"
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="is not a parquet file"):
        PIE_BENCH.locate(root, None)
    (tmp_path / "elsewhere.parquet").write_bytes(whole)
    file.unlink()
    file.symlink_to(tmp_path / "elsewhere.parquet")
    with pytest.raises(DataError, match="leads out of the data folder: put the file itself there"):
        PIE_BENCH.locate(root, None)


def test_a_broken_image_in_a_row_is_that_case_s_fault(root):
    broken = {"bytes": picture(100)[:200], "path": None}
    bomb = {"bytes": png_header(20_000, 20_000), "path": None}
    write(root, "7_change_attribute_material_40", row("711000000000", image=broken), row("711000000001", image=bomb))
    cases = {case.id: case for case in PIE_BENCH.cases(PIE_BENCH.locate(root, None))}
    assert "too large" in cases["711000000001"].fault
    with pytest.raises(DataError, match="711000000000: "):
        load_image(cases["711000000000"], (8, 8))
    assert cases["611000000000"].fault is None


def test_everything_that_is_wrong_is_named_and_nothing_stays(root, capsys):
    bad = [
        row("x", mask="18 two"),
        row("611000000000"),
        row("611000000002", image={"bytes": b"GIF89a", "path": None}),
    ]
    write(root, "7_change_attribute_material_40", *bad)
    (root / "8_change_background_80").mkdir()
    pl.DataFrame({"id": ["1"]}).write_parquet(root / "8_change_background_80" / "V1-00000-of-00001.parquet")
    (root / "0_random_140").mkdir()
    (root / "0_random_140" / "V1-00000-of-00001.parquet").write_bytes(b"no parquet")
    with pytest.raises(DataError) as caught:
        PIE_BENCH.locate(root, None)
    sentences = "\n".join(caught.value.problems)
    for part in (
        "0_random_140/V1-00000-of-00001.parquet is not a parquet file",
        "7_change_attribute_material_40/V1-00000-of-00001.parquet, row 0: its id 'x' is not 12 digits",
        "row 0: its mask is not numbers: '18 two'",
        "row 1: id 611000000000 appears more than once",
        "row 2: its image is not a JPEG, PNG or WebP file",
        "8_change_background_80/V1-00000-of-00001.parquet has no column image, source_prompt",
    ):
        assert part in sentences
    assert main(["check", "data", str(root)]) == 3
    assert list((root.parent / "cache").iterdir()) == []
