"""A mapping that forgets what was not used for longest, so that joining log lines takes bounded memory."""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, TypeVar

T = TypeVar("T")
ROOM = 20_000


class Recent(Generic[T]):
    """At most ``room`` values by key.

    >>> recent = Recent[int](room=2)
    >>> for number, name in enumerate("abc"):
    ...     recent.put(name, number)
    >>> recent.get("a"), recent.get("c"), len(recent)
    (None, 2, 2)
    """

    def __init__(self, room: int = ROOM) -> None:
        self._room = room
        self._values: OrderedDict[str, T] = OrderedDict()

    def get(self, key: str) -> T | None:
        """The value, which counts as used; ``None`` where there is none."""
        value = self._values.get(key)
        if value is not None:
            self._values.move_to_end(key)
        return value

    def put(self, key: str, value: T) -> None:
        """Keeps a value, in the place of the oldest when there is no room."""
        self._values[key] = value
        self._values.move_to_end(key)
        if len(self._values) > self._room:
            self._values.popitem(last=False)

    def pop(self, key: str) -> T | None:
        """The value, which is forgotten."""
        return self._values.pop(key, None)

    def __len__(self) -> int:
        return len(self._values)
