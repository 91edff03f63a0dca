"""Strings that occur again and again are hashed once each: the hashes are the same, row by row."""

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from r2d2.hashing import values
from r2d2.hashing.finaliser import ColumnKey, Lanes, column_key
from r2d2.hashing.rows import hash_leaf
from r2d2.hashing.values import repeats_itself, text_lanes
from r2d2.model import Column, Types
from tests.support.hashing.hashing import Hash, hashes, pairs

BINARIES = (pa.binary(), pa.large_binary(), pa.binary_view(), pa.binary(5))
TYPES = (pa.string(), pa.large_string(), pa.string_view(), *BINARIES)
ENCODABLE = (pa.string(), pa.large_string(), pa.binary(), pa.large_binary())
ROWS = 1200
WORDS = ("", "a", "Oslo", "Kyjiw", "\0", "é", "\U0001f600")
CASES: dict[str, list[str | None]] = {
    "repeated": [WORDS[row * 5 % 7] for row in range(ROWS)],
    "with NULLs": [None if row % 4 == 1 else WORDS[row * 5 % 7] for row in range(ROWS)],
    "all NULL": [None] * ROWS,
    "all equal": ["Oslo"] * ROWS,
    "all equal or NULL": [None if row % 3 else "Oslo" for row in range(ROWS)],
    "all distinct": [str(row) for row in range(ROWS)],
}


def array_of(words: list[str | None], type_: pa.DataType) -> pa.Array:
    if type_ not in BINARIES:
        return pa.array(words, type_)
    width = 5 if type_ == pa.binary(5) else 0
    contents = [None if word is None else word.encode().ljust(width, b".") for word in words]
    return pa.array(contents, type_)


def row_by_row(array: pa.Array) -> list[Hash]:
    return [hash_ for row in range(len(array)) for hash_ in hashes(array.slice(row, 1), "string")]


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("type_", TYPES, ids=str)
def test_repeated_values_hash_as_each_does_alone(type_: pa.DataType, case: str) -> None:
    array = array_of(CASES[case], type_)
    assert repeats_itself(array) == (type_ in ENCODABLE and case != "all distinct")
    expected = row_by_row(array)
    assert hashes(array, "string") == expected
    assert hashes(array.slice(5, ROWS - 12), "string") == expected[5 : ROWS - 7]


@pytest.mark.parametrize("type_", ENCODABLE, ids=str)
def test_values_without_null_hash_as_their_bytes_do(type_: pa.DataType) -> None:
    array = array_of(CASES["repeated"], type_)
    assert hashes(array, "string") == pairs(text_lanes(array, column_key("c", "string")))


def test_repeated_text_that_is_no_utf8_hashes_as_its_bytes() -> None:
    array = pa.array([b"\xff", b"\xc3", None] * (ROWS // 3)).view(pa.string())
    assert repeats_itself(array)
    assert hashes(array, "string") == row_by_row(array)


def test_repeated_values_within_structs_and_lists_hash_as_each_row_does_alone() -> None:
    words = pa.array(CASES["with NULLs"])
    structs = pa.StructArray.from_arrays(
        [words], ["c"], mask=pc.equal(words, "Oslo").fill_null(False)
    )
    lists = pa.array([[word, "x"] for word in words.to_pylist()])
    batch = pa.RecordBatch.from_arrays([structs, lists], ["s", "l"])
    for column in (Column("s.c", "string", ("s", "c")), Column("l", "list<string>", ("l",))):
        own = pairs(hash_leaf(batch, column, Types.STRICT))
        parts = [hash_leaf(batch.slice(at, 1), column, Types.STRICT) for at in range(ROWS)]
        assert own == [hash_ for part in parts for hash_ in pairs(part)]


@pytest.mark.parametrize("type_", ENCODABLE, ids=str)
def test_each_repeated_value_is_hashed_once(
    type_: pa.DataType, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed = []

    def counting(array: pa.Array, key: ColumnKey) -> Lanes:
        hashed.extend(array.to_pylist())
        return text_lanes(array, key)

    monkeypatch.setattr(values, "text_lanes", counting)
    array = array_of(CASES["with NULLs"], type_)
    hashes(array, "string")
    assert sorted(hashed) == sorted({*array.drop_null().to_pylist()})


@pytest.mark.parametrize(("rows", "copies"), [(1000, 9), (1000, 21), (3000, 11), (257, 257)])
def test_copies_of_a_table_one_after_the_other_are_found_to_repeat(rows: int, copies: int) -> None:
    table = pa.array([f"row {row}" for row in range(rows)])
    assert not repeats_itself(table)
    assert repeats_itself(pa.concat_arrays([table] * copies))


@pytest.mark.parametrize("type_", ENCODABLE, ids=str)
@pytest.mark.parametrize("rows", [257, 1000, 4096, 65_536, 131_072, 300_000])
def test_distinct_values_are_not_found_to_repeat(rows: int, type_: pa.DataType) -> None:
    assert not repeats_itself(pa.array(range(rows)).cast(pa.string()).cast(type_))


def test_values_that_occur_twice_are_not_worth_a_dictionary() -> None:
    table = pa.array(range(1000)).cast(pa.string())
    assert not repeats_itself(pa.concat_arrays([table, table]))


@pytest.mark.parametrize("rows", [0, 1, 100, 256])
def test_few_rows_are_hashed_one_by_one_though_all_are_equal(rows: int) -> None:
    assert not repeats_itself(pa.array(["Oslo"] * rows, pa.string()))
    assert not repeats_itself(pa.array(["Oslo"] * ROWS).slice(7, rows))


def test_only_the_rows_of_a_slice_are_looked_at() -> None:
    array = pa.array(["Oslo"] * 5000 + [str(row) for row in range(5000)])
    assert repeats_itself(array.slice(0, 5000))
    assert not repeats_itself(array.slice(5000))
