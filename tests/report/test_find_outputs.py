"""The files of a run, from a graph made by hand."""

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from r2d2.errors import R2D2Error
from r2d2.graph import Graph
from r2d2.model import Column, Edge, Evidence, Format, FunnelRow, Table, Types, Verdict
from r2d2.report import (
    edges_csv,
    funnel_data,
    graph_data,
    settings_data,
    tables_csv,
    write_find,
)
from r2d2.settings.find import Settings

COLUMNS = (Column("id", "int64", ("id",)), Column("a, b", "string", ("a, b",)))
PARENT = Table("all", Format.PARQUET, COLUMNS, 3, 10, snapshot="s1", details={"b": "2", "a": "1"})
CHILD = Table("some", Format.CSV, COLUMNS, None, 5)
BROKEN = Table("broken", Format.ORC, problem="damaged", unreadable=True)
EDGE = Edge(
    "some",
    "all",
    2 / 3,
    1,
    None,
    3,
    False,
    "exact",
    distinct_rows=3,
    columns=(("id", "id"),),
    evidence=(Evidence("exact", Verdict.PROVED, "2 of 3 distinct child rows found"),),
)
GRAPH = Graph(
    (PARENT, BROKEN, CHILD),
    edges=(EDGE,),
    funnel=(FunnelRow("exact", 2, 1, 1, 0, {"child rows are missing": 1}, 0.5, 15, 6),),
    skipped={"hidden": 2, "empty": 1},
)


def test_an_edge_is_a_row_with_its_fraction_in_full_and_unknown_counts_empty() -> None:
    assert edges_csv([EDGE]).splitlines() == [
        "child,parent,fraction,missing_rows,child_rows,parent_rows,equal,stage,unmatched",
        "some,all,0.6666666666666666,1,,3,false,exact,",
    ]


def test_a_table_is_a_row_with_its_columns_and_the_reason_why_it_is_left_out() -> None:
    parent, broken = csv.DictReader(io.StringIO(tables_csv([PARENT, BROKEN])))
    assert parent["columns"] == "id int64; a, b string"
    assert parent["details"] == "a=1; b=2"
    assert (parent["eligible"], broken["eligible"]) == ("true", "false")
    assert (broken["problem"], broken["rows"]) == ("damaged", "")


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))))
def test_names_come_out_of_the_csv_as_they_went_in(names: list[str]) -> None:
    edges = [replace(EDGE, child=name) for name in names]
    rows = csv.DictReader(io.StringIO(edges_csv(edges), newline=""))
    assert [row["child"].removeprefix("'") for row in rows] == names


@given(st.floats(0, 1))
def test_a_fraction_comes_out_of_the_csv_bit_by_bit(fraction: float) -> None:
    (row,) = csv.DictReader(io.StringIO(edges_csv([replace(EDGE, fraction=fraction)])))
    assert float(row["fraction"]) == fraction


def test_the_graph_as_data_says_what_is_in_it_and_nothing_of_how_the_run_went() -> None:
    data = graph_data(GRAPH, Settings(types=Types.WIDENED, threads=7), "lake")
    assert list(data["skipped"]) == ["empty", "hidden"]
    assert [table["location"] for table in data["tables"]] == ["all", "broken", "some"]
    (edge,) = data["edges"]
    assert edge["columns"] == {"id": "id"}
    assert edge["evidence"] == [["exact", "proved", "2 of 3 distinct child rows found"]]
    assert data["settings"]["types"] == "widened"
    assert "threads" not in data["settings"]
    assert "seconds" not in json.dumps(data)


@given(st.integers(1, 64), st.integers(1, 1 << 40))
def test_what_changes_only_how_a_run_goes_is_no_setting_of_its_answer(
    threads: int, memory_bytes: int
) -> None:
    assert settings_data(Settings(threads=threads, memory_bytes=memory_bytes)) == settings_data(
        Settings()
    )


def test_the_funnel_as_data_has_what_each_stage_did_and_cost() -> None:
    (row,) = funnel_data(GRAPH)
    assert row["reasons"] == {"child rows are missing": 1}
    assert (row["pairs"], row["seconds"], row["bytes_read"]) == (2, 0.5, 15)


def test_the_same_graph_makes_the_same_files(tmp_path: Path) -> None:
    written = []
    for name in ("one", "two"):
        write_find(tmp_path / name, GRAPH, Settings(), "lake")
        written.append({path.name: path.read_bytes() for path in (tmp_path / name).iterdir()})
    assert written[0] == written[1]
    assert json.loads(written[0]["graph.json"])["lake"] == "lake"


def test_a_folder_that_cannot_be_written_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(R2D2Error, match="file"):
        write_find(tmp_path / "file" / "run", GRAPH, Settings(), "lake")
