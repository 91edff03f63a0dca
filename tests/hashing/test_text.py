"""Few strings go through xxhash and many through array operations: the values are the same."""

from random import Random

import numpy as np
import pyarrow as pa
import pytest
import xxhash

from r2d2.hashing import xxh3
from r2d2.hashing.finaliser import column_key
from r2d2.hashing.values import _LOOP_VALUES, _TEXT_BLOCK, text_lanes
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


@pytest.mark.parametrize("seed", [0, 1, 2**31, 2**63, 2**64 - 1, 0x9E3779B97F4A7C15])
def test_every_short_length_has_the_hash_that_the_xxhash_package_gives(seed: int) -> None:
    random = Random(seed)
    for length in range(xxh3.LONGEST + 1):
        values = [random.randbytes(length) for _ in range(5)]
        values += [b"\0" * length, b"\xff" * length]
        data = np.frombuffer(b"".join(values) or b"x", np.uint8)
        starts, lengths = np.arange(7) * length, np.full(7, length)
        (number,) = set(xxh3.class_of(lengths).tolist())
        lanes = xxh3.hash_class(number, data, starts, lengths, seed)
        numbers = [xxhash.xxh3_128_intdigest(value, seed=seed) for value in values]
        assert lanes.first.tolist() == [number & 0xFFFF_FFFF_FFFF_FFFF for number in numbers]
        assert lanes.second.tolist() == [number >> 64 for number in numbers]


@pytest.mark.parametrize("longest", [0, 3, 40, 300])
def test_long_and_short_values_keep_their_places_across_blocks(longest: int) -> None:
    random = Random(longest)
    values = [random.randbytes(random.randint(0, longest)) for _ in range(2 * _TEXT_BLOCK + 7)]
    assert hashes(pa.array(values, pa.binary()), "binary") == [expected(value) for value in values]
