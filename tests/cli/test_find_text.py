"""A run told in lines of text."""

from dataclasses import replace

from r2d2.cli.find_text import (
    FIRST,
    NO_TABLE,
    NONE_ELIGIBLE,
    SHOWN,
    find_lines,
    funnel_lines,
    inventory_lines,
    table_lines,
)
from r2d2.graph import Graph, spare_tables
from r2d2.lake.inventory import Inventory
from r2d2.model import Column, Edge, FileInfo, Format, FunnelRow, Table, UnmatchedColumn, Why
from r2d2.storage.local import Listing

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
    told = "1 of 3 tables is contained in others: 1.0 kB of 3.0 kB; 1 containment proved"
    assert lines[0] == told
    assert "some       1.0 kB  all" in lines


def test_a_child_of_two_parents_counts_once() -> None:
    lines = list(find_lines(graph(edge("some", "all"), edge("some", "more"))))
    told = "1 of 4 tables is contained in others: 1.0 kB of 4.0 kB; 2 containments proved"
    assert lines[0] == told
    assert "some       1.0 kB  all and 1 more" in lines


def test_equal_tables_are_told_once_and_near_ones_have_their_fraction() -> None:
    lines = list(find_lines(graph(edge("a", "b"), edge("b", "a"), edge("c", "a", missing=1))))
    assert "1 group of equal tables, 1.0 kB beyond one copy of each" in lines
    assert "1 near-containment (see fraction and missing_rows in edges.csv)" in lines
    assert [line for line in lines if " = " in line] == ["  1.0 kB: a = b"]
    assert "c          1.0 kB  0.9000 in a" in lines


def test_equal_tables_that_are_in_a_greater_one_are_one_row_with_the_bytes_of_all() -> None:
    both_ways = edge("a", "b"), edge("b", "a")
    lines = list(find_lines(graph(*both_ways, edge("a", "all"), edge("b", "all"))))
    assert "a and 1 equal  2.0 kB  all" in lines


def test_the_largest_contained_table_comes_first_and_its_largest_parent_is_named() -> None:
    sizes = {"a": 10, "b": 500, "p": 1000, "q": 3000}
    edges = edge("a", "p"), edge("b", "p"), edge("b", "q")
    lake = Graph(tuple(table(n, size) for n, size in sizes.items()), edges=edges).closed()
    heads, first, second = list(find_lines(lake))[3:6]
    assert heads.split() == ["contained", "size", "in"]
    assert (first.split(), second.split()) == (
        ["b", "500", "B", "q", "and", "1", "more"],
        ["a", "10", "B", "p"],
    )


def test_folders_are_told_by_the_bytes_that_are_contained_the_most_first() -> None:
    sizes = {"a/x": 10, "b/y": 500, "b/z": 1000, "all": 3000}
    edges = edge("a/x", "all"), edge("b/y", "all")
    lake = Graph(tuple(table(n, size) for n, size in sizes.items()), edges=edges).closed()
    lines = list(find_lines(lake))
    start = next(place for place, line in enumerate(lines) if line.startswith("folder"))
    assert [" ".join(line.split()) for line in lines[start + 1 : start + 4]] == [
        "b 500 B 1 of 2 500 B of 1.5 kB",
        "a 10 B 1 of 1 10 B of 10 B",
        "(the lake's top folder) 0 B 0 of 1 0 B of 3.0 kB",
    ]


def test_what_could_go_leaves_one_of_equal_tables_unless_another_has_their_rows() -> None:
    pairs = [("a", "b"), ("b", "a"), ("c", "d"), ("d", "c"), ("c", "e"), ("d", "e")]
    sizes = {"a": 10, "b": 30, "c": 1, "d": 2, "e": 50}
    tables = tuple(table(name, size) for name, size in sizes.items())
    equal = {frozenset("ab"), frozenset("cd")}
    edges = tuple(replace(edge(*pair), equal=frozenset(pair) in equal) for pair in pairs)
    lake = Graph(tables, edges=edges).closed()
    assert spare_tables(lake) == {"a", "c", "d"}
    assert "with one copy of each row left, 13 B could go (3 tables)" in list(find_lines(lake))


def test_a_cast_is_told_beside_its_edge() -> None:
    cast = replace(edge("some", "all"), equal_after_cast=True)
    assert "some       1.0 kB  all (after cast)" in list(find_lines(graph(cast)))


def test_of_many_contained_tables_the_first_are_shown_and_more_if_verbose() -> None:
    edges = [edge(f"part{number:02}", "all") for number in range(FIRST + 3)]
    lines = list(find_lines(graph(*edges)))
    assert "… and 3 more" in lines
    assert sum(line.startswith("part") for line in lines) == FIRST
    verbose = list(find_lines(graph(*edges), verbose=True))
    assert sum(line.startswith("part") for line in verbose) == FIRST + 3


def test_the_work_of_the_stages_is_there_if_verbose() -> None:
    row = FunnelRow("exact", 1, 0, 1, 0, {}, 0.25, 3_000_000, 4500)
    lake = replace(graph(edge("some", "all")), funnel=(row,))
    assert "read 3.0 MB, 4,500 rows; -v shows the stages; seconds: 0.25" in list(find_lines(lake))
    assert any(line.startswith("stage") for line in find_lines(lake, verbose=True))


