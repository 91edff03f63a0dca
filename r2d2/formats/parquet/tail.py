"""The last bytes of a Parquet file, with its footer: read once, checked, known where they recur.

pyarrow ends the process when it is asked for the metadata of a column chunk that contradicts the
schema (a flipped bit is enough), while its readers refuse such a chunk with an error. So every
chunk is first offered to a reader, over a source that refuses to give any data.

A day's file has the schema and the writer of the day before. Its footer begins and ends with the
bytes of that one's, and between these stand its number of rows and its one row group. To find them
there takes a tenth of parsing it. The file is compared with what was found once its rows are
decoded, so this is for those alone who will ask for rows: a file of the columns of another has a
pair, whose bounds are asked for.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from r2d2.errors import UnreadableTableError
from r2d2.formats.parquet.annotations import FileTypes
from r2d2.model import FileInfo, Split
from r2d2.storage.local import Storage
from r2d2.text_tables import by_number, pluralize

TAIL_BYTES = 64 << 10
# A file of so many bytes on a disk is read whole: its rows are bounded for less than its footer is
# checked and asked for statistics.
SMALL_FILE_BYTES = 256 << 10
WRITER = "parquet-cpp-arrow "
HEAD_BYTES = 48
# Schemas that begin alike; of more the first ones are known.
MOST_ALIKE = 64
MAGIC = b"PAR1"
_LOGICAL_TYPE = (6, 7, 8, 10)  # converted type, scale, precision, logical type
# Thrift's compact protocol: a number's last byte has no high bit, and numbers are doubled.
_NUMBER = rb"[\x80-\xff]{0,9}[\x00-\x7f]"
# The number of rows, a list of one row group, and what that ends with: bytes, rows, offset, bytes.
# Each number and each field's head have one byte without a high bit, so it has one place.
_OWN = re.compile(
    rb"\x16(N)\x19\x1c.+\x16(N)\x16\1\x26N\x16N\x00".replace(b"N", _NUMBER), re.DOTALL
)


@dataclass(slots=True)
class KnownFooter:
    """A footer that was parsed, and what others of its schema and writer begin and end with.

    `ending` are the first bytes of the end. `without_rows` are the metadata of no row group.
    """

    footer: bytes
    rows: int
    size_bytes: int
    ending: bytes
    types: FileTypes
    start: bytes | None = None
    end: bytes = b""
    read: dict[tuple[int, ...], pa.Schema] = field(default_factory=dict)
    without_rows: tuple[pq.FileMetaData, object, object] | None = None

    def own(self, footer: bytes) -> tuple[int, int] | None:
        """The rows, and their bytes, of a footer that is like this one; None where it is not."""
        if self.start is None:
            # Only now: most footers of a lake of many schemas are like no other.
            self.start, self.end = self._parts()
        if not self.end or not footer.startswith(self.start) or not footer.endswith(self.end):
            return None
        match = _OWN.fullmatch(footer, len(self.start), len(footer) - len(self.end))
        return None if match is None else (_value(match[1]), _value(match[2]))

    def _parts(self) -> tuple[bytes, bytes]:
        """The start and the end; b"" where they cannot be told, or do not give what was parsed."""
        rows = b"\x16" + _number(self.rows) + b"\x19\x1c"
        if self.footer.count(rows) != 1 or self.footer.count(self.ending) != 1:
            return b"", b""
        parts = self.footer.partition(rows)[0], self.footer[self.footer.index(self.ending) :]
        match = _OWN.fullmatch(self.footer, len(parts[0]), len(self.footer) - len(parts[1]))
        is_told = match is not None and _value(match[2]) == self.size_bytes
        return parts if is_told and len(parts[0]) >= HEAD_BYTES else (b"", b"")

    def check(
        self, split: Split, metadata: pq.FileMetaData, leaves: Sequence[int], schema: pa.Schema
    ) -> None:
        """Passes where a file's metadata, and the schema of these leaves, are what was found of it.

        Raises:
            UnreadableTableError: they are not.
        """
        if self.without_rows is None:
            footer = (self.start or b"") + b"\x16\x00\x19\x0c" + self.end
            content = MAGIC + footer + len(footer).to_bytes(4, "little") + MAGIC
            empty = pq.read_metadata(pa.BufferReader(content))
            self.without_rows = empty, empty.metadata, empty.created_by
        empty, keys, writer = self.without_rows
        expected = self.read.get(key := tuple(leaves))
        if expected is None:
            fields = [self.types.storage.field(leaf) for leaf in leaves]
            expected = self.read[key] = pa.schema(fields)
        try:
            # Appends nothing, and refuses another schema. To ask a file for its own would keep its
            # metadata, which refer to it, as long as the run.
            metadata.append_row_groups(empty)
            same = schema.equals(expected) and metadata.num_row_groups == 1
        except RuntimeError:
            same = False
        group = metadata.row_group(0) if same else None
        if (
            group is None
            or not metadata.num_rows == split.rows == group.num_rows
            or group.total_byte_size != split.size_bytes
            or metadata.metadata != keys
            or metadata.created_by != writer
        ):
            raise UnreadableTableError(
                f"{split.file.path}: its Parquet footer contradicts itself; write it again"
            )


class KnownFooters:
    """The footers of small files that were parsed, by the bytes that they begin with."""

    def __init__(self) -> None:
        self._by_head: dict[bytes, list[KnownFooter]] = {}

    def learn(self, content: bytes, metadata: pq.FileMetaData, types: FileTypes) -> None:
        """Adds the footer of a whole file, where others of its writer can be told by it."""
        footer = _footer_of(content)
        ending = _ending(footer, metadata)
        if not ending or not types.leaves or len(types.leaves) != metadata.num_columns:
            return
        alike = self._by_head.setdefault(footer[:HEAD_BYTES], [])
        if len(alike) < MOST_ALIKE:
            size_bytes = metadata.row_group(0).total_byte_size
            alike.append(KnownFooter(footer, metadata.num_rows, size_bytes, ending, types))

    def recall(self, content: bytes) -> tuple[KnownFooter, int, int] | None:
        """The footer that a whole file's is like, with its own rows and their bytes, if any is."""
        footer = _footer_of(content)
        for known in self._by_head.get(footer[:HEAD_BYTES], ()):
            if (own := known.own(footer)) is not None:
                return known, *own
        return None


