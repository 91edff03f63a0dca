"""Two tables are equal where every value is, floats by their bits, whatever their layout."""

import struct
from decimal import Decimal

import pyarrow as pa
import pytest

from r2d2.formats.uniform import identical
from tests.support.recipes.differences import difference

LISTS = pa.list_(pa.int32())


def batches(**columns: pa.Array) -> list[pa.RecordBatch]:
    return [pa.record_batch(columns)]


def nan(payload: int) -> float:
    (value,) = struct.unpack("<d", struct.pack("<Q", 0x7FF8000000000000 | payload))
    return float(value)


OWN = batches(id=pa.array([1, 2, 2]), t=pa.array(["a", None, None]))


def test_rows_in_another_order_and_other_batches_are_the_same() -> None:
    whole = OWN[0].take([2, 0, 1])
    assert difference(OWN, [whole.slice(0, 1), whole.slice(1, 0), whole.slice(1)]) is None


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (batches(id=pa.array([1, 2, 2]), t=pa.array(["b", None, None])), "values of t differ"),
        (batches(id=pa.array([1, 1, 2]), t=pa.array(["a", "a", None])), "values of id differ"),
        (batches(id=pa.array([1, 2]), t=pa.array(["a", None])), "2 rows instead of 3"),
        ([OWN[0].select(["t", "id"])], "other names, types or places"),
        ([OWN[0].rename_columns(["id", "T"])], "other names, types or places"),
        (batches(id=pa.array([1, 2, 2], pa.int32()), t=OWN[0]["t"]), "other names, types"),
        (batches(id=OWN[0]["id"], t=pa.array([b"a", None, None])), "other names, types"),
    ],
)
def test_each_difference_is_named(made: list[pa.RecordBatch], expected: str) -> None:
    found = difference(OWN, made)
    assert found is not None
    assert expected in found


def test_two_tables_without_rows_are_the_same_and_one_is_not() -> None:
    assert difference([], [OWN[0].slice(0, 0)]) is None
    assert difference([], OWN) == "it has 3 rows instead of 0"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(pa.array([0.0]), pa.array([-0.0]), id="the sign of zero"),
        pytest.param(pa.array([nan(1)]), pa.array([nan(2)]), id="a NaN's payload"),
        pytest.param(pa.array([0.0, None]), pa.array([0.0, 0.0]), id="NULL and zero"),
        pytest.param(pa.array([""]), pa.array([None], pa.string()), id="NULL and no text"),
        pytest.param(pa.array([[]], LISTS), pa.array([None], LISTS), id="NULL and no items"),
        pytest.param(pa.array([[None]], LISTS), pa.array([[]], LISTS), id="one NULL and none"),
        pytest.param(pa.array([[1], [2, 3]]), pa.array([[1, 2], [3]]), id="items elsewhere"),
        pytest.param(pa.array([[1, 2]]), pa.array([[2, 1]]), id="the order of items"),
        pytest.param(pa.array([[0.0]]), pa.array([[-0.0]]), id="the sign of zero in a list"),
        pytest.param(pa.array([{"a": None}]), pa.array([None, {"a": 1}])[:1], id="NULL structs"),
        pytest.param(pa.array([{"a": 1}]), pa.array([{"b": 1}]), id="names of fields"),
        pytest.param(pa.array([1]), pa.array([2]), id="numbers"),
        pytest.param(pa.array(["a"]), pa.array(["A"]), id="case"),
        pytest.param(pa.array(["é"]), pa.array(["e\u0301"]), id="normal forms"),
        pytest.param(pa.array([1]), pa.array([[1]]), id="a number and a list"),
        pytest.param(pa.nulls(1), pa.array([1]), id="NULL and a number"),
        pytest.param(
            pa.array([1], pa.timestamp("ns")), pa.array([0], pa.timestamp("us")), id="nanoseconds"
        ),
        pytest.param(pa.array([Decimal("1.10")]), pa.array([Decimal("1.20")]), id="decimals"),
        *(
            pytest.param(pa.array([one], pa.map_("string", "int8")), other, id=f"map {number}")
            for number, one in enumerate([[("a", 1)], [("b", 2)], [], [("a", None)], None])
            for other in [pa.array([[("a", 2)]], pa.map_("string", "int8"))]
        ),
    ],
)
def test_values_that_differ_are_not_identical(one: pa.Array, other: pa.Array) -> None:
    assert identical(one, one)
    assert not identical(one, other)
    assert not identical(other, one)


TEXT = ["a", None, "", "a", "é"]
NUMBERS = [[1, None], None, [], [2], [3, 4]]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (pa.array(TEXT), pa.array(TEXT).dictionary_encode()),
        (pa.array(TEXT), pa.array(TEXT, pa.large_string())),
        (pa.array(TEXT), pa.array(TEXT, pa.string_view())),
        (pa.array(NUMBERS, LISTS), pa.array(NUMBERS, pa.large_list(pa.int32()))),
        (pa.array(NUMBERS, LISTS), pa.array(NUMBERS, pa.list_view(pa.int32()))),
        (pa.array([[1, 2], None], LISTS), pa.array([[1, 2], None], pa.list_(pa.int32(), 2))),
        (pa.array([[t] for t in TEXT]), pa.array([[t] for t in TEXT], pa.list_(pa.large_string()))),
        (pa.array([1, None], pa.timestamp("ms")), pa.array([1000, None], pa.timestamp("us"))),
        (pa.array([0], pa.date32()), pa.array([0], pa.date64())),
        (pa.array([b"ab"]), pa.array([b"ab"], pa.binary(2))),
        (pa.array([nan(5), -0.0]), pa.array([nan(5), -0.0])),
        (pa.nulls(2), pa.array([None, None], pa.int8())),
    ],
)
def test_one_value_in_two_layouts_is_one(one: pa.Array, other: pa.Array) -> None:
    assert identical(one, other)
    assert identical(other, one)


def test_a_slice_is_compared_by_what_is_in_it() -> None:
    maps = pa.array([[("x", 9)], [("a", 1)], None, [], [("b", 2)]], pa.map_("string", "int8"))
    structs = pa.array([{"m": each} for each in maps.to_pylist()], pa.struct([("m", maps.type)]))
    lists = pa.array(NUMBERS, LISTS)
    for array in (maps, structs, lists):
        fresh = pa.array(array.to_pylist()[1:4], array.type)
        assert identical(array.slice(1, 3), fresh)
        assert not identical(array.slice(2, 3), fresh)


def test_a_column_that_is_a_dictionary_in_some_batches_only_is_compared() -> None:
    text = pa.array(TEXT)
    mixed = [*batches(t=text.slice(0, 2)), *batches(t=text.slice(2).dictionary_encode())]
    assert difference(batches(t=text), mixed) is None
    assert difference(mixed, batches(t=text)) is None


def test_a_column_that_some_batches_lack_is_null_there() -> None:
    mixed = [*batches(t=pa.nulls(1)), *batches(t=pa.array([7]))]
    assert difference(batches(t=pa.array([7, None])), mixed) is None


def test_rows_that_differ_by_the_sign_of_zero_only_may_come_in_any_order() -> None:
    own = batches(f=pa.array([0.0, -0.0, nan(1), nan(2), None]), i=pa.array([1] * 5))
    assert difference(own, [own[0].take([1, 0, 4, 3, 2])]) is None
    assert difference(own, batches(f=pa.array([0.0, 0.0, nan(1), nan(2), None]), i=own[0]["i"]))
