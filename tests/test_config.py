"""Every field of every settings class says whether it can change a result."""

import importlib
import typing
from pathlib import Path

import pytest
from pydantic import BaseModel, ValidationError

import piva
from benchmarks.identity_rows import IDENTITY_ROWS
from piva.config import PriorConfig, RunConfig, Settings, identity, identity_values, role_of, runtime
from piva.methods import METHODS
from piva.registry import resolve
from piva.scenes.config import SceneRunConfig


class Inner(Settings):
    rank: int = identity(4, ge=1)
    """Rank."""

    threads: int = runtime(1)


class Outer(Settings):
    lam: float = identity(0.4, ge=0)
    inner: Inner = identity(default_factory=Inner)
    device: str = runtime("cpu")


def test_a_field_that_is_neither_cannot_be_defined():
    with pytest.raises(TypeError, match=r"Loose\.lam is declared neither"):

        class Loose(Settings):
            lam: float = 0.4


PACKAGES = ("piva", "benchmarks", "reports")


@pytest.fixture(scope="module")
def product():
    """Every class of settings in the product: those of all its modules that speak of settings."""
    root = Path(piva.__file__).parents[1]
    for file in (file for package in PACKAGES for file in (root / package).rglob("*.py")):
        if "Settings" in file.read_text() and file.name != "__main__.py":  # which would run
            importlib.import_module(".".join(file.relative_to(root).with_suffix("").parts).removesuffix(".__init__"))
    return {kind for kind in kinds_below(Settings) if kind.__module__.partition(".")[0] in PACKAGES}


def kinds_below(kind):
    for child in kind.__subclasses__():
        yield child
        yield from kinds_below(child)


def test_every_field_of_every_class_of_settings_is_declared(product):
    methods = {resolve("method", METHODS | IDENTITY_ROWS, name) for name in METHODS | IDENTITY_ROWS}
    assert {RunConfig, SceneRunConfig, PriorConfig, *methods} <= product
    undeclared = [
        f"{kind.__name__}.{field}"
        for kind in product
        for field in kind.model_fields
        if role_of(kind, field) not in ("identity", "runtime")
    ]
    assert undeclared == []


def test_settings_within_settings_are_settings_too(product):
    """Another pydantic model would bring fields that nothing has declared."""

    def strangers(kind):
        parts = [kind, *(inner for part in typing.get_args(kind) for inner in strangers(part))]
        return [part for part in parts if isinstance(part, type) and issubclass(part, BaseModel)]

    found = {inner for kind in product for field in kind.model_fields.values() for inner in strangers(field.annotation)}
    assert {PriorConfig} <= found
    assert {inner for inner in found if not issubclass(inner, Settings)} == set()


def test_identity_values_leave_runtime_fields_out_at_every_depth():
    assert identity_values(Outer()) == {"lam": 0.4, "inner": {"rank": 4}}
    assert identity_values(Outer(device="cuda", inner=Inner(threads=9))) == identity_values(Outer())


def test_settings_are_frozen_strict_and_described():
    with pytest.raises(ValidationError, match="frozen"):
        Outer().lam = 1.0
    with pytest.raises(ValidationError, match="Extra inputs"):
        Outer(lamda=1.0)
    with pytest.raises(ValidationError, match="greater than or equal to 0"):
        Outer(lam=-1)
    with pytest.raises(ValidationError, match="finite"):
        Outer(lam=float("nan"))
    assert Inner.model_fields["rank"].description == "Rank."


@pytest.mark.parametrize("kind", [PriorConfig, RunConfig, SceneRunConfig])
def test_every_flag_has_a_sentence(kind):
    nested = ("prior", "scene", "reconstruction", "ray", "slurm")
    bare = {n for n, field in kind.model_fields.items() if not field.description and n not in nested}
    assert bare == set()


def test_a_field_added_later_is_in_no_key_at_its_default():
    class Grown(Settings):
        lam: float = identity(0.4)
        law: str = identity("uniform", added_later=True)

    assert identity_values(Grown()) == {"lam": 0.4}
    assert identity_values(Grown(law="annealed")) == {"lam": 0.4, "law": "annealed"}
