"""Every field of every settings class says whether it can change a result."""

import pytest
from pydantic import ValidationError

from benchmarks.identity_rows import IDENTITY_ROWS
from piva.config import PriorConfig, RunConfig, Settings, identity, identity_values, role_of, runtime
from piva.methods import METHODS
from piva.registry import resolve
from piva.scene_config import SceneRunConfig


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


@pytest.mark.parametrize("name", sorted(METHODS | IDENTITY_ROWS))
def test_every_field_of_a_method_is_declared(name):
    def undeclared(settings):
        for field, about in type(settings).model_fields.items():
            if role_of(type(settings), field) not in ("identity", "runtime"):
                yield field, about
            if isinstance(getattr(settings, field), Settings):
                yield from undeclared(getattr(settings, field))

    assert list(undeclared(resolve("method", METHODS | IDENTITY_ROWS, name)())) == []


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
