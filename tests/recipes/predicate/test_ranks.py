"""The ranks of a column's values against brute force, and the encoded column that holds them."""

import math
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.types as pt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from r2d2.recipes.predicate import encode as module
from r2d2.recipes.predicate.encode import EncodedColumn, encode, ranks
from tests.support.recipes.random_literals import INTEGERS, values

TYPES = [
    *(pa.type_for_alias(name) for name in (*INTEGERS, "bool", "float", "double", "date32")),
    *(pa.string(), pa.large_string(), pa.binary(), pa.large_binary()),
    *(pa.decimal128(1, 0), pa.decimal128(10, 2), pa.decimal128(38, 38)),
    *(pa.timestamp(unit, zone) for unit in ("s", "ms", "us", "ns") for zone in (None, "UTC")),
]
INDICES = [pa.type_for_alias(name) for name in INTEGERS]
ODD_FLOATS = (math.nan, -math.nan, math.inf, -math.inf, 0.0, -0.0)
SORTED_ROWS, SLOTS = module.SORTED_ROWS, module.SLOTS_PER_ROW
# By rank, by dictionary, and whole numbers by a table of slots: small columns take each way.
WAYS = [(SORTED_ROWS, SLOTS), (SORTED_ROWS, -1), (0, SLOTS), (0, -1), (5, -1)]


def limits(type_: pa.DataType) -> tuple[int, int]:
    """The least and the greatest whole number, or tick, of the type."""
    is_unsigned = pt.is_unsigned_integer(type_)
    bits = type_.bit_width - (not is_unsigned)
    return 0 if is_unsigned else -(1 << bits), (1 << bits) - 1


def pools(type_: pa.DataType) -> st.SearchStrategy[list[Any]]:
    """A few values to draw cells from, so that some occur twice."""
    if pt.is_integer(type_) or pt.is_temporal(type_):
        low, high = limits(type_)
        near = st.sampled_from([low, high - 20]) | st.integers(low, high - 20)
        narrow = near.flatmap(lambda n: st.lists(st.integers(n, n + 20), min_size=1, max_size=8))
        wide = st.sampled_from([low, high]) | st.integers(low, high)
        return narrow | st.lists(wide, min_size=1, max_size=8)
    if pt.is_floating(type_):
        cells: st.SearchStrategy[Any] = st.floats(width=type_.bit_width)
        return st.lists(cells | st.sampled_from(ODD_FLOATS), min_size=1, max_size=8)
    return st.lists(values(str(type_).removeprefix("large_")), min_size=1, max_size=8)


@st.composite
def columns(draw: st.DrawFn, types: Sequence[pa.DataType] = TYPES) -> pa.ChunkedArray:
    """None, one or several chunks, each a slice of a longer array, with and without NULLs."""
    type_ = draw(st.sampled_from(types))
    pool = draw(st.sampled_from([[], [None]])) + draw(pools(type_) | st.just([None]))
    return draw(slices(pool, type_))


@st.composite
def text_dictionaries(draw: st.DrawFn) -> pa.ChunkedArray:
    """Each chunk has its own dictionary; values may be there twice, be NULL, or be no row's."""
    index, text = (
        draw(st.sampled_from(INDICES)),
        draw(st.sampled_from([pa.string(), pa.large_string()])),
    )
    chunks = []
    for _ in range(draw(st.integers(0, 3))):
        texts = draw(st.lists(st.none() | st.sampled_from(["", "a", "b", "é", "\U0001f600"])))
        pool = [None, *range(len(texts))]
        rows, dictionary = draw(slices(pool, index)), pa.array(texts, text)
        chunks += [pa.DictionaryArray.from_arrays(chunk, dictionary) for chunk in rows.chunks]
    return pa.chunked_array(chunks, pa.dictionary(index, text))


@st.composite
def slices(draw: st.DrawFn, pool: list[Any], type_: pa.DataType) -> pa.ChunkedArray:
    """Some slices of arrays of values from the pool."""
    cells = st.lists(st.sampled_from(pool), max_size=9)
    parts = draw(st.lists(st.tuples(cells, cells, cells), max_size=3))
    chunks = [pa.array([*a, *own, *z], type_).slice(len(a), len(own)) for a, own, z in parts]
    return pa.chunked_array(chunks, type_)


def comparable(scalar: pa.Scalar) -> Any:
    """The cell as Python orders it: instants as ticks, which Python's own have too few of."""
    return scalar.value if pt.is_temporal(scalar.type) else scalar.as_py()


def by_brute_force(column: pa.ChunkedArray) -> tuple[list[Any], list[int]]:
    rows = [comparable(scalar) for scalar in column]
    known = sorted({row for row in rows if row is not None and row == row})
    places = {value: place for place, value in enumerate(known)}
    return known, [-1 if row is None else places.get(row, len(known)) for row in rows]


