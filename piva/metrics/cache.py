"""Features that do not depend on the edit, kept between calls."""

from piva.cache import TensorCache
from piva.cache import Tensors as Features

__all__ = ["FeatureCache", "Features"]


class FeatureCache(TensorCache):
    """Features of source images, true edits and prompts: the same for every method scored on the same cases."""
