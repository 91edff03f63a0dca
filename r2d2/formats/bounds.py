"""Statistics as ranks in order: a smaller rank proves a smaller value, an equal one nothing.

Bounds of one column are compared as int64, whatever its type, so that the metadata stage compares
whole lakes in blocks of NumPy arrays.
"""

import struct
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from functools import reduce

from r2d2.model import RANK_MAX, RANK_MIN, Bounds


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
    """The bounds of a column over all its parts; unknown where a part's are."""
    return reduce(_both, parts) if parts else Bounds()


def _both(left: Bounds, right: Bounds) -> Bounds:
    has_nulls = _any(left.has_nulls, right.has_nulls)
    if left.has_values is False:
        return replace(right, has_nulls=has_nulls)
    if right.has_values is False:
        return replace(left, has_nulls=has_nulls)
    if left.has_values is None or right.has_values is None:
        # One of the two may be without values: then only the outer bounds hold for both.
        return Bounds(
            min(left.min_low, right.min_low),
            max_high=max(left.max_high, right.max_high),
            has_nulls=has_nulls,
            has_values=_any(left.has_values, right.has_values),
        )
    return Bounds(
        min(left.min_low, right.min_low),
        min(left.min_high, right.min_high),
        max(left.max_low, right.max_low),
        max(left.max_high, right.max_high),
        has_nulls,
        True,
    )


def _any(left: bool | None, right: bool | None) -> bool | None:
    if left or right:
        return True
    return None if left is None or right is None else False
