"""Parquet footers rewritten: Thrift's compact protocol as {field id: (type, value)} and back."""

import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

TRUE, FALSE, BYTE, DOUBLE, BINARY, LIST, SET, STRUCT = 1, 2, 3, 7, 8, 9, 10, 12
INTEGERS = {4, 5, 6}
Struct = dict[int, tuple[int, Any]]
# Ids of the format's thrift file.
SCHEMA, ROW_GROUPS, CREATED_BY = 2, 4, 6
COLUMNS, CHUNK_META, STATISTICS = 1, 3, 12
OLD_MAX, OLD_MIN, NULL_COUNT, DISTINCT_COUNT, MAX_VALUE, MIN_VALUE, MAX_EXACT, MIN_EXACT = range(
    1, 9
)


def forge(
    path: Path, statistics: Mapping[int, bytes | int | bool | None], writer: bytes | None
) -> None:
    """Sets fields of the first column's statistics (None removes one) and the writer's name."""
    data = path.read_bytes()
    start = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    footer = _Reader(data[start:-8]).struct()
    for chunk in _first_chunks(footer):
        own: Struct = chunk.setdefault(STATISTICS, (STRUCT, {}))[1]
        for number, value in statistics.items():
            own.pop(number, None)
            if value is not None:
                own[number] = _typed(value)
    footer.pop(CREATED_BY, None)
    if writer is not None:
        footer[CREATED_BY] = (BINARY, writer)
    written = _struct(footer)
    path.write_bytes(data[:start] + written + struct.pack("<I", len(written)) + b"PAR1")


def statistics_of(path: Path) -> Struct:
    """The statistics of the first column in the first row group."""
    data = path.read_bytes()
    start = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    found: Struct = next(_first_chunks(_Reader(data[start:-8]).struct()))[STATISTICS][1]
    return found


def _first_chunks(footer: Struct) -> Iterator[Struct]:
    _, (_, groups) = footer[ROW_GROUPS]
    for group in groups:
        _, (_, chunks) = group[COLUMNS]
        yield chunks[0][CHUNK_META][1]


def _typed(value: bytes | int | bool) -> tuple[int, Any]:
    if isinstance(value, bool):
        return TRUE if value else FALSE, value
    return (6, value) if isinstance(value, int) else (BINARY, value)


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._place = 0

    def _take(self, size: int) -> bytes:
        self._place += size
        return self._data[self._place - size : self._place]

    def _varint(self) -> int:
        value = shift = 0
        while True:
            (byte,) = self._take(1)
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    def _zigzag(self) -> int:
        value = self._varint()
        return (value >> 1) ^ -(value & 1)

    def _value(self, kind: int) -> Any:
        if kind in (TRUE, FALSE):
            return kind == TRUE
        if kind in INTEGERS:
            return self._zigzag()
        if kind == BYTE:
            return self._take(1)
        if kind == DOUBLE:
            return self._take(8)
        if kind == BINARY:
            return self._take(self._varint())
        if kind == STRUCT:
            return self.struct()
        (head,) = self._take(1)
        size, item = head >> 4, head & 15
        size = self._varint() if size == 15 else size
        if item in (TRUE, FALSE):
            return item, [self._take(1) == b"\x01" for _ in range(size)]
        return item, [self._value(item) for _ in range(size)]

    def struct(self) -> Struct:
        """The struct that begins here."""
        found: Struct = {}
        last = 0
        while (head := self._take(1)[0]) != 0:
            step, kind = head >> 4, head & 15
            last = last + step if step else self._zigzag()
            found[last] = (kind, self._value(kind))
        return found


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 127:
        found.append(value & 127 | 128)
        value >>= 7
    return bytes([*found, value])


def _zigzag(value: int) -> bytes:
    return _varint(value << 1 if value >= 0 else (-value << 1) - 1)


def _written(kind: int, value: Any) -> bytes:
    if kind in (TRUE, FALSE):
        return b""
    if kind in INTEGERS:
        return _zigzag(value)
    if kind in (BYTE, DOUBLE):
        return bytes(value)
    if kind == BINARY:
        return _varint(len(value)) + value
    if kind == STRUCT:
        return _struct(value)
    item, items = value
    head = bytes([min(len(items), 15) << 4 | item])
    head += _varint(len(items)) if len(items) > 14 else b""
    truths = item in (TRUE, FALSE)
    return head + b"".join(
        (b"\x01" if each else b"\x02") if truths else _written(item, each) for each in items
    )


def _struct(fields: Struct) -> bytes:
    found, last = b"", 0
    for number in sorted(fields):
        kind, value = fields[number]
        step = number - last
        found += bytes([step << 4 | kind]) if step < 16 else bytes([kind]) + _zigzag(number)
        found += _written(kind, value)
        last = number
    return found + b"\0"


def declare_decimals(path: Path, precision: int) -> None:
    """Declares the first column, which holds BYTE_ARRAY, as decimals of no scale."""
    data = path.read_bytes()
    start = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    footer = _Reader(data[start:-8]).struct()
    _, (_, elements) = footer[SCHEMA]
    elements[1] |= {6: (5, 5), 7: (5, 0), 8: (5, precision)}
    elements[1][10] = (STRUCT, {5: (STRUCT, {1: (5, 0), 2: (5, precision)})})
    written = _struct(footer)
    path.write_bytes(data[:start] + written + struct.pack("<I", len(written)) + b"PAR1")
