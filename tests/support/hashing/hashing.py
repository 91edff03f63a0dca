"""Helpers of the kernel tests: hashes of single columns as Python sets and tuples can hold them."""

from collections.abc import Iterable

import numpy as np
import pyarrow as pa

from r2d2.hashing.finaliser import Lanes
from r2d2.hashing.rows import hash_leaf
from r2d2.model import Column, Types

Hash = tuple[int, int]


def pairs(lanes: Lanes) -> list[Hash]:
    """The hashes as pairs of integers."""
    assert lanes.first.dtype == lanes.second.dtype == np.uint64
    assert lanes.first.flags.c_contiguous
    assert lanes.second.flags.c_contiguous
    return list(zip(lanes.first.tolist(), lanes.second.tolist(), strict=True))


def lanes_of(hashes: Iterable[Hash]) -> Lanes:
    """The pairs of integers as hashes."""
    array = np.array(list(hashes), np.uint64).reshape(-1, 2)
    return Lanes(array[:, 0].copy(), array[:, 1].copy())


def hashes(array: pa.Array, type_: str, types: Types = Types.STRICT, name: str = "c") -> list[Hash]:
    """The hashes of a column whose strict logical type is given."""
    batch = pa.RecordBatch.from_arrays([array], ["c"])
    return pairs(hash_leaf(batch, Column(name, type_, ("c",)), types))


def hash_of(value: object, arrow: pa.DataType, type_: str, types: Types = Types.STRICT) -> Hash:
    """The hash of one value."""
    (only,) = hashes(pa.array([value], arrow), type_, types)
    return only
