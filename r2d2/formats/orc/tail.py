"""An ORC file's tail: footer and postscript, read without pyarrow.

pyarrow does not show all that decides the meaning of values (the calendar, the writer's time zone,
encryption, Spark's types), and ends the process where types are nested deep. Numbers of fields
and kinds are those of `orc_proto.proto` (https://orc.apache.org/specification/ORCv1).

It tells the layout in which files are written back.
"""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from r2d2.errors import NotWritableError, UnreadableTableError
from r2d2.formats.compression import decompressed
from r2d2.formats.errors import translated
from r2d2.formats.layout import Layout
from r2d2.formats.orc.types import CHAR, VARCHAR, Message, OrcTypes
from r2d2.formats.uniform import fitted
from r2d2.model import FileInfo, Table
from r2d2.storage.local import Storage

TAIL_BYTES = 64 << 10
MOST_CHUNK_BYTES = 1 << 23
# Some writers keep the least and greatest text of each column whole.
MOST_FOOTER_BYTES = 256 << 20
COMPRESSIONS = ("uncompressed", "zlib", "snappy", "lzo", "lz4", "zstd")
"""The names of the compressions, at the numbers that a postscript gives them."""
# By the names of `formats.compression`, and by those of pyarrow.
_ENDING_BY_THEMSELVES = {"zlib": "deflate", "zstd": "zstandard"}
_OF_KNOWN_LENGTH = {"snappy": "snappy", "lz4": "lz4_raw"}


@dataclass(frozen=True, slots=True)
class Stripe:
    """A stripe's place: it begins at `start`, its own footer at `footer`, and ends with it."""

    rows: int
    start: int
    footer: int
    end: int

    @property
    def size_bytes(self) -> int:
        """Its length in the file."""
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class Tail:
    """The file's footer and postscript, and what they say of its stripes and types."""

    footer: Message
    postscript: Message
    stripes: tuple[Stripe, ...]
    types: OrcTypes

    @property
    def rows(self) -> int:
        """The number of rows that the file declares."""
        return self.footer.number(6)

    def of_kind(self, *kinds: int) -> Iterator[tuple[int, Message | None]]:
        """The types of the kinds that hold values, with their statistics if there are any."""
        statistics = self.footer.fields.get(7, ())
        for number in self.types:
            if self.types.kind(number) in kinds and self.rows:
                is_known = len(statistics) == len(self.types)
                known = Message.parse(statistics[number]) if is_known else None
                if known is None or known.number(1, 1):
                    yield number, known

    def stripe_footers(self, source: Any) -> Iterator[Message]:
        """Each stripe's footer, read when it is asked for."""
        for stripe in self.stripes:
            source.seek(stripe.footer)
            yield _message(bytes(source.read(stripe.end - stripe.footer)), self.postscript)


def read_tail(source: Any, file: FileInfo) -> Tail:
    """The tail of an open file.

    Raises:
        IneligibleTableError: types are nested too deep.
        UnreadableTableError: it is no ORC file, or damaged.
    """
    source.seek(max(0, file.size_bytes - TAIL_BYTES))
    tail = bytes(source.read(TAIL_BYTES))
    end = len(tail) - 1
    start = end - (tail[-1] if tail else 0)
    if start < 0 or not tail:
        raise UnreadableTableError("not an ORC file")
    postscript = Message.parse(tail[start:end])
    size_bytes = postscript.number(1)
    if postscript.content(8000) != b"ORC" or size_bytes > file.size_bytes - len(tail) + start:
        raise UnreadableTableError("not an ORC file, or its end is damaged")
    if size_bytes > start:
        source.seek(file.size_bytes - len(tail) + start - size_bytes)
        tail, start = bytes(source.read(size_bytes)), size_bytes
    footer = _message(tail[start - size_bytes : start], postscript)
    types = OrcTypes(tuple(footer.messages(4)))
    types.check_tree()
    return Tail(footer, postscript, tuple(map(_stripe, footer.messages(3))), types)


def _stripe(message: Message) -> Stripe:
    start = message.number(1)
    footer = start + message.number(2) + message.number(3)
    return Stripe(message.number(5), start, footer, footer + message.number(4))


def _message(content: bytes, postscript: Message) -> Message:
    """The message of a compressed part of the tail: chunks with heads of their own.

    A head holds the chunk's length, and whether it is stored uncompressed.
    """
    number = postscript.number32(2)
    if not number:
        return Message.parse(content)
    most_chunk_bytes = postscript.number(3)
    if most_chunk_bytes > MOST_CHUNK_BYTES:
        raise UnreadableTableError("its end is damaged")
    found = bytearray()
    at = 0
    while at < len(content):
        head = int.from_bytes(content[at : at + 3], "little")
        at += 3 + (head >> 1)
        chunk = content[at - (head >> 1) : at]
        found += chunk if head & 1 else _chunk(number, chunk, most_chunk_bytes)
        if len(found) > MOST_FOOTER_BYTES:
            raise UnreadableTableError(f"its footer has more than {MOST_FOOTER_BYTES} bytes")
    return Message.parse(bytes(found))


def _chunk(number: int, chunk: bytes, most_bytes: int) -> bytes:
    name = COMPRESSIONS[number] if number < len(COMPRESSIONS) else ""
    if name in _ENDING_BY_THEMSELVES:
        return decompressed(_ENDING_BY_THEMSELVES[name], chunk, most_bytes)
    if name not in _OF_KNOWN_LENGTH:
        raise UnreadableTableError(f"its compression (number {number}) is not supported")
    codec = pa.Codec(_OF_KNOWN_LENGTH[name])

    def suffices(size_bytes: int) -> bool:
        try:
            codec.decompress(chunk, size_bytes)
        except (pa.ArrowException, OSError):
            return False
        return True

    # These do not tell how long the content is, and leave the rest of a larger buffer as it was.
    size_bytes = bisect_left(range(most_bytes), True, key=suffices)
    return bytes(codec.decompress(chunk, size_bytes, asbytes=True))


def layout(storage: Storage, table: Table) -> Layout:
    """The layout of the table's first file.

    Raises:
        NotWritableError: a column is of type CHAR or VARCHAR, which pyarrow does not write.
    """
    file = table.files[0]
    tail = read_tail(storage.open(file), file)
    for number in tail.types:
        if tail.types.kind(number) in (VARCHAR, CHAR):
            raise NotWritableError(
                f"{table.location}: column {tail.types.column(number)} is of type CHAR or VARCHAR,"
                " which r2d2 cannot write back; the table must stay"
            )
    codec = COMPRESSIONS[tail.postscript.number32(2)]
    return Layout(
        table.format,
        tail.types.schema(),
        file.path.rpartition("/")[2],
        compression="zlib" if codec == "lzo" else codec,
        not_restored=("user metadata", "bloom filters"),
    )


class OrcSink:
    """An ORC file."""

    def __init__(self, layout: Layout, path: Path) -> None:
        from pyarrow import orc

        self._schema = layout.file_schema
        with translated(NotWritableError, path.name):
            self._writer = orc.ORCWriter(str(path), compression=layout.compression)
        self.write(pa.RecordBatch.from_pylist([], schema=self._schema))

    def write(self, batch: pa.RecordBatch) -> None:
        """Adds the rows."""
        # pyarrow 26 writes a slice's structs as those of the whole array: a copy is no slice.
        copy = fitted(batch, self._schema).take(pa.array(np.arange(batch.num_rows)))
        with translated(NotWritableError):
            self._writer.write(pa.Table.from_batches([copy], self._schema))

    def close(self) -> None:
        """Completes the file."""
        with translated(NotWritableError):
            self._writer.close()
