"""Values as fastavro decoded them, one column's at a time, into Arrow arrays."""

from collections.abc import Sequence
from itertools import accumulate, chain
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from r2d2.lake.avro_types import Type


def array_of(values: Sequence[Any], type_: Type) -> pa.Array:
    """The values as an array of the type's Arrow type.

    Raises:
        ValueError: a value is not one of the type's (pa.ArrowInvalid is one, too).
        OverflowError, IndexError: a number or an enum's index is out of range.
    """
    if type_.symbols:
        indices = pa.array(values, pa.int32())
        return pc.take(pa.array(type_.symbols, pa.string()), indices)
    if pa.types.is_struct(type_.arrow):
        return _structs(values, type_)
    if pa.types.is_map(type_.arrow):
        keys, items = type_.parts
        entries = list(chain.from_iterable(filter(None, values)))
        return pa.MapArray.from_arrays(
            _offsets(values),
            array_of([entry["f0"] for entry in entries], keys),
            array_of([entry["f1"] for entry in entries], items),
        )
    if pa.types.is_list(type_.arrow):
        (items,) = type_.parts
        flat = array_of(list(chain.from_iterable(filter(None, values))), items)
        return pa.ListArray.from_arrays(_offsets(values), flat)
    if pa.types.is_decimal(type_.arrow):
        return _decimals(values, type_.arrow)
    array = pa.array(values, type_.arrow)
    if pa.types.is_time(type_.arrow):
        array.validate(full=True)
    return array


def _structs(values: Sequence[Any], type_: Type) -> pa.Array:
    if not type_.parts:
        return pa.array(values, type_.arrow)
    absent = pa.array([value is None for value in values], pa.bool_())
    parts = [
        array_of([None if value is None else value[f"f{place}"] for value in values], part)
        for place, part in enumerate(type_.parts)
    ]
    return pa.StructArray.from_arrays(parts, fields=list(type_.arrow), mask=absent)


def _offsets(values: Sequence[Any]) -> pa.Array:
    """Where each list begins, and where the last ends; NULL where a list is."""
    ends = accumulate((len(value or ()) for value in values), initial=0)
    begins: list[int | None] = list(ends)
    for place, value in enumerate(values):
        if value is None:
            begins[place] = None
    return pa.array(begins, pa.int32())


def _decimals(values: Sequence[bytes | None], type_: pa.DataType) -> pa.Array:
    width, most = type_.bit_width // 8, 10**type_.precision
    words = []
    for value in values:
        unscaled = int.from_bytes(value or b"", "big", signed=True)
        if abs(unscaled) >= most:
            raise ValueError(f"a decimal has more than {type_.precision} digits")
        words.append(unscaled.to_bytes(width, "little", signed=True))
    valid = pa.array([value is not None for value in values], pa.bool_())
    buffers = [valid.buffers()[1], pa.py_buffer(b"".join(words))]
    return pa.Array.from_buffers(type_, len(values), buffers)
