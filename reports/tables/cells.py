"""How numbers are shown: a metric's declared display scale and digits, and its title says so."""

from piva.stats import Interval
from reports.reading import info

SEED = 0
"""Of the bootstrap: the same table every time."""


def head(name: str) -> str:
    """A column's title: name, which way is better, and how the number is displayed."""
    facts = info(name)
    nearer = "" if facts.best is None else f" →{facts.best:g}"
    arrow = {True: " ↑", False: " ↓", None: nearer}[facts.higher_is_better]
    scale = "" if facts.display_scale == 1 or facts.unit else f" ×{facts.display_scale:g}"
    return name + arrow + scale + (f" ({facts.unit})" if facts.unit else "")


def axis_title(name: str) -> str:
    """`head` of a number by its distance from the best: a shift or a ratio is that where nearer is better."""
    facts = info(name)
    if facts.higher_is_better is not None:
        return head(name)
    best = "" if not facts.best else f" - {facts.best:g}"
    scale = "" if facts.display_scale == 1 else f" ×{facts.display_scale:g}"
    return f"|{head(name).partition(' →')[0]}{best}|{scale}"


def shown(name: str, value: float | None, signed: bool = False, digits: int | None = None) -> str:
    """One displayed number, with the metric's own digits unless told otherwise; a dash where there is none."""
    if value is None:
        return "–"
    facts = info(name)
    digits = facts.digits if digits is None else digits
    rounded = round(value * facts.display_scale, digits) + 0.0  # no -0.0
    return f"{rounded:{'+' if signed else ''}.{digits}f}"


def cell(name: str, interval: Interval, signed: bool = False, digits: int | None = None) -> str:
    """`mean [low, high] n=N`; `n=0` where there is nothing."""
    mean = shown(name, interval.mean, signed, digits)
    low, high = (shown(name, bound, signed, digits) for bound in (interval.low, interval.high))
    bounds = "" if interval.low is None else f" [{low}, {high}]"
    missing = f", {interval.missing} missing" if interval.missing else ""
    return f"{mean}{bounds} n={interval.n}{missing}"
