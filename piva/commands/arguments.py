"""Command lines from types: tyro makes the flags of pydantic models, once the name of the method is known.

tyro only reads: the settings are made, and checked, when all flags are read. So what is wrong is said by flag.
"""

import shlex
from collections.abc import Mapping, Sequence
from copy import copy
from typing import Annotated, Any, TypeVar, get_origin, get_type_hints

import tyro
from pydantic import AfterValidator, ValidationError, create_model
from pydantic_core import ErrorDetails
from tyro.constructors import ConstructorRegistry, StructConstructorSpec, StructFieldSpec, StructTypeInfo

from piva.commands.literals import standing_alone
from piva.config import Settings, identity
from piva.data.prompts import prompt_problem
from piva.errors import ConfigError
from piva.registry import resolve

S = TypeVar("S", bound=Settings)

RULES = {
    "greater_than_equal": "must be at least {ge:g}",
    "greater_than": "must be above {gt:g}",
    "less_than_equal": "must be at most {le:g}",
    "less_than": "must be below {lt:g}",
    "finite_number": "must be a finite number",
    "too_short": "takes {min_length} or more",
    "string_too_short": "must not be empty",
    "string_pattern_mismatch": "must match {pattern}",
}
"""What a constraint asks for, by pydantic's name of its error; tyro itself checks types and choices."""


def parse(kind: type[S], command: str, arguments: Sequence[str], about: str | None = None) -> S:
    """Settings from flags; ends the program with 2 on an unknown flag (naming near ones), with 0 on --help.

    Raises:
        ConfigError: a value is not allowed; one sentence for each, that names the flag.
    """
    registry = ConstructorRegistry()
    registry.struct_rule(_unchecked)
    with registry:
        words = standing_alone(kind, arguments)
        values: Any = tyro.cli(kind, prog=f"piva {command}", args=words, description=about)
    try:
        return kind.model_validate(values)
    except ValidationError as problem:
        raise ConfigError("; ".join(_sentence(kind, error) for error in problem.errors())) from None


def prompt_of(flag: str) -> AfterValidator:
    """What checks that a flag's value is a prompt."""

    def checked(prompt: str) -> str:
        if problem := prompt_problem(prompt):
            raise ValueError(f"{flag} {problem}")
        return prompt

    return AfterValidator(checked)


def _unchecked(info: StructTypeInfo) -> StructConstructorSpec | None:
    """tyro's way to settings: the flags of their fields, and a dict of values that nobody checked yet."""
    if not _is_settings(info.type):
        return None

    def values(**given: Any) -> dict[str, Any]:
        return given

    values.__doc__ = info.type.__doc__  # tyro shows it
    hints, fields = get_type_hints(info.type, include_extras=True), []
    for name, field in info.type.model_fields.items():
        default = tyro.MISSING if field.is_required() else field.get_default(call_default_factory=True)
        if isinstance(info.default, info.type):  # settings within settings, with defaults of the outer ones' own
            default = getattr(info.default, name)
        fields.append(StructFieldSpec(name, hints[name], default, field.description))
    return StructConstructorSpec(values, tuple(fields))


def _is_settings(kind: Any) -> bool:
    """Whether `kind` is a class of settings; list[int] is no class, though Python 3.10 takes it for one."""
    return get_origin(kind) is None and isinstance(kind, type) and issubclass(kind, Settings)


def _sentence(kind: type[Settings], error: ErrorDetails) -> str:
    """What is wrong, in words: a check of our own has its own, for a constraint the flag and its value are said."""
    context = error.get("ctx", {})
    if error["type"] == "value_error":
        return str(context["error"])
    name, given = _flag(kind, error["loc"]), error["input"]
    if not isinstance(given, tuple):
        name += f" {given:g}" if isinstance(given, float) else f" {shlex.quote(str(given))}"
    return f"{name}: {RULES[error['type']].format(**context) if error['type'] in RULES else error['msg']}"


def _flag(kind: type[Settings], place: Sequence[str | int]) -> str:
    """The flag of the field at pydantic's `place`; of a positional argument, its name."""
    names, inner, dashes = [], kind, "--"
    for part in place:
        if not _is_settings(inner):
            break  # an item of the field
        field = inner.model_fields[str(part)]
        dashes = "" if tyro.conf.Positional in field.metadata else dashes
        names.append(str(part).replace("_", "-"))
        inner = field.annotation  # type: ignore[assignment]
    return dashes + ".".join(names)


def with_method(
    base: type[Settings], table: Mapping[str, str], arguments: Sequence[str], defaults: Mapping[str, Any] | None = None
) -> tuple[Any, list[str]]:
    """(`base` with a field `method`, the arguments left) for the method that `--method NAME` names.

    Without `--method` the field takes a name, so that `--help` lists the names and its absence is an error of tyro's.

    Args:
        defaults: replace the method's own, where it has such fields; --help says so.

    Raises:
        ConfigError: an unknown method, or one given twice or without a name.
    """
    name, rest = take("--method", arguments)
    if name is None:
        names = Annotated[str, tyro.conf.arg(metavar="{" + ",".join(table) + "}")]
        about = "Name of the method; with it, --help shows the method's own settings."
        return _extended(base, names, identity(description=about)), rest
    method: Any = _with_defaults(resolve("method", table, name), defaults or {})
    about = f"--method {name}: {method.__doc__} Others are {', '.join(other for other in table if other != name)}."
    field = identity(default_factory=method, description=about)
    return _extended(base, Annotated[method, tyro.conf.FlagConversionOff], field), rest


def _with_defaults(method: type[Settings], defaults: Mapping[str, Any]) -> type[Settings]:
    """The method's settings with other defaults, each of which says what the method's own is."""
    changed: dict[str, Any] = {}
    for name, value in defaults.items():
        if name in method.model_fields:
            field = copy(method.model_fields[name])
            field.description = f"{field.description} The benchmark's default; the method's own is {field.default}."
            field.default = value
            changed[name] = (field.annotation, field)
    return create_model(method.__name__, __base__=method, __doc__=method.__doc__, **changed) if changed else method


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
        ConfigError: no name is given, or not before the flags.
    """
    if arguments and not arguments[0].startswith("-"):
        return arguments[0], list(arguments[1:])
    if "--help" in arguments or "-h" in arguments:
        return None, list(arguments)
    for place, name in enumerate(arguments):
        if name in table:
            line = shlex.join(["piva", command, name, *arguments[:place], *arguments[place + 1 :]])
            raise ConfigError(f"the {what}'s name comes first: {line}")
    raise ConfigError(f"which {what}? piva {command} {'|'.join(table)} ...")
