"""piva check memory."""

import pytest

from piva.cli import main


def test_it_prints_a_table_for_toybox(capsys):
    flags = ["--prior.model", "toybox", "--prior.dtype", "float16", "--batch-sizes", "1", "2"]
    assert main(["check", "memory", "--method", "piva", "--method.aux.rank", "8", *flags]) == 0
    text = capsys.readouterr().out
    assert text.startswith("# Memory: toybox at 64x64\n")
    assert "| piva, float16 | 2 | 2 | 2 |" in text
    assert [line.split(" | ")[0] for line in text.splitlines() if line[:3] in ("| 1", "| 2")] == ["| 1", "| 2"]


@pytest.mark.slow
def test_stable_diffusion_1_5_without_weights(capsys):
    assert main(["check", "memory", "--prior.dtype", "float16", "--batch-sizes", "1"]) == 0
    text = capsys.readouterr().out
    assert "# Memory: stable-diffusion-1.5 at 512x512" in text
    assert "| dds, float16 | 1 | 1 | 1 |" in text
    assert "| piva, float16 | 1 | 1 | 1 |" in text


def test_help_has_an_example(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["check", "memory", "--help"])
    assert ended.value.code == 0
    text = capsys.readouterr().out
    assert "--batch-sizes" in text
    assert "example: piva check memory --method piva" in text


@pytest.mark.parametrize("flags", [["--prior.dtype", "int8"], ["--batchsizes", "1"]])
def test_a_bad_flag_ends_with_2(flags, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["check", "memory", *flags])
    assert ended.value.code == 2


def test_a_batch_of_none_ends_with_2(capsys):
    assert main(["check", "memory", "--batch-sizes", "0"]) == 2
    assert "--batch-sizes 0: must be" in capsys.readouterr().err


def test_an_image_size_that_does_not_fit_the_vae_ends_with_2(capsys):
    assert main(["check", "memory", "--image-size", "513"]) == 2
    assert "multiples of 8" in capsys.readouterr().err
