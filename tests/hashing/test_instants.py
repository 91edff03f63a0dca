"""Timestamps, times and durations of any unit are one where they are the same instant."""

from fractions import Fraction

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.hashing.hashing import hashes

PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
EDGES = [0, 1, -1, 999, 1000, 1001, -999, -1000, 10**6, 10**9, 86_400 * 10**9]
EDGES += [2**63 - 1, -(2**63), (2**63 - 1) // 10**6, -(2**63) // 10**6, (2**63 - 1) // 10**3]
EDGES += [edge + step for edge in EDGES[-3:] for step in (-1, 1)]
COUNTS = st.sampled_from(EDGES) | st.integers(-(2**63), 2**63 - 1)


@pytest.mark.parametrize("kind", ["timestamp", "timestamptz", "duration"])
@given(counts=st.lists(COUNTS, min_size=1))
def test_instants_are_equal_exactly_where_their_seconds_are(kind: str, counts: list[int]) -> None:
    make = {
        "timestamp": pa.timestamp,
        "timestamptz": lambda unit: pa.timestamp(unit, "UTC"),
        "duration": pa.duration,
    }[kind]
    of_seconds: dict[Fraction, tuple[int, int]] = {}
    for unit, per_second in PER_SECOND.items():
        for count, hash_ in zip(counts, hashes(pa.array(counts, make(unit)), kind), strict=True):
            assert of_seconds.setdefault(Fraction(count, per_second), hash_) == hash_
    assert len(set(of_seconds.values())) == len(of_seconds)


def test_the_zones_name_is_no_part_of_an_instant() -> None:
    zones = ["UTC", "+02:00", "Europe/Berlin"]
    assert len({hashes(pa.array([1], pa.timestamp("s", z)), "timestamptz")[0] for z in zones}) == 1


def test_times_of_any_unit_are_one() -> None:
    noon = [43_200 * 10**power for power in (0, 3, 6, 9)]
    types = [pa.time32("s"), pa.time32("ms"), pa.time64("us"), pa.time64("ns")]
    arrays = [pa.array([count], type_) for count, type_ in zip(noon, types, strict=True)]
    assert len({hashes(array, "time")[0] for array in arrays}) == 1


def test_milliseconds_inside_a_day_keep_a_date_apart() -> None:
    raw = pa.array([0, 1, 86_400_000, -1]).view(pa.date64())
    midnight, later, next_day, before = hashes(raw, "date")
    assert [midnight, next_day] == hashes(pa.array([0, 1], pa.date32()), "date")
    assert len({midnight, later, next_day, before}) == 4