def _footer_of(content: bytes) -> bytes:
    return content[-8 - int.from_bytes(content[-8:-4], "little") : -8]


def _ending(footer: bytes, metadata: pq.FileMetaData) -> bytes:
    """The first bytes of what follows the row groups; b"" where that is not known."""
    try:
        writer: bytes = (metadata.created_by or "").encode()
    except UnicodeDecodeError:
        return b""
    if not writer.startswith(WRITER.encode()) or len(writer) > 127:
        return b""
    keys = metadata.metadata
    if not keys:
        return b"\x28" + bytes([len(writer)]) + writer
    if len(keys) > 14:
        return b""
    # pyarrow gives them in an order of its own.
    head = b"\x19" + bytes([len(keys) << 4 | 0xC]) + b"\x18"
    starts = (head + bytes([len(key)]) + key for key in keys if len(key) < 128)
    return next((start for start in starts if start in footer), b"")


def _number(value: int) -> bytes:
    found = bytearray()
    value *= 2
    while value > 127:
        found.append(value & 127 | 128)
        value >>= 7
    return bytes([*found, value])


def _value(number: bytes) -> int:
    """The number of the bytes; odd ones are negative, which is never less than any limit."""
    value = sum((byte & 127) << 7 * place for place, byte in enumerate(number))
    return value >> 1 if value % 2 == 0 else -1


def tail_of(storage: Storage, file: FileInfo) -> bytes:
    """The file's last bytes, its footer among them, mostly by one read; all of a small file's.

    Raises:
        UnreadableTableError: the file is empty, cut off, or no Parquet file.
    """
    if file.size_bytes < 12:
        size = pluralize(str(file.size_bytes), "byte")
        are = by_number(file.size_bytes, "is", "are")
        raise UnreadableTableError(f"{file.path}: {size} {are} no Parquet file")
    is_small = file.size_bytes <= SMALL_FILE_BYTES and "://" not in storage.url
    tail = storage.read(file, start=-(file.size_bytes if is_small else TAIL_BYTES))
    if tail[-4:] != b"PAR1":
        raise UnreadableTableError(f"{file.path}: no Parquet footer: cut off, or another format")
    needed = int.from_bytes(tail[-8:-4], "little") + 8
    if needed > file.size_bytes:
        raise UnreadableTableError(f"{file.path}: the Parquet footer is damaged")
    return tail if needed <= len(tail) else storage.read(file, start=-needed)