def test_an_empty_lake_is_told_too() -> None:
    assert list(inventory_lines((), {})) == [NO_TABLE]
    assert next(find_lines(Graph(()))) == NO_TABLE


def test_a_lake_of_which_nothing_can_be_read_is_not_said_to_be_empty() -> None:
    broken = replace(table("broken"), problem="damaged", unreadable=True)
    first, second = inventory_lines([broken], {})
    assert (first, second) == (NONE_ELIGIBLE, "  unreadable: broken: damaged")


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


def test_the_name_of_an_unreadable_table_stands_once() -> None:
    broken = replace(table("a/b"), problem="a/b: no Parquet footer", unreadable=True)
    assert "  unreadable: a/b: no Parquet footer" in list(inventory_lines([broken], {}))
    assert "a/b: no Parquet footer" not in next(
        line for line in table_lines(Inventory((broken,), {})) if line.startswith("a/b")
    )


def test_of_one_table_and_of_one_more_containment_the_singular_is_told() -> None:
    (first, *_) = find_lines(Graph((table("only"),)))
    assert first.startswith("0 of 1 table is contained in others")
    less = replace(edge("some", "all"), unmatched=(UnmatchedColumn("x", Why.CONSTANT),))
    told = list(find_lines(graph(less)))
    assert (
        "1 more containment without a column of one value;"
        " 1 more table, 1.0 kB, could go where a recipe gives these"
    ) in told
    assert "  `r2d2 edges RUN` lists them with these columns" in told


def test_containments_without_columns_are_told_by_why_these_need_no_parent() -> None:
    def without(child: str, *whys: Why) -> Edge:
        columns = tuple(UnmatchedColumn(why.value, why) for why in whys)
        return replace(edge(child, "all"), unmatched=columns)

    told = list(
        find_lines(
            graph(
                without("a", Why.CONSTANT),
                without("b", Why.ROW_NUMBER, Why.CONSTANT),
                without("c", Why.ROW_NUMBER),
                without("d", Why.INDEX),
                edge("a", "more"),
            )
        )
    )
    assert (
        "3 more containments without columns of one value (2) or row numbers (2);"
        " 2 more tables, 2.0 kB, could go where a recipe gives these"
    ) in told
    assert "1 more containment without an index: nothing is deleted for it" in told


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
    tables = tuple(table(name) for name in "abc")
    heads, line, pairs, cost = funnel_lines(Graph(tables, funnel=(row,)))
    assert " ".join(heads.split()) == "stage pairs refuted proved left read rows seconds core s"
    assert " ".join(line.split()) == "exact 1,200 1,000 200 0 3.0 MB 4,500 0.25 0.40"
    assert pairs.startswith("3 tables have 6 pairs of child and parent: schema takes")
    assert cost == (
        "900.0 kB of row hashes shuffled for 3.0 MB read; core-seconds for each GB read: 133.33"
    )


def test_a_long_reason_that_many_tables_share_is_told_once() -> None:
    reason = "it may belong to Delta table d, which is not resolved: its log ends in the middle"
    tables = [replace(table(name), must_keep=reason) for name in "abcd"]
    told = list(table_lines(Inventory((*tables, table("e")), {})))
    assert sum(reason in line for line in told) == 1
    assert [line.split()[-1] for line in told[1:5]] == ["[1]"] * 4
    assert told[7] == f"[1] 4 tables: never planned for deletion: {reason}"


def test_what_no_plan_may_delete_is_told_beside_what_could_go() -> None:
    held = replace(table("b", 2000), must_keep="it may be a part of c")
    both_ways = edge("a", "b"), edge("b", "a")
    told = "\n".join(find_lines(Graph((table("a", 3000), held), edges=both_ways).closed()))
    assert "of these no plan may delete 1 table, 2.0 kB, such as b: it may be a part of c" in told


def test_the_inventory_tells_what_is_known_of_each_table() -> None:
    unknown = replace(table("t"), rows=None)
    heads, line, _, total, owners = table_lines(Inventory((unknown,), {}))
    assert heads.split()[:3] == ["table", "format", "rows"]
    assert line.split() == ["t", "parquet", "?", "1.0", "kB", "0", "1"]
    assert total == "1 table (1 parquet), 1.0 kB"
    assert owners == "tables that list their own files: none; no catalogue was asked"


def test_the_files_that_no_table_has_are_listed_on_request() -> None:
    tables = (table("t.parquet"), replace(table("d"), format=Format.DELTA))
    names = ("t.parquet", "d/old.parquet", "notes/read me.txt")
    files = tuple(FileInfo(name, 2000, "") for name in names)
    first = replace(tables[0], files=files[:1])
    inventory = Inventory((first, tables[1]), {"no data file": 1}, listing=Listing(files))
    assert list(table_lines(inventory))[-1] == "-v lists the files that were skipped"
    told = list(table_lines(inventory, verbose=True))
    assert told[-2:] == ["", "in no table: notes/read me.txt (2.0 kB)"]
    whole = replace(inventory, tables=(replace(tables[1], location="."),))
    assert not any("in no table:" in line for line in table_lines(whole, verbose=True))
