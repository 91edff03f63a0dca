"""Families and their drawing, beside what brute force finds."""

from hypothesis import given
from hypothesis import strategies as st

from r2d2.page.families import families_of, reduced
from r2d2.page.run_files import PageEdge, PageGraph, PageTable

Pairs = set[tuple[int, int]]
NODES = 9


def closure(pairs: Pairs) -> Pairs:
    """All pairs that follow from these."""
    found = set(pairs)
    while more := {(a, d) for a, b in found for c, d in found if b == c} - found:
        found |= more
    return found


def a_graph(pairs: Pairs, equal: list[list[str]], tables: int = NODES) -> PageGraph:
    """A graph with tables t0, t1, … and these edges, child and parent."""
    made = [PageTable(f"t{n}", "parquet", [], n, 10 + n, 1, "s") for n in range(tables)]
    edges = [
        PageEdge(f"t{child}", f"t{parent}", 1.0, 0, (parent, child) in pairs, "exact", {}, [])
        for child, parent in sorted(pairs)
    ]
    return PageGraph(1, "lake", {}, made, edges, equal)


@given(st.sets(st.tuples(st.integers(0, NODES - 1), st.integers(0, NODES - 1))))
def test_what_is_drawn_is_the_least_from_which_all_edges_follow(drawn: Pairs) -> None:
    acyclic = {(max(pair), min(pair)) for pair in drawn if pair[0] != pair[1]}
    kept = set(reduced(acyclic, [1] * NODES))
    assert kept <= acyclic
    assert closure(kept) == closure(acyclic)
    assert all(closure(kept - {pair}) != closure(kept) for pair in kept)


@given(st.sets(st.tuples(st.integers(0, 4), st.integers(0, 4))))
def test_edges_in_a_circle_are_all_drawn_or_follow(drawn: Pairs) -> None:
    pairs = {pair for pair in drawn if pair[0] != pair[1]}
    assert closure(set(reduced(pairs, [1] * 5))) == closure(pairs)


@given(st.sets(st.tuples(st.integers(0, NODES - 1), st.integers(0, NODES - 1))))
def test_tables_of_one_family_are_those_that_edges_connect(drawn: Pairs) -> None:
    pairs = {(max(pair), min(pair)) for pair in drawn if pair[0] != pair[1]}
    families = families_of(a_graph(pairs, []))
    both = closure(pairs | {(b, a) for a, b in pairs})
    for a in range(NODES):
        for b in range(NODES):
            related = families.family[a] == families.family[b] != 0
            assert related == ((a, b) in both)


def test_equal_tables_are_one_node_and_a_line_says_why() -> None:
    pairs = {(1, 2), (2, 1), (0, 1), (0, 2), (0, 3), (1, 3), (2, 3)}
    families = families_of(a_graph(pairs, [["t1", "t2"]], 4))
    assert families.node == [0, 1, 1, 3]
    assert [(drawn.child, drawn.parent) for drawn in families.edges] == [(0, 1), (1, 3)]
    assert [(drawn.child, drawn.parent) for drawn in families.equal] == [(2, 1)]
    assert (families.parents[0], families.children[3]) == (3, 3)
