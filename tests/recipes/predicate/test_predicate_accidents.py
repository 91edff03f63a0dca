"""Predicates that nearly hold, or hold by accident, beside those that hold."""

import datetime as dt
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest

from r2d2.recipes.grammar import AtLeast, Atom, Between, Equals, In, IsNan, IsNull, NotNull
from r2d2.recipes.literals import Literal
from r2d2.recipes.predicate import Predicate, find_predicate, satisfying
from r2d2.recipes.predicate.columns import EncodedTable
from r2d2.recipes.predicate.row_labels import RowLabels
from tests.support.recipes.children import find, labels_between, labels_of

NAN, INF = float("nan"), float("inf")


def atoms_of(found: Predicate | None) -> tuple[Atom, ...] | None:
    return found.atoms if found else None


def equals(name: str, value: object, type_: str = "int64") -> tuple[Atom, ...]:
    return (Equals((name,), Literal(type_, str(value))),)


def test_what_holds_on_a_sample_is_seen_to_fail_on_all_rows() -> None:
    parent = pa.table({"region": ["EU", "EU", "US", "US", "EU"], "n": [1, 5, 3, 2, 4]})
    sample = find(parent.slice(0, 4), [0, 1])
    assert atoms_of(sample) == equals("region", "EU", "string")
    labels = labels_of(parent, [0, 1], parent.column_names)
    assert not labels.are_selected_by(satisfying(sample.atoms, EncodedTable.of(parent)))
    with_the_last = labels_of(parent, [0, 1, 4], parent.column_names)
    assert with_the_last.are_selected_by(satisfying(sample.atoms, EncodedTable.of(parent)))


def test_of_two_rows_that_are_the_same_no_predicate_takes_one() -> None:
    parent = pa.table({"n": [1, 1, 2]})
    assert find(parent, [0]) is None
    assert atoms_of(find(parent, [0, 1])) == equals("n", 1)


def test_a_child_that_repeats_a_row_is_no_select() -> None:
    once, twice = [(1,), (2,)], [(1,), (1,)]
    parent = EncodedTable.of(pa.table({"n": [1, 2]}))
    assert find_predicate(parent, labels_between(once, twice)) is None
    assert find_predicate(parent, labels_between(once, [(1,)]))


def test_a_child_with_a_row_that_the_parent_lacks_is_no_select_but_its_other_rows_are() -> None:
    parent = EncodedTable.of(pa.table({"n": [1, 2, 3]}))
    labels = labels_between([(1,), (2,), (3,)], [(1,), (1,), (9,)])
    assert (labels.missing, labels.is_contained) == (1, False)
    assert find_predicate(parent, labels) is None
    assert atoms_of(find_predicate(parent, labels.within_parent())) == equals("n", 1)


def test_a_child_that_repeats_rows_as_its_parent_does_is_one() -> None:
    parent = pa.table({"n": [1, 1, 1, 2, 2, 3]})
    assert atoms_of(find(parent, [0, 1, 2])) == equals("n", 1)
    assert find(parent, [0, 1]) is None


def test_rows_equal_in_the_child_are_separated_by_a_column_it_lacks() -> None:
    parent = pa.table({"kind": ["a", "a", "a", "b", "b"], "year": [1, 1, 2, 1, 2]})
    assert atoms_of(find(parent, [0, 1, 3], ["kind"])) == equals("year", 1)
    assert atoms_of(find(parent, [0, 1], ["kind"])) is not None


def test_a_column_the_child_lacks_that_splits_by_one_row_too_many_is_none() -> None:
    parent = pa.table({"kind": ["a", "a", "a"], "year": [1, 1, 2]})
    assert atoms_of(find(parent, [0, 1], ["kind"])) == equals("year", 1)
    parent = pa.table({"kind": ["a", "a", "a", "a"], "year": [1, 1, 1, 2]})
    assert find(parent, [0, 1], ["kind"]) is None


