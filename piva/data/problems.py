"""What is wrong with a data set: one error that names everything, and checks that return sentences."""

from collections.abc import Collection
from pathlib import Path, PurePosixPath

from pydantic import ValidationError

from piva.errors import PreflightError


class DataError(PreflightError):
    """The data set is not what its format promises; `problems` holds one sentence for each thing that is wrong."""

    def __init__(self, root: Path, problems: Collection[str]) -> None:
        self.problems = tuple(problems)
        things = "1 problem" if len(self.problems) == 1 else f"{len(self.problems)} problems"
        super().__init__("\n  ".join([f"{root}: {things}", *self.problems]))


def path_inside(root: Path, relative: str) -> Path | None:
    """`relative` below the resolved folder `root`; None where it is not plain, or leads out of it, links followed.

    What it names need not exist.
    """
    parts = PurePosixPath(relative).parts
    odd = any(ord(character) < 32 or character in "\\:" for character in relative)
    if not parts or relative.startswith("/") or ".." in parts or odd:
        return None
    path = root.joinpath(*parts)
    try:
        return path if path.resolve().is_relative_to(root) else None
    except (OSError, RuntimeError):  # a loop of links, a name the file system refuses
        return None


def validation_sentences(error: ValidationError, name: str) -> list[str]:
    """One sentence for each thing that pydantic found wrong in the file called `name`: where, and what."""
    sentences = []
    for problem in error.errors(include_url=False, include_input=False, include_context=False):
        place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in problem["loc"]).lstrip(".")
        message = problem["msg"].removeprefix("Value error, ")
        sentences.append(f"{name}: {place}: {message}" if place else f"{name}: {message}")
    return sentences
