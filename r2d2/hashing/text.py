"""Strings and binary values: XXH3-128 (Collet), seeded by the column's key."""

from itertools import pairwise
from random import Random
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import xxhash

from r2d2.arrays import UInt64s, array_of
from r2d2.hashing.finaliser import ColumnKey, Lanes

if TYPE_CHECKING:
    import polars as pl

_T = pa.lib
_digest = xxhash.xxh3_128_digest
_FEW = 768  # values; up to here a call of polars costs more than a loop
_WORTHWHILE = 1 << 20  # values in all; fewer take less time in a loop than polars to import
_counted = [0]
_SAMPLE, _REPEATED = 256, 4  # a dictionary pays where each value occurs so often
_CHANCE = Random(20260401)
# One place in each equal part, no two the same; evenly spaced ones would meet no copy of a table.
_PLACES = np.array([(part + _CHANCE.random()) / _SAMPLE for part in range(_SAMPLE)])
_WIDE_OFFSETS = (_T.Type_LARGE_STRING, _T.Type_LARGE_BINARY)
_ENCODABLE = (_T.Type_STRING, _T.Type_BINARY, *_WIDE_OFFSETS)
VIEWS = (_T.Type_STRING_VIEW, _T.Type_BINARY_VIEW)
TEXT_TYPES = frozenset(
    (_T.Type_STRING, _T.Type_BINARY, _T.Type_FIXED_SIZE_BINARY, *_WIDE_OFFSETS, *VIEWS)
)


def text_lanes(array: pa.Array, key: ColumnKey) -> Lanes:
    """The hashes of the values' bytes; those of NULLs mean nothing."""
    array = _with_offsets(array)
    hashed = _many if len(array) > _FEW and _is_worth_polars(len(array)) else _few
    return hashed(array, key.first)


def repeats_itself(array: pa.Array) -> bool:
    """Whether a dictionary would pay: some values seem drawn from few, as by birthdays."""
    if len(array) <= _SAMPLE or array.type.id not in _ENCODABLE:
        return False
    rows = array_of((_PLACES * len(array)).astype(np.int64), pa.int64())
    shared = _SAMPLE - len(array.take(rows).unique())
    return 2 * shared * len(array) >= _SAMPLE * _SAMPLE * _REPEATED


def _is_worth_polars(values: int) -> bool:
    """Whether so many have been hashed that the import pays; both ways give the same hashes."""
    _counted[0] += values
    return _counted[0] > _WORTHWHILE


def _with_offsets(array: pa.Array) -> pa.Array:
    """The same values in a layout that has offsets."""
    type_id = array.type.id
    if type_id in VIEWS:
        wide = pa.large_string() if type_id == _T.Type_STRING_VIEW else pa.large_binary()
        return array.cast(wide)
    if type_id != _T.Type_FIXED_SIZE_BINARY:
        return array
    start, width = array.offset * array.type.byte_width, array.type.byte_width
    offsets = start + width * np.arange(len(array) + 1, dtype=np.int64)
    buffers = [None, pa.py_buffer(offsets), array.buffers()[1]]
    return pa.Array.from_buffers(pa.large_binary(), len(array), buffers, 0)


def _offset_type(array: pa.Array) -> type[np.signedinteger]:
    return np.int64 if array.type.id in _WIDE_OFFSETS else np.int32


def _few(array: pa.Array, seed: int) -> Lanes:
    _, starts, data = array.buffers()
    item = np.dtype(_offset_type(array))
    offsets = np.frombuffer(starts, item, len(array) + 1, array.offset * item.itemsize).tolist()
    origin = offsets[0]
    used = data.slice(origin, offsets[-1] - origin).to_pybytes() if data else b""
    if origin:
        offsets = [offset - origin for offset in offsets]
    digests = b"".join([_digest(used[start:stop], seed) for start, stop in pairwise(offsets)])
    pairs: UInt64s = np.frombuffer(digests, ">u8").astype(np.uint64).reshape(-1, 2)
    return Lanes(pairs[:, 1].copy(), pairs[:, 0].copy())


def _many(array: pa.Array, seed: int) -> Lanes:
    import polars as pl
    import polars_hash

    xxh3 = polars_hash.col("value").nchash.xxh3_128(seed=seed)
    hashed = _as_binary_series(array).to_frame("value").select(hash=xxh3)
    both = hashed.select(
        first=(pl.col("hash") & 0xFFFF_FFFF_FFFF_FFFF).cast(pl.UInt64),
        second=(pl.col("hash") // (1 << 64)).cast(pl.UInt64),
    )
    return Lanes(_words(both["first"]), _words(both["second"]))


def _as_binary_series(array: pa.Array) -> "pl.Series":
    """The bytes without validity: no NULL hash, and no text that polars would have to trust."""
    import polars as pl

    _, offsets, data = array.buffers()
    layout = pa.large_binary() if array.type.id in _WIDE_OFFSETS else pa.binary()
    buffers = [None, offsets, data if data is not None else pa.py_buffer(b"")]
    bare = pa.Array.from_buffers(layout, len(array), buffers, 0, array.offset)
    return pl.Series(values=bare)


def _words(series: "pl.Series") -> UInt64s:
    """The series as a writable array; polars may go through float64 where it has no other way."""
    words: UInt64s = series.to_numpy(writable=True)
    if words.dtype != np.uint64:
        raise TypeError(f"polars gave hashes as {words.dtype}, not as uint64")
    return words
