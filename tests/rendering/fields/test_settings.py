import pytest

from piva.config import identity_values
from piva.rendering.fields import settings
from piva.rendering.fields.settings import FieldSettings


@pytest.mark.parametrize(("there", "encoding"), [(True, "tiny-cuda-nn"), (False, "torch")])
def test_who_looks_up_a_hash_grid_s_features_is_in_its_settings_before_they_make_a_key(monkeypatch, there, encoding):
    monkeypatch.setattr(settings, "_tiny_cuda_is_here", lambda: there)
    assert FieldSettings(kind="hash-grid").suited(bounded=True).encoding == encoding
    assert FieldSettings(kind="hash-grid", encoding="torch").here().encoding == "torch"
    voxels = FieldSettings()
    assert identity_values(voxels.here()) == identity_values(voxels)


def test_what_is_left_to_the_kind_of_scene_is_filled_in():
    bounded, unbounded = (FieldSettings().suited(flag) for flag in (True, False))
    assert (bounded.resolution, bounded.samples, bounded.background) == (96, 96, "constant")
    assert (unbounded.resolution, unbounded.samples, unbounded.background) == (128, 128, "sky")
    assert FieldSettings().suited(bounded=False, transparent=True).background == "constant"
    assert FieldSettings(resolution=24).suited(bounded=False).samples == 24
