"""A run told in lines of text."""

from dataclasses import replace

from r2d2.cli.find_text import SHOWN, find_lines, funnel_lines, inventory_lines, table_lines
from r2d2.graph import Graph
from r2d2.lake.inventory import Inventory
from r2d2.model import Column, Edge, Format, FunnelRow, Table

COLUMN = Column("id", "int64", ("id",))


def table(name: str, size_bytes: int = 1000) -> Table:
    return Table(name, Format.PARQUET, (COLUMN,), 3, size_bytes)


def edge(child: str, parent: str, missing: int = 0) -> Edge:
    return Edge(child, parent, 1 - missing / 10, missing, 10, 10, False, "exact")


def graph(*edges: Edge) -> Graph:
    names = sorted({name for edge in edges for name in (edge.child, edge.parent)} | {"other"})
    return Graph(tuple(map(table, names)), edges=edges).closed()


def test_one_containment_is_told_in_the_singular() -> None:
    lines = list(find_lines(graph(edge("some", "all"))))
    assert "1 containment proved: 1 table (1.0 kB) is contained in others" in lines
    assert lines[-1] == "  some ⊆ all"


def test_a_child_of_two_parents_counts_once() -> None:
    lines = list(find_lines(graph(edge("some", "all"), edge("some", "more"))))
    assert "2 containments proved: 1 table (1.0 kB) is contained in others" in lines


def test_equal_tables_are_a_group_and_near_ones_have_their_fraction() -> None:
    lines = list(find_lines(graph(edge("a", "b"), edge("b", "a"), edge("c", "a", missing=1))))
    assert "1 group of equal tables, the largest of 2" in lines
    assert "1 near-containment (see fraction and missing_rows in edges.csv)" in lines
    assert lines[-3:] == ["  a = b", "  b = a", "  c 0.9000 in a"]


def test_a_cast_is_told_beside_its_edge() -> None:
    cast = replace(edge("some", "all"), equal_after_cast=True)
    assert list(find_lines(graph(cast)))[-1] == "  some ⊆ all  (after cast)"


def test_of_many_edges_the_first_are_shown() -> None:
    edges = [edge(f"part{number:02}", "all") for number in range(SHOWN + 3)]
    lines = list(find_lines(graph(*edges)))
    assert lines[-1] == "  … and 3 more"
    assert sum("⊆" in line for line in lines) == SHOWN


def test_an_empty_lake_is_told_too() -> None:
    assert list(inventory_lines((), {})) == ["0 tables (none), 0 B"]


def test_tables_left_out_are_told_with_their_reasons_and_not_counted() -> None:
    broken = replace(table("broken"), problem="damaged", unreadable=True)
    nested = replace(table("nested"), problem="two columns of one name")
    lines = list(inventory_lines([table("t"), broken, nested], {"hidden": 2}))
    assert lines == [
        "1 table (1 parquet), 1.0 kB",
        "  skipped 2: hidden",
        "  unreadable: broken: damaged",
        "  not eligible: nested: two columns of one name",
    ]


def test_of_many_tables_left_out_the_first_are_told() -> None:
    out = [replace(table(f"t{n}"), problem="damaged", unreadable=True) for n in range(SHOWN + 1)]
    *shown, last = inventory_lines(out, {})
    assert len(shown) == 1 + SHOWN
    assert last == "  … and 1 more table left out (--out has all in tables.csv)"


def test_a_name_that_would_move_the_cursor_is_made_visible() -> None:
    lines = list(find_lines(graph(edge("bad\nname", "all"))))
    assert not any("\n" in line for line in lines)
    assert any("bad" in line and "name" in line for line in lines)


def test_the_funnel_has_a_line_a_stage() -> None:
    row = FunnelRow("exact", 1200, 1000, 200, 0, {}, 0.25, 3_000_000, 4500, 900_000, 0.4)
    heads, line, cost = funnel_lines(Graph((), funnel=(row,)))
    assert " ".join(heads.split()) == "stage pairs refuted proved left read rows seconds core s"
    assert " ".join(line.split()) == "exact 1,200 1,000 200 0 3.0 MB 4,500 0.25 0.40"
    assert cost == (
        "900.0 kB of row hashes shuffled for 3.0 MB read; core-seconds for each GB read: 133.33"
    )


def test_the_inventory_tells_what_is_known_of_each_table() -> None:
    unknown = replace(table("t"), rows=None)
    heads, line, _, total, owners = table_lines(Inventory((unknown,), {}))
    assert heads.split()[:3] == ["table", "format", "rows"]
    assert line.split() == ["t", "parquet", "?", "1.0", "kB", "0", "1"]
    assert total == "1 table (1 parquet), 1.0 kB"
    assert owners == "owners of files: none found; no catalogue was asked"
