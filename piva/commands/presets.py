"""`--preset authors`: the flags of a method's authors, put before those that are given."""

from __future__ import annotations

from collections.abc import Sequence

from piva.commands.arguments import take
from piva.errors import ConfigError
from piva.methods.presets import AUTHORS, Domain


def expanded(arguments: Sequence[str], domain: Domain, default: str | None = None) -> list[str]:
    """The arguments with the preset's flags before them, where one is asked for; those given win.

    Args:
        default: method, where none is named.

    Raises:
        ConfigError: the method has no such preset.
    """
    words = list(arguments)
    if take("--preset", words)[0] != "authors":
        return words  # another name is refused with the other flags
    method = take("--method", words)[0] or default
    if method is None:
        raise ConfigError("--preset authors: of which method? --method NAME")
    if method not in AUTHORS[domain]:
        raise ConfigError(f"--preset authors: {method} has none for {domain}; these do: {', '.join(AUTHORS[domain])}")
    return [*AUTHORS[domain][method].words, *words]