def assert_ranked(column: pa.ChunkedArray) -> None:
    known, codes = by_brute_force(column)
    for few_rows, slots in WAYS:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, "SORTED_ROWS", few_rows)
            patch.setattr(module, "SLOTS_PER_ROW", slots)
            own, own_codes = ranks(column)
        assert [comparable(value) for value in own] == known
        assert own_codes.tolist() == codes
        assert own_codes.dtype == np.dtype(np.int32)
        is_dictionary = pt.is_dictionary(column.type)
        assert own.type == (column.type.value_type if is_dictionary else column.type)
        if pt.is_floating(own.type):
            assert all(math.copysign(1, value) == 1 for value in own.to_pylist() if value == 0)


@pytest.mark.slow
@given(columns())
def test_the_ranks_of_any_column_are_those_of_brute_force(column: pa.ChunkedArray) -> None:
    assert_ranked(column)


@pytest.mark.slow
@given(text_dictionaries())
def test_the_ranks_of_texts_in_dictionaries_are_those_of_brute_force(
    column: pa.ChunkedArray,
) -> None:
    assert_ranked(column)


@pytest.mark.parametrize("type_", TYPES, ids=str)
def test_columns_without_values_have_no_ranks(type_: pa.DataType) -> None:
    for chunks in ([], [pa.array([], type_)], [pa.nulls(3, type_)], [pa.nulls(9, type_)[8:]] * 2):
        assert_ranked(pa.chunked_array(chunks, type_))


@pytest.mark.parametrize("rows", [SORTED_ROWS, SORTED_ROWS + 1])
def test_many_rows_are_ranked_alike_on_both_sides_of_the_limit(rows: int) -> None:
    texts = [None if row % 7 == 3 else str(row * 7919 % 1000) for row in range(rows)]
    assert_ranked(pa.chunked_array([pa.array(texts)]))


def test_nan_and_zero_have_one_rank_each_whatever_their_bits() -> None:
    bits = np.array([0x7FF8000000000000, 0xFFF8000000000001, 1 << 63, 0], np.uint64)
    own, codes = ranks(pa.chunked_array([pa.array(bits.view(np.float64))]))
    assert (str(own.to_pylist()), codes.tolist()) == ("[0.0]", [1, 1, 0, 0])


def test_what_lies_under_a_null_has_no_rank() -> None:
    validity, ticks = pa.py_buffer(b"\x05"), pa.py_buffer(np.array([5, -(2**63), 6], np.int64))
    column = pa.chunked_array([pa.Array.from_buffers(pa.int64(), 3, [validity, ticks])])
    assert_ranked(column)
    indices = pa.py_buffer(np.array([1, 2**31 - 1, 0], np.int32))
    places = pa.Array.from_buffers(pa.int32(), 3, [validity, indices])
    assert_ranked(pa.chunked_array([pa.DictionaryArray.from_arrays(places, ["b", "a"])]))


@pytest.mark.parametrize(("type_", "high"), [(pa.int8(), 127), (pa.int16(), 32767)], ids=str)
def test_signed_numbers_of_their_types_whole_range_are_ranked(
    type_: pa.DataType, high: int
) -> None:
    assert_ranked(pa.chunked_array([pa.array([*range(-high - 1, high + 1)], type_)]))


@pytest.mark.parametrize(("type_", "size"), [(pa.int8(), 128), (pa.uint8(), 256)], ids=str)
def test_a_dictionary_as_large_as_its_indices_allow_is_ranked(
    type_: pa.DataType, size: int
) -> None:
    places = pa.array([*range(size), None], type_)
    texts = pa.array([f"{place:03}" for place in range(size)])
    assert_ranked(pa.chunked_array([pa.DictionaryArray.from_arrays(places, texts)]))


def encoded(array: pa.Array) -> EncodedColumn:
    column = encode(pa.chunked_array([array]), ("c",), 0, is_partition=False)
    assert column is not None
    return column


def unnameable(array: pa.Array) -> list[Any]:
    """The values that no atom may name."""
    column = encoded(array)
    named = zip(column.values, column.nameable.tolist(), strict=True)
    return [comparable(value) for value, is_nameable in named if not is_nameable]


@pytest.mark.parametrize("type_", [pa.float32(), pa.float64()], ids=str)
def test_infinities_and_a_zero_that_may_be_minus_zero_cannot_be_named(type_: pa.DataType) -> None:
    floats = [math.inf, 1.5, None, math.nan, -math.inf, 0.0]
    assert unnameable(pa.array(floats, type_)) == [-math.inf, math.inf]
    assert unnameable(pa.array([*floats, -0.0], type_)) == [-math.inf, 0.0, math.inf]
    assert unnameable(pa.array([-0.0, *floats], type_).slice(1)) == [-math.inf, math.inf]


def test_a_minus_zero_in_any_chunk_counts_and_one_under_a_null_does_not() -> None:
    hidden = pa.Array.from_buffers(
        pa.float64(), 2, [pa.py_buffer(b"\x02"), pa.py_buffer(np.array([-0.0, 0.0]))]
    )
    assert unnameable(hidden) == []
    chunked = encode(pa.chunked_array([[0.0], [-0.0, 1.0]]), ("c",), 0, is_partition=False)
    assert chunked
    assert chunked.values.to_pylist() == [-1.0, 0.0, 0.5, 1.0]
    assert chunked.nameable.tolist() == [True, False, True, True]
    assert chunked.codes.tolist() == [1, 1, 3]


