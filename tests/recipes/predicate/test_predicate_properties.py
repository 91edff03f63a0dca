"""The search against brute force on small tables, and what it finds against DuckDB."""

from collections import Counter
from collections.abc import Sequence

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from r2d2.recipes.grammar import Field, Output, Project, Select
from r2d2.recipes.predicate import Predicate
from r2d2.recipes.sql import SqlDialect, query
from tests.support.recipes.brute_predicates import brute_predicates
from tests.support.recipes.children import find, row_identities

VALUES: dict[str, tuple[pa.DataType, list[object]]] = {
    "i": (pa.int64(), [None, -1, 0, 1, 7]),
    "s": (pa.string(), [None, "", "a", "A", "é", "it's"]),
    "f": (pa.float64(), [None, float("nan"), -0.0, 0.0, 1.5, float("inf"), -float("inf")]),
    "g": (pa.float32(), [None, 0.1, 0.2, 2.0]),
    "b": (pa.bool_(), [None, True, False]),
    "d": (pa.date32(), [None, 0, 18321, 18322]),
    "t": (pa.timestamp("us", "UTC"), [None, 0, 1, 10**15]),
    "u": (pa.uint8(), [0, 1, 2, 3, 4, 5, 6, 7]),
}


@st.composite
def parents(draw: st.DrawFn) -> pa.Table:
    names = draw(st.lists(st.sampled_from(sorted(VALUES)), min_size=1, max_size=3, unique=True))
    count = draw(st.integers(1, 8))
    columns = {
        name: pa.array(
            draw(st.lists(st.sampled_from(VALUES[name][1]), min_size=count, max_size=count)),
            VALUES[name][0],
        )
        for name in names
    }
    return pa.table(columns)


@st.composite
def children(draw: st.DrawFn) -> tuple[pa.Table, list[int], list[str]]:
    """A parent, the rows the child has of it, and the child's columns.

    Half of the children are made by a predicate of one or two columns, the others at random.
    """
    parent = draw(parents())
    columns = draw(
        st.lists(st.sampled_from(parent.column_names), min_size=1, unique=True).map(sorted)
    )
    rows = set(range(parent.num_rows))
    if draw(st.booleans()):
        for name in draw(st.lists(st.sampled_from(parent.column_names), min_size=1, max_size=2)):
            values = row_identities(parent, [name])
            kept = draw(st.sets(st.sampled_from(values)))
            rows &= {row for row, value in enumerate(values) if value in kept}
    else:
        rows = draw(st.sets(st.sampled_from(sorted(rows))))
    return parent, sorted(rows), columns


def selected_by_duckdb(parent: pa.Table, columns: Sequence[str], found: Predicate) -> pa.Table:
    outputs = tuple(Output(name, Field((name,))) for name in columns)
    recipe = Select("p", outputs, found.atoms) if found.atoms else Project("p", outputs)
    with duckdb.connect() as connection:
        connection.register("parent", parent)
        text = query(recipe, {"p": ("parent",)}, SqlDialect.DUCKDB)
        return connection.sql(text).to_arrow_table()


def has_partial_rows(parent: pa.Table, rows: Sequence[int], columns: Sequence[str]) -> bool:
    """Whether the child has some, but not all, of rows that are equal in its columns."""
    identities = row_identities(parent, columns)
    own = {identities[row] for row in rows}
    return any(identities[row] in own for row in set(range(parent.num_rows)) - set(rows))


@pytest.mark.slow
@settings(max_examples=200)
@given(children())
def test_what_is_found_selects_exactly_the_child_in_duckdb(
    case: tuple[pa.Table, list[int], list[str]],
) -> None:
    parent, rows, columns = case
    found = find(parent, rows, columns)
    if found:
        result = selected_by_duckdb(parent, columns, found)
        identities = row_identities(parent, columns)
        assert Counter(row_identities(result, columns)) == Counter(identities[r] for r in rows)


@pytest.mark.slow
@settings(max_examples=400)
@given(children())
def test_where_brute_force_finds_a_predicate_so_does_the_search(
    case: tuple[pa.Table, list[int], list[str]],
) -> None:
    parent, rows, columns = case
    found = find(parent, rows, columns)
    ones, twos = brute_predicates(parent, rows, columns)
    if not rows:
        assert found is None
    elif len(rows) == parent.num_rows:
        assert found == Predicate(())
    elif has_partial_rows(parent, rows, columns):
        assert found or not ones
    elif ones or twos:
        assert found
        assert len(found.atoms) <= 2
