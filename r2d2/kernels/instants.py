"""Timestamps, times and durations: any unit, equal where they are the same instant.

Whole microseconds in 64 bits are the usual form. Others, each under a key of its own: nanoseconds
that are no whole microseconds; milliseconds, or else seconds, where microseconds overflow.
"""

import numpy as np
from numpy.typing import NDArray

from r2d2.hashing.finaliser import ColumnKey
from r2d2.hashing.words import Words, exceptions_at

_MOST = 2**63 - 1


def instant_words(values: NDArray[np.integer], unit: str, key: ColumnKey) -> Words:
    """Counts of a unit since an epoch as words."""
    if unit == "us":
        return Words(values, key)
    if unit == "ns":
        return _of_nanoseconds(values, key)
    wide = values.astype(np.int64)
    if unit == "ms":
        micros, beyond = _multiplied(wide, 1_000)
        return Words(micros, key, exceptions_at(beyond, wide[beyond], key.child("millisecond")))
    micros, beyond = _multiplied(wide, 1_000_000)
    if not len(beyond):
        return Words(micros, key)
    millis, farther = _multiplied(wide, 1_000)
    forms = exceptions_at(beyond, millis[beyond], key.child("millisecond"))
    return Words(micros, key, forms + exceptions_at(farther, wide[farther], key.child("second")))


def _of_nanoseconds(nanos: NDArray[np.integer], key: ColumnKey) -> Words:
    micros = nanos // 1_000
    whole = micros * 1_000 == nanos
    if 2 * np.count_nonzero(whole) >= len(whole):
        fine = np.flatnonzero(~whole)
        return Words(micros, key, exceptions_at(fine, nanos[fine], key.child("nanosecond")))
    coarse = np.flatnonzero(whole)
    return Words(nanos, key.child("nanosecond"), exceptions_at(coarse, micros[coarse], key))


def _multiplied(
    values: NDArray[np.int64], factor: int
) -> tuple[NDArray[np.int64], NDArray[np.intp]]:
    """The products, and the rows where they overflow."""
    limit = _MOST // factor
    overflowing = (values > limit) | (values < -limit)
    return values * factor, np.flatnonzero(overflowing)
