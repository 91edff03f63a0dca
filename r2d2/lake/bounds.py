"""Statistics as ranks in order: a smaller rank proves a smaller value, an equal one nothing.

Bounds of one column are compared as int64, whatever its type, so that the metadata stage compares
whole lakes in blocks of NumPy arrays.
"""

import struct
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from functools import reduce

from r2d2.model import Bounds

RANK_MAX = 2**63 - 1
RANK_MIN = -(2**63)


def number_rank(value: float | Decimal) -> int:
    """The rank of a number; all numeric types share one scale, so that widened types compare.

    >>> number_rank(1) == number_rank(1.0) == number_rank(Decimal("1.00"))
    True
    >>> number_rank(-0.0) == number_rank(0), number_rank(-2.5) < number_rank(-1)
    (True, True)
    """
    try:
        (bits,) = struct.unpack("<q", struct.pack("<d", float(value)))
    except OverflowError:
        return RANK_MAX if value > 0 else RANK_MIN
    return int(bits if bits >= 0 else -(bits & RANK_MAX))


def text_rank(value: bytes) -> int:
    """The rank of a string or binary value: its first eight bytes.

    >>> text_rank(b"a") < text_rank(b"b"), text_rank(b"abcdefgh1") == text_rank(b"abcdefgh2")
    (True, True)
    """
    return int.from_bytes(value[:8].ljust(8, b"\0"), "big") + RANK_MIN


def clipped_rank(value: int) -> int:
    """The rank of a whole number of days or microseconds."""
    return min(max(value, RANK_MIN), RANK_MAX)


def union(parts: Sequence[Bounds]) -> Bounds:
    """The bounds of a column over all its parts; unknown where one part's are unknown."""
    return reduce(_both, parts) if parts else Bounds()


def _both(left: Bounds, right: Bounds) -> Bounds:
    has_nulls = _any(left.has_nulls, right.has_nulls)
    has_values = _any(left.has_values, right.has_values)
    if left.has_values is False:
        return replace(right, has_nulls=has_nulls)
    if right.has_values is False:
        return replace(left, has_nulls=has_nulls)
    return Bounds(
        _least(left.min_low, right.min_low),
        _least(left.min_high, right.min_high),
        _greatest(left.max_low, right.max_low),
        _greatest(left.max_high, right.max_high),
        has_nulls,
        has_values,
    )


def _any(left: bool | None, right: bool | None) -> bool | None:
    if left or right:
        return True
    return None if left is None or right is None else False


def _least(left: int | None, right: int | None) -> int | None:
    return None if left is None or right is None else min(left, right)


def _greatest(left: int | None, right: int | None) -> int | None:
    return None if left is None or right is None else max(left, right)
