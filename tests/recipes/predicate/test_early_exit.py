"""Large parents are sampled part by part: the search finds the predicates of small ones."""

from collections.abc import Sequence
from datetime import date

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from r2d2.recipes.predicate import find_predicate
from r2d2.recipes.predicate.columns import ColumnSource, EncodedTable
from r2d2.recipes.predicate.set_cover import no_predicate_exists
from tests.support.recipes.children import labels_of

ROWS = 12
COLUMNS = {
    "n": st.integers(0, 3) | st.none(),
    "s": st.sampled_from("abc") | st.none(),
    "x": st.sampled_from([0.0, -0.0, 1.5, float("nan"), float("inf")]) | st.none(),
    "d": st.dates(date(2020, 1, 1), date(2020, 1, 4)),
    "b": st.booleans(),
}
tables = st.fixed_dictionaries(
    {name: st.lists(values, min_size=ROWS, max_size=ROWS) for name, values in COLUMNS.items()}
).map(pa.table)
child_rows = st.sets(st.integers(0, ROWS - 1), min_size=1).map(sorted)


def in_parts(table: pa.Table, cut: int) -> EncodedTable:
    """The table as one that is too large to be encoded at once, in two parts."""
    parts = [table.slice(0, cut), table.slice(cut)]

    def source(position: int, name: str) -> ColumnSource:
        def read(part: int | None) -> pa.ChunkedArray:
            return (table if part is None else parts[part]).column(name)

        return ColumnSource((name,), position, table.schema.types[position], False, read)

    sources = [source(position, name) for position, name in enumerate(table.column_names)]
    return EncodedTable(sources, [len(part) for part in parts], few_rows=0)


@pytest.mark.slow
@given(tables, child_rows, st.integers(1, ROWS - 1), st.sets(st.sampled_from(sorted(COLUMNS))))
def test_sampling_changes_no_predicate(
    table: pa.Table, rows: Sequence[int], cut: int, columns: set[str]
) -> None:
    labels = labels_of(table, rows, sorted(columns))
    shared = {(name,) for name in columns}
    expected = find_predicate(EncodedTable.of(table), labels)
    assert find_predicate(EncodedTable.of(table), labels, shared) == expected
    assert find_predicate(in_parts(table, cut), labels, shared) == expected


@pytest.mark.slow
@given(tables, child_rows, st.integers(1, ROWS - 1))
def test_where_none_exists_none_is_found(table: pa.Table, rows: Sequence[int], cut: int) -> None:
    labels = labels_of(table, rows, table.column_names)
    kinds = labels.kinds()
    required, forbidden = np.flatnonzero(kinds.required), np.flatnonzero(kinds.forbidden)
    if len(required) and no_predicate_exists(
        in_parts(table, cut), required, forbidden, labels.child_rows
    ):
        assert find_predicate(EncodedTable.of(table), labels) is None


def test_no_predicate_for_every_other_row_is_seen_before_any_column_is_encoded() -> None:
    rows = 200_000
    numbers = np.random.default_rng(1).permutation(rows)
    table = pa.table({"n": numbers, "t": [f"{n % 977:x}" for n in numbers]})
    reads: list[int | None] = []

    def source(position: int, name: str) -> ColumnSource:
        def read(part: int | None) -> pa.ChunkedArray:
            reads.append(part)
            return table.column(name)

        return ColumnSource((name,), position, table.schema.types[position], False, read)

    parent = EncodedTable([source(0, "n"), source(1, "t")], [rows])
    even, odd = np.arange(0, rows, 2), np.arange(1, rows, 2)
    assert no_predicate_exists(parent, even, odd, len(even))
    assert reads == [0, 0]
