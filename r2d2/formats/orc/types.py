"""ORC's types and their Arrow types; and the Protobuf messages in which a file's tail holds them.

Types are numbered depth first.
"""

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from r2d2.errors import IneligibleTableError, UnreadableTableError

MOST_DEPTH = 64
LONG, TIMESTAMP, LIST, MAP, STRUCT, UNION, DECIMAL = 4, 9, 10, 11, 12, 13, 14
DATE, VARCHAR, CHAR, INSTANT = 15, 16, 17, 18
_PRIMITIVES = {
    0: pa.bool_(),
    1: pa.int8(),
    2: pa.int16(),
    3: pa.int32(),
    LONG: pa.int64(),
    5: pa.float32(),
    6: pa.float64(),
    7: pa.string(),
    8: pa.binary(),
    TIMESTAMP: pa.timestamp("ns"),
    DATE: pa.date32(),
    VARCHAR: pa.string(),
    CHAR: pa.string(),  # padded by its writer
    INSTANT: pa.timestamp("ns", "UTC"),
}
_PARTS = {**dict.fromkeys(_PRIMITIVES, 0), LIST: 1, MAP: 2, DECIMAL: 0}
_SPARK_TYPE = b"spark.sql.catalyst.type"
_FIXED_BYTES = {1: 8, 5: 4}


@dataclass(frozen=True, slots=True)
class Message:
    """A message's values by field number: numbers, and bytes where it holds more.

    >>> Message.parse(b"\\x08\\x96\\x01\\x12\\x02hi\\x08\\x02").fields
    {1: [150, 2], 2: [b'hi']}

    Every method raises UnreadableTableError where a field is not of the kind asked for.
    """

    fields: Mapping[int, Sequence[Any]]

    @classmethod
    def parse(cls, content: Any) -> "Message":
        """The message that a field's value is."""
        if not isinstance(content, bytes):
            raise damaged()
        found: dict[int, list[Any]] = {}
        at = 0
        while at < len(content):
            tag, at = _varint(content, at)
            if tag & 7 == 0:
                value: Any
                value, at = _varint(content, at)
            else:
                size_bytes, at = (
                    _varint(content, at) if tag & 7 == 2 else (_FIXED_BYTES.get(tag & 7), at)
                )
                if size_bytes is None or at + size_bytes > len(content):
                    raise damaged()
                value, at = content[at : at + size_bytes], at + size_bytes
            found.setdefault(tag >> 3, []).append(value)
        return cls(found)

    def number(self, field: int, default: int = 0, limit: int = 2**62) -> int:
        """The field's number, below the limit; of several the last, as protobuf has it."""
        value = self.fields[field][-1] if field in self.fields else default
        if not isinstance(value, int) or value >= limit:
            raise damaged()
        return value

    def number32(self, field: int) -> int:
        """The same of a field of 32 bits, where pyarrow would cut off what is beyond."""
        return self.number(field, limit=2**31)

    def numbers(self, field: int) -> list[int]:
        """All numbers of the field, packed or one by one."""
        found: list[int] = []
        for value in self.fields.get(field, ()):
            if isinstance(value, int):
                found.append(value)
                continue
            at = 0
            while at < len(value):
                number, at = _varint(value, at)
                found.append(number)
        return found

    def content(self, field: int) -> bytes:
        """The field's text or message; of several the last, b"" of none."""
        return (self.contents(field) or [b""])[-1]

    def contents(self, field: int) -> list[bytes]:
        """All texts or messages of the field."""
        found = list(self.fields.get(field, ()))
        if not all(isinstance(value, bytes) for value in found):
            raise damaged()
        return found

    def messages(self, field: int) -> Iterator["Message"]:
        """All messages of the field."""
        return map(Message.parse, self.fields.get(field, ()))


@dataclass(frozen=True, slots=True)
class OrcTypes:
    """The tree of a file's types; the root's parts are the columns."""

    messages: tuple[Message, ...]

    def __len__(self) -> int:
        return len(self.messages)

    def __iter__(self) -> Iterator[int]:
        """The types' numbers."""
        return iter(range(len(self.messages)))

    def kind(self, number: int) -> int:
        """The type's kind, as `Type.Kind` numbers them."""
        return self.messages[number].number32(1)

    def parts(self, number: int) -> list[int]:
        """The numbers of a struct's fields, a list's items, a map's keys and values."""
        return self.messages[number].numbers(2)

    def spark_type(self, number: int) -> str:
        """Spark's name for the type, "" where the file has none."""
        for attribute in self.messages[number].messages(7):
            if attribute.content(1) == _SPARK_TYPE:
                return attribute.content(2).decode(errors="replace")
        return ""

    def column(self, number: int) -> str:
        """The name of the top-level column that the type belongs to."""
        place = bisect_right(self.parts(0), number) - 1
        return self.messages[0].contents(3)[place].decode(errors="replace")

    def check_tree(self) -> None:
        """Raises TableError where types do not form a tree, or one that pyarrow is lost in."""
        if not self.messages or self.kind(0) != STRUCT:
            raise UnreadableTableError("its rows are no structs")
        depths = [0] * len(self)
        for number in self:
            parts = self.parts(number)
            if len(parts) != _PARTS.get(self.kind(number), len(parts)):
                raise damaged()
            for part in parts:
                if not number < part < len(self) or depths[part]:
                    raise damaged()
                depths[part] = depths[number] + 1
        if max(depths) > MOST_DEPTH:
            raise IneligibleTableError("its types are nested too deep")

    def schema(self) -> pa.Schema:
        """The schema as pyarrow has it, but for timestamps that Spark stores as numbers."""
        struct = self._arrow(0)
        return pa.schema([struct.field(place) for place in range(struct.num_fields)])

    def _arrow(self, number: int) -> pa.DataType:
        type_, kind = self.messages[number], self.kind(number)
        if kind in (LIST, MAP, STRUCT):
            parts = [self._arrow(part) for part in self.parts(number)]
            if kind == STRUCT:
                names = [name.decode() for name in type_.contents(3)]
                return pa.struct(list(zip(names, parts, strict=True)))
            return pa.list_(*parts) if kind == LIST else pa.map_(*parts)
        if kind == DECIMAL:
            return pa.decimal128(type_.number32(5), type_.number32(6))
        if kind == LONG and self.spark_type(number) == "timestamp_ntz":
            return pa.timestamp("us")
        return _PRIMITIVES[kind]


def damaged() -> UnreadableTableError:
    """The error for a footer that is not as the specification has it."""
    return UnreadableTableError("its footer is damaged")


def _varint(content: bytes, at: int) -> tuple[int, int]:
    """The number that begins at `at`, and where it ends."""
    number = 0
    for place in range(at, min(at + 10, len(content))):
        number |= (content[place] & 127) << (7 * (place - at))
        if content[place] < 128:
            return number, place + 1
    raise damaged()
