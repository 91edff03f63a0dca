"""Arrow arrays as NumPy sees them: validity, values and offsets, with slices already applied."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import DTypeLike, NDArray

Bools = NDArray[np.bool_]
Int32s = NDArray[np.int32]
Int64s = NDArray[np.int64]
UInt64s = NDArray[np.uint64]
Float64s = NDArray[np.float64]
Positions = NDArray[np.intp]

_MOST_TEXT_BYTES = 2**31 - 1
_RUN_END_ENCODED = pa.lib.Type_RUN_END_ENCODED


def plain(array: pa.Array) -> pa.Array:
    """The array without extension types and run-end encoding, which say nothing of its values."""
    while isinstance(array, pa.ExtensionArray) or array.type.id == _RUN_END_ENCODED:
        array = array.storage if isinstance(array, pa.ExtensionArray) else _decoded(array)
    return array


def _decoded(array: pa.Array) -> pa.Array:
    import pyarrow.compute

    return pyarrow.compute.run_end_decode(array)


def null_mask(array: pa.Array) -> NDArray[np.bool_] | None:
    """The rows that are NULL by the array's own bitmap; None where none is."""
    if array.null_count == 0:
        return None
    bitmap = array.buffers()[0]
    if bitmap is None:
        return np.ones(len(array), np.bool_)
    invalid: NDArray[np.bool_] = bits(bitmap, array.offset, len(array)) == 0
    return invalid


def bits(bitmap: pa.Buffer, offset: int, rows: int) -> NDArray[np.uint8]:
    """The bits of an Arrow bitmap as 0 and 1."""
    skipped = offset % 8
    packed = np.frombuffer(bitmap, np.uint8, (skipped + rows + 7) // 8, offset // 8)
    return np.unpackbits(packed, count=skipped + rows, bitorder="little")[skipped:]


def fixed_values(array: pa.Array, dtype: DTypeLike, words: int = 1) -> NDArray[Any]:
    """The values buffer of a fixed-width array, `words` items of the dtype a row; no copy."""
    item = np.dtype(dtype)
    start = array.offset * words * item.itemsize
    return np.frombuffer(array.buffers()[1], item, len(array) * words, start)


def array_of(values: NDArray[Any], type_: pa.DataType) -> pa.Array:
    """An array of a fixed-width type over the values, none NULL; no copy, but of truths as bits.

    `pa.array` and `to_numpy` import pandas first, which takes longer than a small lake.
    """
    data = np.packbits(values, bitorder="little") if pa.types.is_boolean(type_) else values
    contiguous = np.ascontiguousarray(data)
    return pa.Array.from_buffers(type_, len(values), [None, pa.py_buffer(contiguous)])


def texts(values: Sequence[str | None]) -> pa.Array:
    """The texts, as `pa.array` gives them without importing pandas.

    Raises:
        UnicodeEncodeError: one has half of a pair of surrogates.
    """
    encoded = [b"" if value is None else value.encode() for value in values]
    ends = np.cumsum([0, *map(len, encoded)])
    if ends[-1] > _MOST_TEXT_BYTES:
        raise pa.ArrowCapacityError(f"{ends[-1]} bytes of text are too many for one array")
    absent = np.fromiter((value is None for value in values), np.bool_, len(values))
    valid = pa.py_buffer(np.packbits(~absent, bitorder="little")) if absent.any() else None
    offsets, data = pa.py_buffer(ends.astype(np.int32)), pa.py_buffer(b"".join(encoded))
    return pa.Array.from_buffers(pa.string(), len(values), [valid, offsets, data])


def text_scalar(text: str) -> pa.Scalar:
    """The text, as `pa.scalar` gives it without importing pandas."""
    return texts([text])[0]


def null_scalar(type_: pa.DataType) -> pa.Scalar:
    """NULL of the type, as `pa.scalar` gives it without importing pandas."""
    return pa.nulls(1, type_)[0]


def numbers(array: pa.Array) -> NDArray[Any]:
    """The values of truths, numbers, dates or instants; what lies under a NULL means nothing."""
    if pa.types.is_boolean(array.type):
        return bits(array.buffers()[1], array.offset, len(array)).view(np.bool_)
    return fixed_values(array, dtype_of(array.type))


def dtype_of(type_: pa.DataType) -> np.dtype[Any]:
    """The dtype of truths, numbers, dates or instants in NumPy: the last two as whole ticks."""
    if pa.types.is_temporal(type_):
        return np.dtype(f"i{type_.bit_width // 8}")
    dtype: np.dtype[Any] = np.dtype(type_.to_pandas_dtype())
    return dtype


def list_offsets(array: pa.Array, dtype: DTypeLike) -> NDArray[np.int64]:
    """The start of each row's items, and at last the end of all items; one more than rows."""
    item = np.dtype(dtype)
    start = array.offset * item.itemsize
    return np.frombuffer(array.buffers()[1], item, len(array) + 1, start).astype(np.int64)


def list_sizes(array: pa.Array, dtype: DTypeLike) -> NDArray[np.int64]:
    """The number of items in each row of a list view, 0 where it is NULL."""
    item = np.dtype(dtype)
    sizes = np.frombuffer(array.buffers()[2], item, len(array), array.offset * item.itemsize)
    mask = null_mask(array)
    return sizes.astype(np.int64) if mask is None else np.where(mask, 0, sizes).astype(np.int64)


def decimals_of(array: pa.Array, type_: pa.DataType) -> pa.Array:
    """Decimals of 128 bits, of which the array has at most eight bytes each, greatest first."""
    rows, width = len(array), array.type.byte_width
    padded = np.zeros((rows, 8), np.uint8)
    padded[:, :width] = fixed_values(array, np.uint8, width).reshape(rows, width)
    words = np.empty((rows, 2), np.int64)
    np.right_shift(padded.view(">i8").reshape(rows), 64 - 8 * width, out=words[:, 0])
    np.right_shift(words[:, 0], 63, out=words[:, 1])
    mask = null_mask(array)
    valid = None if mask is None else pa.py_buffer(np.packbits(~mask, bitorder="little"))
    return pa.Array.from_buffers(type_, rows, [valid, pa.py_buffer(words)])
