"""The exact stage decides every pair, by the fraction that brute force gives."""

from hypothesis import given
from hypothesis import strategies as st

from r2d2.model import Evidence, Verdict
from r2d2.stages.exact import Exact
from tests.support.stages.memory_lake import FRACTIONS, LAKES, MemoryLake


@given(LAKES, FRACTIONS, st.booleans())
def test_the_edges_are_the_pairs_whose_fraction_is_large_enough(
    numbers: list[list[int]], min_fraction: float, knows_rows: bool
) -> None:
    lake = MemoryLake(numbers, knows_rows=knows_rows)
    graph = Exact(min_fraction)(lake.open_graph(), lake)
    found = {(int(edge.child), int(edge.parent)): edge.fraction for edge in graph.edges}
    truth = {pair: lake.fraction(pair) for pair in lake.pairs()}
    assert found == {pair: part for pair, part in truth.items() if part >= min_fraction}
    assert graph.open_pairs() == 0
    assert graph.reasons == {"child rows are missing": len(truth) - len(found)}


@given(LAKES, FRACTIONS)
def test_an_edge_counts_rows_once_and_says_so(
    numbers: list[list[int]], min_fraction: float
) -> None:
    lake = MemoryLake(numbers)
    for edge in Exact(min_fraction)(lake.open_graph(), lake).edges:
        child, parent = (numbers[int(location)] for location in (edge.child, edge.parent))
        distinct, missing = len(set(child)), len(set(child) - set(parent))
        assert (edge.distinct_rows, edge.missing_rows) == (distinct, missing)
        assert (edge.child_rows, edge.parent_rows) == (len(child), len(parent))
        reason = f"{distinct - missing} of {distinct} distinct child rows found"
        assert edge.evidence == (Evidence("exact", Verdict.PROVED, reason),)
        assert edge.columns == (("x", "x"),)


@given(LAKES)
def test_edges_that_hold_both_ways_are_equal(numbers: list[list[int]]) -> None:
    lake = MemoryLake(numbers)
    graph = Exact()(lake.open_graph(), lake).closed()
    for edge in graph.edges:
        child, parent = (set(numbers[int(location)]) for location in (edge.child, edge.parent))
        assert edge.equal == (child == parent)


@given(LAKES, FRACTIONS)
def test_a_table_that_cannot_be_read_is_in_no_edge(
    numbers: list[list[int]], min_fraction: float
) -> None:
    lake = MemoryLake(numbers, failed={0: "damaged"})
    graph = Exact(min_fraction)(lake.open_graph(), lake)
    assert graph.tables[0].problem == "damaged"
    assert not any("0" in (edge.child, edge.parent) for edge in graph.edges)
    assert {(edge.child, edge.parent) for edge in graph.edges} == {
        (str(child), str(parent))
        for child, parent in lake.pairs()
        if 0 not in (child, parent) and lake.fraction((child, parent)) >= min_fraction
    }


def test_a_child_that_turns_out_to_have_no_rows_is_listed_apart() -> None:
    lake = MemoryLake([[], [1, 2]], knows_rows=False)
    graph = Exact()(lake.open_graph(), lake)
    assert [(edge.child, edge.parent) for edge in graph.degenerate] == [("0", "1")]
    assert graph.edges == ()
