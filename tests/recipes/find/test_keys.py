"""Keys stand for all columns where no two of the parent's rows are equal in them, or nowhere."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from r2d2.model import Column, Types
from r2d2.recipes.find import search_one
from r2d2.recipes.find.from_one_parent import likely_keys
from r2d2.recipes.find.request import Proposal, Request
from r2d2.recipes.find.row_counts import RowCounts
from tests.support.recipes.recipe_lake import RecipeLake

ROWS = 10
PARENT = pa.table(
    {
        "order": [n // 2 for n in range(ROWS)],
        "line": [n % 2 for n in range(ROWS)],
        "price": [1.5 * (n % 7) for n in range(ROWS)],
        "note": [chr(97 + n % 5) for n in range(ROWS)],
    }
)
NAMES = PARENT.column_names


def columns(*names: str) -> tuple[Column, ...]:
    return tuple(Column(name, str(PARENT.schema.field(name).type), (name,)) for name in names)


def test_the_key_with_the_fewest_possible_values_serves_all_sets_that_hold_it() -> None:
    (batch,) = PARENT.to_batches()
    wide, narrow = columns("line", "note", "order", "price"), columns("line", "order", "price")
    without = columns("line", "price")
    assert likely_keys(batch, [wide, narrow, without]) == {
        wide: columns("line", "order"),
        narrow: columns("line", "order"),
    }


def test_a_table_with_a_row_twice_has_no_key() -> None:
    twice = pa.concat_tables([PARENT, PARENT.slice(3, 1)]).combine_chunks()
    assert likely_keys(twice.to_batches()[0], [columns(*NAMES)]) == {}


def proposed(lake: RecipeLake, names: Sequence[str], contained: bool, small: int) -> list[Proposal]:
    children = tuple(replace(lake.child(name), contained=contained) for name in names)
    counts = RowCounts(lake.storage, Types.STRICT, small_bytes=small)
    return search_one(Request(lake.tables["parent"], children), counts)


@pytest.mark.slow
@given(st.data())
def test_a_key_changes_no_proposal(data: st.DataObject) -> None:
    again = data.draw(st.lists(st.integers(0, ROWS - 1), max_size=2))
    parent = PARENT.take([*range(ROWS), *again])
    tables = {"parent": parent}
    for number in range(3):
        rows = data.draw(st.lists(st.integers(0, len(parent) - 1), min_size=1, max_size=14))
        own = data.draw(st.sets(st.sampled_from(NAMES), min_size=1))
        tables[f"child{number}"] = parent.select(sorted(own)).take(rows)
    with TemporaryDirectory() as folder:
        lake = RecipeLake.of(Path(folder), tables)
        children = [name for name in tables if name != "parent"]
        expected = proposed(lake, children, contained=False, small=1 << 20)
        assert proposed(lake, children, contained=True, small=0) == expected
        assert proposed(lake, children, contained=False, small=0) == expected