def sound_file(tail: bytes, size_bytes: int) -> pq.ParquetFile:
    """A file's metadata and schema in its tail, each column chunk accepted by a reader.

    Raises:
        OSError: a chunk contradicts the schema, or the footer is damaged.
    """
    source = _TailOnly(tail, size_bytes)
    file = pq.ParquetFile(pa.PythonFile(source, mode="r"), buffer_size=4096, pre_buffer=False)
    for group in range(file.metadata.num_row_groups):
        source.sealed, source.was_asked = True, False
        try:
            next(file.reader.iter_batches(1, row_groups=[group], use_threads=False), None)
        except (OSError, pa.ArrowException):
            # Where data was asked for, the chunks' metadata must have been accepted.
            if not source.was_asked:
                raise
    return file


class _TailOnly:
    """A file of which only the last bytes are there, and once sealed none."""

    closed = False

    def __init__(self, tail: bytes, size_bytes: int) -> None:
        self._tail = tail
        self._size_bytes = size_bytes
        self._place = 0
        self.sealed = self.was_asked = False

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def writable(self) -> bool:
        return False

    def seek(self, offset: int, whence: int = 0) -> int:
        start = (0, self._place, self._size_bytes)[whence]
        self._place = start + offset
        return self._place

    def tell(self) -> int:
        return self._place

    def read(self, length: int = -1) -> bytes:
        if self.sealed:
            # An error would be written out by pyarrow with all that led to it.
            self.was_asked = True
            return b""
        start = self._place - (self._size_bytes - len(self._tail))
        if start < 0:
            raise OSError("the footer claims bytes before its own")
        piece = self._tail[start:] if length < 0 else self._tail[start : start + length]
        self._place += len(piece)
        return piece

    def close(self) -> Any:
        return None


def without_logical_types(metadata: pq.FileMetaData, names: Collection[str]) -> pq.FileMetaData:
    """The metadata by which these leaves below the root are read as the bytes that are stored.

    Arrow writes it out in Thrift's compact protocol: after the version comes the list of the
    schema's elements, depth first.
    """
    sink = pa.BufferOutputStream()
    metadata.write_metadata_file(sink)
    data = sink.getvalue().to_pybytes()
    _, place = _varint(data, len(MAGIC) + 1)
    size = data[place + 1]
    count, place = (size >> 4, place + 2) if size < 0xF0 else _varint(data, place + 2)
    parts, wanted = [data[:place]], {name.encode() for name in names}
    left: list[int] = []
    for _ in range(count):
        fields, place = _fields(data, place)
        of = {number: value for number, _, value in fields}
        children = _varint(of[5], 0)[0] >> 1 if 5 in of else 0
        if len(left) == 1 and not children and of[4][_varint(of[4], 0)[1] :] in wanted:
            fields = [field for field in fields if field[0] not in _LOGICAL_TYPE]
        numbers = [0, *(number for number, _, _ in fields)]
        steps = (number - before for before, number in pairwise(numbers))
        for step, (_, type_, value) in zip(steps, fields, strict=True):
            parts += bytes([step << 4 | type_]), value
        parts.append(b"\0")
        left[-1:] = [left[-1] - 1] if left else []
        left += [children] if children else []
        while left and not left[-1]:
            left.pop()
    footer = b"".join((*parts, data[place:-8]))
    length = len(footer) - len(MAGIC)
    return pq.read_metadata(pa.BufferReader(footer + length.to_bytes(4, "little") + MAGIC))


def _fields(data: bytes, place: int) -> tuple[list[tuple[int, int, bytes]], int]:
    """The fields of a struct by number, type and bytes, and the place after it."""
    found, number = [], 0
    while head := data[place]:
        number += head >> 4  # no struct of a schema has a gap of more than fifteen numbers
        end = _end(data, place + 1, head & 15)
        found.append((number, head & 15, data[place + 1 : end]))
        place = end
    return found, place + 1


def _end(data: bytes, place: int, type_: int) -> int:
    """The place after a value; a schema's elements hold no list, map or double."""
    if type_ <= 3:  # a truth is in its type, a byte is one byte
        return place + (type_ == 3)
    if type_ == 12:
        return _fields(data, place)[1]
    number, end = _varint(data, place)
    return end + number if type_ == 8 else end


def _varint(data: bytes, place: int) -> tuple[int, int]:
    """The number at the place, and the place after it."""
    number = shift = 0
    while True:
        number |= (data[place] & 127) << shift
        place, shift = place + 1, shift + 7
        if data[place - 1] < 128:
            return number, place
