"""Arrays of a data file as the table's logical columns: renamed, filled up, widened exactly."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.types as pt

from r2d2.formats.delta.schema import DeltaField
from r2d2.formats.schema import with_inner, without_extension

_DIGITS = {8: 3, 16: 5, 32: 10, 64: 20}
_MANTISSA_BITS = {16: 11, 32: 24, 64: 53}
_EXACT_UNITS = ("s", "ms", "us")


def positions(
    fields: "pa.Schema | pa.StructType", wanted: Sequence[DeltaField]
) -> list[int | None]:
    """The place of each field in a file, by its id where it has one, else by name; None if absent.

    Raises:
        ValueError: two of the file's fields fit.
    """
    found: defaultdict[int | str, list[int]] = defaultdict(list)
    for place, field in enumerate(fields):
        found[field.name.lower()].append(place)
        field_id = _field_id(field)
        if field_id is not None:
            found[field_id].append(place)
    return [_only(found[_key(field)], field) for field in wanted]


def _key(field: DeltaField) -> int | str:
    return field.physical_name.lower() if field.field_id is None else field.field_id


def _only(places: Sequence[int], field: DeltaField) -> int | None:
    if len(places) > 1:
        raise ValueError(f"column {field.name} fits {len(places)} columns of the file")
    return places[0] if places else None


def has_ids(schema: pa.Schema) -> bool:
    """Whether the file numbers its fields, as column mapping by id needs."""
    return any(_field_id(field) is not None for field in schema)


def _field_id(field: pa.Field) -> int | None:
    text = (field.metadata or {}).get(b"PARQUET:field_id")
    return None if text is None else int(text)


def conformed(array: pa.Array, meaning: pa.DataType, field: DeltaField) -> pa.Array:
    """The array with the field's logical type, its values unchanged.

    `meaning` is the array's type as the file means it (see `meant`).

    Raises:
        ValueError: the file's type is none that widens exactly to the table's.
    """
    if not field.children and array.type.equals(field.type) and meaning.equals(field.type):
        return array
    if pt.is_dictionary(array.type):
        return conformed(array.dictionary_decode(), meaning.value_type, field)
    if pt.is_struct(field.type) and pt.is_struct(array.type):
        return _struct(array, meaning, field)
    if pt.is_map(field.type) and pt.is_map(array.type):
        return _map(array, meaning, field)
    if pt.is_list(field.type) and (pt.is_list(array.type) or pt.is_large_list(array.type)):
        plain = array.cast(pa.list_(array.type.value_field))
        values = conformed(plain.values, meaning.value_type, field.children[0])
        return _rebuilt(plain, field, values)
    if not pt.is_nested(field.type) and widens_exactly(meaning, field.type):
        return array.cast(meaning).cast(field.type)
    raise ValueError(
        f"column {field.name} is {array.type} in the file and {field.type} in the table"
    )


def _struct(array: pa.StructArray, meaning: pa.StructType, field: DeltaField) -> pa.Array:
    parts = []
    for child, place in zip(field.children, positions(array.type, field.children), strict=True):
        if place is None:
            parts.append(pa.nulls(len(array), child.type))
        else:
            parts.append(conformed(array.field(place), meaning.field(place).type, child))
    return pa.StructArray.from_arrays(parts, fields=list(field.type), mask=array.is_null())


def _map(array: pa.MapArray, meaning: pa.MapType, field: DeltaField) -> pa.Array:
    key, value = field.children
    entries = pa.StructArray.from_arrays(
        [
            conformed(array.keys, meaning.key_type, key),
            conformed(array.items, meaning.item_type, value),
        ],
        fields=[field.type.key_field, field.type.item_field],
    )
    return _rebuilt(array, field, entries)


def _rebuilt(array: pa.Array, field: DeltaField, values: pa.Array) -> pa.Array:
    """The list or map over other values; its offsets and nulls are kept."""
    return pa.Array.from_buffers(
        field.type,
        len(array),
        array.buffers()[:2],
        null_count=array.null_count,
        offset=array.offset,
        children=[values],
    )


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
        # Old delta-rs left the zone out of its files: they are in UTC, and Spark reads them so.
        return (source.tz is None or target.tz is not None) and source.unit in _EXACT_UNITS
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
    return pa.schema([_meant(field, leaves) for field in schema])


def _meant(field: pa.Field, leaves: Iterator[str]) -> pa.Field:
    type_ = without_extension(field.type)
    if pt.is_nested(type_):
        return field.with_type(with_inner(type_, lambda inner: _meant(inner, leaves)))
    return field.with_type(pa.timestamp("us", "UTC") if next(leaves) == "INT96" else type_)
