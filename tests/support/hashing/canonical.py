"""What equal values are, said naively: Python's own exact values, no code of the kernels."""

import math
from collections import Counter
from collections.abc import Hashable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pyarrow as pa
import pyarrow.types as pt

_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


def canonical(value: Any, type_: pa.DataType) -> Hashable:
    """A value that is equal for equal values of any types that match; times are given as counts."""
    if value is None:
        return "NULL"
    if pt.is_map(type_):
        entries = [(canonical(k, type_.key_type), canonical(v, type_.item_type)) for k, v in value]
        return ("map", frozenset(Counter(entries).items()))
    if pt.is_struct(type_):
        return frozenset((f.name.lower(), canonical(value[f.name], f.type)) for f in type_)
    if isinstance(value, list):
        return ("list", *(canonical(item, type_.value_type) for item in value))
    if pt.is_date64(type_):
        return Fraction(value, 86_400_000)
    if pt.is_timestamp(type_) or pt.is_time(type_) or pt.is_duration(type_):
        return Fraction(value, _PER_SECOND[type_.unit])
    return exactly(value)


def exactly(value: Any) -> Hashable:
    """A scalar, a number among them as a fraction."""
    if isinstance(value, bool | str | bytes):
        return (type(value).__name__, value)
    if isinstance(value, int | Decimal):
        return Fraction(value)
    number = float(value)
    if math.isnan(number):
        return "NaN"
    return Fraction(number) if math.isfinite(number) else ("infinity", number > 0)
