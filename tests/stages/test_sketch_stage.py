"""The sketch stage refutes only what is false, and with whole sketches all that is."""

from hypothesis import given
from hypothesis import strategies as st

from r2d2.stages.sketch import Sketch
from tests.support.stages.memory_lake import FRACTIONS, LAKES, MemoryLake, open_pairs

SIZES = st.integers(1, 6)
WHOLE = 100


@given(LAKES, SIZES, FRACTIONS, st.booleans())
def test_no_true_pair_is_refuted(
    numbers: list[list[int]], size: int, min_fraction: float, knows_rows: bool
) -> None:
    lake = MemoryLake(numbers, knows_rows=knows_rows)
    left = open_pairs(Sketch(size, min_fraction)(lake.open_graph(), lake))
    assert left >= {pair for pair in lake.pairs() if lake.fraction(pair) >= min_fraction}


@given(LAKES, FRACTIONS)
def test_sketches_of_all_rows_refute_every_false_pair(
    numbers: list[list[int]], min_fraction: float
) -> None:
    lake = MemoryLake(numbers)
    left = open_pairs(Sketch(WHOLE, min_fraction)(lake.open_graph(), lake))
    assert left == {pair for pair in lake.pairs() if lake.fraction(pair) >= min_fraction}


@given(LAKES, SIZES, FRACTIONS)
def test_a_larger_sketch_refutes_no_less(
    numbers: list[list[int]], size: int, min_fraction: float
) -> None:
    lake = MemoryLake(numbers)
    small, large = (
        open_pairs(Sketch(k, min_fraction)(lake.open_graph(), lake)) for k in (size, size + 1)
    )
    assert large <= small


@given(LAKES, SIZES)
def test_the_pairs_refuted_are_counted_and_none_is_proved(
    numbers: list[list[int]], size: int
) -> None:
    lake = MemoryLake(numbers)
    graph = Sketch(size)(lake.open_graph(), lake)
    refuted = len(lake.pairs()) - graph.open_pairs()
    assert graph.reasons == {"a child row is missing": refuted}
    assert graph.edges == ()


@given(LAKES, SIZES, FRACTIONS)
def test_a_table_that_cannot_be_read_is_in_no_open_pair_and_has_a_reason(
    numbers: list[list[int]], size: int, min_fraction: float
) -> None:
    lake = MemoryLake(numbers, failed={0: "damaged"})
    graph = Sketch(size, min_fraction)(lake.open_graph(), lake)
    assert graph.tables[0].problem == "damaged"
    assert not any(0 in pair for pair in open_pairs(graph))
