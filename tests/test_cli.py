"""The command line: quick help, flags from types, exit codes."""

import subprocess
import sys

import pytest
from harness_world import PlainPrior, use_plain_world, write_bench

from piva.cli import COMMANDS, main
from piva.errors import PreflightError
from piva.records import read_cases, read_run

HEAVY = ("torch", "diffusers", "transformers", "lightning", "wandb", "polars", "matplotlib")


LIGHT = ["--help", "list", "--version", "run --help", "toybox", "nonsense", "edit none.png --source a --target b"]


@pytest.mark.parametrize("command", LIGHT)
def test_help_and_what_goes_wrong_at_once_import_nothing_heavy(command):
    code = (
        "import sys\nfrom piva.cli import main\n"
        f"try: main({command.split()!r})\n"
        "except SystemExit: pass\n"
        f"print('HEAVY', [name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "HEAVY []"


def test_help_costs_about_nothing():
    code = "import time; from piva.cli import main; main(['--help']); print(time.process_time())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert float(done.stdout.splitlines()[-1]) < 0.5


def test_nothing_collects_garbage_while_what_an_edit_needs_is_imported():
    """A whole collection walks all modules there are so far; by default there are eight, and a hundred middle ones."""
    code = (
        "import gc\nfrom piva.cli import main\nmain(['list'])\n"
        "import piva.editing, piva.methods.piva, piva.priors.stable_diffusion\n"
        "print([generation['collections'] for generation in gc.get_stats()][1:])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] in ("[0, 0]", "[1, 0]", "[2, 0]")


def test_nothing_collects_garbage_on_the_way_out():
    code = (
        "import atexit, gc\nfrom piva.cli import main\n"
        "atexit.register(lambda: print('frozen', gc.get_freeze_count() > 1000))\nmain(['list'])"  # the last is first
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "frozen True"


def test_help_names_every_command_and_has_examples(capsys):
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    assert all(f"  {name} " in text for name in COMMANDS)
    assert "piva edit photo.png" in text


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_command_has_help(command, capsys):
    try:
        code = main([command, "--help"])
    except SystemExit as ended:
        code = ended.code
    assert code == 0
    assert "usage: piva" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["rum"], "did you mean 'run'?"),
        (["list", "method"], "did you mean 'methods'?"),
        (["run"], "which benchmark? piva run pie-toybox|pie-bench"),
        (["run", "--limit", "4"], "which benchmark? piva run pie-toybox|pie-bench"),
        (
            ["run", "--limit", "4", "pie-toybox", "--case", "a b"],
            "the benchmark's name comes first: piva run pie-toybox --limit 4 --case 'a b'\n",
        ),
        (["run", "pie-toybx", "--method", "dds"], "did you mean 'pie-toybox'?"),
        (["run", "pie-bench", "--method", "pivaa"], "did you mean 'piva'?"),
        (["run", "pie-bench", "--method"], "--method needs a value"),
        (["run", "pie-bench", "--method", "dds", "--method", "piva"], "--method is given twice"),
        (["check", "envv"], "did you mean 'env'?"),
        (["toybox", "trai"], "did you mean 'train'?"),
        (["show", "abc", "--runs", "/nonexistent"], "no run 'abc'"),
        (["report", "--runs", "/nonexistent"], "there is no run"),
    ],
)
def test_a_wrong_name_is_answered_with_a_sentence_and_2(arguments, sentence, capsys):
    assert main(arguments) == 2
    assert sentence in capsys.readouterr().err


@pytest.fixture
def world(tmp_path, monkeypatch):
    """(benchmark arguments, run folder): `piva run` on the stand-ins."""
    scorer = use_plain_world(monkeypatch)
    out = tmp_path / "runs"
    root = write_bench(tmp_path / "bench", n=12)

    def run(*flags, method="dds"):
        common = ["--root", str(root), "--out", str(out), "--tracker", "none"]
        return main(["run", "pie-bench", "--method", method, *common, *flags])

    run.out, run.root, run.scorer = out, root, scorer
    run.folders = lambda: sorted((out / "pie-bench").iterdir())
    return run


def test_a_run_is_recorded_and_says_what_it_did(world, capsys):
    assert world("--limit", "10", "--method.guidance=3") == 0
    (folder,) = world.folders()
    record = read_run(folder)
    assert folder.name == f"dds-{record.edit_key}"
    assert record.settings["guidance"] == 3.0
    assert {case.type_id for case in read_cases(folder).values()} == {str(k) for k in range(10)}
    assert record.launches[0].planned == list(read_cases(folder))
    assert capsys.readouterr().out == f"{folder}: 10 ok\n"


def test_the_same_command_again_does_nothing_and_a_larger_limit_the_rest(world, capsys):
    world("--limit", "10")
    capsys.readouterr()
    assert world("--limit", "10") == 0
    assert "0 of 10 cases to edit in 0 batches, 10 done before" in capsys.readouterr().err
    assert len(read_run(world.folders()[0]).launches) == 1
    assert world() == 0
    assert "2 of 12 cases to edit in 1 batches, 10 done before" in capsys.readouterr().err
    assert len(read_cases(world.folders()[0])) == 12


