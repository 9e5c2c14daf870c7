"""A bounded memory for tensors: what was computed once and will be asked for again."""

from collections import OrderedDict
from collections.abc import Hashable

from torch import Tensor

Tensors = tuple[Tensor, ...]


class TensorCache:
    """Tuples of tensors by key; beyond `max_bytes` the least recently used go. Not for use by several threads."""

    def __init__(self, max_bytes: int = 256 * 2**20):
        self.max_bytes, self.bytes = max_bytes, 0
        self._entries: OrderedDict[Hashable, Tensors] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: Hashable) -> Tensors | None:
        """The tensors under `key`, or None."""
        if key in self._entries:
            self._entries.move_to_end(key)
        return self._entries.get(key)

    def put(self, key: Hashable, tensors: Tensors) -> None:
        """Keep copies of `tensors`."""
        copies = tuple(tensor.clone() for tensor in tensors)  # a view would keep its whole batch alive
        self.bytes += _bytes(copies) - _bytes(self._entries.pop(key, ()))
        self._entries[key] = copies
        while self.bytes > self.max_bytes:
            _, oldest = self._entries.popitem(last=False)
            self.bytes -= _bytes(oldest)


def _bytes(tensors: Tensors) -> int:
    return sum(tensor.nbytes for tensor in tensors)
