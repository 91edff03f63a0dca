"""Random values of a type, the awkward ones often."""

import math
from collections.abc import Callable
from decimal import Decimal, localcontext
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.types as pt

LONG = "x" * 5_000
TEXTS = (
    *("", "a", "A", "b", " a", "a ", "\0", "a\0", "a\0b", "\u00e9", "e\u0301", "\u0130", "\u00df"),
    *("NULL", "null", "None", "NA", "NaN", "nan", "true", "True", "inf", "\\N", "-", "N/A"),
    *("0", "-0", "1", "01", "+1", "1.0", "1.00", "1e0", "2020-01-01", "2020-01-01 00:00:00"),
    *(",", ";", "\t", '"', "'", "a,b", 'a"b', "\\", "\n", "\r\n", "a\nb", "\u2028", "<script>"),
    *("\U0001f600", "\uffff", "\U0010ffff" * 20, "\ufeffa", "\u202e", LONG, LONG + "a", LONG + "b"),
)
BYTES = (b"", b"\0", b"\0\0", b"a", b"\xff", b"\xff" * 80, b"\xc3\x28", b"x" * 5_000, b"1")
DOUBLES = (
    *(math.nan, -0.0, 0.0, math.inf, -math.inf, 1.0, -1.0, 1.5, 0.1, 100.0, 2.0**53, 2.0**53 + 2),
    *(5e-324, 2.2250738585072014e-308, 1.7976931348623157e308, 1e22, 16777217.0, 65504.0, 0.3),
)
INTEGERS = (0, 1, -1, 2, 10, 100, 127, 128, 255, 2**24 + 1, 2**31, 2**53, 2**53 + 1, 2**63 - 1)
PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
MOMENTS_S = (0, 1, -1, 86_400, 1_577_836_800, -2_208_988_800, 253_402_300_799, -62_135_596_800)


def random_value(chance: Random, type_: pa.DataType) -> Any:
    """One value of the type, never NULL itself (but of the null type), NULLs within it perhaps."""
    for test, make in MAKERS:
        if test(type_):
            return make(chance, type_)
    raise NotImplementedError(str(type_))


def nullable(chance: Random, type_: pa.DataType, odds: float = 0.2) -> Any:
    """One value of the type, or NULL."""
    return None if chance.random() < odds else random_value(chance, type_)


def integer_range(type_: pa.DataType) -> range:
    """What an integer type holds."""
    bits: int = type_.bit_width
    if pt.is_unsigned_integer(type_):
        return range(2**bits)
    return range(-(2 ** (bits - 1)), 2 ** (bits - 1))


def _boolean(chance: Random, _: pa.DataType) -> bool:
    return chance.random() < 0.5


def _integer(chance: Random, type_: pa.DataType) -> int:
    held = integer_range(type_)
    value = chance.choice((*INTEGERS, held[0], held[-1], chance.randint(-50, 50)))
    return value if value in held else held[value % 100]


def _floating(chance: Random, type_: pa.DataType) -> float:
    if chance.random() < 0.3:
        return float(chance.randint(-20, 20)) / chance.choice((1, 2, 3, 10))
    value = chance.choice(DOUBLES)
    return value if pt.is_float64(type_) or not abs(value) > 65504 else math.copysign(8.5, value)


def _decimal(chance: Random, type_: pa.DataType) -> Decimal:
    largest = 10**type_.precision - 1
    whole = chance.choice((0, 1, -1, 110, 100, 10**type_.scale, largest, -largest))
    unscaled = whole if abs(whole) <= largest else chance.randint(-largest, largest)
    with localcontext(prec=100):
        return Decimal(unscaled).scaleb(-type_.scale)


def _text(chance: Random, _: pa.DataType) -> str:
    if chance.random() < 0.4:
        return "".join(chance.choice("ab1 é") for _ in range(chance.randint(0, 4)))
    return chance.choice(TEXTS)


def _bytes(chance: Random, type_: pa.DataType) -> bytes:
    if not pt.is_fixed_size_binary(type_):
        return chance.choice((*BYTES, chance.randbytes(3)))
    size: int = type_.byte_width
    return chance.choice((b"\0" * size, b"\xff" * size, b"a" * size, chance.randbytes(size)))


def _date(chance: Random, type_: pa.DataType) -> int:
    days = chance.choice((0, 1, -1, 18_262, -719_162, 2_932_896, chance.randint(-9_999, 30_000)))
    if pt.is_date64(type_):
        return days * 86_400_000
    return chance.choice((days, days, days, 2**31 - 1, -(2**31)))


def _time(chance: Random, type_: pa.DataType) -> int:
    day = 86_400 * PER_SECOND[type_.unit]
    return chance.choice((0, 1, day - 1, 3_600 * PER_SECOND[type_.unit], chance.randrange(day)))


def _moment(chance: Random, type_: pa.DataType) -> int:
    unit = PER_SECOND[type_.unit]
    value = chance.choice(MOMENTS_S) * unit + chance.choice((0, 0, 1, unit - 1))
    limit = 2**53 if type_.unit == "s" else 2**63 - 1
    return chance.choice((value if abs(value) <= limit else 0, value % unit, limit, -limit))


def _list(chance: Random, type_: pa.DataType) -> list[Any]:
    return [nullable(chance, type_.value_type) for _ in range(chance.choice((0, 1, 1, 2, 3)))]


def _struct(chance: Random, type_: pa.DataType) -> dict[str, Any]:
    return {field.name: nullable(chance, field.type, 0.3) for field in type_}


def _map(chance: Random, type_: pa.DataType) -> list[tuple[Any, Any]]:
    keys = dict.fromkeys(random_value(chance, type_.key_type) for _ in range(chance.randint(0, 3)))
    return [(key, nullable(chance, type_.item_type)) for key in keys]


def _dictionary(chance: Random, type_: pa.DataType) -> Any:
    return random_value(chance, type_.value_type)


def _is_text(type_: Any) -> bool:
    return type_ in (pa.string(), pa.large_string(), pa.string_view())


def _is_bytes(type_: pa.DataType) -> bool:
    plain = type_ in (pa.binary(), pa.large_binary(), pa.binary_view())
    return bool(plain or (pt.is_fixed_size_binary(type_) and not pt.is_decimal(type_)))


def _is_moment(type_: pa.DataType) -> bool:
    return bool(pt.is_timestamp(type_) or pt.is_duration(type_))


def _is_list(type_: pa.DataType) -> bool:
    return (pt.is_list(type_) or pt.is_large_list(type_)) and not pt.is_map(type_)


MAKERS: tuple[tuple[Callable[[pa.DataType], bool], Callable[[Random, Any], Any]], ...] = (
    (pt.is_null, lambda chance, type_: None),
    (pt.is_boolean, _boolean),
    (pt.is_integer, _integer),
    (pt.is_floating, _floating),
    (pt.is_decimal, _decimal),
    (_is_text, _text),
    (_is_bytes, _bytes),
    (pt.is_date, _date),
    (pt.is_time, _time),
    (_is_moment, _moment),
    (_is_list, _list),
    (pt.is_struct, _struct),
    (pt.is_map, _map),
    (pt.is_dictionary, _dictionary),
)
