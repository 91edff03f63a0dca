"""Two conjunctions of which one holds are found where the rows tell them, and not by accident."""

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.predicates import Filter, Planted
from r2d2.recipes.grammar import AnyOf, Equals
from r2d2.recipes.literals import Literal
from r2d2.recipes.predicate import satisfying
from r2d2.recipes.predicate.atoms import all_tightest
from r2d2.recipes.predicate.columns import EncodedTable
from r2d2.recipes.predicate.either import telling
from tests.support.recipes.children import find


def test_either_of_two_conjunctions_is_found_beside_what_holds_for_both() -> None:
    planted = Planted(3000, seed=3)
    for sql in (
        "(a = 1 OR s = 'IT')",
        "((a = 1 AND c < 10) OR (a = 2 AND q > 500))",
        "(day < '1970-06-01' OR q > 900) AND b IS NOT NULL",
        "(g IS NULL OR c = 3) AND isodow(ts) <= 4",
        "(g IS NULL OR c = 3) AND day >= '1971-01-01' AND code < 'F'",  # 6 of 82 rows by c = 3
        "s <> 'IT' AND c < 20 AND (day < '1970-06-01' OR q > 900)",
    ):
        assert planted.outcome(Filter((), sql)) == "found"


def test_few_rows_tell_either_beside_conditions_that_exclude_nearly_all_others() -> None:
    planted = Planted(2000, seed=0)
    for sql in (
        "month(day) = 12 AND (a = 1 OR s = 'IT')",  # 23 rows
        "b IS NULL AND e IS NOT NULL AND (day < '1970-06-01' OR q > 900)",  # 17 rows
        "s = 'IT' AND d BETWEEN -1 AND 1.1 AND (day < '1970-06-01' OR q > 900)",  # 31 rows
        "g IS NULL AND f > 0.5 AND ((a = 1 AND c < 10) OR (a = 2 AND q > 500))",  # 41 rows
    ):
        assert planted.outcome(Filter((), sql)) == "found"


def test_a_few_values_are_left_out_of_either() -> None:
    planted = Planted(2000, seed=0)
    for sql in (
        "q >= 300 AND cust NOT IN (5, 17, 44) AND (g IS NULL OR c = 3)",
        "cust <> 17 AND id % 10 < 8 AND (day < '1970-06-01' OR q > 900)",
        "ts < '2024-09-01' AND cust NOT IN (5, 17, 44) AND (g IS NULL OR c = 3)",
    ):
        assert planted.outcome(Filter((), sql)) == "found"


def test_a_long_list_of_days_may_stand_beside_either() -> None:
    planted = Planted(20_000, seed=0)
    assert planted.outcome(Filter((), "month(day) = 12 AND (a = 1 OR s = 'IT')")) == "found"


def test_rows_without_a_value_do_not_hide_the_end_of_a_column() -> None:
    random = np.random.default_rng(5)
    at, size = random.permutation(900), random.permutation(900)
    unknown = random.random(900) < 0.1
    parent = pa.table({"at": pa.array(at, mask=unknown), "size": size})
    rows = np.flatnonzero((~unknown & (at < 200)) | (size >= 700)).tolist()
    found = find(parent, rows)
    assert found
    assert isinstance(found.atoms[0], AnyOf)


def test_a_filters_rows_chosen_at_random_are_no_two_conjunctions() -> None:
    planted = Planted(2000, seed=5)
    filtered = np.flatnonzero(planted.mask("SELECT id FROM p WHERE a = 1 AND q >= 300"))
    for seed in range(20):
        random = np.random.default_rng(seed)
        rows = random.permutation(filtered)[: int(random.integers(16, len(filtered) // 2))]
        assert planted.found(rows) is None


def test_of_rows_at_random_hardly_an_atom_is_telling() -> None:
    planted = Planted(2000, seed=6)
    columns, count = planted.encoded.columns, 0
    for seed in range(100):
        random = np.random.default_rng(seed)
        order = random.permutation(planted.rows)
        rows, others = np.split(order, [int(random.integers(3, 300))])
        count += len(telling(all_tightest(columns, rows, len(rows)), len(rows), others))
    assert count <= 10


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1), st.sets(st.sampled_from("pqr"), min_size=2))
def test_either_of_two_values_is_found_as_it_was_planted(seed: int, names: set[str]) -> None:
    random = np.random.default_rng(seed)
    columns = {name: random.integers(0, 5, 500) for name in "pqr"}
    parent = pa.table({"id": random.permutation(500), **columns})
    one, other, *besides = sorted(names)
    mask = (columns[one] == 1) | (columns[other] == 2)
    for name in besides:
        mask &= columns[name] == 3
    found = find(parent, np.flatnonzero(mask).tolist())
    assert found
    assert (satisfying(found.atoms, EncodedTable.of(parent)) == mask).all()
    (either,) = (atom for atom in found.atoms if isinstance(atom, AnyOf))
    values = [
        Equals((name,), Literal("int64", value)) for name, value in ((one, "1"), (other, "2"))
    ]
    assert sorted(either.conjunctions, key=str) == [(value,) for value in values]


def test_one_row_more_than_a_filters_is_no_either() -> None:
    """The end of a column where that row lies has rows of the filter beside it by chance."""
    parent = pa.table({"id": range(120), "city": [n % 5 for n in range(120)]})
    filtered = [n for n in range(120) if n % 5 == 1]
    for name in range(40):
        note = np.random.default_rng(name).permutation(120)
        table = parent.append_column("note", pa.array(note))
        rows = sorted([*filtered, int(np.flatnonzero(note == 0)[0])])
        found = find(table, rows)
        assert found is None or not any(isinstance(atom, AnyOf) for atom in found.atoms)
