"""A seekable file over ranges."""

import os
from itertools import pairwise

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from r2d2.storage.objects import LEAST_BYTES, RangeFile

CONTENT = bytes(os.urandom(1 << 10)) * (4 << 10)
MIB = 1 << 20


class Ranges:
    """A source of ranges that remembers which were fetched."""

    def __init__(self) -> None:
        self.fetched: list[tuple[int, int]] = []

    def __call__(self, begin: int, end: int) -> bytes:
        self.fetched.append((begin, end))
        return CONTENT[begin:end]

    def file(self) -> RangeFile:
        """A file over them."""
        return RangeFile(self, len(CONTENT))


@given(st.lists(st.tuples(st.integers(0, len(CONTENT)), st.integers(0, MIB)), max_size=8))
def test_any_reads_give_the_bytes_there(reads: list[tuple[int, int]]) -> None:
    file = Ranges().file()
    for position, size in reads:
        file.seek(position)
        assert bytes(file.read(size)) == CONTENT[position : position + size]
        assert file.tell() == min(position + size, len(CONTENT))


def test_pyarrow_reads_it() -> None:
    with pa.PythonFile(Ranges().file(), mode="r") as file:
        assert file.size() == len(CONTENT)
        file.seek(-10, os.SEEK_END)
        assert file.read() == CONTENT[-10:]
        file.seek(5)
        assert file.read(3) == CONTENT[5:8]
        assert file.read_at(7, 100) == CONTENT[100:107]


def test_far_reads_fetch_no_more_than_they_ask_for() -> None:
    ranges = Ranges()
    file = ranges.file()
    for position in (0, 2 * MIB, MIB):
        file.seek(position)
        file.read(100_000)
    assert [end - begin for begin, end in ranges.fetched] == [100_000] * 3


def test_large_reads_fetch_no_more_even_where_one_goes_on_from_another() -> None:
    ranges = Ranges()
    file = ranges.file()
    for _ in range(3):
        file.read(MIB)
    assert ranges.fetched == [(0, MIB), (MIB, 2 * MIB), (2 * MIB, 3 * MIB)]


def test_small_reads_nearby_are_one_fetch() -> None:
    ranges = Ranges()
    file = ranges.file()
    for position in (100, 300, 200 + LEAST_BYTES // 2):
        file.seek(position)
        file.read(20)
    assert ranges.fetched == [(100, 100 + LEAST_BYTES)]


def test_reading_on_and_on_takes_ever_fewer_fetches_and_none_twice() -> None:
    ranges = Ranges()
    file = ranges.file()
    while file.read(10_000):
        pass
    assert all(one[1] == other[0] for one, other in pairwise(ranges.fetched))
    assert len(ranges.fetched) <= 8
