"""Kinds (which column types are one) and canonical Python values (which values are one).

Two columns match when their kinds are equal; two values of equal kinds are one
when their canonical values are equal, as Python compares them.
"""

import math
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator
from fractions import Fraction
from typing import Any

import pyarrow as pa
import pyarrow.types as pt

NUMBER = ("number",)
STRING = ("string",)
UNIT_NS = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
DAY_MS = 86_400_000

Kind = tuple[Any, ...]
Name = tuple[str, ...]


class NoIdentityError(ValueError):
    """The type has no row identity, so its table takes no part."""


def kind(type_: pa.DataType, *, widened: bool) -> Kind:
    """The type's kind: layouts, units, zones and offsets widths forgotten, numbers one if widened.

    >>> kind(pa.timestamp("ms", "UTC"), widened=False), kind(pa.int8(), widened=True)
    (('timestamp', 'zoned'), ('number',))
    """
    if pt.is_dictionary(type_):
        return kind(type_.value_type, widened=widened)
    if pt.is_integer(type_) or pt.is_floating(type_):
        return NUMBER if widened else (str(type_),)
    if pt.is_decimal(type_):
        return NUMBER if widened else ("decimal", type_.precision, type_.scale)
    if pt.is_timestamp(type_):
        return ("timestamp", "local" if type_.tz is None else "zoned")
    if pt.is_map(type_):
        inner = (kind(type_.key_type, widened=widened), kind(type_.item_type, widened=widened))
        return ("map", *inner)
    if _is_list(type_):
        return ("list", kind(type_.value_type, widened=widened))
    if pt.is_struct(type_):
        return ("struct", *_field_kinds(type_, widened=widened))
    return _simple_kind(type_)


def _field_kinds(type_: pa.StructType, *, widened: bool) -> list[tuple[str, Kind]]:
    names = [field.name.lower() for field in type_]
    if len(set(names)) < len(names):
        raise NoIdentityError(f"fields {names} are one but for case")
    return sorted((f.name.lower(), kind(f.type, widened=widened)) for f in type_)


def _simple_kind(type_: pa.DataType) -> Kind:
    named = {
        "string": (pt.is_string, pt.is_large_string, pt.is_string_view),
        "binary": (
            pt.is_binary,
            pt.is_large_binary,
            pt.is_binary_view,
            pt.is_fixed_size_binary,
        ),
        "bool": (pt.is_boolean,),
        "date": (pt.is_date,),
        "time": (pt.is_time,),
        "duration": (pt.is_duration,),
        "null": (pt.is_null,),
    }
    for name, tests in named.items():
        if not isinstance(type_, pa.ExtensionType) and any(test(type_) for test in tests):
            return (name,)
    raise NoIdentityError(str(type_))


def _is_list(type_: pa.DataType) -> bool:
    tests = (
        pt.is_list,
        pt.is_large_list,
        pt.is_fixed_size_list,
        pt.is_list_view,
        pt.is_large_list_view,
    )
    return any(test(type_) for test in tests)


def values(array: pa.Array) -> list[Hashable]:
    """The array's canonical values; None is NULL."""
    type_ = array.type
    if pt.is_dictionary(type_):
        return values(array.dictionary_decode())
    if pt.is_struct(type_):
        return list(_structs(array))
    if pt.is_map(type_):
        return [None if not each.is_valid else _entries(each.values) for each in array]
    if _is_list(type_):
        return [None if not each.is_valid else tuple(values(each.values)) for each in array]
    return [None if each is None else _one(each, type_) for each in _plain(array)]


def _structs(array: pa.StructArray) -> Iterator[Hashable]:
    names = [field.name.lower() for field in array.type]
    fields = [values(array.field(position)) for position in range(array.type.num_fields)]
    for valid, row in zip(array.is_valid().to_pylist(), zip(*fields, strict=True), strict=True):
        yield frozenset(zip(names, row, strict=True)) if valid else None


def _entries(entries: pa.StructArray) -> Hashable:
    keys, items = values(entries.field(0)), values(entries.field(1))
    return frozenset(Counter(zip(keys, items, strict=True)).items())


def _plain(array: pa.Array) -> Iterable[Any]:
    """The array as Python values that lose nothing: bytes for text, integers for time."""
    if pt.is_string(array.type) or pt.is_large_string(array.type) or pt.is_string_view(array.type):
        return array.cast(pa.large_binary()).to_pylist()  # type: ignore[no-any-return]
    if pt.is_temporal(array.type):
        width = pa.int32() if array.type.bit_width == 32 else pa.int64()
        return array.cast(width).to_pylist()  # type: ignore[no-any-return]
    return array.to_pylist()  # type: ignore[no-any-return]


def _one(value: Any, type_: pa.DataType) -> Hashable:
    if pt.is_floating(type_):
        return number(float(value))
    if pt.is_integer(type_) or pt.is_decimal(type_):
        return Fraction(value)
    if pt.is_date64(type_):
        return value // DAY_MS  # type: ignore[no-any-return]
    if pt.is_timestamp(type_) or pt.is_time(type_) or pt.is_duration(type_):
        return value * UNIT_NS[type_.unit]  # type: ignore[no-any-return]
    return value  # type: ignore[no-any-return]


def number(value: float) -> Hashable:
    """The double's exact value; every NaN is one, and so are both zeros.

    >>> number(-0.0) == number(0.0), number(float("nan")) == number(float("nan")), number(0.5)
    (True, True, Fraction(1, 2))
    """
    return Fraction(value) if math.isfinite(value) else str(value)
