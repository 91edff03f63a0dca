"""Fragment rates, shapes and what they strand."""

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from r2d2.errors import UsageError
from r2d2.vmcost.advice.packing import (
    Numa,
    Room,
    Shape,
    best_shapes,
    fragment_rate,
    mib_per_core,
    pack,
    rooms_of,
)
from tests.support.vmcost.applications import application

FREE = [7, 7, 5, 16, 9]
GIB = 1024


@pytest.mark.parametrize(("cores", "rate"), [(4, 0.182), (16, 0.636), (1, 0.0), (17, 1.0)])
def test_the_fragment_rate_of_the_published_example(cores: int, rate: float) -> None:
    assert round(float(fragment_rate(FREE, cores)), 3) == rate


@given(st.lists(st.integers(0, 64), min_size=1), st.integers(1, 70))
def test_the_fragment_rate_is_what_filling_core_by_core_leaves(free: list[int], cores: int) -> None:
    left = 0
    for one in free:
        while one >= cores:
            one -= cores
        left += one
    assert fragment_rate(free, cores) == Fraction(left, sum(free) or 1)


@given(st.lists(st.integers(0, 64)), st.integers(1, 70))
def test_with_memory_in_plenty_stranded_cores_are_the_fragment_rate(
    free: list[int], cores: int
) -> None:
    packing = pack([Room(one, one * GIB) for one in free], Shape(cores, cores))
    assert packing.core_share == pytest.approx(float(fragment_rate(free, cores)))


@given(
    st.lists(st.builds(Room, st.integers(1, 32), st.integers(1, 64)), min_size=1, max_size=4),
    st.integers(1, 4),
)
def test_no_shape_strands_fewer_cores_than_the_first(rooms: list[Room], mib: int) -> None:
    shapes = best_shapes(rooms, mib)
    for cores in range(1, max(room.cores for room in rooms) + 1):
        placed = sum(min(room.cores // cores, room.memory_mib // (cores * mib)) for room in rooms)
        assert shapes[0].stranded_cores <= sum(room.cores for room in rooms) - placed * cores


def test_memory_that_runs_out_strands_cores() -> None:
    packing = pack(
        rooms_of(16, 64 * GIB, reserved_cores=1, reserved_mib=4 * GIB), Shape(5, 30 * GIB)
    )
    assert (packing.executors, packing.stranded_cores, packing.stranded_mib) == (2, 5, 0)


def test_a_shape_that_divides_the_cores_of_each_vm_strands_none() -> None:
    best = best_shapes(
        rooms_of(16, 64 * GIB, 3, reserved_cores=1, reserved_mib=GIB), 4000, (2, 4, 5)
    )
    assert best[0].shape == Shape(5, 20_000)
    assert (best[0].executors, best[0].stranded_cores) == (9, 0)


def test_among_shapes_alike_the_larger_is_taken() -> None:
    assert best_shapes(rooms_of(8, 32 * GIB), 4 * GIB)[0].shape.cores == 8


def test_among_shapes_alike_one_within_a_numa_node_is_taken() -> None:
    best = best_shapes(rooms_of(8, 32 * GIB), 4 * GIB, numa=Numa(4))
    assert best[0].shape.cores == 4


def test_an_executor_beyond_a_numa_node_is_warned_of_with_both_numbers() -> None:
    packing = pack([Room(32, 128)], Shape(16, 64), Numa(8, 32))
    assert "16 cores of 8, 64 MiB of 32" in packing.warning
    assert pack([Room(32, 128)], Shape(8, 32), Numa(8, 32)).warning == ""


def test_a_shape_that_fits_nowhere_strands_everything() -> None:
    packing = pack([Room(4, GIB)], Shape(2, 2 * GIB))
    assert (packing.executors, packing.core_share, packing.memory_share) == (0, 1.0, 1.0)


def test_memory_to_a_core_is_what_the_executors_have_or_unknown() -> None:
    app = application([(0, 0, 0, 1)], 1)
    assert mib_per_core(app) is None
    told = replace(app, executors=(replace(app.executors[0], memory_mib=10_000, cores=3),))
    assert mib_per_core(told) == 3334


def test_an_empty_list_of_rooms_has_no_shapes() -> None:
    assert best_shapes([], 1) == ()
    assert fragment_rate([], 4) == 0


def test_reserving_all_of_a_vm_is_refused() -> None:
    with pytest.raises(UsageError, match="no room is left"):
        rooms_of(2, 8 * GIB, reserved_cores=2)
