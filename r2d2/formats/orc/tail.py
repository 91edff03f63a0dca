"""An ORC file's tail: what the file says of itself at its end, read without pyarrow.

pyarrow does not tell all that decides what values mean (the calendar, the writer's time zone,
encryption, Spark's own types), and ends the process where types are nested deep. Numbers of fields
and kinds are those of `orc_proto.proto` (https://orc.apache.org/specification/ORCv1).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from r2d2.errors import UnreadableTableError
from r2d2.formats.compression import plain
from r2d2.formats.orc.types import Message, Types
from r2d2.model import FileInfo

TAIL_BYTES = 64 << 10


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
    types: Types

    @property
    def rows(self) -> int:
        """How many rows the file declares."""
        return self.footer.number(6)

    def of_kind(self, *kinds: int) -> Iterator[tuple[int, Message | None]]:
        """The types of the kinds that hold values, with their statistics if there are any."""
        statistics = self.footer.fields.get(7, ())
        for number in self.types:
            if self.types.kind(number) in kinds and self.rows:
                told = len(statistics) == len(self.types)
                known = Message.parse(statistics[number]) if told else None
                if known is None or known.number(1, 1):
                    yield number, known

    def stripe_footers(self, source: Any) -> Iterator[Message]:
        """What each stripe says of itself, read when it is asked for."""
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
    types = Types(tuple(footer.messages(4)))
    types.check_tree()
    return Tail(footer, postscript, tuple(map(_stripe, footer.messages(3))), types)


def _message(content: bytes, postscript: Message) -> Message:
    compression = postscript.number32(2)
    most_chunk_bytes = postscript.number(3) if compression else 0
    return Message.parse(plain(content, compression, most_chunk_bytes))


def _stripe(message: Message) -> Stripe:
    start = message.number(1)
    footer = start + message.number(2) + message.number(3)
    return Stripe(message.number(5), start, footer, footer + message.number(4))
