"""What is in lists and maps, slices and NULLs allowed for: Arrow's own calls differ by kind."""

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt


def lengths(array: pa.Array) -> pa.Array:
    """How many items each list or map has, NULL where it is."""
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
