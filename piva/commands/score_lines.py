"""What commands that edit one thing say of its scores."""

from collections.abc import Mapping, Sequence


def print_scores(values: Mapping[str, float | None], names: Sequence[str]) -> None:
    """A line for each score of these names that there is: name, value as it is displayed, unit, what it is."""
    from piva.metrics import INFO

    width = max(map(len, names)) + 2
    for name in names:
        value = values.get(name)
        if value is not None:
            facts = INFO[name]
            print(f"{name:<{width}}{value * facts.display_scale:8.{facts.digits}f} {facts.unit:<3} {facts.about}")
