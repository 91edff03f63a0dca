"""Plain types in another type: each change is the new type and what becomes of a value."""

from collections.abc import Callable
from decimal import Decimal, localcontext
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.types as pt

from tests.support.oracle.random_values import PER_SECOND

Change = tuple[pa.DataType, Callable[[Any], Any]]
INTEGERS = (
    *(pa.int8(), pa.int16(), pa.int32(), pa.int64()),
    *(pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64()),
)
FLOATS = (pa.float16(), pa.float32(), pa.float64(), pa.float64())
DECIMALS = (
    *(pa.decimal128(20, 2), pa.decimal128(38, 10), pa.decimal128(38, 0), pa.decimal64(12, 1)),
    *(pa.decimal256(40, 4), pa.decimal256(76, 30), pa.decimal256(20, 2)),
)
TEXTS = (pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string()))
ZONES = (None, None, "UTC", "UTC", "Europe/Rome")


def _of_integer(chance: Random, type_: pa.DataType) -> Change:
    raw = [pa.timestamp("us"), pa.time64("us"), pa.duration("us")]
    raw = [pa.date32(), pa.time32("ms")] if type_.bit_width == 32 else raw
    changes: tuple[Change, ...] = (
        (chance.choice(INTEGERS), int),
        (chance.choice(FLOATS), float),
        (chance.choice(DECIMALS), Decimal),
        (chance.choice(TEXTS), str),
        (chance.choice(raw), _time_of_day),
    )
    return chance.choice(changes)


def _time_of_day(value: int) -> int:
    if not 0 <= value < 86_400:
        raise ValueError("not surely a time")
    return value


def _of_float(chance: Random, _: pa.DataType) -> Change:
    changes: tuple[Change, ...] = (
        (chance.choice(FLOATS), float),
        (chance.choice(INTEGERS), int),
        (decimal := chance.choice(DECIMALS), lambda value: _rescaled(Decimal(value), decimal)),
        (chance.choice(TEXTS), str),
    )
    return chance.choice(changes)


def _of_decimal(chance: Random, _: pa.DataType) -> Change:
    changes: tuple[Change, ...] = (
        (decimal := chance.choice(DECIMALS), lambda value: _rescaled(value, decimal)),
        (decimal, lambda value: _rescaled(value, decimal)),
        (chance.choice(FLOATS), float),
        (chance.choice(INTEGERS), int),
        (chance.choice(TEXTS), str),
    )
    return chance.choice(changes)


def _rescaled(value: Decimal, type_: pa.DataType) -> Decimal:
    with localcontext(prec=100):
        return value.quantize(Decimal(1).scaleb(-type_.scale))


def _of_text(chance: Random, _: pa.DataType) -> Change:
    bytes_type = chance.choice((pa.binary(), pa.large_binary()))
    changes: tuple[Change, ...] = (
        (chance.choice(TEXTS), str),
        (chance.choice(TEXTS), str),
        (bytes_type, str.encode),
    )
    return chance.choice(changes)


def _of_bytes(chance: Random, _: pa.DataType) -> Change:
    changes: tuple[Change, ...] = (
        (chance.choice((pa.binary(), pa.large_binary(), pa.binary_view())), bytes),
        (chance.choice(TEXTS), bytes.decode),
    )
    return chance.choice(changes)


def _of_boolean(chance: Random, _: pa.DataType) -> Change:
    return chance.choice(((pa.int8(), int), (pa.string(), str), (pa.float64(), float)))


def _of_date(chance: Random, type_: pa.DataType) -> Change:
    per_day = 86_400_000 if pt.is_date64(type_) else 1
    other = pa.date32() if pt.is_date64(type_) else pa.date64()
    unit = chance.choice(tuple(PER_SECOND))
    changes: tuple[Change, ...] = (
        (other, lambda value: value // per_day * (86_400_000 // per_day)),
        (pa.timestamp(unit), lambda value: value // per_day * 86_400 * PER_SECOND[unit]),
        (pa.int32(), lambda value: value // per_day),
    )
    return chance.choice(changes)


def _of_unit(chance: Random, type_: pa.DataType) -> Change:
    """A timestamp, time of day or duration in another unit, a timestamp perhaps zoned."""
    unit = chance.choice(("ms", "us", "ns"))
    type_made: pa.DataType
    if pt.is_timestamp(type_):
        type_made = pa.timestamp(unit, chance.choice(ZONES))
    elif pt.is_duration(type_):
        type_made = pa.duration(unit)
    else:
        type_made = pa.time32("ms") if unit == "ms" else pa.time64(unit)
    before, after = PER_SECOND[type_.unit], PER_SECOND[unit]
    return type_made, lambda value: value * after // before


def _of_dictionary(chance: Random, type_: pa.DataType) -> Change:
    return type_.value_type, lambda value: value


def _of_null(chance: Random, _: pa.DataType) -> Change:
    return chance.choice((pa.int64(), pa.string())), lambda value: value


PLAIN_CHANGES: tuple[tuple[Callable[[pa.DataType], bool], Callable[[Random, Any], Change]], ...] = (
    (pt.is_integer, _of_integer),
    (pt.is_floating, _of_float),
    (pt.is_decimal, _of_decimal),
    (lambda t: t in TEXTS[:3], _of_text),
    (lambda t: t in (pa.binary(), pa.large_binary(), pa.binary_view()), _of_bytes),
    (pt.is_fixed_size_binary, _of_bytes),
    (pt.is_boolean, _of_boolean),
    (pt.is_date, _of_date),
    (lambda t: pt.is_timestamp(t) or pt.is_duration(t) or pt.is_time(t), _of_unit),
    (pt.is_dictionary, _of_dictionary),
    (pt.is_null, _of_null),
)
