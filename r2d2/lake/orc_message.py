"""Protobuf, in which an ORC file's tail is written: a message's values by the fields' numbers."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from r2d2.errors import UnreadableTableError

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


def damaged() -> UnreadableTableError:
    """What is raised where a footer is not what the specification has."""
    return UnreadableTableError("its footer is damaged")


def _varint(content: bytes, at: int) -> tuple[int, int]:
    """The number that begins at `at`, and where it ends."""
    number = 0
    for place in range(at, min(at + 10, len(content))):
        number |= (content[place] & 127) << (7 * (place - at))
        if content[place] < 128:
            return number, place + 1
    raise damaged()
