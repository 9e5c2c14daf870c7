"""Values as W&B's agent writes them are the settings that they spell."""

import pytest

from piva.commands.literals import standing_alone, unpacked
from piva.commands.run_settings import run_settings
from piva.config import RunConfig
from piva.errors import ConfigError


@pytest.mark.parametrize(
    ("given", "read"),
    [
        (["--seeds=[0, 1]"], ["--seeds", "0", "1"]),
        (["--seeds", "[0, 1]", "--limit", "3"], ["--seeds", "0", "1", "--limit", "3"]),
        (["--metrics=[]"], ["--metrics"]),
        (["--method={'lam': 1, 'aux': {'rank': 8, 'lr': 1e-05}}"],
         ["--method.lam=1", "--method.aux.rank=8", "--method.aux.lr=1e-05"]),
        (["--method={'name': 'dds', 'guidance': 3}"], ["--method=dds", "--method.guidance=3"]),
        (["--prior={'image_size': [512, 256]}"], ["--prior.image_size", "512", "256"]),
        (["--method.lam=0.4", "--root", "a [b]", "--case=[x"], ["--method.lam=0.4", "--root", "a [b]", "--case=[x"]),
    ],
)  # fmt: skip
def test_lists_and_mappings_are_taken_apart_and_nothing_else_is(given, read):
    assert unpacked(given) == read


def test_flags_that_stand_alone_take_true_and_false_too():
    words = ["--prior.compile=True", "--prior.drop_text_encoder=False", "--dry-run=True", "--allow-download=False"]
    alone = ["--prior.compile", "--prior.no-drop-text-encoder", "--dry-run", "--no-allow-download"]
    assert standing_alone(RunConfig, words) == alone
    as_they_are = ["--prior.channels-last=True", "--steps=True", "--prior.compile=yes", "--prior.compile"]
    assert standing_alone(RunConfig, as_they_are) == as_they_are


def test_settings_from_the_words_of_an_agent():
    words = (
        "--method piva --method.lam=1e-05 --method.guidance_src=None --method.aux.camera=False --method.aux.rank=8 "
        "--prior.compile=True --prior.revision=None --prior.channels_last=False --limit=None --row_cache_gb=2"
    )
    _, config = run_settings(["pie-toybox", *words.split(), "--seeds=[3, 4]", "--metrics=['lpips', 'clip']"])
    assert (config.method.lam, config.method.guidance_src, config.method.aux.camera) == (1e-5, None, False)
    assert (config.prior.compile, config.prior.revision, config.prior.channels_last) == (True, None, False)
    assert (config.limit, config.seeds, config.metrics) == (None, (3, 4), ("lpips", "clip"))
    assert (config.method.aux.rank, config.row_cache_gb) == (8, 2.0)


def test_scenes_have_their_own_settings_and_defaults():
    benchmark, config = run_settings(["noe", "--method", "piva", "--scene={'views': 3}", "--method.aux.camera=True"])
    assert (benchmark.name, config.steps, config.method.lam) == ("noe", 15_000, 0.4)
    assert (config.scene.views, config.method.aux.camera) == (3, True)


def test_a_nested_method_and_its_name_do_not_collide():
    _, config = run_settings(["pie-toybox", "--method={'lam': 2.0}", "--method", "piva"])
    assert config.method.lam == 2
    with pytest.raises(ConfigError, match="--method is given twice: piva and dds"):
        run_settings(["pie-toybox", "--method=piva", "--method=dds"])
