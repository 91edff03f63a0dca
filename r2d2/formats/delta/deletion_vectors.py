"""Deletion vectors: a descriptor in the log resolved to the numbers of the deleted rows.

They are Roaring bitmaps of 64 bits in their portable form; all numbers are little endian.
Source: github.com/RoaringBitmap/RoaringFormatSpec.
"""

import base64
import struct
import uuid
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from r2d2.errors import UnreadableTableError
from r2d2.formats.delta.log import Places
from r2d2.formats.delta.replay import DeletionVector
from r2d2.formats.errors import translated
from r2d2.model import FileInfo
from r2d2.storage.local import Storage
from r2d2.text_tables import pluralize

_MAGIC = 1681511377
_Z85 = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"
_B85 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~"
_TO_B85, _FROM_B85 = str.maketrans(_Z85, _B85), str.maketrans(_B85, _Z85)
_UUID_LENGTH = 20
_COOKIE = 12346
_COOKIE_WITH_RUNS = 12347
_ARRAY_MAX = 4096
_BITMAP_BYTES = 8192
_OFFSETS_FROM = 4
_CONTAINERS_MAX = 1 << 16


@dataclass(frozen=True, slots=True)
class Deletions:
    """A deletion vector with the listed file that holds it; None where it is inline."""

    vector: DeletionVector
    file: FileInfo | None

    @property
    def identity(self) -> str:
        """A name of these deletions that is the same in every table that uses them."""
        if self.file is None:
            return self.vector.identity
        return f"{self.file.path}@{self.vector.offset or 0}"


def locate(vector: DeletionVector, places: Places) -> Deletions:
    """The vector with its file.

    Raises:
        UnreadableTableError: the file is missing or outside the lake, or the kind is unknown.
    """
    match vector.storage:
        case "i":
            return Deletions(vector, None)
        case "p":
            return Deletions(vector, places.find(vector.content))
        case "u":
            return Deletions(vector, places.find(path_of_vector(vector.content)))
    raise UnreadableTableError(f"deletion vector of unknown storage {vector.storage!r}")


def path_of_vector(content: str) -> str:
    """The path, relative to its table, of the file that a descriptor of storage 'u' means.

    Raises:
        UnreadableTableError: it names none.
    """
    prefix, encoded = content[:-_UUID_LENGTH], content[-_UUID_LENGTH:]
    try:
        name = f"deletion_vector_{uuid.UUID(bytes=_decoded(encoded))}.bin"
    except ValueError as error:
        raise UnreadableTableError(f"deletion vector {content!r} names no file") from error
    return f"{prefix}/{name}" if prefix else name


def content_of_vector(prefix: str, name: uuid.UUID) -> str:
    """The descriptor of storage 'u' that means a file of this name, below a folder or ("") none.

    >>> path_of_vector(content_of_vector("ab", uuid.UUID(int=7)))
    'ab/deletion_vector_00000000-0000-0000-0000-000000000007.bin'
    """
    return prefix + base64.b85encode(name.bytes).decode().translate(_FROM_B85)


def deleted_rows(storage: Storage, deletions: Deletions) -> npt.NDArray[np.int64]:
    """The deleted rows' numbers in their file, ascending.

    Raises:
        UnreadableTableError: the vector is damaged, or not of the size that the log tells.
    """
    vector = deletions.vector
    data = _inline(vector) if deletions.file is None else _stored(storage, deletions.file, vector)
    with translated(UnreadableTableError, f"deletion vector {vector.identity}"):
        (magic,) = struct.unpack_from("<I", data)
        if magic != _MAGIC:
            raise ValueError(f"format {magic} is not known")
        rows = decoded(data[4:])
    if len(rows) != vector.cardinality:
        raise UnreadableTableError(
            f"deletion vector {vector.identity} has"
            f" {pluralize(str(len(rows)), 'row')}, not {vector.cardinality}"
        )
    return rows


def _inline(vector: DeletionVector) -> bytes:
    return _decoded(vector.content)[: vector.size_bytes]


def _stored(storage: Storage, file: FileInfo, vector: DeletionVector) -> bytes:
    """The vector's bytes, which stand between their length and their CRC-32, big endian."""
    block = storage.read(file, start=vector.offset or 0, length=vector.size_bytes + 8)
    data = block[4:-4]
    if block[:4] + block[-4:] != struct.pack(">II", vector.size_bytes, zlib.crc32(data)):
        raise UnreadableTableError(f"{file.path}: deletion vector {vector.identity} is damaged")
    return data


def _decoded(text: str) -> bytes:
    """The bytes of Z85, which is Python's base 85 in another alphabet."""
    try:
        if not frozenset(text) <= frozenset(_Z85):
            raise ValueError("a character that Z85 has not")
        return base64.b85decode(text.translate(_TO_B85))
    except ValueError as error:
        raise UnreadableTableError(f"deletion vector {text!r} is not base 85") from error


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
