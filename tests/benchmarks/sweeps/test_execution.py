"""What `piva sweep run` passes on to the runs about who does their work."""

import sys

from benchmarks.running.watching import Unwatched
from benchmarks.sweeps.execution import executed_by, flags_of
from piva.commands.run_settings import run_settings
from piva.config import ExecutionFlags, RaySettings, SlurmSettings

SETTINGS = ExecutionFlags(
    executor="slurm",
    workers=3,
    ray=RaySettings(gpus=0.5),
    slurm=SlurmSettings(hours=1.5, options=("account=v", "qos=low")),
)


def test_flags_are_read_back_as_what_they_came_of():
    flags = list(flags_of(SETTINGS))
    assert flags == [
        "--executor=slurm", "--workers=3", "--ray.gpus=0.5", "--slurm.hours=1.5",
        "--slurm.options", "account=v", "qos=low",
    ]  # fmt: skip
    _, config = run_settings(["pie-toybox", "--method", "dds", *flags])
    assert ExecutionFlags(**{name: getattr(config, name) for name in ExecutionFlags.model_fields}) == SETTINGS
    assert list(flags_of(SETTINGS, ("executor", "ray"))) == ["--executor=slurm", "--ray.gpus=0.5"]
    assert list(flags_of(ExecutionFlags())) == []


def test_a_run_gets_them_unless_its_command_names_an_executor():
    told = []

    def run(words, watch):
        told.append((list(words), list(sys.argv[1:])))
        return 0

    running, own = executed_by(run, ["--executor=ray"]), sys.argv
    assert running(["pie-bench", "--method", "dds"], Unwatched()) == 0
    assert told[0] == (["pie-bench", "--method", "dds", "--executor=ray"], ["run", *told[0][0]])
    running(["pie-bench", "--executor", "processes"], Unwatched())
    assert told[1][0] == ["pie-bench", "--executor", "processes"]
    assert sys.argv is own
    assert executed_by(run, []) is run
