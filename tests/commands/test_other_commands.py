"""check, toybox and list."""

import pytest
from harness_world import write_bench

from piva.cli import main
from piva.instructed import SCENE_EDITORS
from piva.methods import METHODS
from piva.registry import resolve
from piva.sampling import SAMPLERS


def test_check_data_counts_cases(tmp_path, capsys):
    assert main(["check", "data", str(write_bench(tmp_path, n=12))]) == 0
    text = capsys.readouterr().out
    assert "12 cases, 12 of 16x16" in text
    assert "  1 change-object          2" in text
    assert "true edits: 0" in text


def test_check_data_names_every_malformed_entry(tmp_path, capsys):
    mapping = write_bench(tmp_path) / "mapping_file.json"
    mapping.write_text(mapping.read_text().replace('"editing_type_id": "4"', '"editing_type_id": 4'))
    (tmp_path / "annotation_images" / "7" / "000000000007.png").unlink()
    assert main(["check", "data", str(tmp_path)]) == 3
    problems = capsys.readouterr().err
    assert "000000000004" in problems
    assert main(["check", "data"]) == 2


def test_check_env_names_machine_and_weights(capsys):
    assert main(["check", "env"]) in (0, 3)
    text = capsys.readouterr().out
    assert "torch " in text
    for name in ("diffusion", "clip", "perceptual", "judge"):
        assert f"weights {name}: " in text


def test_toybox_write_makes_a_data_set_and_refuses_to_overwrite_it(tmp_path, capsys):
    folder = tmp_path / "toybox"
    assert main(["toybox", "write", str(folder), "--split", "dev", "--n", "10", "--size", "32"]) == 0
    assert main(["check", "data", str(folder)]) == 0
    assert "10 cases, 10 of 32x32" in capsys.readouterr().out
    assert main(["toybox", "write", str(folder)]) == 2


def test_list_names_all_kinds_or_one(capsys):
    assert main(["list"]) == 0
    everything = capsys.readouterr().out
    for name in ("piva ", "no-edit ", "pie-bench ", "clip_text "):
        assert f"  {name}" in everything
    assert main(["list", "benchmarks"]) == 0
    assert "clip_text" not in capsys.readouterr().out


def test_list_says_what_a_method_is_and_takes(capsys):
    assert main(["list", "methods"]) == 0
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert lines["ids"].split()[1:5] == ["delta", "4+6", "-", "scale"]
    assert lines["vsd"].split()[1:5] == ["sds", "3+1", "phi", "guidance"]
    assert lines["piva"].split()[1:6] == ["delta", "5+2", "psi,", "phi", "lam"]
    assert lines["in2n"].split()[1:5] == ["dataset", "6", "-", "guidance_image"]
    table = METHODS | SAMPLERS | SCENE_EDITORS
    for name in table:
        assert lines[name].endswith(resolve("method", table, name).source)


@pytest.mark.parametrize("recipe", ["vae", "diffusion", "clip", "perceptual", "judge"])
def test_every_recipe_has_help(recipe, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["toybox", "train", recipe, "--help"])
    assert ended.value.code == 0
    assert "--folder" in capsys.readouterr().out


def test_check_data_says_what_is_wrong_with_its_argument(tmp_path, capsys):
    assert main(["check", "data", "--help"]) == 0
    assert "piva check data DIR" in capsys.readouterr().out
    assert main(["check", "data", str(tmp_path / "nowhere")]) == 2
    assert capsys.readouterr().err == f"piva: {tmp_path / 'nowhere'}: there is no such folder\n"
    assert main(["check", "data", str(tmp_path)]) == 2
    assert capsys.readouterr().err == f"piva: {tmp_path}: there is no mapping_file.json in it\n"


def test_toybox_write_makes_scenes_and_completes_them(tmp_path, monkeypatch, capsys):
    from dataclasses import replace

    from piva.toybox.scene_sets import SETS

    scenes = SETS["noe-toybox"].scenes()[:1]
    monkeypatch.setitem(SETS, "noe-toybox", replace(SETS["noe-toybox"], scenes=lambda: scenes))
    flags = ["--split", "dev", "--size", "16", "--train-views", "2", "--test-views", "1"]
    for _ in range(2):
        assert main(["toybox", "write", "noe-toybox", str(tmp_path / "noe"), *flags]) == 0
        assert f"dev scenes and their true edits in {tmp_path / 'noe'}" in capsys.readouterr().out
    assert (tmp_path / "noe" / "edits.json").is_file()
    assert main(["toybox", "write", "noe-toybox", str(tmp_path / "noe"), "--size", "32"]) == 2
    assert "something else" in capsys.readouterr().err
