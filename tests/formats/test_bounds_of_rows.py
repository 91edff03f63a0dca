"""Bounds from rows: those that a footer with whole statistics would give, part by part."""

import datetime as dt
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from r2d2.formats.bounds import bounds_of_parts, bounds_of_rows, number_rank, text_rank
from r2d2.formats.parquet.footer import bounds_of
from r2d2.formats.schema import flatten
from r2d2.model import Bounds

ZONED = pa.timestamp("us", "Europe/Berlin")
COLUMNS: dict[str, tuple[pa.DataType, list[Any]]] = {
    "small": (pa.int8(), [-128, None, 127, 0]),
    "large": (pa.uint64(), [2**64 - 1, 0, None, 5]),
    "double": (pa.float64(), [1e300, -1e-300, None, 0.0]),
    "price": (pa.decimal128(38, 2), [Decimal("1.25"), None, Decimal("-99999999999999.01"), None]),
    "cents": (pa.decimal32(5, 2), [Decimal("1.25"), None, Decimal("-999.01")]),
    "day": (pa.date32(), [dt.date(1, 1, 1), None, dt.date(9999, 12, 31), dt.date(1970, 1, 1)]),
    "day64": (pa.date64(), [dt.date(1969, 12, 31), None, dt.date(2020, 2, 29), None]),
    "at_ms": (pa.timestamp("ms"), [dt.datetime(1969, 12, 31, 23), None, dt.datetime(2020, 1, 1)]),
    "at_us": (pa.timestamp("us"), [dt.datetime(1, 1, 1), None, dt.datetime(9999, 12, 31)]),
    "at_ns": (pa.timestamp("ns"), [-1, None, 10**18]),
    "zoned": (ZONED, [dt.datetime(2020, 1, 1, tzinfo=dt.UTC), None]),
    "time": (pa.time32("ms"), [dt.time(23, 59), None, dt.time(0, 0)]),
    "flag": (pa.bool_(), [True, None, False]),
    "text": (pa.string(), ["", None, "a long text", "ünï", "z"]),
    "bytes": (pa.binary(), [b"\x00", None, b"\xff" * 12]),
    "fixed": (pa.binary(3), [b"abc", None, b"\xffbc"]),
}


def parts_of(name: str) -> list[pa.Table]:
    """The column's values, then fewer of them, then NULLs alone: tables of one schema."""
    type_, values = COLUMNS[name]
    if type_ == pa.timestamp("ns"):
        cells = pa.array(values, pa.int64()).cast(type_)
    else:
        cells = pa.array(values, type_)
    nested = pa.StructArray.from_arrays(
        [cells], [name], mask=pa.array([True] + [False] * (len(cells) - 1))
    )
    whole = pa.table({name: cells, "in": nested})
    return [whole, whole.slice(2, 1), pa.concat_tables([whole.slice(1, 1)] * 3)]


@pytest.mark.parametrize("name", COLUMNS)
def test_each_parts_bounds_are_those_its_own_footer_would_give(name: str, tmp_path: Path) -> None:
    parts = [part for part in parts_of(name) if part.num_rows]
    expected = []
    for place, part in enumerate(parts):
        pq.write_table(part, tmp_path / f"{place}.parquet")
        footer = pq.read_metadata(tmp_path / f"{place}.parquet")
        expected.append(bounds_of(footer, footer.schema.to_arrow_schema()))
    (batch,) = pa.concat_tables(parts).combine_chunks().to_batches()
    found = bounds_of_parts(batch, flatten(batch.schema), [part.num_rows for part in parts])
    assert [
        {name: replace(b, sure=False) for name, b in part.items()} for part in found
    ] == expected
    alone = [
        bounds_of_rows(*part.combine_chunks().to_batches(), flatten(part.schema)) for part in parts
    ]
    assert alone == found


def test_nan_is_no_bound_and_alone_leaves_them_unknown() -> None:
    nan = float("nan")
    batch = pa.record_batch({"x": [nan, 1.0, 2.0, nan, nan, None]})
    one, other, last = bounds_of_parts(batch, flatten(batch.schema), [3, 2, 1])
    low, high = number_rank(1.0), number_rank(2.0)
    assert one["x"] == Bounds(low, low, high, high, False, True, sure=True)
    assert other["x"] == Bounds(has_nulls=False, has_values=True, sure=True)
    assert last["x"] == Bounds(has_nulls=True, has_values=False, sure=True)


def test_half_floats_and_dictionaries_have_bounds_that_footers_lack() -> None:
    half = pa.array([1.5, None, -2.0], pa.float16())
    words = pa.array(["b", None, "a"], pa.dictionary(pa.int8(), pa.string()))
    batch = pa.record_batch({"half": half, "words": words})
    (found,) = bounds_of_parts(batch, flatten(batch.schema), [3])
    low, high = number_rank(-2.0), number_rank(1.5)
    assert found["half"] == Bounds(low, low, high, high, True, True, sure=True)
    low, high = text_rank(b"a"), text_rank(b"b")
    assert found["words"] == Bounds(low, low, high, high, True, True, sure=True)


def test_columns_without_an_order_have_no_bounds() -> None:
    batch = pa.record_batch(
        {"list": [[1]], "map": pa.array([[("k", 1)]], pa.map_("string", "int8"))}
    )
    assert bounds_of_parts(batch, flatten(batch.schema), [1]) == [{}]


@given(st.lists(st.lists(st.none() | st.binary(max_size=10), min_size=1, max_size=5), min_size=1))
def test_bounds_of_bytes_are_the_least_and_greatest_ranks(parts: list[list[bytes | None]]) -> None:
    cells = pa.array([None, *(cell for part in parts for cell in part)], pa.binary())
    batch = pa.record_batch({"x": cells.slice(1)})
    found = bounds_of_parts(batch, flatten(batch.schema), [len(part) for part in parts])
    for bounds, part in zip(found, parts, strict=True):
        ranks = [text_rank(cell) for cell in part if cell is not None]
        known = (min(ranks), min(ranks), max(ranks), max(ranks)) if ranks else ()
        assert bounds["x"] == Bounds(
            *known, has_nulls=None in part, has_values=bool(ranks), sure=True
        )


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1))
def test_bounds_of_whole_numbers_are_the_ranks_that_all_numbers_share(cells: list[int]) -> None:
    batch = pa.record_batch({"x": pa.array(cells, pa.int64())})
    (found,) = bounds_of_parts(batch, flatten(batch.schema), [len(cells)])
    low, high = number_rank(min(cells)), number_rank(max(cells))
    assert found["x"] == Bounds(low, low, high, high, False, True, sure=True)
