"""The sample lake's edges are those of the brute force that made its golden files."""

import csv
from pathlib import Path

import pytest

import r2d2
from r2d2 import Graph

REPOSITORY = Path(__file__).parents[2]
LAKE = REPOSITORY / "sample_lake"


def golden(name: str) -> list[dict[str, str]]:
    with (REPOSITORY / "tests/golden" / f"sample_lake_{name}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def pairs(graph: Graph) -> set[tuple[str, str]]:
    return {(edge.child, edge.parent) for edge in graph.edges}


def listed(name: str) -> set[tuple[str, str]]:
    return {(row["child"], row["parent"]) for row in golden(name)}


@pytest.mark.slow
def test_strict_edges_are_the_golden_ones(engine: str) -> None:
    graph = r2d2.find(LAKE, engine=engine)
    assert not [table for table in graph.tables if table.problem]
    assert pairs(graph) == listed("edges")
    assert {(e.child, e.parent) for e in graph.degenerate} == listed("degenerate")


@pytest.mark.slow
def test_widened_types_add_the_golden_ones(engine: str) -> None:
    graph = r2d2.find(LAKE, engine=engine, types="widened")
    added = {(e.child, e.parent) for e in graph.edges if e.equal_after_cast}
    assert added == listed("widened")
    assert pairs(graph) == added | listed("edges")


@pytest.mark.slow
def test_near_containment_has_the_golden_fractions(engine: str) -> None:
    graph = r2d2.find(LAKE, engine=engine, min_fraction=0.9)
    near = {(e.child, e.parent): e for e in graph.edges if e.missing_rows}
    expected = {(row["child"], row["parent"]): row for row in golden("near")}
    assert near.keys() == expected.keys()
    for pair, row in expected.items():
        assert near[pair].missing_rows == int(row["missing_rows"])
        rows = int(row["child_rows"])
        assert near[pair].fraction == (rows - near[pair].missing_rows) / rows
