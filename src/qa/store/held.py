"""Values that were made of documents, kept for those who ask again, as long as there is room.

It knows nothing of what they are.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import Final, TypeVar

_Value = TypeVar("_Value")

# Of texts, and what takes as much memory as so many.
_CHARS: Final = 4_000_000
_FEWEST: Final = 8


class Held:
    """Values by key; the oldest go first. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._values: dict[Hashable, tuple[object, int]] = {}
        self._chars = 0

    def get(
        self, key: Hashable, make: Callable[[], _Value], chars: Callable[[_Value], int]
    ) -> _Value:
        """Return the value of a key, made now if it is not held; ``chars`` tells its size."""
        found = self._values.get(key)
        if found is not None:
            return found[0]  # type: ignore[return-value]
        value = make()
        with self._lock:
            before = self._values.pop(key, (None, 0))  # another thread may have been faster
            self._values[key] = (value, chars(value))
            self._chars += chars(value) - before[1]
            while self._chars > _CHARS and len(self._values) > _FEWEST:
                self._chars -= self._values.pop(next(iter(self._values)))[1]
        return value
