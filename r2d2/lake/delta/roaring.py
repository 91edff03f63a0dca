"""Roaring bitmaps of 64 bits in their portable form, as sorted arrays.

Source: github.com/RoaringBitmap/RoaringFormatSpec. All numbers are little endian.
"""

import struct
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

_COOKIE = 12346
_COOKIE_WITH_RUNS = 12347
_ARRAY_MAX = 4096
_BITMAP_BYTES = 8192
_OFFSETS_FROM = 4
_CONTAINERS_MAX = 1 << 16


def decoded(data: bytes) -> npt.NDArray[np.int64]:
    """The bitmap's members, ascending.

    Raises:
        ValueError, struct.error: the bytes are no such bitmap, all of it and nothing else.
    """
    (buckets,) = struct.unpack_from("<Q", data)
    position = 8
    found = [np.empty(0, np.int64)]
    for _ in range(buckets):
        (high,) = struct.unpack_from("<i", data, position)
        bucket = _Bucket(data, position + 4)
        found.extend(members + (high << 32) for members in bucket.members())
        position = bucket.position
    members = np.concatenate(found)
    if position != len(data) or (np.diff(members) <= 0).any() or (members < 0).any():
        raise ValueError("damaged bitmap")
    return members


class _Bucket:
    """Walks over one bitmap of 32 bits; `position` is behind what was read."""

    def __init__(self, data: bytes, position: int) -> None:
        self._data = data
        self._has_offsets = True
        self.position = position

    def members(self) -> Iterator[npt.NDArray[np.int64]]:
        """The members of each container in turn."""
        is_run = self._are_runs()
        described = self._take("<u2", 2 * len(is_run)).reshape(-1, 2)
        if self._has_offsets:
            self._take("<u4", len(is_run))
        for (key, size_less_one), in_runs in zip(described, is_run, strict=True):
            size = int(size_less_one) + 1
            members = self._runs(size) if in_runs else self._container(size)
            yield members + (int(key) << 16)

    def _are_runs(self) -> list[bool]:
        """For each container whether it is kept as runs."""
        cookie = self._number("<u4")
        if cookie & 0xFFFF == _COOKIE_WITH_RUNS:
            count = (cookie >> 16) + 1
            self._has_offsets = count >= _OFFSETS_FROM
            flags = self._take("u1", (count + 7) // 8).astype(np.uint8)
            return [bool(flag) for flag in np.unpackbits(flags, count=count, bitorder="little")]
        count = self._number("<u4")
        if cookie != _COOKIE or count > _CONTAINERS_MAX:
            raise ValueError("no roaring bitmap")
        return [False] * count

    def _runs(self, size: int) -> npt.NDArray[np.int64]:
        pairs = self._take("<u2", 2 * self._number("<u2")).reshape(-1, 2)
        if (pairs[:, 1] + 1).sum() != size:
            raise ValueError("damaged bitmap")
        parts = [np.arange(first, first + more + 1) for first, more in pairs]
        return np.concatenate([np.empty(0, np.int64), *parts])

    def _container(self, size: int) -> npt.NDArray[np.int64]:
        if size <= _ARRAY_MAX:
            return self._take("<u2", size)
        bits = self._take("u1", _BITMAP_BYTES).astype(np.uint8)
        return np.flatnonzero(np.unpackbits(bits, bitorder="little")).astype(np.int64)

    def _number(self, kind: str) -> int:
        return int(self._take(kind, 1)[0])

    def _take(self, kind: str, count: int) -> npt.NDArray[np.int64]:
        """The next numbers; raises ValueError where the bytes end before them."""
        values = np.frombuffer(self._data, kind, count, self.position)
        self.position += values.nbytes
        return values.astype(np.int64)
