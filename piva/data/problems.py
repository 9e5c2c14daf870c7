"""What is wrong with a data set: one error that names everything, and checks that return sentences."""

from collections.abc import Collection
from pathlib import Path, PurePosixPath

from pydantic import ValidationError

from piva.data.json_files import shown_key
from piva.data.prompts import text_problem
from piva.errors import PreflightError


class DataError(PreflightError):
    """The data set is not what its format promises; `problems` holds one sentence for each thing that is wrong."""

    def __init__(self, root: Path, problems: Collection[str]) -> None:
        self.problems = tuple(problems)
        if len(self.problems) == 1:
            super().__init__(f"{root}: {self.problems[0]}")
        else:
            super().__init__("\n  ".join([f"{root}: {len(self.problems)} problems", *self.problems]))


def path_inside(root: Path, relative: str) -> Path | None:
    """`relative` below the resolved folder `root`; None where it is not plain, or leads out of it, links followed.

    What it names need not exist.
    """
    parts = PurePosixPath(relative).parts
    odd = text_problem(relative) is not None or any(character in "\\:\t\r\n" for character in relative)
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
        parts = (f"[{part}]" if isinstance(part, int) else f".{shown_key(part)}" for part in problem["loc"])
        place = "".join(parts).lstrip(".")
        message = problem["msg"].removeprefix("Value error, ")
        sentences.append(f"{name}: {place}: {message}" if place else f"{name}: {message}")
    return sentences
