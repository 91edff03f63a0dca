"""Sketches refute only what is false, and say how much they could judge."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from r2d2.hashing.runs import BottomKSketch, count_missing, judged_by, merge_sketches, sketch
from tests.support.hashing.hashing import Hash, lanes_of, pairs

WORD = st.integers(0, 4)
HASHES = st.sets(st.tuples(WORD, WORD), max_size=20)
SIZE = st.integers(0, 8)


def sketch_of(hashes: set[Hash], k: int) -> BottomKSketch:
    """The sketch of a table with these row hashes."""
    return sketch(lanes_of(sorted(hashes)), k)


def judged_and_missing(child: BottomKSketch, parent: BottomKSketch) -> tuple[int, int]:
    """How many of child's hashes parent's sketch can judge, and how many of those it lacks."""
    judged = judged_by(child, parent)
    return len(judged), count_missing(judged, parent.run)


@pytest.mark.slow
@given(HASHES, HASHES, SIZE, SIZE)
def test_a_refuted_child_is_never_contained(
    child: set[Hash], parent: set[Hash], child_k: int, parent_k: int
) -> None:
    if judged_and_missing(sketch_of(child, child_k), sketch_of(parent, parent_k))[1]:
        assert not child <= parent


@given(HASHES, HASHES, SIZE, SIZE)
def test_judged_are_the_childs_hashes_up_to_the_parents_threshold(
    child: set[Hash], parent: set[Hash], child_k: int, parent_k: int
) -> None:
    kept = sorted(parent)[:parent_k]
    known = sorted(child)[:child_k]
    if len(parent) > parent_k:
        known = [hash_ for hash_ in known if kept and hash_ <= kept[-1]]
    expected = (len(known), len(set(known) - parent))
    assert judged_and_missing(sketch_of(child, child_k), sketch_of(parent, parent_k)) == expected


@given(st.lists(st.tuples(HASHES, SIZE), max_size=4), SIZE)
def test_a_merged_sketch_holds_every_hash_up_to_its_threshold(
    tables: list[tuple[set[Hash], int]], k: int
) -> None:
    merged = merge_sketches([sketch_of(hashes, size) for hashes, size in tables], k)
    everything = sorted(set().union(*(hashes for hashes, _ in tables)))
    assert len(merged.run) <= k
    assert pairs(merged.run) == everything[: len(merged.run)]
    assert not merged.complete or pairs(merged.run) == everything


@given(st.lists(HASHES, max_size=4), SIZE)
def test_sketches_of_one_size_merge_into_the_sketch_of_all(tables: list[set[Hash]], k: int) -> None:
    merged = merge_sketches([sketch_of(hashes, k) for hashes in tables], k)
    whole = sketch_of(set().union(*tables), k)
    assert (pairs(merged.run), merged.complete) == (pairs(whole.run), whole.complete)


@pytest.mark.parametrize(("k", "complete"), [(2, False), (3, True), (4, True)])
def test_a_sketch_with_all_hashes_is_complete(k: int, complete: bool) -> None:
    found = sketch_of({(1, 1), (1, 2), (2, 0)}, k)
    assert found.complete is complete
    assert len(found.run) == min(k, 3)


def test_a_complete_parent_judges_every_hash_of_its_child() -> None:
    assert judged_and_missing(sketch_of({(1, 1), (9, 9)}, 2), sketch_of({(1, 1)}, 5)) == (2, 1)


def test_a_parent_that_kept_nothing_judges_nothing() -> None:
    assert judged_and_missing(sketch_of({(1, 1)}, 2), sketch_of({(5, 5)}, 0)) == (0, 0)
