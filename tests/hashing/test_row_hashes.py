"""Row hashes over column sets: sums of the columns' hashes."""

from itertools import combinations

import numpy as np
import pyarrow as pa
import pytest

from r2d2.errors import UnreadableTableError
from r2d2.hashing.rows import column_key, hash_leaf, row_hashes
from r2d2.model import Column, Types
from tests.support.hashing.hashing import pairs

ROWS = 2_500
BATCH = pa.record_batch(
    {
        "int": pa.array(range(ROWS)),
        "text": pa.array([str(n % 100) for n in range(ROWS)]),
        "coded": pa.array([str(n % 5) for n in range(ROWS)]).dictionary_encode(),
        "float": pa.array([n / 4 if n % 9 else None for n in range(ROWS)]),
        "instant": pa.array([n * 100 for n in range(ROWS)], pa.timestamp("ns")),
        "nested": pa.array([{"a": n} if n % 6 else None for n in range(ROWS)]),
    }
)
COLUMNS = (
    Column("int", "int64", ("int",)),
    Column("text", "string", ("text",)),
    Column("coded", "string", ("coded",)),
    Column("float", "float64", ("float",)),
    Column("instant", "timestamp", ("instant",)),
    Column("nested.a", "int64", ("nested", "a")),
)


@pytest.mark.parametrize("types", Types)
def test_a_row_hash_is_a_constant_and_the_sum_of_its_columns_hashes(types: Types) -> None:
    sets = [chosen for count in range(7) for chosen in combinations(COLUMNS, count)]
    found = row_hashes(BATCH, sets, types)
    empty = found[0]
    assert len(set(pairs(empty))) == 1
    for chosen, lanes in zip(sets, found, strict=True):
        leaves = [hash_leaf(BATCH, column, types) for column in chosen]
        assert (lanes.first == sum((leaf.first for leaf in leaves), empty.first)).all()
        assert (lanes.second == sum((leaf.second for leaf in leaves), empty.second)).all()


def test_a_column_set_has_one_hash_in_any_order_and_any_company() -> None:
    (alone,) = row_hashes(BATCH, [COLUMNS[::-1]], Types.STRICT)
    _, among = row_hashes(BATCH, [COLUMNS[2:], COLUMNS], Types.STRICT)
    assert pairs(alone) == pairs(among)


@pytest.mark.parametrize("types", Types)
def test_blocks_of_rows_do_not_show(types: Types) -> None:
    names = [f"{column.name}{i}" for i in range(20) for column in COLUMNS]
    batch = pa.RecordBatch.from_arrays(BATCH.columns * 20, names)
    columns = [
        Column(f"{column.name}{i}", column.type, (f"{column.path[0]}{i}", *column.path[1:]))
        for i in range(20)
        for column in (*COLUMNS[:5], Column("nested", "int64", ("nested.a", "a")))
    ]
    (whole,) = row_hashes(batch, [columns], types)
    for start in range(0, ROWS, 100):
        (part,) = row_hashes(batch.slice(start, 100), [columns], types)
        assert pairs(whole)[start : start + 100] == pairs(part)
    assert len(set(pairs(whole))) == ROWS


def test_a_batch_without_rows_has_no_hashes() -> None:
    assert [len(lanes) for lanes in row_hashes(BATCH.slice(0, 0), [COLUMNS, ()], Types.STRICT)] == [
        0,
        0,
    ]


def test_no_column_sets_give_no_hashes() -> None:
    assert row_hashes(BATCH, [], Types.STRICT) == []


def test_a_renamed_column_hashes_as_the_one_it_stands_for() -> None:
    (one,) = row_hashes(BATCH, [[Column("int", "int64", ("int",))]], Types.STRICT)
    renamed = BATCH.rename_columns(["number", *BATCH.schema.names[1:]])
    (other,) = row_hashes(renamed, [[Column("int", "int64", ("number",))]], Types.STRICT)
    assert pairs(one) == pairs(other)


@pytest.mark.parametrize("path", [("absent",), ("nested", "absent"), ("int", "a")])
def test_a_column_that_was_not_read_makes_the_table_unreadable(path: tuple[str, ...]) -> None:
    with pytest.raises(UnreadableTableError, match="x is not in the data"):
        row_hashes(BATCH, [[Column("x", "int64", path)]], Types.STRICT)


def test_names_and_types_cannot_be_confused_in_a_key() -> None:
    keys = {column_key(*names) for names in [("ab", "c"), ("a", "bc"), ("abc", ""), ("", "abc")]}
    assert len(keys) == 4


def test_a_name_that_no_unicode_can_spell_still_has_a_key() -> None:
    assert column_key("\udcff", "int64") != column_key("?", "int64")


def test_a_grid_of_two_columns_has_no_collisions_in_either_lane() -> None:
    side = 1_000
    x, y = np.meshgrid(np.arange(side), np.arange(side))
    batch = pa.record_batch({"x": x.ravel(), "y": y.ravel()})
    columns = [Column(name, "int64", (name,)) for name in "xy"]
    (lanes,) = row_hashes(batch, [columns], Types.STRICT)
    for lane in (lanes.first, lanes.second):
        ordered = np.sort(lane)
        assert (ordered[1:] != ordered[:-1]).all()
