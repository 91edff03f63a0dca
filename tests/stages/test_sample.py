"""The sample stage refutes pairs of which a sampled row is missing, and proves nothing."""

from hypothesis import given
from hypothesis import strategies as st

from r2d2.stages.sample import Sample
from tests.support.stages.memory_lake import FRACTIONS, LAKES, MemoryLake, open_pairs

ROWS = st.integers(1, 6)
ALL = 100


@given(LAKES, ROWS, FRACTIONS, st.booleans())
def test_no_true_pair_is_refuted_and_none_is_proved(
    numbers: list[list[int]], rows: int, min_fraction: float, knows_rows: bool
) -> None:
    lake = MemoryLake(numbers, knows_rows=knows_rows)
    graph = Sample(rows, min_fraction)(lake.open_graph(), lake)
    left = open_pairs(graph)
    assert left >= {pair for pair in lake.pairs() if lake.fraction(pair) >= min_fraction}
    assert graph.edges == graph.degenerate == ()
    assert graph.reasons == {"a sampled child row is missing": len(lake.pairs()) - len(left)}


@given(LAKES)
def test_a_sample_of_all_rows_refutes_every_false_pair(numbers: list[list[int]]) -> None:
    lake = MemoryLake(numbers)
    left = open_pairs(Sample(ALL)(lake.open_graph(), lake))
    assert left == {pair for pair in lake.pairs() if lake.fraction(pair) == 1}


@given(LAKES, ROWS, FRACTIONS)
def test_more_rows_refute_no_less_and_the_same_in_every_run(
    numbers: list[list[int]], rows: int, min_fraction: float
) -> None:
    lake = MemoryLake(numbers)
    few, again, more = (
        open_pairs(Sample(count, min_fraction)(lake.open_graph(), lake))
        for count in (rows, rows, rows + 1)
    )
    assert few == again
    assert more <= few


@given(LAKES, ROWS)
def test_a_table_that_cannot_be_read_is_in_no_open_pair(
    numbers: list[list[int]], rows: int
) -> None:
    lake = MemoryLake(numbers, failed={0: "damaged"})
    graph = Sample(rows)(lake.open_graph(), lake)
    assert graph.tables[0].problem == "damaged"
    assert not any(0 in pair for pair in open_pairs(graph))
