"""The lakes of known truth: every edge found, none made up, on both engines."""

import csv
import gzip
from collections.abc import Iterator, Mapping
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import r2d2
from r2d2 import Graph

pytestmark = pytest.mark.shared

PARQUET = "truth_dev_derived_parquet.csv.gz"
CSV = "truth_dev_derived_csv.csv.gz"
Pair = tuple[str, str]


def truth(shared: Path, name: str) -> Iterator[Mapping[str, str]]:
    with gzip.open(shared / "lakes/truth" / name, "rt", newline="") as file:
        yield from csv.DictReader(file)


def true_edges(shared: Path, name: str, mode: str) -> set[Pair]:
    rows = truth(shared, name)
    return {(r["child"], r["parent"]) for r in rows if r[f"exact_{mode}"] == "true"}


def found(graph: Graph) -> set[Pair]:
    assert not [table for table in graph.tables if table.problem]
    return {(edge.child, edge.parent) for edge in graph.edges}


def test_parquet_strict_has_exactly_the_true_edges(shared: Path, engine: str) -> None:
    graph = r2d2.find(shared / "lakes/dev/parquet", engine=engine)
    assert found(graph) == true_edges(shared, PARQUET, "strict")


def test_csv_as_text_has_exactly_the_true_edges(shared: Path, engine: str) -> None:
    graph = r2d2.find(shared / "lakes/dev/csv", engine=engine)
    assert found(graph) == true_edges(shared, CSV, "raw")


def test_parquet_widened_lacks_only_edges_that_need_text_to_equal_numbers(
    shared: Path, engine: str
) -> None:
    lake = shared / "lakes/dev/parquet"
    graph = r2d2.find(lake, engine=engine, types="widened")
    types = {
        table.location: {field.name.lower(): str(field.type) for field in schema}
        for table in graph.tables
        for schema in [pq.read_schema(lake / table.location)]
    }

    def text_for_number(child: str, parent: str) -> bool:
        pairs = ({kind, types[parent][name]} for name, kind in types[child].items())
        return any("string" in pair and len(pair) == 2 for pair in pairs)

    every = true_edges(shared, PARQUET, "num")
    assert found(graph) == {pair for pair in every if not text_for_number(*pair)}
    assert len(every) - len(graph.edges) == 269


def test_near_containment_has_the_fractions_of_the_truth(shared: Path, engine: str) -> None:
    graph = r2d2.find(shared / "lakes/dev/parquet", engine=engine, min_fraction=0.9)
    expected = {
        (row["child"], row["parent"]): float(row["fraction_num"])
        for row in truth(shared, PARQUET)
        if row["types_equal"] == "true"
    }
    fractions = {(edge.child, edge.parent): edge.fraction for edge in graph.edges}
    assert fractions.keys() == expected.keys()
    assert max(abs(fractions[pair] - expected[pair]) for pair in expected) < 1e-9
