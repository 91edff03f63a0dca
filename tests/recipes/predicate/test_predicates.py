"""The predicate preferred where several select the child's rows, and the gaps around it."""

import datetime as dt

import numpy as np
import pyarrow as pa
import pytest

from r2d2.recipes.grammar import Between, Equals, In, IsNull, NotNull
from r2d2.recipes.literals import Literal
from r2d2.recipes.predicate import Gap, Predicate, find_predicate
from r2d2.recipes.predicate.columns import EncodedTable
from tests.support.recipes.children import find, labels_of

SQUARES = frozenset(key * key % 199 for key in range(1, 60))


def number(value: int) -> Literal:
    return Literal("int64", str(value))


def text(value: str) -> Literal:
    return Literal("string", value)


def orders(rows: int = 400) -> pa.Table:
    """Orders over 100 days: a number, a day, a region of four, an amount like no other."""
    days = [dt.date(2024, 1, 1) + dt.timedelta(row // 4) for row in range(rows)]
    regions = [("EU", "US", "AS", "AF")[row * 7 % 11 % 4] for row in range(rows)]
    amounts = np.random.default_rng(7).permutation(rows) / 8
    return pa.table({"id": range(rows), "day": days, "region": regions, "amount": amounts})


def rows_where(table: pa.Table, column: str, values: object) -> list[int]:
    wanted = values if isinstance(values, list | range) else [values]
    return [row for row, value in enumerate(table[column].to_pylist()) if value in wanted]


def test_one_value_of_a_column_is_an_equality() -> None:
    parent = orders()
    found = find(parent, rows_where(parent, "region", "EU"))
    assert found == Predicate((Equals(("region",), text("EU")),))


def test_a_month_is_a_range_of_days_and_not_of_the_numbers_that_run_with_them() -> None:
    parent = orders()
    found = find(parent, range(40, 80))
    low, high = Literal("date32[day]", "2024-01-11"), Literal("date32[day]", "2024-01-20")
    below, above = Literal("date32[day]", "2024-01-10"), Literal("date32[day]", "2024-01-21")
    assert found == Predicate((Between(("day",), low, high),), (Gap(("day",), below, above),))


def test_bounds_stay_the_childs_values_and_the_gap_says_how_far_the_parents_next_are() -> None:
    parent = pa.table({"n": [1, 5, 6, 9, 40]})
    found = find(parent, [1, 2, 3])
    gap = Gap(("n",), number(1), number(40))
    assert found == Predicate((Between(("n",), number(5), number(9)),), (gap,))


def test_at_the_parents_ends_there_is_no_gap() -> None:
    found = find(pa.table({"n": [1, 2, 3]}), [0, 1])
    assert found
    assert found.gaps == (Gap(("n",), None, number(3)),)


def test_a_partition_column_is_preferred_to_a_date() -> None:
    parent = pa.table(
        {"day": pa.array([0, 0, 1, 1, 2, 2], pa.date32()), "part": ["a", "a", "b", "b", "c", "c"]}
    )
    labels = labels_of(parent, [2, 3], ["day", "part"])
    for partitions, path in (((), "day"), (("part",), "part")):
        found = find_predicate(EncodedTable.of(parent, partitions=partitions), labels)
        assert found
        assert [atom.path for atom in found.atoms] == [(path,)]


def test_several_values_of_few_are_an_in() -> None:
    parent = orders()
    found = find(parent, rows_where(parent, "region", ["AS", "US"]), ["id", "region"])
    assert found == Predicate((In(("region",), (text("AS"), text("US"))),))


def test_two_conditions_are_found_together() -> None:
    parent = orders()
    rows = sorted(set(rows_where(parent, "region", "EU")) & set(range(40, 80)))
    found = find(parent, rows)
    assert found
    assert [type(atom) for atom in found.atoms] == [Between, Equals]
    assert [atom.path for atom in found.atoms] == [("day",), ("region",)]


def test_rows_without_a_value_are_is_null_and_the_others_is_not_null() -> None:
    parent = pa.table({"n": [1, None, 3, None], "m": [1, 9, 2, 0]})
    assert find(parent, [1, 3]) == Predicate((IsNull(("n",)),))
    assert find(parent, [0, 2]) == Predicate((NotNull(("n",)),))


def test_a_column_within_a_struct_is_named_by_its_way() -> None:
    parent = pa.table({"geo.lat": [1, 2, 3]})
    labels = labels_of(parent, [0], ["geo.lat"])
    found = find_predicate(EncodedTable.of(parent, {"geo.lat": ("geo", "lat")}), labels)
    assert found == Predicate((Equals(("geo", "lat"), number(1)),))


def test_all_rows_need_no_atom_and_no_rows_have_none() -> None:
    parent = pa.table({"n": [1, 2]})
    assert find(parent, [0, 1]) == Predicate(())
    assert find(parent, []) is None


def test_a_random_sample_has_no_predicate() -> None:
    parent = orders()
    rows = sorted(np.random.default_rng(1).choice(400, 100, replace=False).tolist())
    assert find(parent, rows) is None


@pytest.mark.parametrize(("values", "is_found"), [(10, True), (11, False)])
def test_a_list_of_more_than_ten_keys_is_a_list_of_rows(values: int, is_found: bool) -> None:
    parent = pa.table({"key": range(1000)})
    rows = [place * place for place in range(values)]
    assert (find(parent, rows) is not None) == is_found


@pytest.mark.parametrize(("copies", "is_found"), [(4, True), (3, False)])
def test_a_long_list_needs_four_rows_for_each_value(copies: int, is_found: bool) -> None:
    keys = [key for key in range(200) for _ in range(copies)]
    parent = pa.table({"key": keys, "row": np.random.default_rng(3).permutation(len(keys))})
    rows = [row for row, key in enumerate(keys) if key in SQUARES]
    assert (find(parent, rows) is not None) == is_found


@pytest.mark.parametrize(("values", "is_found"), [(100, True), (101, False)])
def test_no_list_has_more_than_a_hundred_values(values: int, is_found: bool) -> None:
    keys = [key for key in range(300) for _ in range(10)]
    some = np.random.default_rng(5).permutation(300)[:values]
    rows = np.flatnonzero(np.isin(keys, some)).tolist()
    assert (find(pa.table({"key": keys}), rows) is not None) == is_found


def test_two_conditions_are_preferred_to_a_list_of_the_childs_keys() -> None:
    parent = pa.table(
        {
            "key": [30, 1, 40, 15, 9, 2, 60, 5],
            "region": ["EU", "EU", "EU", "US", "US", "US", "EU", "EU"],
            "kind": ["x", "y", "x", "x", "x", "y", "y", "x"],
        }
    )
    found = find(parent, [0, 2, 7])
    assert found == Predicate((Equals(("region",), text("EU")), Equals(("kind",), text("x"))))


def test_five_conditions_are_too_many() -> None:
    corners = [[bit == row for row in range(6)] for bit in range(6)]
    for bits, is_found in ((4, True), (5, False)):
        names = "abcdef"[:bits]
        columns = {name: [*corners[bit][:bits], False] for bit, name in enumerate(names)}
        assert (find(pa.table(columns), [bits]) is not None) == is_found


def test_the_same_tables_give_the_same_predicate() -> None:
    parent = orders()
    rows = rows_where(parent, "region", ["AS", "US"])
    assert len({repr(find(parent, rows, ["region"])) for _ in range(3)}) == 1


def test_two_columns_are_found_where_one_excludes_all_the_rows_hardest_to_exclude() -> None:
    by_year, by_kind, child = 3000, 3000, 1000
    rows = by_year + by_kind + child
    years = [1] * by_year + [0] * (by_kind + child)
    kinds = [0] * by_year + [1] * by_kind + [0] * child
    # Rows of another kind have one of these values besides, those of another year have neither.
    low = [0] * by_year + [n % 2 for n in range(by_kind)] + [0] * child
    high = [0] * by_year + [1 - n % 2 for n in range(by_kind)] + [0] * child
    parent = pa.table({"year": years, "kind": kinds, "low": low, "high": high})
    found = find(parent, range(by_year + by_kind, rows))
    assert found
    assert {atom.path for atom in found.atoms} == {("year",), ("kind",)}
