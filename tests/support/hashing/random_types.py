"""Hypothesis strategies: pairs of Arrow types whose values match, and arrays of random layout."""

import struct
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.types as pt
from hypothesis import strategies as st

from r2d2.model import Types

_UNITS = ("s", "ms", "us", "ns")
_INTEGERS = [getattr(pa, f"{sign}int{n}")() for sign in ("", "u") for n in (8, 16, 32, 64)]
_FLOATS = [pa.float16(), pa.float32(), pa.float64()]
_DECIMAL_KINDS = [
    (pa.decimal32, 9),
    (pa.decimal64, 18),
    (pa.decimal128, 38),
    (pa.decimal256, 76),
]
_DECIMALS = [
    [kind(precision, scale) for kind, most in _DECIMAL_KINDS if precision <= most]
    for precision, scale in [
        (4, 2),
        (9, 0),
        (10, -3),
        (15, 2),
        (17, 6),
        (30, 10),
        (38, 18),
        (38, 30),
        (76, 40),
    ]
]
_OTHERS = [
    [pa.bool_()],
    [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int8(), pa.string())],
    [pa.binary(), pa.large_binary(), pa.binary_view(), pa.binary(2)],
    [pa.date32(), pa.date64()],
    [pa.time32("s"), pa.time32("ms"), pa.time64("us"), pa.time64("ns")],
    [pa.timestamp(unit) for unit in _UNITS],
    [pa.timestamp(unit, "UTC") for unit in _UNITS],
    [pa.duration(unit) for unit in _UNITS],
]
_CLASSES = {
    Types.STRICT: [[one] for one in _INTEGERS + _FLOATS] + _DECIMALS + _OTHERS,
    Types.WIDENED: [[*_INTEGERS, *_FLOATS, *(one for some in _DECIMALS for one in some)]] * 8
    + _OTHERS,
}
_LISTS = [pa.list_, pa.large_list, pa.list_view, pa.large_list_view]
_INT_POOL = [0, 1, 2, -1, 5, 10, 100, 2**53 + 1, 2**63 - 1, -(2**63), 2**63, 2**64 - 1, 10**12]
_FLOAT_POOL = [0.0, -0.0, 1.0, 0.5, 0.1, 1.1, -2.5, 0.25, 2.0**53, 2.0**63, 2.0**64, -(2.0**63)]
_FLOAT_POOL += [float("inf"), float("-inf"), float("nan"), 1e300, 5e-324, 1e15]
_FLOAT_POOL += [struct.unpack("<d", struct.pack("<Q", 0xFFF8_0000_0000_0001))[0]]
_UNSCALED_POOL = [
    0,
    1,
    10,
    25,
    50,
    100,
    110,
    125,
    2**53 + 1,
    2**63,
    2**64,
    10**18,
    5**27,
    3 * 10**20,
]


@st.composite
def twins(draw: st.DrawFn, types: Types, depth: int = 2) -> tuple[pa.DataType, pa.DataType]:
    """Two types that match, perhaps one and the same."""
    kind = draw(st.sampled_from(["scalar", "scalar", "list", "map"])) if depth else "scalar"
    if kind == "scalar":
        one_class = draw(st.sampled_from(_CLASSES[types]))
        return draw(st.sampled_from(one_class)), draw(st.sampled_from(one_class))
    if kind == "map":
        keys, items = draw(twins(types, 0)), draw(twins(types, depth - 1))
        return pa.map_(keys[0], items[0]), pa.map_(keys[1], items[1])
    items = draw(structs(types, depth - 1) if draw(st.booleans()) else twins(types, depth - 1))
    return draw(st.sampled_from(_LISTS))(items[0]), draw(st.sampled_from(_LISTS))(items[1])


@st.composite
def structs(draw: st.DrawFn, types: Types, depth: int) -> tuple[pa.DataType, pa.DataType]:
    """Two structs of matching fields, in any order and case."""
    fields = [(name, draw(twins(types, depth))) for name in ("a", "b", "Ä")]
    fields = fields[: draw(st.integers(0, 3))]
    mixed = draw(st.permutations(fields))
    return (
        pa.struct([(name, one) for name, (one, _) in fields]),
        pa.struct([(name.swapcase(), other) for name, (_, other) in mixed]),
    )


