"""A table's tally tells other rows, and not another order."""

import pyarrow as pa

from r2d2.formats.schema import flatten
from r2d2.hashing.multiset import RowTally
from r2d2.hashing.rows import row_hashes
from r2d2.model import Types


def tally(first: list[int], second: list[str]) -> RowTally:
    rows = pa.record_batch({"a": first, "b": second})
    (lanes,) = row_hashes(rows, [flatten(rows.schema)], Types.STRICT)
    counted = RowTally()
    counted.add(lanes)
    return counted


def test_the_order_of_rows_says_nothing() -> None:
    assert tally([1, 2, 2], ["x", "y", "z"]) == tally([2, 1, 2], ["z", "x", "y"])


def test_a_value_that_moved_to_another_row_is_told() -> None:
    assert tally([1, 2], ["x", "y"]) != tally([1, 2], ["y", "x"])


def test_two_copies_are_told_from_two_of_another_row() -> None:
    assert tally([1, 1, 2], ["x", "x", "y"]) != tally([1, 2, 2], ["x", "y", "y"])
