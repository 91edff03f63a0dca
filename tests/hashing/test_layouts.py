"""One value has one hash, in whatever layout, slice or chunk an array holds it."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from r2d2.hashing.rows import row_hashes
from r2d2.model import Column, Types
from tests.support.hashing.hashing import hashes, pairs

WORDS = ["", "a", None, "long enough for a view's own buffer", "é", "\0"] * 3
BYTES = [None if word is None else word.encode() for word in WORDS]
NUMBERS = [Decimal("-1.25"), None, Decimal("0.00"), Decimal("9999.99")]

LAYOUTS: dict[str, tuple[list[Any], str, list[pa.DataType]]] = {
    "string": (
        WORDS,
        "string",
        [
            pa.string(),
            pa.large_string(),
            pa.string_view(),
            pa.dictionary(pa.int8(), pa.string()),
            pa.dictionary(pa.uint32(), pa.large_string()),
        ],
    ),
    "binary": (
        BYTES,
        "binary",
        [pa.binary(), pa.large_binary(), pa.binary_view(), pa.dictionary(pa.int64(), pa.binary())],
    ),
    "fixed binary": ([b"abc", None, b"\0\0\0"], "binary", [pa.binary(), pa.binary(3)]),
    "decimal": (
        NUMBERS,
        "decimal(6,2)",
        [kind(6, 2) for kind in (pa.decimal32, pa.decimal64, pa.decimal128, pa.decimal256)],
    ),
    "wide decimal": (
        [Decimal(10**30), Decimal(-(10**30)), Decimal(2**63), Decimal(-(2**63)), None],
        "decimal(38,0)",
        [pa.decimal128(38, 0), pa.decimal256(38, 0)],
    ),
    "date": ([1, None, -1], "date", [pa.date32(), pa.date64()]),
    "list": (
        [[1, None], None, [], [2]],
        "list<int64>",
        [
            pa.list_(pa.int64()),
            pa.large_list(pa.int64()),
            pa.list_view(pa.int64()),
            pa.large_list_view(pa.int64()),
        ],
    ),
    "fixed list": (
        [[1, 2], None, [3, None]],
        "list<int64>",
        [pa.list_(pa.int64()), pa.list_(pa.int64(), 2)],
    ),
}


def in_layout(values: list[Any], type_: pa.DataType) -> pa.Array:
    """The values in the layout; whole days for dates of either width."""
    if type_ == pa.date64():
        return pa.array([None if v is None else v * 86_400_000 for v in values], type_)
    return pa.array(values, type_)


@pytest.mark.parametrize("types", Types)
@pytest.mark.parametrize("name", LAYOUTS)
def test_all_layouts_of_a_type_hash_alike(name: str, types: Types) -> None:
    values, type_, layouts = LAYOUTS[name]
    first, *others = [hashes(in_layout(values, layout), type_, types) for layout in layouts]
    assert all(other == first for other in others)
    assert len(set(first)) == len(set(map(str, values)))


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_slice_hashes_as_a_copy_of_it(name: str) -> None:
    values, type_, layouts = LAYOUTS[name]
    for layout in layouts:
        array = in_layout(values * 5, layout)
        for start, stop in ((0, 3), (1, 2), (3, 13), (9, 10)):
            expected = hashes(in_layout((values * 5)[start:stop], layout), type_)
            assert hashes(array.slice(start, stop - start), type_) == expected


@pytest.mark.parametrize("limit", [700, 900])
def test_a_slice_of_many_rows_hashes_as_a_part_of_the_whole(limit: int) -> None:
    numbers = list(range(limit))
    batch = pa.record_batch(
        {
            "text": [str(n) if n % 7 else None for n in numbers],
            "list": [[n] * (n % 4) for n in numbers],
            "struct": [{"a": {"b": n % 5}} if n % 3 else None for n in numbers],
            "bool": [n % 3 == 0 if n % 5 else None for n in numbers],
        }
    )
    columns = [
        Column("text", "string", ("text",)),
        Column("list", "list<int64>", ("list",)),
        Column("struct.a.b", "int64", ("struct", "a", "b")),
        Column("bool", "bool", ("bool",)),
    ]
    (whole,) = row_hashes(batch, [columns], Types.STRICT)
    for start, length in ((3, 11), (333, 350), (limit - 9, 9)):
        (part,) = row_hashes(batch.slice(start, length), [columns], Types.STRICT)
        assert pairs(part) == pairs(whole)[start : start + length]


def test_run_ends_hash_as_the_values_they_stand_for() -> None:
    plain = pa.array(["a", "a", "a", None, "b", "b"])
    encoded = pa.RunEndEncodedArray.from_arrays([3, 4, 6], pa.array(["a", None, "b"]))
    assert hashes(encoded, "string") == hashes(plain, "string")
    assert hashes(encoded.slice(2, 3), "string") == hashes(plain, "string")[2:5]


def test_an_extension_type_hashes_as_its_storage() -> None:
    storage = pa.array([b"0123456789abcdef", None], pa.binary(16))
    assert hashes(pa.ExtensionArray.from_storage(pa.uuid(), storage), "binary") == hashes(
        storage, "binary"
    )


def test_a_dictionary_larger_than_the_array_hashes_as_its_values() -> None:
    values = pa.array([str(n) for n in range(2_000)] + [None])
    indices = pa.array([5, None, 2_000, 5], pa.int16())
    array = pa.DictionaryArray.from_arrays(indices, values)
    assert hashes(array, "string") == hashes(pa.array(["5", None, None, "5"]), "string")


def test_a_dictionary_may_hold_a_value_twice_and_null() -> None:
    indices = pa.array([0, 1, 2, None, 2, 1, 0], pa.int8())
    array = pa.DictionaryArray.from_arrays(indices, pa.array([7, 7, None], pa.int32()))
    assert hashes(array, "int32") == hashes(
        pa.array([7, 7, None, None, None, 7, 7], pa.int32()), "int32"
    )


def test_a_dictionary_without_values_is_all_null() -> None:
    array = pa.DictionaryArray.from_arrays(pa.array([None, None], pa.int8()), pa.array([], "str"))
    assert hashes(array, "string") == hashes(pa.nulls(2, pa.string()), "string")


def under_nulls(type_: pa.DataType, width: int) -> Callable[[bytes], pa.Array]:
    """How to build two NULLs over the given garbage."""
    validity = pa.py_buffer(b"\0")
    return lambda garbage: pa.Array.from_buffers(
        type_, 2, [validity, pa.py_buffer(garbage * 2 * width)]
    )


@pytest.mark.parametrize("types", Types)
@pytest.mark.parametrize(
    ("type_", "name"),
    [
        (pa.int32(), "int32"),
        (pa.uint64(), "uint64"),
        (pa.float16(), "float16"),
        (pa.float64(), "float64"),
        (pa.bool_(), "bool"),
        (pa.date64(), "date"),
        (pa.timestamp("s"), "timestamp"),
        (pa.timestamp("ns"), "timestamp"),
        (pa.decimal64(15, 2), "decimal(15,2)"),
        (pa.decimal128(15, 2), "decimal(15,2)"),
        (pa.decimal256(40, 2), "decimal(40,2)"),
        (pa.binary(4), "binary"),
    ],
)
def test_what_lies_under_a_null_never_leaks(type_: pa.DataType, name: str, types: Types) -> None:
    build = under_nulls(type_, max(1, type_.bit_width // 8))
    expected = hashes(pa.nulls(2, type_), name, types)
    for garbage in (b"\0", b"\x7f", b"\xff", b"\x55"):
        assert hashes(build(garbage), name, types) == expected


def test_an_index_under_a_null_may_point_anywhere() -> None:
    indices = pa.Array.from_buffers(
        pa.int32(), 2, [pa.py_buffer(b"\x01"), pa.py_buffer(np.array([1, 2**30], np.int32))]
    )
    array = pa.DictionaryArray.from_arrays(indices, pa.array(["a", "b"]), safe=False)
    assert hashes(array, "string") == hashes(pa.array(["b", None]), "string")


def test_items_under_a_null_list_never_leak() -> None:
    offsets, items = pa.array([0, 2, 3], pa.int32()), pa.array([1, 2, 3])
    mask = pa.array([True, False])
    array = pa.ListArray.from_arrays(offsets, items, mask=mask)
    assert hashes(array, "list<int64>") == hashes(pa.array([None, [3]]), "list<int64>")


def test_list_views_may_share_items_and_lie_in_any_order() -> None:
    offsets, sizes = pa.array([3, 0, 1], pa.int32()), pa.array([2, 4, 0], pa.int32())
    array = pa.ListViewArray.from_arrays(offsets, sizes, pa.array([1, 2, 3, 4, 5]))
    plain = pa.array([[4, 5], [1, 2, 3, 4], []])
    assert hashes(array, "list<int64>") == hashes(plain, "list<int64>")
    assert hashes(array.slice(1), "list<int64>") == hashes(plain.slice(1), "list<int64>")


def test_items_under_a_null_list_view_never_leak() -> None:
    offsets, sizes = pa.array([0, 1], pa.int32()), pa.array([2, 1], pa.int32())
    mask = pa.array([True, False])
    array = pa.ListViewArray.from_arrays(offsets, sizes, pa.array([1, 2]), mask=mask)
    assert hashes(array, "list<int64>") == hashes(pa.array([None, [2]]), "list<int64>")


def test_nested_values_beyond_a_block_hash_as_those_within() -> None:
    rows = 70_000
    values = [[n, None] if n % 3 else [] for n in range(rows)]
    array = pa.array(values, pa.list_(pa.int64()))
    whole = hashes(array, "list<int64>")
    assert whole[-5:] == hashes(pa.array(values[-5:], array.type), "list<int64>")
    assert len(set(whole)) == len({str(value) for value in values})
