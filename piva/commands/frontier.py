"""`piva frontier`: what methods trade for what, as a figure and as differences at matched levels."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import tyro

from piva.commands.arguments import parse
from piva.config import Settings, runtime
from piva.errors import COMPLETE, ConfigError


class FrontierConfig(Settings):
    """What `piva frontier` does."""

    names: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="[RUN ...]")] = runtime(())
    """Folders, or beginnings of keys; all runs below --runs otherwise."""

    runs: Path = runtime(Path("runs"))
    """Folder that holds all runs."""

    methods: tuple[str, str] = runtime(("piva", "dds"))
    """The two methods; differences are the first minus the second."""

    match: tuple[str, ...] = runtime(("edit_success", "clip_text"))
    """Numbers at which the methods are matched."""

    over: tuple[str, ...] = runtime(("lpips", "psnr_to_true", "saturation_shift"))
    """Numbers that are compared there."""

    rows: tuple[int, ...] = runtime(())
    """Also compare with only the runs whose cases took at most so many UNet rows, for each number given."""

    figure: Path | None = runtime(None)
    """PNG or SVG to draw; RUNS/report/frontier.png otherwise."""

    into: Path | None = runtime(None)
    """Also put the tables between the results markers of this file."""


def main(arguments: Sequence[str]) -> int:
    """Writes the figure and prints the tables."""
    config = parse(FrontierConfig, "frontier", arguments, "What methods trade for what, at matched levels.")
    from piva.provenance import command_line
    from reports.figures.frontier import frontier
    from reports.reading import load_runs
    from reports.tables.documents import frontier_markdown, groups, write_between_markers
    from reports.tables.rows import check_names

    runs = load_runs(config.names, config.runs)
    if not runs:
        raise ConfigError(f"there is no run below {config.runs}/ yet: piva run pie-toybox --method piva --limit 20")
    if len(groups(runs)) != 1:
        raise ConfigError(f"the runs below {config.runs}/ are of {len(groups(runs))} benchmarks or splits: name some")
    check_names([*config.match, *config.over], runs)
    chosen = [[run for run in runs if run.record.method == name] for name in config.methods]
    for name, group in zip(config.methods, chosen, strict=True):
        if not group:
            raise ConfigError(f"there is no run of {name} below {config.runs}/")
    pairs = [(over, match) for match in config.match for over in config.over]
    figure = config.figure or config.runs / "report" / "frontier.png"
    frontier(chosen, pairs, figure)
    text = frontier_markdown(config.methods, chosen, pairs, config.rows, command_line())
    if config.into is not None:
        write_between_markers(config.into, text)
    print(text)
    print(f"figure: {figure}")
    return COMPLETE