def values(type_: pa.DataType) -> st.SearchStrategy[Any]:
    """Values of the type as `pa.array` takes them, NULL among them; times as counts."""
    return st.one_of(st.none(), present(type_))


def present(type_: pa.DataType) -> st.SearchStrategy[Any]:
    """Values of the type, NULL only inside of them."""
    if pt.is_map(type_):
        return st.lists(st.tuples(present(type_.key_type), values(type_.item_type)), max_size=3)
    if pt.is_struct(type_):
        return st.fixed_dictionaries({field.name: values(field.type) for field in type_})
    if pt.is_nested(type_):
        return st.lists(values(type_.value_type), max_size=3)
    return _scalar(type_)


def _scalar(type_: pa.DataType) -> st.SearchStrategy[Any]:
    if pt.is_dictionary(type_):
        return _scalar(type_.value_type)
    if pt.is_boolean(type_):
        return st.booleans()
    if pt.is_floating(type_):
        return _floats(type_.bit_width)
    if pt.is_decimal(type_):
        return _decimals(type_)
    if type_ == pa.binary(2):
        return st.sampled_from([b"ab", b"a\0", b"\0\0", b"\xff\xfe"])
    if pt.is_binary(type_) or pt.is_large_binary(type_) or pt.is_binary_view(type_):
        return st.sampled_from([b"", b"\0", b"a", b"ab", b"a\0", b"\xff\xfe"]) | st.binary(
            max_size=3
        )
    if pt.is_integer(type_) or pt.is_temporal(type_):
        return _counts(type_)
    return st.sampled_from(["", "\0", "a", "ab", "é", "a" * 300]) | st.text(max_size=3)


def _counts(type_: pa.DataType) -> st.SearchStrategy[int]:
    width = type_.bit_width
    least, most = -(1 << (width - 1)), (1 << (width - 1)) - 1
    if pt.is_unsigned_integer(type_):
        least, most = 0, (1 << width) - 1
    if pt.is_time(type_):
        least, most = 0, 86_399 * {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[type_.unit]
    if pt.is_date(type_):
        day = 1 if width == 32 else 86_400_000
        return st.integers(-3, 3).map(lambda days: days * day)
    pool = [number for number in [*_INT_POOL, 10**6, 10**9] if least <= number <= most]
    return st.sampled_from(pool) | st.integers(least, most)


def _floats(width: int) -> st.SearchStrategy[Any]:
    if width == 64:
        return st.sampled_from(_FLOAT_POOL) | st.floats()
    narrow = {16: np.float16, 32: np.float32}[width]
    with np.errstate(over="ignore"):
        pool = [narrow(number) for number in _FLOAT_POOL]
    return st.sampled_from(pool) | st.floats(width=width).map(narrow)


def _decimals(type_: pa.DataType) -> st.SearchStrategy[Decimal]:
    most = 10**type_.precision - 1
    pool = [number for number in [*_UNSCALED_POOL, most] if number <= most]
    whole = [number * 10**type_.scale for number in (1, 2, 100, 2**63) if type_.scale > 0]
    pool += [number for number in whole if number <= most]
    unscaled = st.sampled_from(pool + [-number for number in pool]) | st.integers(-most, most)
    return unscaled.map(lambda number: Decimal((number < 0, _digits(number), -type_.scale)))


def _digits(number: int) -> tuple[int, ...]:
    return tuple(map(int, str(abs(number))))


@st.composite
def arrays(draw: st.DrawFn, type_: pa.DataType) -> tuple[list[Any], pa.Array]:
    """Some values, and an array of them that may be a slice, with other values around it."""
    inside = draw(st.lists(values(type_), min_size=1, max_size=8))
    before, after = (draw(st.lists(values(type_), max_size=9)) for _ in range(2))
    everything = [*before, *inside, *after]
    if draw(st.booleans()) and not pt.is_nested(type_) and not pt.is_dictionary(type_):
        array = _as_dictionary(everything, type_)
    else:
        array = pa.array(everything, type_)
    return inside, array.slice(len(before), len(inside))


def _as_dictionary(some: Sequence[Any], type_: pa.DataType) -> pa.Array:
    """The values, each in the dictionary, NULLs too, and indices that run backwards."""
    indices = pa.array(range(len(some) - 1, -1, -1), pa.uint16())
    return pa.DictionaryArray.from_arrays(indices, pa.array(some[::-1], type_))
