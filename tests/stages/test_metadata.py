"""Bounds refute only what values refute."""

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from r2d2.formats.bounds import number_rank, text_rank, union
from r2d2.graph import Graph
from r2d2.model import RANK_MIN, Bounds, Column, Format, Table
from r2d2.stages.metadata import Metadata
from r2d2.stages.schema import Schema

values = st.lists(st.one_of(st.none(), st.integers(-5, 5)), min_size=1, max_size=6)


def bounds(column: list[int | None], blur: tuple[int, int] = (0, 0), nulls: bool = True) -> Bounds:
    """The column's bounds, each widened by as much as `blur`, as an inexact writer would."""
    known = [value for value in column if value is not None]
    has_nulls = (None in column) if nulls else None
    if not known:
        return Bounds(has_nulls=has_nulls, has_values=False if nulls else None, sure=True)
    low, high = number_rank(min(known) - blur[0]), number_rank(max(known) + blur[1])
    exact = blur == (0, 0)
    ends = (low, low if exact else high, high if exact else low, high)
    return Bounds(*ends, has_nulls, True, sure=True)


def table(name: str, found: Bounds, kind: str = "int64") -> Table:
    column = Column("x", kind, ("x",))
    return Table(name, Format.PARQUET, (column,), 1, bounds={"x": found})


def is_open(child: Bounds, parent: Bounds, min_fraction: float = 1.0, kind: str = "int64") -> bool:
    both = table("child", child, kind), table("parent", parent, kind)
    graph = Schema()(Graph(both), None)  # type: ignore[arg-type]
    graph = Metadata(min_fraction)(graph, None)  # type: ignore[arg-type]
    found = [block.pairs() for block in graph.blocks]
    return any(((children == 0) & (parents == 1)).any() for children, parents in found)


@given(values, values, st.tuples(*[st.integers(0, 3)] * 4), st.booleans())
def test_a_true_edge_is_never_refuted(
    child: list[int | None], more: list[int | None], blur: tuple[int, ...], nulls: bool
) -> None:
    assert is_open(bounds(child, blur[:2], nulls), bounds(child + more, blur[2:], nulls))


@given(values, values)
def test_near_containment_is_refuted_only_where_no_row_is_shared(
    child: list[int | None], parent: list[int | None]
) -> None:
    if set(child) & set(parent):
        assert is_open(bounds(child), bounds(parent), min_fraction=0.01)


def test_near_containment_of_floats_is_not_refuted_as_both_may_hold_nan() -> None:
    assert is_open(bounds([9]), bounds([1]), min_fraction=0.01, kind="float64")
    assert not is_open(bounds([9]), bounds([1]), kind="float64")
    assert not is_open(bounds([9]), bounds([1]), min_fraction=0.01)


def test_a_value_outside_the_parents_bounds_refutes() -> None:
    assert not is_open(bounds([1, 9]), bounds([1, 8]))
    assert not is_open(bounds([0, 5]), bounds([1, 8]))
    assert is_open(bounds([1, 8]), bounds([1, 8]))


def test_a_null_refutes_where_the_parent_has_none() -> None:
    assert not is_open(bounds([1, None]), bounds([1, 2]))
    assert is_open(bounds([1, None]), bounds([1, 2], nulls=False))


def test_an_inexact_bound_of_the_child_does_not_refute_by_itself() -> None:
    assert is_open(bounds([2, 5], blur=(3, 0)), bounds([1, 8]))
    assert not is_open(bounds([9, 10], blur=(0, 1)), bounds([1, 8]))


def test_a_part_without_bounds_leaves_the_whole_without() -> None:
    assert union([bounds([1]), Bounds()]).min_low == RANK_MIN
    assert not union([bounds([1]), replace(bounds([2]), sure=False)]).sure
    assert union([bounds([1, 4]), bounds([None])]) == bounds([1, 4, None])


@given(st.lists(st.floats(allow_nan=False), min_size=2, max_size=2))
def test_number_ranks_keep_the_order(pair: list[float]) -> None:
    low, high = sorted(pair)
    assert number_rank(low) <= number_rank(high)
    assert (number_rank(low) == number_rank(high)) == (low == high)


@given(st.lists(st.binary(max_size=12), min_size=2, max_size=2))
def test_text_ranks_keep_the_order(pair: list[bytes]) -> None:
    low, high = sorted(pair)
    assert text_rank(low) <= text_rank(high)
    assert np.int64(text_rank(high)) == text_rank(high)
