"""Memory estimates as a document: what a batch takes, and the largest one that fits a card."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from piva.memory import RESERVE, Memory
from reports.tables.markdown import table

GIB = 2**30
CARDS = (8, 12, 24)
"""Memory of common cards, in GiB."""

LEGEND = """\
- weights: UNet and text encoder in the number type named, VAE in float32
- adapters: A and B of psi and phi of every case and AdamW's states, in float32
- no gradient: the UNet call without gradient at its peak
- saved: what the UNet call with gradient keeps for its backward pass
- step: a whole step at its peak, both calls and the backward pass in it
- VAE encode, VAE decode: at their peaks, before the first step and after the last
- peak: weights and all else there is at the fullest moment, which is the last column"""


@dataclass(frozen=True)
class Line:
    """The estimates of one method in one number type, by batch size."""

    method: str
    dtype: str
    estimates: Mapping[int, Memory]


def markdown(prior: str, image_size: tuple[int, int], lines: Sequence[Line], command: str) -> str:
    """The whole document."""
    height, width = image_size
    parts = [
        f"# Memory: {prior} at {width}x{height}",
        "",
        f"Made by `{command}`, from shapes alone: no GPU took part.",
        "",
    ]
    parts += ["Largest batch, of those asked for, that fits a card:", "", *_fits(lines), ""]
    parts += [
        f"A card must hold the peak and {RESERVE / GIB:g} GiB for what is not counted (`piva/memory.py` says what: the "
        "driver's context, workspaces of kernels, fragmentation). That reserve is a guess. Numbers below are in GiB.",
        "",
    ]
    for line in lines:
        parts += [f"## {line.method}, {line.dtype}", "", *_details(line), ""]
    return "\n".join([*parts, LEGEND]) + "\n"


def _fits(lines: Sequence[Line]) -> list[str]:
    body = []
    for line in lines:
        fitting = [[n for n, found in line.estimates.items() if found.needed <= card * GIB] for card in CARDS]
        body.append([f"{line.method}, {line.dtype}", *(str(max(sizes)) if sizes else "none" for sizes in fitting)])
    return table(["", *(f"{card} GB" for card in CARDS)], body)


def _details(line: Line) -> list[str]:
    titles = [
        "batch",
        "weights",
        "adapters",
        "no gradient",
        "saved",
        "step",
        "VAE encode",
        "VAE decode",
        "peak",
        "fullest",
    ]
    body = []
    for n, found in line.estimates.items():
        moments = {"step": found.step, "encode": found.encode, "decode": found.decode}
        sizes = [sum(found.weights.values()), found.adapters + found.optimiser, found.forward, found.saved, found.step]
        sizes += [found.encode, found.decode, found.peak]
        fullest = max(moments, key=lambda moment: moments[moment])
        body.append([str(n), *(f"{size / GIB:.2f}" for size in sizes), fullest])
    return table(titles, body)
