"""The studies that come with piva: every sweep file is read by the real parser, and says what it is."""

import re
from pathlib import Path

import pytest
import yaml

from benchmarks.sweeps.arguments import arguments, out_folder
from benchmarks.sweeps.points import grid_points
from piva.commands.run_settings import run_settings
from piva.errors import ConfigError
from piva.registry import resolve
from reports.studies import STUDIES, study
from reports.studies.study import FILES, read_sweep, runs_of, with_flags


def configs(sweep):
    return [run_settings(arguments(sweep, point)[1:])[1] for point in grid_points(sweep)]


@pytest.fixture(params=STUDIES)
def one(request):
    return resolve("study", STUDIES, request.param)


def test_no_file_is_of_two_studies():
    named = [part.file for name in STUDIES for part in resolve("study", STUDIES, name).parts]
    assert sorted(named) == sorted({*named})
    assert set(named) <= {file.stem for file in FILES.glob("*.yaml")}


def test_every_point_is_read_by_the_parser_and_is_another(one):
    assert one.name in STUDIES
    for sweep in one.sweeps():
        found = configs(sweep)
        assert len({(config.method.name, config.model_dump_json()) for config in found}) == len(found)
        assert runs_of(sweep) == sum(len(config.seeds) for config in found)


def test_files_say_how_many_runs_and_where(one):
    for sweep in one.sweeps():
        comment = " ".join(line for line in sweep.path.read_text().splitlines() if line.startswith("#"))
        assert runs_of(sweep) in [int(n) for n in re.findall(r"(\d+) runs", comment)]
        assert out_folder(sweep) == Path("runs", "studies", one.name)
        assert sweep.name == f"study-{sweep.path.stem}"


def test_the_studies_ask_what_they_are_for():
    lams = [0, 0.1, 0.2, 0.4, 0.7, 1, 2, 4]
    for name, guidance in (("lambda", 7.5), ("lambda-guidance3", 3.0)):
        found = configs(read_sweep(FILES / f"{name}.yaml"))
        assert [(c.method.lam, c.method.guidance, c.limit) for c in found] == [(lam, guidance, 60) for lam in lams]
    for name, steps, cases in (("drift-3d", 15_000, 4), ("drift-3d-5000", 5000, 6)):
        found = configs(read_sweep(FILES / f"{name}.yaml"))
        assert [(c.method.name, c.steps, len(c.case)) for c in found] == [("dds", steps, cases), ("piva", steps, cases)]
    (long, short) = (configs(read_sweep(FILES / f"{name}.yaml")) for name in ("drift-2d", "drift-2d-5000"))
    assert {(c.steps, c.limit) for c in long} == {(15_000, 4)}
    assert {(c.steps, c.limit) for c in short} == {(5000, 6)}
    assert sorted(long[0].type + short[0].type) == [str(k) for k in range(10)]
    assert [c.method for c in long] == [c.method for c in short]
    found = configs(read_sweep(FILES / "seeds.yaml"))
    assert [(c.method.name, c.method.guidance, c.limit, c.seeds) for c in found] == [
        ("dds", 3.0, 40, (0, 1, 2, 3, 4)), ("piva", 3.0, 40, (0, 1, 2, 3, 4)), ("piva", 7.5, 40, (0, 1, 2, 3, 4))
    ]  # fmt: skip


def test_flags_go_behind_every_run_s_own_and_win(tmp_path):
    sweep = read_sweep(FILES / "lambda.yaml")
    assert with_flags(sweep, [], tmp_path) is sweep
    assert list(tmp_path.iterdir()) == []
    more = with_flags(sweep, ["--prior.model", "DIR", "--limit", "5"], tmp_path)
    assert more.path == tmp_path / "lambda.yaml"
    assert [(c.prior.model, c.limit, c.method.lam) for c in configs(more)[:2]] == [("DIR", 5, 0), ("DIR", 5, 0.1)]
    theirs, ours = (yaml.safe_load(file.read_text()) for file in (sweep.path, more.path))
    words = [str(word) for word in theirs.pop("command")]
    assert ours.pop("command") == [*words, "--prior.model", "DIR", "--limit", "5"]
    assert ours == theirs


def test_without_the_repository_there_is_one_sentence(monkeypatch, tmp_path):
    monkeypatch.setattr(study, "FILES", tmp_path / "nowhere")
    with pytest.raises(ConfigError, match="studies run from a checkout of piva's repository"):
        resolve("study", STUDIES, "seeds").sweeps()
