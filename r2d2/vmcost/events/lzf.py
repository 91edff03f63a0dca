"""LZF, the codec that Spark writes with `spark.io.compression.codec=lzf` and nobody else reads.

A control byte below 32 is followed by that many literals and one; else its upper three bits are the
length of a copy, 7 for a length byte that follows, and its lower five with the next byte how far
back the copy begins. Format: LibLZF 3.6, `lzf_d.c`.
"""

from r2d2.vmcost.events.broken import DamagedError


def lzf(data: bytes, size: int) -> bytes:
    """The chunk of `size` bytes that was compressed.

    Raises:
        DamagedError: it is no such chunk.
    """
    out = bytearray()
    place = 0
    try:
        while place < len(data):
            control = data[place]
            if control < 32:
                out += data[place + 1 : place + 2 + control]
                place += 2 + control
                continue
            length = control >> 5
            if length == 7:
                place += 1
                length += data[place]
            back = ((control & 31) << 8 | data[place + 1]) + 1
            place += 2
            _copy(out, back, length + 2)
    except IndexError as error:
        raise DamagedError from error
    if len(out) != size:
        raise DamagedError
    return bytes(out)


def _copy(out: bytearray, back: int, length: int) -> None:
    """Appends what stands `back` bytes before the end; it may run into itself."""
    start = len(out) - back
    if start < 0:
        raise DamagedError
    if back >= length:
        out += out[start : start + length]
    else:
        piece = out[start:]
        out += (piece * (length // back + 1))[:length]
