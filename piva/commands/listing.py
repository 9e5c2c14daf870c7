"""`piva list [methods|presets|benchmarks|metrics]`: the names there are. Imports no torch."""

from collections.abc import Sequence

from piva.errors import COMPLETE, ConfigError
from piva.registry import resolve, unknown

KINDS = ("methods", "presets", "benchmarks", "metrics")


def main(arguments: Sequence[str]) -> int:
    """Prints the kinds asked for, or all."""
    if arguments and arguments[0] in ("-h", "--help"):
        print(f"usage: piva list [{'|'.join(KINDS)}]\n\nThe names that other commands take.")
        return COMPLETE
    for kind in arguments:
        if kind not in KINDS:
            raise ConfigError(unknown("kind of thing", kind, KINDS))
    for kind in arguments or KINDS:
        print(f"{kind}:")
        for name, about in _rows(kind):
            print(f"  {name:<28} {about}")
    return COMPLETE


def _rows(kind: str) -> list[tuple[str, str]]:
    if kind == "methods":
        return _methods()
    if kind == "presets":
        return _presets()
    if kind == "benchmarks":
        from benchmarks import BENCHMARKS, SCENE_BENCHMARKS

        return [(name, where) for name, where in (BENCHMARKS | SCENE_BENCHMARKS).items()]
    from piva.metrics import INFO

    arrows = {True: "higher is better", False: "lower is better", None: ""}
    better = {n: arrows[i.higher_is_better] or f"nearer to {i.best:g} is better" for n, i in INFO.items()}
    needs = {name: f"; needs {info.needs}" if info.needs else "" for name, info in INFO.items()}
    return [(name, f"{info.about} ({better[name]}{needs[name]})") for name, info in INFO.items()]


def _methods() -> list[tuple[str, str]]:
    """Each with its family, UNet rows of a step (+ those with backward), auxiliaries, strength setting, and source."""
    from benchmarks.identity_rows import IDENTITY_ROWS
    from piva.instructed import SCENE_EDITORS
    from piva.methods import METHODS
    from piva.sampling import SAMPLERS

    columns = "{:<11} {:<5} {:<9} {:<16} {}"
    lines = [("NAME", columns.format("FAMILY", "ROWS", "TRAINS", "STRENGTH", "FROM"))]
    table = METHODS | SAMPLERS | SCENE_EDITORS
    for name in table:
        kind = resolve("method", table, name)
        forward, backward = kind.rows
        rows = f"{forward}+{backward}" if backward else str(forward)
        trains = ", ".join(kind().auxiliaries) or "-"
        lines.append((name, columns.format(kind.family, rows, trains, kind.strength, kind.source)))
    return lines + [(name, "identity row: stands beside every method") for name in IDENTITY_ROWS]


def _presets() -> list[tuple[str, str]]:
    """`--preset authors` of each method, for pictures and for scenes: steps, settings, source."""
    from piva.methods.presets import AUTHORS

    return [
        (f"authors, {domain}: {name}", f"{' '.join(preset.words)}  ({preset.source})")
        for domain, presets in AUTHORS.items()
        for name, preset in presets.items()
    ]
