"""Few strings go through xxhash and many through polars: the values are the same."""

import subprocess
import sys

import pyarrow as pa
import pytest
import xxhash

from r2d2.hashing.finaliser import column_key
from r2d2.hashing.values import _LOOP_VALUES, text_lanes
from tests.support.hashing.hashing import hashes

LENGTHS = [*range(0, 40), 127, 128, 129, 239, 240, 241, 255, 256, 1023, 1024, 1025, 5000]
BINARY = [bytes(i % 256 for i in range(length)) for length in LENGTHS]
BINARY += [b"\0" * length for length in range(1, 20)] + [b"\xff\xfe", b"\xc3", b"\xed\xa0\x80"]


def expected(value: bytes) -> tuple[int, int]:
    """XXH3-128 seeded by the column's key, as the specification's own library gives it."""
    number = xxhash.xxh3_128_intdigest(value, seed=column_key("c", "binary").first)
    return number & 0xFFFF_FFFF_FFFF_FFFF, number >> 64


@pytest.mark.parametrize("repeats", [1, 2 + _LOOP_VALUES // len(BINARY)])
@pytest.mark.parametrize("type_", [pa.binary(), pa.large_binary(), pa.binary_view()])
def test_both_sides_of_the_limit_give_xxh3_128(type_: pa.DataType, repeats: int) -> None:
    values = BINARY * repeats
    assert (len(values) > _LOOP_VALUES) is (repeats > 1)
    assert hashes(pa.array(values, type_), "binary") == [expected(value) for value in values]


@pytest.mark.parametrize("rows", [_LOOP_VALUES, _LOOP_VALUES + 1])
def test_only_the_values_of_a_slice_are_hashed_at_the_limit(rows: int) -> None:
    words = [str(number) if number % 3 else None for number in range(rows + 9)]
    array = pa.array(words).slice(5, rows)
    assert hashes(array, "string") == hashes(pa.array(words), "string")[5 : 5 + rows]


@pytest.mark.parametrize("rows", [3, _LOOP_VALUES + 1])
def test_text_that_is_no_utf8_is_hashed_as_its_bytes(rows: int) -> None:
    array = pa.array([b"\xff\xfe"] * rows).view(pa.string())
    key = column_key("c", "string")
    lanes = text_lanes(array, key)
    number = xxhash.xxh3_128_intdigest(b"\xff\xfe", seed=key.first)
    assert {*lanes.first.tolist()} == {number & 0xFFFF_FFFF_FFFF_FFFF}
    assert {*lanes.second.tolist()} == {number >> 64}


@pytest.mark.parametrize("rows", [2, _LOOP_VALUES + 1])
@pytest.mark.parametrize("type_", [pa.string(), pa.string_view(), pa.binary(0)])
def test_columns_of_nothing_but_empty_values_need_no_data(type_: pa.DataType, rows: int) -> None:
    empty = b"" if type_ == pa.binary(0) else ""
    array = pa.array([empty, None] * (rows // 2 + 1), type_)
    assert len(set(hashes(array, "string"))) == 2


@pytest.mark.slow
def test_the_kernels_do_not_import_polars_before_they_need_it() -> None:
    code = "import r2d2.hashing.rows, sys; sys.exit('polars' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