def test_only_years_of_four_digits_can_be_named() -> None:
    first, last = (int(np.datetime64(d, "D").astype(int)) for d in ("0001-01-01", "9999-12-31"))
    days = [first - 1, first, None, 0, last, last + 1]
    assert unnameable(pa.array(days, pa.date32())) == [first - 1, last + 1]
    for unit, ticks in (("s", 1), ("ms", 1000), ("us", 10**6)):
        low, high = first * 86_400 * ticks, ((last + 1) * 86_400 - 1) * ticks
        instants = [low - 1, low, None, 0, high, high + ticks]
        for zone in (None, "Europe/Rome"):
            array = pa.array(instants, pa.timestamp(unit, zone))
            assert unnameable(array) == [low - 1, high + ticks]
    assert unnameable(pa.array([-(2**63) + 808, 2**63 - 808], pa.timestamp("ns"))) == []


@pytest.mark.slow
@given(columns() | text_dictionaries())
def test_an_encoded_column_has_the_ranks_and_knows_whether_it_has_nulls(
    column: pa.ChunkedArray,
) -> None:
    own = encode(column, ("c",), 0, is_partition=False)
    if own is None:
        assert str(column.type).startswith("timestamp[ns")
        assert any(row is not None and row % 1000 for row in map(comparable, column))
        return
    known, codes = by_brute_force(column)
    values, own_codes = [comparable(value) for value in own.values], own.codes.tolist()
    if pt.is_floating(own.values.type) and any(map(module.has_negative_zero, column.chunks)):
        # Beside -0.0 there are two values that no row has, to bound a range in its place.
        used = sorted(set(own_codes) & set(range(len(values))))
        places = {code: place for place, code in enumerate(used)} | {len(values): len(used)}
        values, own_codes = [values[code] for code in used], [places.get(c, c) for c in own_codes]
    assert (values, own_codes) == (known, codes)
    assert own.has_nulls == (-1 in codes)
    assert own.plain().type == own.values.type
    assert str([*map(comparable, own.plain())]) == str([*map(comparable, column)])


@pytest.mark.parametrize(
    ("plain", "layouts"),
    [
        (
            pa.array(["b", None, "a", "b"], pa.large_string()),
            [pa.string(), pa.string_view(), pa.dictionary(pa.int8(), pa.string())],
        ),
        (
            pa.array([b"b2", None, b"a\xff", b"b2"], pa.large_binary()),
            [pa.binary(), pa.binary(2), pa.binary_view(), pa.dictionary(pa.int8(), pa.binary())],
        ),
        (
            pa.array([Decimal("1.10"), None, Decimal("-2.00")], pa.decimal128(9, 2)),
            [pa.decimal32(9, 2), pa.decimal64(9, 2), pa.decimal256(9, 2)],
        ),
        (pa.array([3, None, -1], pa.date32()), [pa.date64()]),
    ],
    ids=lambda value: str(getattr(value, "type", "")),
)
def test_the_same_values_are_encoded_alike_in_whatever_layout(
    plain: pa.Array, layouts: list[pa.DataType]
) -> None:
    expected = encoded(plain)
    for layout in layouts:
        own = encoded(plain.cast(layout))
        assert own.values.equals(expected.values)
        assert own.codes.tolist() == expected.codes.tolist()
        assert own.has_nulls


@pytest.mark.parametrize("type_", [pa.string(), pa.string_view(), pa.large_string()], ids=str)
def test_a_column_with_a_text_that_is_not_utf8_takes_no_part(type_: pa.DataType) -> None:
    binary = {pa.string(): pa.binary(), pa.string_view(): pa.binary_view()}
    array = pa.array([b"a", b"\xff", None], binary.get(type_, pa.large_binary())).view(type_)
    encoded(array.slice(0, 1))
    assert encode(pa.chunked_array([array]), ("c",), 0, is_partition=False) is None


def test_a_text_that_is_not_utf8_counts_in_a_dictionary_where_a_row_has_it() -> None:
    texts = pa.array([b"a", b"\xff", None]).view(pa.string()).dictionary_encode()
    encoded(texts.slice(2))
    assert encode(pa.chunked_array([texts]), ("c",), 0, is_partition=False) is None


@pytest.mark.parametrize("zone", [None, "UTC"])
def test_instants_finer_than_a_microsecond_take_no_part(zone: str | None) -> None:
    type_ = pa.timestamp("ns", zone)
    for ticks, is_encoded in (([1000, None, -2000], True), ([0, 1], False), ([-999], False)):
        column = pa.chunked_array([pa.array([5], type_).slice(1), pa.array(ticks, type_)])
        assert (encode(column, ("c",), 0, is_partition=False) is not None) == is_encoded
    hidden = [pa.py_buffer(b"\x02"), pa.py_buffer(np.array([7, 1000], np.int64))]
    assert encoded(pa.Array.from_buffers(type_, 2, hidden)).has_nulls
