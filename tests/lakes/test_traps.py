"""The lake of traps: each file as expected, each policy as docs/containment.md says."""

import csv
from collections.abc import Mapping
from pathlib import Path

import pytest

import r2d2
from r2d2 import Graph
from r2d2.settings.find import TableRule

pytestmark = pytest.mark.shared

IN_BOTH = {
    "csv/utf16.csv",
    "csv/latin1.csv",
    "csv/semicolon.csv",
    "csv/comment_top.csv",
    "csv/title_top.csv",
    "csv/backslash_quote.csv",
    "csv/nfd.csv",
    "csv/gzipped.csv.gz",
    "parquet/ts_ms.parquet",
    "parquet/ts_ns.parquet",
    "parquet/renamed.parq",
}
UNDER_WIDENED = {
    "parquet/int32.parquet",
    "parquet/uint64.parquet",
    "parquet/double.parquet",
    "parquet/decimal2.parquet",
}
DEGENERATE = {"csv/header_only.csv", "parquet/zero_rows.parquet"}
UNREADABLE = {
    "csv/ragged.csv",
    "csv/long_record.csv",
    "csv/zero_bytes.csv",
    "parquet/empty.parquet",
    "parquet/not_parquet.parquet",
    "parquet/truncated.parquet",
}
# A column is there twice, once but for case: the first, or the one so spelled, is base's.
HOLD_BASE = {"csv/dup_header.csv", "csv/dup_header_case.csv"}
INELIGIBLE = {
    "parquet/case_columns.parquet",
    "parquet/dup_columns.parquet",
}


def expected(shared: Path) -> list[Mapping[str, str]]:
    with (shared / "lakes/traps/expected.csv").open(newline="") as file:
        return [row for row in csv.DictReader(file) if row["in_base"] != "-"]


def base_of(file: str) -> str:
    kind = file.partition("/")[0]
    return f"{kind}/base.{kind}"


def pairs(graph: Graph) -> set[tuple[str, str]]:
    return {(e.child, e.parent) for e in (*graph.edges, *graph.degenerate)}


@pytest.mark.usefixtures("bounds_from")
def test_every_yes_and_no_is_as_expected(shared: Path, engine: str) -> None:
    # The list tells of each part by itself, as it is a table only where a rule says so.
    each = r2d2.Settings(tables=(TableRule(files="parquet/parts/*"),))
    graph = r2d2.find(shared / "lakes/traps", each, engine=engine)
    told = pairs(graph)
    for row in expected(shared):
        file, base = row["file"], base_of(row["file"])
        for want, pair in ((row["in_base"], (file, base)), (row["base_in"], (base, file))):
            assert want == "policy" or (pair in told) == (want == "yes"), row


def test_the_folder_of_parts_is_one_table_equal_to_base(shared: Path, engine: str) -> None:
    graph = r2d2.find(shared / "lakes/traps/parquet", engine=engine)
    assert {("parts", "base.parquet"), ("base.parquet", "parts")} <= pairs(graph)
    assert not [table for table in graph.tables if table.location.startswith("parts/")]


def test_every_policy_is_as_the_readme_says(shared: Path, engine: str) -> None:
    graph = r2d2.find(shared / "lakes/traps", engine=engine)
    told = pairs(graph)
    for row in expected(shared):
        file, base = row["file"], base_of(row["file"])
        if row["in_base"] == "policy":
            assert ((file, base) in told) == (file in IN_BOTH | DEGENERATE), row
        if row["base_in"] == "policy":
            assert ((base, file) in told) == (file in IN_BOTH | HOLD_BASE), row
    assert {e.child for e in graph.degenerate} == DEGENERATE
    assert {t.location for t in graph.tables if t.unreadable} == UNREADABLE
    assert {t.location for t in graph.tables if t.problem and not t.unreadable} == INELIGIBLE


def test_numbers_of_another_type_match_under_widened_and_are_marked(
    shared: Path, engine: str
) -> None:
    graph = r2d2.find(shared / "lakes/traps/parquet", engine=engine, types="widened")
    cast = {e.child for e in graph.edges if e.parent == "base.parquet" and e.equal_after_cast}
    assert {f"parquet/{child}" for child in cast} >= UNDER_WIDENED
    assert "string.parquet" not in cast
    assert "float32.parquet" not in cast


def test_nan_null_and_zero_are_what_semantics_say(shared: Path, engine: str) -> None:
    graph = r2d2.find(shared / "lakes/traps/parquet/zero", engine=engine)
    assert {(e.child, e.parent) for e in graph.edges} == {
        ("plus.parquet", "minus.parquet"),
        ("minus.parquet", "plus.parquet"),
        ("nan.parquet", "nan_copy.parquet"),
        ("nan_copy.parquet", "nan.parquet"),
        ("null.parquet", "null_copy.parquet"),
        ("null_copy.parquet", "null.parquet"),
    }
