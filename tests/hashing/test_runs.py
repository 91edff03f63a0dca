"""Runs against Python's sets of pairs, where hashes share their first lane, too."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from r2d2.hashing.multiset import HashIndex
from r2d2.hashing.runs import (
    HashFilter,
    count_missing,
    cut,
    empty_run,
    from_bytes,
    hash_order,
    merge,
    positions_in,
    present_mask,
    run_sums,
    smallest,
    sorted_unique,
    sorted_unique_each,
    to_bytes,
    without_repeats,
)
from tests.support.hashing.hashing import Hash, lanes_of, pairs

WORD = st.integers(0, 3) | st.sampled_from([2**63, 2**64 - 1]) | st.integers(0, 2**64 - 1)
HASHES = st.lists(st.tuples(WORD, WORD), max_size=60)


def run_of(hashes: Sequence[Hash]) -> list[Hash]:
    """The run of these hashes, by Python."""
    return sorted(set(hashes))


def many(rows: int, first_lanes: int, seed: int = 0) -> list[Hash]:
    """Random hashes whose first lane has few values, so that most of them tie."""
    random = np.random.default_rng(seed)
    first = random.integers(0, 2**64, first_lanes, np.uint64)[random.integers(0, first_lanes, rows)]
    second = random.integers(0, rows, rows, np.uint64)
    return list(zip(first.tolist(), second.tolist(), strict=True))


@given(HASHES)
def test_a_run_is_sorted_and_unique(hashes: list[Hash]) -> None:
    assert pairs(sorted_unique(lanes_of(hashes))) == run_of(hashes)


@pytest.mark.parametrize("rows", [511, 512, 513, 3_000, 70_000])
@pytest.mark.parametrize("first_lanes", [1, 2, 100, 10**9])
def test_many_hashes_make_a_run_however_they_tie(rows: int, first_lanes: int) -> None:
    hashes = many(rows, min(first_lanes, 10 * rows))
    assert pairs(sorted_unique(lanes_of(hashes))) == run_of(hashes)


def test_making_a_run_leaves_its_source_as_it_was() -> None:
    hashes = many(2_000, 20)
    lanes = lanes_of(hashes)
    sorted_unique(lanes)
    assert pairs(lanes) == hashes


@given(st.lists(HASHES, max_size=6))
def test_merged_runs_are_the_run_of_all(parts: list[list[Hash]]) -> None:
    runs = [sorted_unique(lanes_of(part)) for part in parts]
    assert pairs(merge(runs)) == run_of([hash_ for part in parts for hash_ in part])


@given(st.lists(HASHES, max_size=6))
def test_parts_sorted_at_once_are_the_runs_of_each(parts: list[list[Hash]]) -> None:
    together = lanes_of([hash_ for part in parts for hash_ in part])
    runs = sorted_unique_each(together, [len(part) for part in parts])
    assert [pairs(run) for run in runs] == [run_of(part) for part in parts]


@pytest.mark.parametrize("count", [1, 2, 3, 32, 33, 100])
@pytest.mark.parametrize("first_lanes", [5, 10**4])
def test_many_runs_merge_into_the_run_of_all(count: int, first_lanes: int) -> None:
    hashes = many(9_000, first_lanes)
    runs = [sorted_unique(lanes_of(hashes[i::count])) for i in range(count)]
    assert pairs(merge([*runs, empty_run()])) == run_of(hashes)


def test_no_runs_merge_into_the_empty_run() -> None:
    assert pairs(merge([])) == pairs(empty_run()) == []


@given(HASHES, HASHES)
def test_presence_is_that_of_sets(child: list[Hash], parent: list[Hash]) -> None:
    child_run, parent_run = (sorted_unique(lanes_of(hashes)) for hashes in (child, parent))
    expected = [hash_ in set(parent) for hash_ in run_of(child)]
    assert present_mask(child_run, parent_run).tolist() == expected
    assert count_missing(child_run, parent_run) == expected.count(False)


@pytest.mark.parametrize("first_lanes", [1, 7, 10**5])
def test_presence_is_exact_where_many_hashes_share_their_first_lane(first_lanes: int) -> None:
    hashes = many(3_000, first_lanes)
    child, parent = run_of(hashes[:2_000]), run_of(hashes[1_000:])
    missing = count_missing(lanes_of(child), lanes_of(parent))
    assert missing == len(set(child) - set(parent)) > 0


@given(HASHES, st.integers(1, 9))
def test_the_cuts_of_a_run_are_the_run_and_end_at_the_same_hashes(
    hashes: list[Hash], ranges: int
) -> None:
    run = sorted_unique(lanes_of(hashes))
    parts = cut(run, ranges)
    assert len(parts) == ranges
    for number, part in enumerate(parts):
        assert all((first * ranges) >> 64 == number for first, _ in pairs(part))
    assert [hash_ for part in parts for hash_ in pairs(part)] == pairs(run)


def test_the_smallest_hashes_are_the_first_ones() -> None:
    run = sorted_unique(lanes_of(many(50, 50)))
    assert pairs(smallest(run, 7)) == pairs(run)[:7]
    assert pairs(smallest(run, 10**6)) == pairs(run)


def test_the_sums_of_parts_add_up_to_those_of_the_whole() -> None:
    run = sorted_unique(lanes_of(many(40_000, 10**6)))
    (whole,) = run_sums([run])
    parts = run_sums(
        [run.part(0, 5), run.part(5, 5), run.part(5, 30_000), run.part(30_000, 40_000)]
    )
    assert parts[1] == (0, 0)
    assert tuple(sum(lane) % 2**64 for lane in zip(*parts, strict=True)) == whole


def test_sums_tell_rows_apart_that_have_the_same_values_in_each_column() -> None:
    # A row's hash is the sum of its values' hashes: (1 + 20, 2 + 10) and (1 + 10, 2 + 20).
    one, other = ([(21, 21), (12, 12)], [(11, 11), (22, 22)])
    assert len(set(run_sums([lanes_of(one), lanes_of(other)]))) == 2


@given(HASHES)
def test_a_run_survives_the_trip_as_bytes(hashes: list[Hash]) -> None:
    run = sorted_unique(lanes_of(hashes))
    blob = to_bytes(run)
    assert pairs(from_bytes(blob)) == pairs(run)
    assert pairs(from_bytes(memoryview(b"x" + blob)[1:])) == pairs(run)


def test_bytes_are_little_endian_and_start_with_the_version() -> None:
    blob = to_bytes(lanes_of([(1, 2), (3, 4)]))
    words = [(1).to_bytes(8, "little"), *(n.to_bytes(8, "little") for n in (1, 3, 2, 4))]
    assert blob == b"".join(words)


def test_hashes_of_another_version_are_refused() -> None:
    blob = to_bytes(lanes_of([(1, 2)]))
    with pytest.raises(ValueError, match="version 2"):
        from_bytes(b"\x02" + blob[1:])


@pytest.mark.parametrize("length", [0, 7, 9, 16, 23])
def test_bytes_of_a_wrong_length_are_refused(length: int) -> None:
    with pytest.raises(ValueError, match="no run"):
        from_bytes(to_bytes(lanes_of([(1, 2)]))[:length])


@given(HASHES)
def test_the_order_of_hashes_is_stable_and_counts_each(hashes: list[Hash]) -> None:
    order = hash_order(lanes_of(hashes))
    assert order.order.tolist() == sorted(range(len(hashes)), key=hashes.__getitem__)
    assert pairs(order.hashes) == sorted(hashes)
    distinct = sorted(set(hashes))
    assert order.counts().tolist() == [hashes.count(one) for one in distinct]
    assert order.first_rows().tolist() == [hashes.index(one) for one in distinct]
    assert order.all_differ == (len(distinct) == len(hashes))


@given(HASHES, HASHES)
def test_each_hash_has_its_position_in_a_run_or_none(run: list[Hash], sought: list[Hash]) -> None:
    in_order = run_of(run)
    found = positions_in(lanes_of(in_order), lanes_of(sought)).tolist()
    assert found == [in_order.index(one) if one in in_order else -1 for one in sought]
    assert HashIndex(lanes_of(in_order)).positions(lanes_of(sought)).tolist() == found


@given(st.lists(HASHES, max_size=4), HASHES, WORD)
def test_a_filter_passes_what_it_was_made_of_and_all_up_to_a_limit(
    parts: list[list[Hash]], asked: list[Hash], limit: int
) -> None:
    filter_ = HashFilter.of([sorted_unique(lanes_of(part)) for part in parts])
    known = [hash_ for part in parts for hash_ in part]
    passed = pairs(filter_.among(lanes_of(known + asked), np.uint64(limit)))
    left = iter(passed)
    assert all(hash_ in left for hash_ in known)
    assert {hash_ for hash_ in asked if hash_[0] <= limit} <= set(passed)


@pytest.mark.parametrize("rows", [1, 1_000, 700_000])
def test_a_filter_passes_few_others_and_estimates_its_rows(rows: int) -> None:
    run = sorted_unique(lanes_of(many(rows, 10**6)))
    filter_ = HashFilter.of([run, run])
    others = lanes_of(many(50_000, 10**6, seed=1))
    assert len(filter_.among(run, np.uint64(0))) == len(run)
    assert len(filter_.among(others, np.uint64(0))) <= 50_000 / 8
    distinct = len(np.unique(run.first))
    assert abs(filter_.rows - distinct) <= 1 + 0.05 * distinct


@pytest.mark.parametrize("shared", [0, 300, 30_000])
def test_runs_stay_apart_while_they_share_few_hashes(shared: int) -> None:
    parts = [many(30_000, 10**6, seed) for seed in (1, 2, 3)]
    runs = [sorted_unique(lanes_of(parts[0][:shared] + part)) for part in parts]
    kept = without_repeats(runs)
    assert pairs(merge(kept)) == run_of([hash_ for run in runs for hash_ in pairs(run)])
    assert len(kept) == (1 if shared == 30_000 else 3)


@given(st.lists(HASHES, max_size=6))
def test_few_hashes_are_one_run(parts: list[list[Hash]]) -> None:
    runs = [sorted_unique(lanes_of(part)) for part in parts]
    assert [pairs(run) for run in without_repeats(runs)] == [pairs(merge(runs))]
