"""Each row of "Row identity" in the semantics, on the kernels alone."""

import struct
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from r2d2.errors import IneligibleTableError
from r2d2.formats.schema import flatten
from r2d2.hashing.rows import hash_leaf, row_hashes
from r2d2.model import Column, Types
from tests.support.hashing.hashing import Hash, hash_of, hashes, pairs


def rows(columns: Mapping[str, pa.Array], types: Types = Types.STRICT) -> list[Hash]:
    """The hashes of whole rows."""
    batch = pa.record_batch(dict(columns))
    (lanes,) = row_hashes(batch, [flatten(batch.schema)], types)
    return pairs(lanes)


def leaf(values: list[Any], type_: pa.DataType, path: tuple[str, ...], name: str) -> list[Hash]:
    """The hashes of a field of structs."""
    batch = pa.RecordBatch.from_arrays([pa.array(values, type_)], [path[0]])
    return pairs(hash_leaf(batch, Column(name, "int64", path), Types.STRICT))


def test_a_null_in_one_column_is_not_a_null_in_another() -> None:
    one, other = rows({"a": pa.array([None, "a"]), "b": pa.array(["a", None])})
    assert one != other


def test_null_an_empty_list_and_a_list_of_null_are_three_values() -> None:
    array = pa.array([None, [], [None], [None, None]], pa.list_(pa.int64()))
    assert len(set(hashes(array, "list<int64>"))) == 4


def test_null_an_empty_map_and_a_null_in_a_map_are_three_values() -> None:
    array = pa.array([None, [], [("k", None)]], pa.map_(pa.string(), pa.int64()))
    assert len(set(hashes(array, "map<string,int64>"))) == 3


def test_a_null_struct_is_not_a_struct_of_nulls() -> None:
    type_ = pa.struct({"b": pa.struct({"c": pa.int64()})})
    values = [None, {"b": None}, {"b": {"c": None}}, {"b": {"c": 0}}]
    assert len(set(leaf(values, type_, ("a", "b", "c"), "a.b.c"))) == 4


def test_what_lies_under_a_null_struct_never_shows() -> None:
    inner = pa.StructArray.from_arrays(
        [pa.array([1, 1, 1, None])], ["c"], mask=pa.array([False, True, False, False])
    )
    outer = pa.StructArray.from_arrays([inner], ["b"], mask=pa.array([True, True, False, True]))
    batch = pa.RecordBatch.from_arrays([outer], ["a"])
    column = Column("a.b.c", "int64", ("a", "b", "c"))
    null, also_null, one, still_null = pairs(hash_leaf(batch, column, Types.STRICT))
    assert null == also_null == still_null != one


def test_a_null_struct_in_a_list_is_not_a_struct_of_nulls() -> None:
    array = pa.array([[None], [{"a": None}]], pa.list_(pa.struct({"a": pa.int64()})))
    assert len(set(hashes(array, "list<struct<a:int64>>"))) == 2


def test_a_null_of_a_struct_is_the_same_whatever_other_fields_it_has() -> None:
    narrow = leaf([None, {"b": None}], pa.struct({"b": pa.int64()}), ("a", "b"), "a.b")
    wide = pa.struct({"x": pa.string(), "b": pa.int64()})
    assert leaf([None, {"x": "y", "b": None}], wide, ("a", "b"), "a.b") == narrow


def test_items_do_not_wander_from_one_list_to_the_next() -> None:
    type_ = pa.list_(pa.int64())
    one, other = rows({"a": pa.array([[1, 2], [1]], type_), "b": pa.array([[3], [2, 3]], type_)})
    assert one != other


def test_items_do_not_wander_between_the_lists_of_a_list() -> None:
    array = pa.array([[[1, 2], [3]], [[1], [2, 3]], [[1, 2, 3]], [[], [1, 2, 3]]])
    assert len(set(hashes(array, "list<list<int64>>"))) == 4


def test_the_order_of_a_list_is_part_of_its_value() -> None:
    one, other = hashes(pa.array([[1, 2], [2, 1]]), "list<int64>")
    assert all(a != b for a, b in zip(one, other, strict=True)), "a lane does not tell"


def test_bytes_do_not_wander_between_strings() -> None:
    one, other = rows({"a": pa.array(["ab", "a"]), "b": pa.array(["c", "bc"])})
    assert one != other


def test_types_whose_bits_are_alike_are_apart() -> None:
    ones = [
        hash_of(1, pa.int64(), "int64"),
        hash_of(1, pa.int8(), "int8"),
        hash_of(1, pa.uint64(), "uint64"),
        hash_of(True, pa.bool_(), "bool"),
        hash_of(1, pa.date32(), "date"),
        hash_of(1, pa.timestamp("us"), "timestamp"),
        hash_of(1, pa.timestamp("us", "UTC"), "timestamptz"),
        hash_of(1, pa.duration("us"), "duration"),
        hash_of(1, pa.time64("us"), "time"),
    ]
    assert len(set(ones)) == len(ones)


