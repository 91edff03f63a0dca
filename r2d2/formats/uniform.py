"""Batches of one table under one schema: readers give a column now as a dictionary, now plain.

Also the items of lists and maps: Arrow's calls for them differ by kind, and some ignore slices. And
whether two arrays hold the same values, whatever their layout.
"""

from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from r2d2.arrays import array_of, numbers, plain
from r2d2.errors import MisfitError, UnreadableTableError
from r2d2.formats.schema import with_inner, without_extension

_BITS = {16: pa.uint16(), 32: pa.uint32(), 64: pa.uint64()}
_Parts = Callable[[pa.Array], Sequence[pa.Array]]
_FINENESS = {"s": 0, "ms": 1, "us": 2, "ns": 3}
# Layouts of which pyarrow 26 can neither take nor filter rows, nor write slices to Parquet.
_VIEWS: dict[pa.DataType, pa.DataType] = {
    pa.string_view(): pa.large_string(),
    pa.binary_view(): pa.large_binary(),
}


def uniform(batches: Sequence[pa.RecordBatch]) -> list[pa.RecordBatch]:
    """The batches with the first one's columns in its order, each of one plain type throughout.

    A column that is of type null in one batch (a file lacks it) has the others' type.

    Raises:
        UnreadableTableError: a batch lacks a column, or its values fit no common type.
    """
    if not batches:
        return []
    names = batches[0].schema.names
    for batch in batches:
        if sorted(batch.schema.names) != sorted(names):
            raise UnreadableTableError(f"columns {batch.schema.names} follow on {names}")
    columns = [of_one_type(name, [batch.column(name) for batch in batches]) for name in names]
    return [
        pa.RecordBatch.from_arrays([arrays[number] for arrays in columns], names=names)
        for number in range(len(batches))
    ]


def of_one_type(name: str, arrays: Sequence[pa.Array]) -> list[pa.Array]:
    """The column's arrays, each of one plain type; UnreadableTableError where none fits all."""
    arrays = [plain_array(array) for array in arrays]
    found = dict.fromkeys(array.type for array in arrays)
    types = [type_ for type_ in found if not pt.is_null(type_)]
    for type_ in sorted(types, key=_fineness, reverse=True):
        try:
            return [array if array.type == type_ else array.cast(type_) for array in arrays]
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            continue
    if types:
        raise UnreadableTableError(f"values of {name} fit no common type of {types}")
    return list(arrays)


def _fineness(type_: pa.DataType) -> int:
    timed = pt.is_timestamp(type_) or pt.is_time(type_) or pt.is_duration(type_)
    return _FINENESS[type_.unit] if timed else 0


def plain_array(array: pa.Array) -> pa.Array:
    """The array without dictionaries and views, at any depth."""
    array = plain(array)
    type_ = plain_type(array.type)
    return array if array.type == type_ else array.cast(type_)