def test_a_changed_setting_is_another_run_and_a_runtime_setting_is_not(world):
    world("--limit", "2")
    world("--limit", "2", "--method.guidance", "3")
    world("--limit", "2", "--steps", "7")
    world("--limit", "2", "--seed", "1")
    assert len(world.folders()) == 4
    world("--limit", "2", "--batch-size", "1", "--prior.compile")
    assert len(world.folders()) == 4


def test_each_seed_is_a_run(world):
    assert world("--limit", "2", "--seeds", "0", "1", "2") == 0
    assert sorted(read_run(folder).seed for folder in world.folders()) == [0, 1, 2]


def test_cases_and_types_can_be_chosen(world, capsys):
    assert world("--case", "000000000003", "000000000011") == 0
    assert set(read_cases(world.folders()[0])) == {"000000000003", "000000000011"}
    assert world("--type", "change-style", "--dry-run") == 0
    assert "1 of 1 cases to edit" in capsys.readouterr().err
    assert world("--case", "nope") == 2
    assert world("--type", "styles") == 2


def test_a_dry_run_writes_no_record(world):
    assert world("--dry-run") == 0
    assert not world.out.exists()


def test_failed_cases_end_with_1(world, capsys):
    mapping = world.root / "mapping_file.json"
    mapping.write_text(mapping.read_text().replace("bright] square number 4", "poison] square number 4"))
    assert world() == 1
    assert "1 error, 11 ok" in capsys.readouterr().out


def test_bad_data_ends_with_3_before_any_work(world, capsys):
    mapping = world.root / "mapping_file.json"
    mapping.write_text(mapping.read_text().replace('"000000000004": {', '"00000000004": {'))
    assert world() == 3
    assert "00000000004: the id is not 12 digits" in capsys.readouterr().err
    assert not list(world.out.glob("*/*/run.json"))


def test_a_prior_that_cannot_be_loaded_ends_with_3(world, monkeypatch, capsys):
    from benchmarks import models

    def missing(config, method=None):
        raise PreflightError("no weights")

    monkeypatch.setattr(models, "load_prior", missing)
    assert world() == 3
    assert capsys.readouterr().err == "piva: no weights\n"


def test_an_output_folder_that_cannot_be_written_ends_with_3(world, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert world("--out", str(tmp_path / "file" / "runs")) == 3
    assert "cannot write to" in capsys.readouterr().err


def test_a_t_range_the_prior_does_not_have_ends_with_2(world, capsys):
    assert world("--method.t-max", "1000") == 2
    assert "t-max" in capsys.readouterr().err


def test_interruption_ends_with_130_and_is_continued(world, monkeypatch, capsys):
    import benchmarks.pictures.launch as launch

    stand_in = launch.editor

    def interrupted(inputs, on_step):
        raise KeyboardInterrupt

    monkeypatch.setattr(launch, "editor", lambda *arguments: interrupted)
    assert world("--seeds", "0", "1") == 130
    assert "the same command does the rest" in capsys.readouterr().err
    assert len(world.folders()) == 1  # the second seed was not begun
    monkeypatch.setattr(launch, "editor", stand_in)
    assert world() == 0


def test_a_run_is_planned_when_it_is_ours(world, monkeypatch):
    import benchmarks.pictures.launch as launch
    from piva.records import RunFolder

    real = launch.plan_run

    def plan(path, *arguments):
        with pytest.raises(PreflightError, match="is writing to"):
            RunFolder(path)
        return real(path, *arguments)

    monkeypatch.setattr(launch, "plan_run", plan)
    assert world("--limit", "2") == 0


def test_identity_rows_ask_the_prior_for_no_score(world):
    assert world(method="copy") == 0
    assert world(method="no-edit") == 0
    copy, no_edit = (read_cases(folder) for folder in world.folders())
    assert {case.metrics["shift"] for case in copy.values()} == {0.0}
    assert no_edit["000000000005"].metrics["level"] == pytest.approx(50 / 255, abs=1e-6)
    assert {case.unet_rows for case in [*copy.values(), *no_edit.values()]} == {0}


def test_identity_rows_do_not_depend_on_steps_or_seed(world):
    world("--steps", "10", method="copy")
    world("--steps", "20", "--seed", "5", method="copy")
    assert len(world.folders()) == 1


def test_resizing_to_the_prior_is_said_and_recorded(world, monkeypatch, capsys):
    from benchmarks import models

    monkeypatch.setattr(models, "load_prior", lambda config, method=None: PlainPrior(8))
    assert world() == 0
    assert "12 images (and their masks) are resized to the prior's 8x8" in capsys.readouterr().err
    (folder,) = world.folders()
    assert read_run(folder).image_size == (8, 8)
    assert all(case.resized for case in read_cases(folder).values())


def test_a_prompt_of_ten_thousand_characters_is_only_a_prompt(world):
    mapping = world.root / "mapping_file.json"
    mapping.write_text(mapping.read_text().replace("square number 4", "very " * 2000 + "square number 4"))
    assert world() == 0
    assert len(read_cases(world.folders()[0])["000000000004"].tgt) > 10_000
    assert main(["report", "--runs", str(world.out)]) == 0