def test_text_is_not_the_bytes_that_encode_it() -> None:
    assert hash_of("a", pa.string(), "string") != hash_of(b"a", pa.binary(), "binary")


def test_a_decimal_is_not_its_unscaled_integer() -> None:
    for types in Types:
        decimal = hash_of(Decimal("1.00"), pa.decimal128(5, 2), "decimal(5,2)", types)
        assert decimal != hash_of(100, pa.int64(), "int64", types)


def test_decimals_of_two_scales_are_equal_when_widened_and_apart_when_strict() -> None:
    for types in Types:
        one = hash_of(Decimal("1.10"), pa.decimal128(5, 2), "decimal(5,2)", types)
        other = hash_of(Decimal("1.1"), pa.decimal128(5, 1), "decimal(5,1)", types)
        assert (one == other) is (types is Types.WIDENED)


@pytest.mark.parametrize("types", Types)
@pytest.mark.parametrize("type_", [pa.float16(), pa.float32(), pa.float64()])
def test_minus_zero_is_zero_and_all_nans_are_one(types: Types, type_: pa.DataType) -> None:
    width = type_.bit_width // 8
    sign, infinity = 1 << (8 * width - 1), {2: 0x7C00, 4: 0x7F80 << 16, 8: 0x7FF0 << 48}[width]
    bits = [0, sign, infinity + 1, infinity + 2, sign + infinity + 1, 2 * sign - 1, infinity]
    data = b"".join(struct.pack("<" + {2: "H", 4: "I", 8: "Q"}[width], word) for word in bits)
    array = pa.Array.from_buffers(type_, len(bits), [None, pa.py_buffer(data)])
    zero, minus_zero, *nans, infinite = hashes(array, f"float{8 * width}", types)
    assert zero == minus_zero
    assert len(set(nans)) == 1
    assert len({zero, nans[0], infinite}) == 3


def test_a_long_beyond_53_bits_is_no_double_even_when_widened() -> None:
    long = hash_of(2**53 + 1, pa.int64(), "int64", Types.WIDENED)
    assert long != hash_of(float(2**53), pa.float64(), "float64", Types.WIDENED)
    assert long != hash_of(float(2**53 + 2), pa.float64(), "float64", Types.WIDENED)


@pytest.mark.parametrize("types", Types)
def test_text_numbers_dates_and_timestamps_are_never_cast(types: Types) -> None:
    values = [
        hash_of("1", pa.string(), "string", types),
        hash_of(1, pa.int64(), "int64", types),
        hash_of(True, pa.bool_(), "bool", types),
        hash_of(1, pa.date32(), "date", types),
        hash_of(86_400, pa.timestamp("s"), "timestamp", types),
        hash_of(86_400, pa.timestamp("s", "UTC"), "timestamptz", types),
    ]
    assert len(set(values)) == len(values)


def test_maps_are_equal_in_any_order_of_their_entries() -> None:
    type_ = pa.map_(pa.string(), pa.int64())
    entries = [[("a", 1), ("b", 2)], [("b", 2), ("a", 1)], [("a", 2), ("b", 1)], [("a", 1)]]
    one, same, swapped, shorter = hashes(pa.array(entries, type_), "map<string,int64>")
    assert one == same
    assert len({one, swapped, shorter}) == 3


def test_calendar_intervals_have_no_identity() -> None:
    array = pa.array([(1, 2, 3)], pa.month_day_nano_interval())
    with pytest.raises(IneligibleTableError, match="no row identity"):
        hashes(array, "interval")


def test_trailing_spaces_are_part_of_a_text() -> None:
    assert len(set(hashes(pa.array(["a", "a ", "a\0"]), "string"))) == 3


def test_columns_are_told_by_name_and_not_by_place() -> None:
    one = rows({"a": pa.array([1]), "b": pa.array([2])})
    assert one == rows({"b": pa.array([2]), "a": pa.array([1])})
    assert one != rows({"a": pa.array([2]), "b": pa.array([1])})


def test_equal_values_in_two_columns_do_not_cancel() -> None:
    array = pa.array([1, 2, None])
    assert len(set(rows({"a": array, "b": array}))) == 3


def test_a_struct_in_a_list_is_told_by_its_fields_names_in_any_case_and_order() -> None:
    one = pa.array([[{"a": 1, "b": 2}]], pa.list_(pa.struct({"a": pa.int64(), "b": pa.int64()})))
    other = pa.array([[{"B": 2, "A": 1}]], pa.list_(pa.struct({"B": pa.int64(), "A": pa.int64()})))
    swapped = pa.array([[{"a": 2, "b": 1}]], one.type)
    type_ = "list<struct<a:int64,b:int64>>"
    assert hashes(one, type_) == hashes(other, type_) != hashes(swapped, type_)


def test_a_struct_with_one_name_twice_has_no_identity() -> None:
    type_ = pa.list_(pa.struct([("a", pa.int64()), ("A", pa.int64())]))
    with pytest.raises(IneligibleTableError, match="two fields of one name"):
        hashes(pa.array([[(1, 2)]], type_), "list<struct<a:int64,a:int64>>")
