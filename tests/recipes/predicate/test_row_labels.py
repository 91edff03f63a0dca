"""Labels: how often the child has each row of the parent, from hashes."""

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from r2d2.hashing.multiset import Counted
from r2d2.recipes.predicate.row_labels import Groups
from tests.support.hashing.hashing import lanes_of

hashes = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=12)


@given(hashes, hashes)
def test_labels_count_every_row_of_both_tables(
    parent: list[tuple[int, int]], child: list[tuple[int, int]]
) -> None:
    labels = Groups.of(lanes_of(parent)).labels(Counted.of(lanes_of(child)))
    copies, own = Counter(parent), Counter(child)
    assert [labels.parent[group] for group in labels.groups] == [copies[row] for row in parent]
    assert [labels.child[group] for group in labels.groups] == [own[row] for row in parent]
    assert labels.missing == sum(count for row, count in own.items() if row not in copies)
    assert labels.child_rows == len(child)
    assert labels.is_contained == (not own - copies)
    kinds = labels.kinds()
    assert kinds.required.tolist() == [own[row] == copies[row] for row in parent]
    assert kinds.forbidden.tolist() == [own[row] == 0 for row in parent]
    some = [place for place, row in enumerate(parent) if 0 < own[row] != copies[row]]
    assert not labels.is_contained or kinds.partial.tolist() == some
    held = own & copies
    assert labels.within_parent().child_rows == sum(held.values())
    assert labels.within_parent().is_contained


@given(hashes.filter(bool), st.data())
def test_a_selection_is_exact_where_it_has_each_row_as_often_as_the_child(
    parent: list[tuple[int, int]], data: st.DataObject
) -> None:
    masks = st.lists(st.booleans(), min_size=len(parent), max_size=len(parent))
    own, other = (np.array(data.draw(masks), np.bool_) for _ in range(2))
    child = [row for row, kept in zip(parent, own, strict=True) if kept]
    labels = Groups.of(lanes_of(parent)).labels(Counted.of(lanes_of(child)))
    counts = [
        Counter(row for row, kept in zip(parent, mask, strict=True) if kept)
        for mask in (own, other)
    ]
    assert labels.are_selected_by(own)
    assert labels.are_selected_by(other) == (counts[0] == counts[1])