def test_a_range_of_a_column_the_child_lacks_counts_every_group_right() -> None:
    kinds = [row % 3 for row in range(60)]
    parent = pa.table({"kind": kinds, "at": np.random.default_rng(2).permutation(60)})
    at = parent["at"].to_pylist()
    rows = [row for row in range(60) if 10 <= at[row] <= 40]
    found = find(parent, rows, ["kind"])
    assert found
    assert [(type(atom), atom.path) for atom in found.atoms] == [(Between, ("at",))]
    assert labels_of(parent, rows, ["kind"]).are_selected_by(
        satisfying(found.atoms, EncodedTable.of(parent))
    )


def test_a_range_that_would_take_too_many_of_one_group_is_none() -> None:
    parent = pa.table({"kind": [row // 20 for row in range(60)], "at": range(60)})
    first, last = [*range(14, 20)], [*range(40, 46)]
    assert find(parent, [*first, *range(20, 40), *last], ["kind"])
    assert find(parent, [*first, *last], ["kind"])
    assert find(parent, [*first, *range(20, 27), *last], ["kind"]) is None


def test_a_list_of_values_of_a_column_the_child_lacks_is_found() -> None:
    kinds = [row % 2 for row in range(60)]
    shops = [row // 6 for row in range(60)]
    parent = pa.table({"kind": kinds, "shop": shops})
    rows = [row for row in range(60) if shops[row] in (0, 4, 9)]
    found = find(parent, rows, ["kind"])
    assert found
    assert labels_of(parent, rows, ["kind"]).are_selected_by(
        satisfying(found.atoms, EncodedTable.of(parent))
    )


def test_a_condition_on_a_column_it_has_joins_one_on_a_column_it_lacks() -> None:
    kinds = [row % 4 for row in range(80)]
    years = [2000 + row // 8 for row in range(80)]
    parent = pa.table({"kind": kinds, "year": years})
    rows = [row for row in range(80) if kinds[row] == 2 and years[row] <= 2004]
    found = find(parent, rows, ["kind"])
    assert found
    assert {atom.path for atom in found.atoms} == {("kind",), ("year",)}


def test_a_renamed_column_is_named_as_the_parent_names_it() -> None:
    parent = pa.table({"country": ["IT", "DE", "IT"], "n": [5, 2, 1]})
    child = pa.table({"land": ["IT", "IT"], "n": [5, 1]})
    rows = [list(zip(*table.to_pydict().values(), strict=True)) for table in (parent, child)]
    found = find_predicate(EncodedTable.of(parent), labels_between(*rows))
    assert atoms_of(found) == equals("country", "IT", "string")


def test_an_equality_takes_no_row_without_a_value() -> None:
    parent = pa.table({"n": [1, 1, None, 2]})
    assert atoms_of(find(parent, [0, 1])) == equals("n", 1)
    assert find(parent, [0, 1, 2]) is None


def test_rows_with_and_without_a_value_are_no_atom_of_that_column() -> None:
    parent = pa.table({"n": [1, None, 2, 3], "m": ["x", "x", "y", "y"]})
    assert atoms_of(find(parent, [0, 1])) == equals("m", "x", "string")
    assert atoms_of(find(parent, [0, 2, 3])) == (NotNull(("n",)),)
    assert atoms_of(find(parent, [1])) == (IsNull(("n",)),)


@pytest.mark.parametrize("type_", [pa.float64(), pa.float32()])
def test_nan_is_in_no_range_and_in_no_list_but_above_every_number(type_: pa.DataType) -> None:
    parent = pa.table({"x": pa.array([1.0, 2.0, NAN, 3.0, None], type_)})
    assert find(parent, [0, 1, 2]) is None
    assert atoms_of(find(parent, [1, 2, 3])) == (AtLeast(("x",), Literal(str(type_), "2.0")),)
    assert atoms_of(find(parent, [2])) == (IsNan(("x",)),)
    assert atoms_of(find(parent, [0, 1])) is not None
    assert atoms_of(find(parent, [0, 1, 3])) is not None
    assert atoms_of(find(parent, [0, 1, 2, 3])) == (NotNull(("x",)),)


def test_every_nan_is_the_same_whatever_its_bits() -> None:
    bits = np.array([0x7FF8000000000000, 0x7FF8000000000001, 0xFFF8000000000000], np.uint64)
    parent = pa.table({"x": [*bits.view(np.float64), 1.0]})
    assert atoms_of(find(parent, [3])) == equals("x", "1.0", "double")
    assert find(parent, [0]) is None


def test_where_a_zero_is_negative_no_atom_names_zero() -> None:
    """Spark skips a row group whose greatest value is -0.0 when it looks for 0.0."""
    parent = pa.table({"x": [0.0, -0.0, 1.0, 2.0]})
    low, high = Literal("double", "-1.0"), Literal("double", "0.5")
    assert atoms_of(find(parent, [0, 1])) == (Between(("x",), low, high),)
    assert atoms_of(find(parent, [2])) == equals("x", "1.0", "double")
    around = pa.table({"x": [-1.0, -0.0, 0.0, 1.0, 2.0]})
    low, high = Literal("double", "-1.0"), Literal("double", "1.0")
    assert atoms_of(find(around, [0, 1, 2, 3])) == (Between(("x",), low, high),)
    low, high = Literal("double", "-0.5"), Literal("double", "0.5")
    assert atoms_of(find(around, [1, 2])) == (Between(("x",), low, high),)
    assert atoms_of(find(pa.table({"x": [0.0, 0.0, 1.0]}), [0, 1])) == equals("x", "0.0", "double")


def test_a_range_that_zero_would_bound_ends_between_it_and_the_next_value() -> None:
    parent = pa.table({"x": [-4.0, -0.0, 0.0, 1.0, 7.0], "y": [1, 2, 2, 3, 2]})
    ends = Literal("double", "-2.0"), Literal("double", "0.5")
    assert atoms_of(find(parent, [1, 2])) == (Between(("x",), *ends),)
    assert atoms_of(find(parent, [0, 1, 2])) == (
        Between(("x",), Literal("double", "-4.0"), ends[1]),
    )


def test_infinity_is_no_bound_and_a_range_may_be_open_above() -> None:
    parent = pa.table({"x": [1.0, 2.0, INF, 3.0, -INF]})
    assert atoms_of(find(parent, [2, 3])) == (AtLeast(("x",), Literal("double", "3.0")),)
    assert find(parent, [0, 4]) is None
    assert atoms_of(find(parent, [1, 3])) is not None
    odd = pa.table({"x": [1.0, 2.0, INF, 3.0, NAN]})
    assert find(odd, [2, 3]) is None  # which would have NaN, too
    assert atoms_of(find(odd, [2, 3, 4])) == (AtLeast(("x",), Literal("double", "3.0")),)


def test_strings_are_ordered_by_their_bytes() -> None:
    parent = pa.table({"s": ["Z", "a", "é", "z", "~", "\U0001f600", "￿"]})
    low, high = Literal("string", "é"), Literal("string", "\U0001f600")
    assert atoms_of(find(parent, [2, 5, 6])) == (Between(("s",), low, high),)


def test_case_and_trailing_spaces_make_another_text() -> None:
    parent = pa.table({"s": ["a", "A", "a ", "a"]})
    assert atoms_of(find(parent, [0, 3])) == equals("s", "a", "string")


def test_decimals_are_exact() -> None:
    values = [Decimal("0.10"), Decimal("0.11"), Decimal("0.12")]
    parent = pa.table({"d": pa.array(values, pa.decimal128(38, 2))})
    assert atoms_of(find(parent, [1])) == equals("d", "0.11", "decimal128(38, 2)")


def test_great_integers_are_exact() -> None:
    parent = pa.table({"n": pa.array([2**53, 2**53 + 1, 2**53 + 2], pa.int64())})
    assert atoms_of(find(parent, [1])) == equals("n", 2**53 + 1)
    parent = pa.table({"n": pa.array([0, 2**64 - 1], pa.uint64())})
    assert atoms_of(find(parent, [1])) == equals("n", 2**64 - 1, "uint64")


def test_instants_are_compared_as_such_and_named_in_utc() -> None:
    zoned = pa.timestamp("us", "Europe/Rome")
    parent = pa.table({"t": pa.array([0, 1, 2], zoned)})
    name = "timestamp[us, tz=Europe/Rome]"
    assert atoms_of(find(parent, [1])) == equals("t", "1970-01-01T00:00:00.000001Z", name)


def test_nanoseconds_take_part_only_where_every_engine_has_them_all() -> None:
    whole = pa.table({"t": pa.array([0, 1000, 2000], pa.timestamp("ns"))})
    name = "timestamp[ns]"
    assert atoms_of(find(whole, [1])) == equals("t", "1970-01-01T00:00:00.000001000", name)
    fine = pa.table({"t": pa.array([0, 1000, 2001], pa.timestamp("ns"))})
    assert find(fine, [1]) is None


def test_a_year_that_engines_read_differently_is_not_named() -> None:
    far = EncodedTable.of(pa.table({"d": pa.array([0, 1, 3_000_000], pa.date32())}))
    days = [(0,), (1,), (3_000_000,)]
    assert find_predicate(far, labels_between(days, days[2:])) is None
    found = find_predicate(far, labels_between(days, days[:1]))
    assert atoms_of(found) == equals("d", "1970-01-01", "date32[day]")


def test_types_without_an_order_that_all_share_take_no_part() -> None:
    columns = {
        "list": [[1], [2]],
        "time": [dt.time(1), dt.time(2)],
        "half": pa.array(np.array([1, 2], np.float16)),
        "span": [dt.timedelta(1), dt.timedelta(2)],
        "wide": pa.array([Decimal(1), Decimal(2)], pa.decimal256(50, 0)),
    }
    assert EncodedTable.of(pa.table(columns)).columns == ()
    labels = RowLabels(np.arange(2), np.ones(2, np.int64), np.array([1, 0]))
    assert find_predicate(EncodedTable.of(pa.table(columns)), labels) is None


def test_a_column_with_a_text_that_is_no_utf8_takes_no_part() -> None:
    texts = pa.array([b"a", b"\xff"]).view(pa.string())
    assert EncodedTable.of(pa.table({"s": texts})).columns == ()


def test_the_least_nanosecond_is_not_named() -> None:
    least = -(2**63) // 1000 * 1000 + 1000
    parent = EncodedTable.of(pa.table({"t": pa.array([least, 0, 1000], pa.timestamp("ns"))}))
    assert find_predicate(parent, labels_between([(0,), (1,), (2,)], [(0,)]))


def test_truth_values_make_no_range() -> None:
    parent = pa.table({"b": [True, False, None]})
    assert atoms_of(find(parent, [0])) == equals("b", "true", "bool")
    assert atoms_of(find(parent, [0, 1])) == (NotNull(("b",)),)


def test_layouts_of_one_type_find_the_same() -> None:
    texts = pa.array(["a", "b", None, "b"])
    for layout in (
        *(texts, texts.cast(pa.large_string()), texts.cast(pa.string_view())),
        *(texts.dictionary_encode(), pa.chunked_array([texts[:1], texts[1:]])),
    ):
        assert atoms_of(find(pa.table({"s": layout}), [1, 3])) == equals("s", "b", "string")


def test_an_atom_of_many_values_holds_for_minus_zero_as_for_zero() -> None:
    parent = EncodedTable.of(pa.table({"x": [-0.0, 0.0, 1.0, NAN, None]}))
    zero, one = Literal("double", "0.0"), Literal("double", "1.0")
    expected = {In(("x",), (zero, one)): 3, Between(("x",), zero, one): 3, Equals(("x",), zero): 2}
    for atom, rows in expected.items():
        assert satisfying([atom], parent).sum() == rows
