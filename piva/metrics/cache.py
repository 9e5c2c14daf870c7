"""Features that do not depend on the edit, kept between calls."""

from collections import OrderedDict
from collections.abc import Hashable

from torch import Tensor

Features = tuple[Tensor, ...]


class FeatureCache:
    """Least recently used features, within a budget of bytes.

    The features of a source image, of a true edit and of a prompt are the same for every method, so that scoring
    several methods on the same cases computes them once.
    """

    def __init__(self, max_bytes: int = 256 * 2**20) -> None:
        self.max_bytes = max_bytes
        self.bytes = 0
        self._entries: OrderedDict[Hashable, Features] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: Hashable) -> Features | None:
        """The features under `key`, or None."""
        if key in self._entries:
            self._entries.move_to_end(key)
        return self._entries.get(key)

    def put(self, key: Hashable, features: Features) -> None:
        """Keeps a copy of `features`; the oldest entries go where the budget is passed."""
        copies = tuple(feature.clone() for feature in features)  # a view would keep its whole batch alive
        self.bytes += _bytes(copies) - _bytes(self._entries.pop(key, ()))
        self._entries[key] = copies
        while self.bytes > self.max_bytes:
            _, oldest = self._entries.popitem(last=False)
            self.bytes -= _bytes(oldest)


def _bytes(features: Features) -> int:
    return sum(feature.numel() * feature.element_size() for feature in features)
