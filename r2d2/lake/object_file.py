"""A seekable file over ranges of an object, as pyarrow reads one."""

import os
from collections.abc import Callable

LEAST_BYTES = 64 << 10
MOST_AHEAD_BYTES = 8 << 20
# From here on a request's transfer takes longer than its way there and back.
LARGE_BYTES = 1 << 20


class RangeFile:
    """What `pa.PythonFile` needs of a file, over `fetch(begin, end)`.

    A small read that goes on where the last one ended fetches ahead as much as was fetched so far,
    so that small column chunks side by side come together, and half of all fetched bytes are used.
    """

    def __init__(self, fetch: Callable[[int, int], bytes], size_bytes: int) -> None:
        """A file at its beginning; nothing is fetched yet."""
        self._fetch = fetch
        self._size_bytes = size_bytes
        self._position = 0
        self._begin = 0
        self._content = memoryview(b"")
        self._run_bytes = 0
        self.closed = False

    def read(self, size: int | None = -1) -> memoryview:
        """At most `size` bytes from the position on; all of them if it is None or negative."""
        left = max(0, self._size_bytes - self._position)
        size = left if size is None or size < 0 else min(size, left)
        if size and not self._begin <= self._position <= self._end - size:
            self._fill(size)
        offset = self._position - self._begin
        self._position += size
        return self._content[offset : offset + size]

    @property
    def _end(self) -> int:
        return self._begin + len(self._content)

    def _fill(self, size: int) -> None:
        """Brings in `size` bytes from the position on, after what is at hand already."""
        if self._begin <= self._position <= self._end and self._run_bytes:
            at_hand = self._content[self._position - self._begin :]
            ahead = min(self._run_bytes, MOST_AHEAD_BYTES) if size < LARGE_BYTES else 0
        else:
            at_hand, ahead, self._run_bytes = memoryview(b""), 0, 0
        start = self._position + len(at_hand)
        wanted = max(LEAST_BYTES, size - len(at_hand) + ahead)
        fetched = self._fetch(start, min(start + wanted, self._size_bytes))
        self._run_bytes += len(fetched)
        self._content = memoryview(b"".join((at_hand, fetched)) if at_hand else fetched)
        self._begin = self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Moves to an offset from the beginning, the position or the end."""
        origin = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size_bytes}
        self._position = max(0, origin[whence] + offset)
        return self._position

    def tell(self) -> int:
        """The position."""
        return self._position

    def close(self) -> None:
        """Lets go of what was fetched."""
        self._content = memoryview(b"")
        self.closed = True

    def readable(self) -> bool:
        """True."""
        return True

    def seekable(self) -> bool:
        """True."""
        return True

    def writable(self) -> bool:
        """False."""
        return False
