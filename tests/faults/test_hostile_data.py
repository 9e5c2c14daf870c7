"""Data that are wrong in every way, through the real command: each is the error of its case, and of no other's."""

import json
import os

from fault_world import finish, run_folder, words
from harness_world import case_file, write_bench
from hostile_pictures import encoded, noise, of_every_kind, png_header, turned
from PIL import Image

from piva.records import read_cases


def test_bad_cases_fail_alone_in_a_process_of_its_own(tmp_path, tiny_pipeline_folder):
    root, out, log = write_bench(tmp_path / "bench", n=14, size=32), tmp_path / "runs", tmp_path / "log"
    (tmp_path / "secret.png").write_bytes(encoded(noise(32), "PNG"))
    kinds = of_every_kind()
    half = encoded(noise(), "JPEG")
    pictures = {
        0: half[: len(half) // 2], 1: png_header(20_000, 20_000), 2: kinds["CMYK"][0], 3: kinds["16 bits"][0],
        4: kinds["palette"][0], 5: encoded(turned(), "JPEG", exif=turned().getexif()),
    }  # fmt: skip
    entries = json.loads((root / "mapping_file.json").read_text())
    for k, content in pictures.items():
        case_file(root, k).write_bytes(content)
        if k > 1:
            entries[f"{k:012d}"]["mask"] = [0, 4]
    case_file(root, 11).unlink()
    os.symlink(tmp_path / "secret.png", case_file(root, 11))
    changes = {
        6: {"editing_prompt": "  "}, 7: {"editing_prompt": "red cube " * 1112}, 8: {"mask": [10**9, 5]},
        9: {"image_path": "../../secret.png"}, 10: {"image_path": str(tmp_path / "secret.png")},
    }  # fmt: skip
    for k, fields in changes.items():
        entries[f"{k:012d}"] |= fields
    text = json.dumps(entries)
    twice = json.dumps({f"{12:012d}": entries[f"{12:012d}"]})[1:-1]
    (root / "mapping_file.json").write_text(f"{text[:-1]}, {twice}}}")
    assert finish(words(root, out, tiny_pipeline_folder, "--metrics", "fidelity"), log) == 1
    folder = run_folder(out)
    cases = {int(id_): case for id_, case in read_cases(folder).items()}
    bad = {0, 1, 6, 8, 9, 10, 11, 12}
    assert {k: case.status for k, case in cases.items()} == {k: "error" if k in bad else "ok" for k in range(14)}
    assert {cases[k].stage for k in bad} == {"load"}
    assert "appears more than once in mapping_file.json" in cases[12].error
    assert [k for k, case in cases.items() if case.note is not None] == [7]
    assert cases[7].note.startswith("the target has ")
    assert cases[5].source_size == (4, 8)  # as the file has it: masks are drawn on its own grid
    assert Image.open(folder / cases[5].image).size == (32, 32)
    assert "Traceback" not in log.read_text()


def test_a_mapping_file_that_is_no_text_ends_with_3(tmp_path, tiny_pipeline_folder):
    root, out, log = write_bench(tmp_path / "bench", n=2, size=32), tmp_path / "runs", tmp_path / "log"
    (root / "mapping_file.json").write_bytes(b"\xff\xfe{}")
    assert finish(words(root, out, tiny_pipeline_folder), log) == 3
    assert "mapping_file.json is not UTF-8" in log.read_text()
    assert run_folder(out) is None
