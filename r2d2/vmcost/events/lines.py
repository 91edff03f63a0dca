"""Lines of a stream of bytes, none of them longer than a limit."""

from collections.abc import Iterable, Iterator

MOST_LINE_BYTES = 64 * 2**20
"""Spark's own reader takes no text beyond 20 million characters; plans of queries come near."""


def lines(chunks: Iterable[bytes], most_bytes: int = MOST_LINE_BYTES) -> Iterator[bytes | None]:
    """The lines without their end; None for each that is longer, of which nothing is kept."""
    begun: list[bytes] = []
    size = 0
    for chunk in chunks:
        *ended, rest = chunk.split(b"\n")
        for piece in ended:
            size += len(piece)
            yield b"".join((*begun, piece)) if size <= most_bytes else None
            begun, size = [], 0
        size += len(rest)
        begun = [*begun, rest] if size <= most_bytes else []
    if size:
        yield b"".join(begun) if size <= most_bytes else None
