"""What was made or read last, for whoever asks for it again."""

from collections import OrderedDict
from threading import Lock
from typing import Generic, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


class Recent(Generic[Key, Value]):
    """Values by key, within so many bytes. Threads may share it."""

    def __init__(self, kept_bytes: int) -> None:
        self._values: OrderedDict[Key, tuple[Value, int]] = OrderedDict()
        self._bytes_left = kept_bytes
        self._lock = Lock()

    def get(self, key: Key) -> Value | None:
        """The value, None where it is not kept."""
        with self._lock:
            if key not in self._values:
                return None
            self._values.move_to_end(key)
            return self._values[key][0]

    def put(self, key: Key, value: Value, size_bytes: int) -> None:
        """Keeps the value, and drops those that were asked for longest ago."""
        with self._lock:
            if key in self._values:
                return
            self._values[key] = value, size_bytes
            self._bytes_left -= size_bytes
            while self._bytes_left < 0:
                _, (_, freed_bytes) = self._values.popitem(last=False)
                self._bytes_left += freed_bytes