def without_views(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The batch in layouts whose rows can be taken and filtered; dictionaries stay."""
    if not any(map(holds_view, batch.schema.types)):
        return batch
    arrays = [plain_array(a) if holds_view(a.type) else a for a in batch.columns]
    return pa.RecordBatch.from_arrays(arrays, names=batch.schema.names)


def holds_view(type_: pa.DataType) -> bool:
    """Whether texts or bytes lie in it as views, at any depth."""
    type_ = without_extension(type_)
    inside = (type_.field(place).type for place in range(type_.num_fields))
    return type_ in _VIEWS or any(map(holds_view, inside))


def plain_schema(schema: pa.Schema) -> pa.Schema:
    """The schema without dictionaries and views, at any depth."""
    return pa.schema([field.with_type(plain_type(field.type)) for field in schema])


def plain_type(type_: pa.DataType) -> pa.DataType:
    """The type without dictionaries, run-end encoding, views and extensions, at any depth."""
    if isinstance(type_, pa.BaseExtensionType):
        return plain_type(type_.storage_type)
    if pt.is_dictionary(type_) or pt.is_run_end_encoded(type_):
        return plain_type(type_.value_type)
    return _VIEWS.get(type_) or with_inner(type_, _plain_field)


def _plain_field(field: pa.Field) -> pa.Field:
    return field.with_type(plain_type(field.type))


def fitted(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """The batch in the schema's layout: another unit of time or width of text, the same values.

    Raises:
        MisfitError: other names, or a value that the layout cannot hold.
    """
    if batch.schema.names != schema.names:
        raise MisfitError(f"the rows have columns {batch.schema.names}, the table {schema.names}")
    if batch.schema.equals(schema, check_metadata=True):
        return batch
    try:
        arrays = [
            array if array.type == type_ else _fitted(plain_array(array), type_)
            for array, type_ in zip(batch.columns, schema.types, strict=True)
        ]
        return pa.RecordBatch.from_arrays(arrays, schema=schema)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError) as error:
        raise MisfitError(f"the rows' values do not fit the table: {error}") from error


def _fitted(array: pa.Array, type_: pa.DataType) -> pa.Array:
    """The plain array cast, at any depth also to the type null, which pyarrow does not do."""
    if array.type == type_:
        return array
    if pt.is_null(type_):
        if array.null_count < len(array):
            raise MisfitError("a column of type null would hold values")
        return pa.nulls(len(array))
    if not _holds_null(type_) or pt.is_null(array.type):
        return array.cast(type_)
    if pt.is_struct(type_) and pt.is_struct(array.type):
        names = [field.name for field in array.type]
        if names != [field.name for field in type_]:
            raise MisfitError(f"the rows have fields {names}, the table has {type_}")
        parts = [_fitted(part, f.type) for part, f in zip(array.flatten(), type_, strict=True)]
        return pa.StructArray.from_arrays(parts, fields=list(type_), mask=array.is_null())
    if pt.is_map(type_) and pt.is_map(array.type):
        keys, values = entries(array)
        inside = _fitted(keys, type_.key_type), _fitted(values, type_.item_type)
        return pa.MapArray.from_arrays(_starts(array, pa.int32()), *inside, type_)
    if is_list(array.type) and (pt.is_list(type_) or pt.is_large_list(type_)):
        kind, start = (
            (pa.ListArray, pa.int32()) if pt.is_list(type_) else (pa.LargeListArray, pa.int64())
        )
        inside = _fitted(array.flatten(), type_.value_type)
        return kind.from_arrays(_starts(array, start), inside, type=type_)
    return array.cast(type_)


def _holds_null(type_: pa.DataType) -> bool:
    type_ = without_extension(type_)
    inside = (type_.field(place).type for place in range(type_.num_fields))
    return bool(pt.is_null(type_)) or any(map(_holds_null, inside))


def _starts(array: pa.Array, type_: pa.DataType) -> pa.Array:
    """The first item of each list or map, NULL where it is; then the number of all items."""
    counts = lengths(array)
    ends = pc.cumulative_sum(pc.fill_null(counts, 0)).to_pylist()
    starts = [0, *ends[:-1]] if ends else []
    valid = array.is_valid().to_pylist()
    found = [start if known else None for start, known in zip(starts, valid, strict=True)]
    return pa.array([*found, ends[-1] if ends else 0], type_)


def lengths(array: pa.Array) -> pa.Array:
    """The number of items of each list or map, NULL where it is."""
    if not pt.is_map(array.type):
        return pc.list_value_length(array).cast(pa.int64())
    offsets = array.offsets.cast(pa.int64())
    counts = pc.subtract(offsets.slice(1), offsets.slice(0, len(array)))
    return pc.if_else(array.is_valid(), counts, None)


def entries(array: pa.Array) -> tuple[pa.Array, pa.Array]:
    """The keys and the items of all maps that are not NULL, one after the other."""
    maps = array.filter(array.is_valid())
    start, stop = maps.offsets[0].as_py(), maps.offsets[len(maps)].as_py()
    return maps.keys.slice(start, stop - start), maps.items.slice(start, stop - start)


def items(array: pa.Array) -> tuple[pa.Array]:
    """The items of all lists that are not NULL, one after the other."""
    return (array.flatten(),)


def is_list(type_: pa.DataType) -> bool:
    """Whether it is a list of any layout."""
    return bool(
        pt.is_list(type_)
        or pt.is_large_list(type_)
        or pt.is_fixed_size_list(type_)
        or pt.is_list_view(type_)
        or pt.is_large_list_view(type_)
    )


def holds_bits(type_: pa.DataType) -> bool:
    """Whether values that r2d2 takes for equal may have other bits: floats, entries of a map."""
    type_ = plain_type(type_)
    inside = (type_.field(place).type for place in range(type_.num_fields))
    return pt.is_floating(type_) or pt.is_map(type_) or any(map(holds_bits, inside))


def by_bits(rows: pa.RecordBatch) -> pa.RecordBatch:
    """The rows with whole numbers in the place of floats, and lists of entries in that of maps."""
    arrays = [_bits_inside(plain_array(array)) for array in rows.columns]
    return pa.RecordBatch.from_arrays(arrays, names=rows.schema.names)


def _bits_inside(array: pa.Array) -> pa.Array:
    type_ = array.type
    if not holds_bits(type_):
        return array
    if pt.is_floating(type_):
        return bits(array)
    if pt.is_struct(type_):
        names = [type_.field(place).name for place in range(type_.num_fields)]
        return pa.StructArray.from_arrays(
            [_bits_inside(part) for part in array.flatten()], names, mask=array.is_null()
        )
    if pt.is_map(type_):
        inside = pa.StructArray.from_arrays(map(_bits_inside, entries(array)), ["key", "value"])
    else:
        inside = _bits_inside(*items(array))
    counts = pc.fill_null(lengths(array), 0)
    offsets = np.append(0, np.cumsum(numbers(counts)))
    return pa.LargeListArray.from_arrays(
        array_of(offsets, pa.int64()), inside, mask=array.is_null()
    )


def bits(array: pa.Array) -> pa.Array:
    """The floats' bits as whole numbers of the same width."""
    return array.view(_BITS[array.type.bit_width])


def identical(one: pa.Array, other: pa.Array) -> bool:
    """Whether the arrays hold the same values, whatever their layout; floats by their bits."""
    type_ = one.type
    if (
        type_ == other.type == plain_type(type_)
        and not pt.is_nested(type_)
        and not holds_bits(type_)
    ):
        return bool(one.equals(other))
    one, other = _simple(one), _simple(other)
    if len(one) != len(other) or not one.is_null().equals(other.is_null()):
        return False
    if pt.is_null(one.type) or pt.is_null(other.type):
        return bool(one.null_count == len(one))
    if pt.is_struct(one.type) or pt.is_struct(other.type):
        return _same_structs(one, other)
    if pt.is_map(one.type) or pt.is_map(other.type):
        return bool(one.type.id == other.type.id and _same_items(one, other, entries))
    if is_list(one.type) or is_list(other.type):
        return is_list(one.type) and is_list(other.type) and _same_items(one, other, items)
    return _same_values(one, other)


def _same_structs(one: pa.Array, other: pa.Array) -> bool:
    names = [
        [type_.field(place).name for place in range(type_.num_fields)]
        if pt.is_struct(type_)
        else None
        for type_ in (one.type, other.type)
    ]
    same = names[0] == names[1] and all(map(identical, one.flatten(), other.flatten()))
    return bool(same)


def _same_items(one: pa.Array, other: pa.Array, parts: _Parts) -> bool:
    """Whether lists or maps have the same lengths and items."""
    same = lengths(one).equals(lengths(other))
    return bool(same and all(map(identical, parts(one), parts(other))))


def _same_values(one: pa.Array, other: pa.Array) -> bool:
    if pt.is_floating(one.type) and one.type == other.type:
        one, other = bits(one), bits(other)
    elif one.type != other.type:
        try:
            other = other.cast(one.type)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            return False
    return bool(pc.all(pc.equal(one, other)).as_py() is not False)


def _simple(array: pa.Array) -> pa.Array:
    """The array in the one layout of its kind in which it is compared."""
    array = plain_array(array)
    type_ = array.type
    text = pt.is_string(type_) or pt.is_string_view(type_) or pt.is_large_string(type_)
    bytes_ = pt.is_binary(type_) or pt.is_binary_view(type_) or pt.is_fixed_size_binary(type_)
    return array.cast(pa.large_binary()) if text or bytes_ else array
