"""Who may be contained in whom by columns alone."""

from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from r2d2.graph import Graph
from r2d2.model import Column, Format, Table, Types
from r2d2.stages.schema import Schema


class NoLake:
    """The schema stage asks nothing."""


def table(name: str, *columns: str, rows: int = 1, kind: str = "int64") -> Table:
    named = tuple(Column(column, kind, (column,)) for column in columns)
    return Table(name, Format.PARQUET, named, rows)


def pairs(graph: Graph) -> set[tuple[str, str]]:
    found = set()
    for block in graph.blocks:
        children, parents = block.pairs()
        for child, parent in zip(children.tolist(), parents.tolist(), strict=True):
            found.add((graph.tables[child].location, graph.tables[parent].location))
    return found


def after_schema(*tables: Table, types: Types = Types.STRICT) -> Graph:
    return Schema(types)(Graph(tables), NoLake())  # type: ignore[arg-type]


def test_a_table_is_paired_with_those_that_have_its_columns_in_any_case() -> None:
    graph = after_schema(table("a", "x", "y"), table("b", "Y", "x", "z"), table("c", "x"))
    assert pairs(graph) == {("a", "b"), ("c", "a"), ("c", "b")}


def test_types_must_match_unless_widened() -> None:
    tables = table("a", "x"), table("b", "x", kind="float64")
    assert not pairs(after_schema(*tables))
    assert len(pairs(after_schema(*tables, types=Types.WIDENED))) == 2


def test_empty_tables_are_degenerate_children_and_no_parents() -> None:
    graph = after_schema(table("a", "x"), table("b", "x", rows=0), table("c", "x", "y", rows=0))
    assert not pairs(graph)
    assert {(e.child, e.parent) for e in graph.degenerate} == {("b", "a"), ("b", "c")}


@given(st.lists(st.frozensets(st.sampled_from("abcdefgh"), min_size=1), max_size=12))
def test_pairs_are_exactly_the_subsets(schemas: list[frozenset[str]]) -> None:
    tables = [table(str(i), *sorted(columns)) for i, columns in enumerate(schemas)]
    expected = {
        (str(i), str(j))
        for (i, child), (j, parent) in product(enumerate(schemas), repeat=2)
        if i != j and child <= parent
    }
    graph = after_schema(*tables)
    assert pairs(graph) == expected
    assert graph.open_pairs() == len(expected)
