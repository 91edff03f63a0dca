"""Deletion vectors: a descriptor of the log as the numbers of the deleted rows."""

import base64
import struct
import uuid
import zlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from r2d2.errors import UnreadableTableError
from r2d2.formats.delta.paths import Places
from r2d2.lake.delta import roaring
from r2d2.lake.delta.actions import DeletionVector
from r2d2.model import FileInfo
from r2d2.report.words import pluralize
from r2d2.storage.local import Storage

_MAGIC = 1681511377
_Z85 = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"
_B85 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~"
_TO_B85 = str.maketrans(_Z85, _B85)
_UUID_LENGTH = 20


@dataclass(frozen=True, slots=True)
class Deletions:
    """A deletion vector with the listed file that holds it; None where it is inline."""

    vector: DeletionVector
    file: FileInfo | None

    @property
    def identity(self) -> str:
        """What names these deletions, in whichever table they are used."""
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
            return Deletions(vector, places.find(_relative_path(vector.content)))
    raise UnreadableTableError(f"deletion vector of unknown storage {vector.storage!r}")


def _relative_path(content: str) -> str:
    prefix, encoded = content[:-_UUID_LENGTH], content[-_UUID_LENGTH:]
    try:
        name = f"deletion_vector_{uuid.UUID(bytes=_decoded(encoded))}.bin"
    except ValueError as error:
        raise UnreadableTableError(f"deletion vector {content!r} names no file") from error
    return f"{prefix}/{name}" if prefix else name


def deleted_rows(storage: Storage, deletions: Deletions) -> npt.NDArray[np.int64]:
    """The deleted rows' numbers in their file, ascending.

    Raises:
        UnreadableTableError: the vector is damaged, or not of the size that the log tells.
    """
    vector = deletions.vector
    data = _inline(vector) if deletions.file is None else _stored(storage, deletions.file, vector)
    try:
        (magic,) = struct.unpack_from("<I", data)
        if magic != _MAGIC:
            raise ValueError(f"format {magic} is not known")
        rows = roaring.decoded(data[4:])
    except (ValueError, struct.error) as error:
        raise UnreadableTableError(f"deletion vector {vector.identity}: {error}") from error
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
