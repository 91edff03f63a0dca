"""Errors of pyarrow, of codecs and of the operating system, turned into r2d2's own in one place."""

import lzma
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa

from r2d2.errors import R2D2Error, TableError, UnreadableTableError

FOREIGN = (
    pa.ArrowException,
    OSError,
    EOFError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    struct.error,
    zlib.error,
    lzma.LZMAError,
)
"""Errors that libraries raise on damaged bytes, and on values that they cannot write."""


@contextmanager
def translated(
    to: type[R2D2Error], name: str = "", prefixed: type[TableError] = UnreadableTableError
) -> Iterator[None]:
    """Raises foreign errors as `to`, with the name of what they are about in front.

    r2d2's own errors stay as they are, but those of the class `prefixed` get the name, too.
    """
    try:
        yield
    except R2D2Error as error:
        if not name or not isinstance(error, prefixed) or str(error).startswith(name):
            raise
        raise type(error)(f"{name}: {error}") from error
    except FOREIGN as error:
        raise to(f"{name}: {reason(error)}" if name else reason(error)) from error


def table_problem(error: Exception) -> str:
    """The error as the problem of the one table that was being worked on.

    For the last boundary around each table: whatever a library raises there, and nobody foresaw,
    costs that table and not the run.

    Raises:
        R2D2Error: the error is not one table's, but the lake's or the user's.
    """
    if isinstance(error, TableError):
        return str(error)
    if isinstance(error, R2D2Error):
        raise error
    if isinstance(error, MemoryError):
        return reason(error)
    return f"{type(error).__name__}: {reason(error)} (not foreseen: please report this)"


def reason(error: Exception) -> str:
    """The error in one line; where memory is short, with the remedy."""
    if isinstance(error, MemoryError):  # Arrow's and NumPy's, too
        told = ": ".join(filter(None, (type(error).__name__, str(error))))
        return f"there is not enough memory for it ({told}): give r2d2, or Spark's workers, more"
    if isinstance(error, LookupError | EOFError | struct.error):
        return f"damaged: {error!r}"
    return (str(error).strip() or repr(error)).splitlines()[0]
