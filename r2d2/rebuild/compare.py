"""Whether two tables are one: the same columns in the same order, the same rows as often.

Rows are brought side by side by their hashes, and then every value is compared, floats by their
bits: two rows that share a hash and differ make the tables differ here.
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from r2d2.kernels.arrays import plain
from r2d2.lake.schema import flatten
from r2d2.model import Types
from r2d2.rebuild.rows import hashed

_BITS = {16: pa.uint16(), 32: pa.uint32(), 64: pa.uint64()}


def difference(child: Sequence[pa.RecordBatch], made: Sequence[pa.RecordBatch]) -> str | None:
    """What tells the rebuilt rows from the child's, None where nothing does."""
    rows, made_rows = (sum(batch.num_rows for batch in some) for some in (child, made))
    if rows != made_rows:
        return f"it has {made_rows} rows instead of {rows}"
    if not rows:
        return None
    columns, made_columns = flatten(child[0].schema), flatten(made[0].schema)
    if [(c.name, c.type) for c in columns] != [(c.name, c.type) for c in made_columns]:
        return "its columns have other names, types or places"
    own, other = (_in_order(some) for some in (child, made))
    for name in own.schema.names:
        if not identical(own.column(name), other.column(name)):
            return f"values of {name} differ"
    return None


def _in_order(batches: Sequence[pa.RecordBatch]) -> pa.RecordBatch:
    (lanes,) = hashed(batches, [flatten(batches[0].schema)], Types.STRICT)
    order = np.lexsort((lanes.second, lanes.first))
    return pa.concat_batches(batches).take(pa.array(order))


def identical(one: pa.Array, other: pa.Array) -> bool:
    """Whether the arrays hold the same values, whatever their layout; floats by their bits."""
    one, other = _simple(one), _simple(other)
    if len(one) != len(other) or not one.is_null().equals(other.is_null()):
        return False
    if pt.is_struct(one.type):
        return one.type.names == other.type.names and all(
            map(identical, one.flatten(), other.flatten())
        )
    if pt.is_map(one.type):
        return _same_lengths(one, other) and all(
            identical(*(getattr(array.filter(array.is_valid()), part) for array in (one, other)))
            for part in ("keys", "items")
        )
    if pt.is_list(one.type) or pt.is_large_list(one.type):
        return _same_lengths(one, other) and identical(one.flatten(), other.flatten())
    if pt.is_floating(one.type) and one.type == other.type:
        bits = _BITS[one.type.bit_width]
        one, other = one.view(bits), other.view(bits)
    elif one.type != other.type:
        other = other.cast(one.type)
    return bool(pc.all(pc.equal(one, other)).as_py() is not False)


def _same_lengths(one: pa.Array, other: pa.Array) -> bool:
    return bool(
        pc.list_value_length(one).cast("int64").equals(pc.list_value_length(other).cast("int64"))
    )


def _simple(array: pa.Array) -> pa.Array:
    """The array in the one layout of its kind in which it is compared."""
    array = plain(array)
    type_ = array.type
    if pt.is_dictionary(type_):
        return _simple(array.dictionary_decode())
    if pt.is_string(type_) or pt.is_string_view(type_) or pt.is_large_string(type_):
        return array.cast(pa.large_binary())
    if pt.is_binary(type_) or pt.is_binary_view(type_) or pt.is_fixed_size_binary(type_):
        return array.cast(pa.large_binary())
    if pt.is_fixed_size_list(type_) or pt.is_list_view(type_) or pt.is_large_list_view(type_):
        return array.cast(pa.list_(type_.value_type))
    return array
