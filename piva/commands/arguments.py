"""Command lines from types: tyro makes the flags from pydantic models, once the name of the method is known."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, TypeVar

import tyro
from pydantic import create_model

from piva.config import Settings, identity
from piva.errors import ConfigError
from piva.registry import resolve

T = TypeVar("T")


def parse(kind: type[T], command: str, arguments: Sequence[str], about: str | None = None) -> T:
    """An object of `kind` from flags; ends the program with 2 on a bad flag (naming near ones), with 0 on --help."""
    return tyro.cli(kind, prog=f"piva {command}", args=list(arguments), description=about)


def with_method(base: type[Settings], table: Mapping[str, str], arguments: Sequence[str]) -> tuple[Any, list[str]]:
    """(`base` with a field `method`, the arguments left) for the method that `--method NAME` names.

    Without `--method` the field takes a name, so that `--help` lists the names and its absence is an error of tyro's.

    Raises:
        ConfigError: an unknown method, or one given twice or without a name.
    """
    name, rest = take("--method", arguments)
    if name is None:
        names = Annotated[str, tyro.conf.arg(metavar="{" + ",".join(table) + "}")]
        about = "Name of the method; with it, --help shows the method's own settings."
        return _extended(base, names, identity(description=about)), rest
    method: Any = resolve("method", table, name)
    return _extended(base, Annotated[method, tyro.conf.FlagConversionOff], identity(default_factory=method)), rest


def _extended(base: type[Settings], kind: Any, field: Any) -> type[Settings]:
    """`base` with a field `method`."""
    return create_model(base.__name__, __base__=base, __doc__=base.__doc__, method=(kind, field))


def take(flag: str, arguments: Sequence[str]) -> tuple[str | None, list[str]]:
    """(value of `flag VALUE` or `flag=VALUE`, the other arguments); None where the flag is absent.

    Raises:
        ConfigError: the flag stands there twice, or without a value.
    """
    rest: list[str] = []
    found: list[str] = []
    queue = list(arguments)
    while queue:
        argument = queue.pop(0)
        if argument == flag:
            if not queue or queue[0].startswith("-"):
                raise ConfigError(f"{flag} needs a value")
            found.append(queue.pop(0))
        elif argument.startswith(flag + "="):
            found.append(argument.partition("=")[2])
        else:
            rest.append(argument)
    if len(found) > 1:
        raise ConfigError(f"{flag} is given twice: {' and '.join(found)}")
    return (found[0] if found else None), rest


def take_name(
    what: str, table: Mapping[str, str], arguments: Sequence[str], command: str
) -> tuple[str | None, list[str]]:
    """(first argument, the rest) where it is a name rather than a flag; (None, all) for a call for help.

    Raises:
        ConfigError: no name is given.
    """
    if arguments and not arguments[0].startswith("-"):
        return arguments[0], list(arguments[1:])
    if "--help" in arguments or "-h" in arguments:
        return None, list(arguments)
    raise ConfigError(f"which {what}? piva {command} {'|'.join(table)} ...")
