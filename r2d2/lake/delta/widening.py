"""Which types of a file's column widen exactly to a table's; and what a file's types mean."""

from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.types as pt

_DIGITS = {8: 3, 16: 5, 32: 10, 64: 20}
_MANTISSA_BITS = {16: 11, 32: 24, 64: 53}
_EXACT_UNITS = ("s", "ms", "us")


def widens_exactly(source: pa.DataType, target: pa.DataType) -> bool:
    """Whether every value of `source` is one of `target`; a superset of Delta's type widening.

    >>> widens_exactly(pa.int32(), pa.float64()), widens_exactly(pa.int64(), pa.float64())
    (True, False)
    """
    if source.equals(target):
        return True
    if pt.is_integer(source):
        return _integer_widens(source, target)
    if pt.is_floating(source) and pt.is_floating(target):
        return bool(source.bit_width <= target.bit_width)
    if pt.is_decimal(source) and pt.is_decimal(target):
        digits = target.precision - target.scale
        return bool(source.scale <= target.scale and source.precision - source.scale <= digits)
    if pt.is_timestamp(source) and pt.is_timestamp(target):
        return (source.tz is None) == (target.tz is None) and source.unit in _EXACT_UNITS
    if pt.is_date32(source):
        return bool(pt.is_timestamp(target) and target.tz is None)
    return bool(pt.is_string(target) or pt.is_binary(target)) and _is_text(source)


def _is_text(type_: pa.DataType) -> bool:
    """Strings that Parquet does not annotate look like bytes; the cast to strings checks them."""
    kinds = (
        pt.is_string,
        pt.is_large_string,
        pt.is_string_view,
        pt.is_binary,
        pt.is_large_binary,
        pt.is_binary_view,
    )
    return any(kind(type_) for kind in kinds)


def _integer_widens(source: pa.DataType, target: pa.DataType) -> bool:
    bits = source.bit_width
    if pt.is_signed_integer(target):
        return bool(bits + pt.is_unsigned_integer(source) <= target.bit_width)
    if pt.is_floating(target):
        return bool(bits <= _MANTISSA_BITS[target.bit_width])
    return bool(pt.is_decimal(target)) and target.precision - target.scale >= _DIGITS[bits]


def meant(schema: pa.Schema, physical_types: Sequence[str]) -> pa.Schema:
    """The file's schema with INT96 leaves as instants, which writers of INT96 mean by them.

    `physical_types` are those of the file's leaves, in order.
    """
    leaves = iter(physical_types)
    return pa.schema([field.with_type(_meant(field.type, leaves)) for field in schema])


def _meant(type_: pa.DataType, leaves: Iterator[str]) -> pa.DataType:
    if pt.is_struct(type_):
        return pa.struct([field.with_type(_meant(field.type, leaves)) for field in type_])
    if pt.is_map(type_):
        key = type_.key_field.with_type(_meant(type_.key_type, leaves))
        return pa.map_(key, type_.item_field.with_type(_meant(type_.item_type, leaves)))
    if pt.is_list(type_) or pt.is_large_list(type_):
        make = pa.list_ if pt.is_list(type_) else pa.large_list
        return make(type_.value_field.with_type(_meant(type_.value_type, leaves)))
    return pa.timestamp("us", "UTC") if next(leaves) == "INT96" else type_
