"""Flags from types: what is read, what is refused and with which words, what help says."""

import pytest

from piva.auxiliary.settings import AuxiliarySettings
from piva.cli import main
from piva.commands.arguments import parse, take, with_method
from piva.config import PriorConfig, RunConfig
from piva.errors import ConfigError
from piva.methods import METHODS
from piva.methods.piva import Piva
from piva.sampling import SAMPLERS

NAMES = ", ".join(METHODS | SAMPLERS)


@pytest.mark.parametrize(
    ("flags", "near"),
    [
        (["--method.lan", "1"], "--method.lam"),
        (["--method.aux.rnk", "1"], "--method.aux.rank"),
        (["--step", "1"], "--steps"),
        (["--prior.devise", "cpu"], "--prior.device"),
    ],
)
def test_an_unknown_flag_ends_with_2_and_the_nearest(flags, near, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["run", "pie-toybox", "--method", "piva", *flags])
    assert ended.value.code == 2
    assert near in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["--steps", "0"], "--steps 0: must be at least 1"),
        (["--limit", "0"], "--limit 0: must be at least 1"),
        (["--row-cache-gb", "-0.5"], "--row-cache-gb -0.5: must be at least 0"),
        (["--method.step_size", "0"], "--method.step-size 0: must be above 0"),
        (["--method.lam", "nan"], "--method.lam nan: must be a finite number"),
        (["--method.lam", "1e999"], "--method.lam inf: must be a finite number"),
        (["--method.aux.rank", "-3"], "--method.aux.rank -3: must be at least 1"),
        (["--seeds"], "--seeds: takes 1 or more"),
        (["--method.t-min", "9", "--method.t-max", "8"], "t_min 9 is above t_max 8"),
        (["--steps", "0", "--method.lam", "-1"], "--steps 0: must be at least 1; --method.lam -1: must be at least 0"),
    ],
)
def test_a_value_that_is_not_allowed_is_answered_with_its_flag_and_2(flags, sentence, capsys):
    assert main(["run", "pie-toybox", "--method", "piva", *flags]) == 2
    assert capsys.readouterr().err == f"piva: {sentence}\n"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["edit", "a.png", "--source", "", "--target", "b"], "--source is empty"),
        (["toybox", "write", "x", "--size", "1025"], "--size 1025: must be at most 1024"),
        (["toybox", "samples"], "prompts: takes 1 or more"),
        (["check", "memory", "--batch-sizes", "4", "0"], "--batch-sizes 0: must be above 0"),
        (["check", "memory", "--image-size", "-8"], "--image-size -8: must be above 0"),
        (["score-folder", "pie-toybox", "--images", ".", "--name", "a b"], "--name 'a b': must match ^["),
    ],
)
def test_and_so_it_is_by_other_commands(arguments, sentence, capsys):
    assert main(arguments) == 2
    assert capsys.readouterr().err.startswith(f"piva: {sentence}")


@pytest.mark.parametrize("flags", [["--method.lam", "x"], ["--prior.dtype", "float23"], ["--steps", "1.5"]])
def test_a_value_of_another_kind_ends_with_2_and_its_flag(flags, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["run", "pie-toybox", "--method", "piva", *flags])
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert flags[0] in said
    assert flags[1] in said


def test_settings_within_settings_keep_the_defaults_of_the_outer_ones():
    """VSD's phi is fresh, though auxiliary models by themselves have it fused."""
    kind, rest = with_method(RunConfig, METHODS, ["--method=vsd", "--method.aux.rank=2"])
    aux = parse(kind, "run", rest).method.aux
    assert (aux.phi, aux.rank) == ("fresh", 2)
    assert AuxiliarySettings().phi == "fused"


def test_what_is_read_is_what_was_given():
    kind, rest = with_method(RunConfig, METHODS, ["--method=piva", "--method.aux.psi", "stored", "--prior.compile"])
    config = parse(kind, "run", [*rest, "--seed", "3", "4", "--method.lam=.7", "--case", "a", "b", "--split", "dev"])
    aux = AuxiliarySettings(psi="stored")
    assert config.method == Piva(lam=0.7, aux=aux)
    assert config.prior == PriorConfig(compile=True)
    given = config.model_dump(exclude={"method", "prior"})
    assert given == RunConfig(seeds=(3, 4), case=("a", "b"), split="dev").model_dump(exclude={"prior"})


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("run pie-toybox", "--method {" + ",".join(METHODS)),
        ("run pie-toybox --method copy", f"--method is one of {NAMES}, copy, no-edit; or all"),
        ("run pie-toybox --method dds", "--method dds: Delta denoising score"),
        ("edit", f"--method is one of {NAMES}; piva by default."),
        ("show", "usage: piva show [-h] RUN "),
        ("compare", "usage: piva compare [-h] RUN RUN "),
    ],
)
def test_help_names_the_methods_and_the_runs(command, said, capsys):
    with pytest.raises(SystemExit) as ended:
        main([*command.split(), "--help"])
    assert ended.value.code == 0
    assert said in capsys.readouterr().out


def test_take_leaves_the_rest_in_order():
    assert take("--method", ["a", "--method", "dds", "--method.lam", "1"]) == ("dds", ["a", "--method.lam", "1"])
    assert take("--method", ["--method=dds", "b"]) == ("dds", ["b"])
    assert take("--method", ["b"]) == (None, ["b"])
    with pytest.raises(ConfigError, match="needs a value"):
        take("--method", ["--method", "--steps"])
