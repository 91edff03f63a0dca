"""Tables that are rows of several others, of which none contains them; and near-misses."""

from pathlib import Path
from random import Random

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from r2d2.hashing.multiset import Counted
from r2d2.model import Table, Types
from r2d2.recipes.find.request import Columns
from r2d2.recipes.find.row_counts import RowCounts
from r2d2.recipes.grammar import Distinct, Project, Select, Union, parents
from r2d2.recipes.run.trial import try_out
from tests.support.recipes.recipe_lake import RecipeLake, counted

NAN = float("nan")
BASE = pa.table(
    {
        "id": range(240),
        "month": [1 + number // 40 for number in range(240)],
        "price": [None if n % 9 == 0 else NAN if n % 11 == 0 else n * 0.5 for n in range(240)],
    }
)


def months(*chosen: int) -> pa.Table:
    """The rows of these months, of one as often as it is named."""
    parts = [BASE.filter(pc.equal(BASE["month"], month)) for month in chosen]
    return pa.concat_tables(parts).combine_chunks()


def with_source(table: pa.Table, source: str) -> pa.Table:
    return table.append_column("source", pa.array([source] * len(table)))


def together(*tables: pa.Table) -> pa.Table:
    return pa.concat_tables(tables).combine_chunks()


def changed(table: pa.Table, row: int, price: float | None) -> pa.Table:
    """One row has another price."""
    prices = table["price"].to_pylist()
    prices[row] = price
    return table.set_column(2, "price", pa.array(prices, pa.float64()))


def kinds(lake: RecipeLake, *others: str) -> list[type]:
    """The kinds of the parts of the one union that gives exactly the child, as a trial tells."""
    (proposal,) = lake.from_several("child", *others)
    union = proposal.recipe
    assert isinstance(union, Union)
    assert proposal.parents == parents(union)
    assert len(proposal.parents) > 1
    child = pa.parquet.read_table(lake.folder / "lake/child.parquet")
    if not any(pa.types.is_floating(field.type) for field in child.schema):
        assert lake.rows("child", union) == counted(child)
    tables = {table.location: table for table in lake.tables.values()}
    own = lake.tables["child"]
    assert try_out(lake.storage, tables, own, union, lake.folder).problem is None
    return [*map(type, union.parts), *[set] * union.distinct]


EVEN = pc.equal(pc.bit_wise_and(BASE["id"], 1), 0)
FOUND: dict[str, tuple[dict[str, pa.Table], pa.Table, list[type]]] = {
    "projections": (
        {"a": with_source(months(1), "a"), "b": with_source(months(2), "b")},
        months(1, 2),
        [Project, Project],
    ),
    "a selection that was loaded twice, and another table": (
        {"a": months(1, 2, 3), "b": months(5, 6)},
        together(months(2), months(2), months(5, 6)),
        [Select, Select, Project],
    ),
    "two tables, and a selection of one that was loaded again": (
        {"a": months(1, 2), "b": months(3, 4, 5)},
        together(months(1, 2), months(3, 4, 5), months(4)),
        [Project, Project, Select],
    ),
    "selections": ({"a": months(1, 2, 3, 4), "b": months(3, 4, 5, 6)}, months(2, 5), [Select] * 2),
    "a selection of what both have": (
        {"a": months(1, 2, 3, 4), "b": months(3, 4, 5, 6)},
        months(2, 3, 5),
        [Select] * 2,
    ),
    "projected selections": (
        {"a": with_source(months(1, 2, 3), "a"), "b": with_source(months(4, 5, 6), "b")},
        months(2, 6).select(["price", "id"]),
        [Select] * 2,
    ),
    "a whole and a selection": (
        {"a": months(1), "b": months(2, 3, 4), "c": months(6)},
        months(1, 3),
        [Project, Select],
    ),
    "a month that both gave": (
        {"a": months(1, 2, 3), "b": months(3, 4, 5)},
        months(2, 3, 3, 5),
        [Select] * 2,
    ),
    "rows that are there twice": (
        {"a": together(months(1, 1), months(2)), "b": months(4, 5, 5)},
        months(1, 1, 5, 5),
        [Select] * 2,
    ),
    "rows once each": (
        {"a": months(1, 1, 2, 2), "b": months(4, 4, 5, 5)},
        months(2, 5),
        [Distinct] * 2,
    ),
    "overlapping loads once each": (
        {"a": BASE.filter(EVEN), "b": BASE.take([*range(0, 240, 3), *range(1, 240, 5)])},
        together(
            BASE.filter(EVEN),
            BASE.take([n for n in range(240) if n % 2 and n % 5 == 1]),
            BASE.take([n for n in range(240) if n % 2 and n % 5 != 1 and n % 3 == 0]),
        ),
        [Project, Project, set],
    ),
    "equal parents": (
        {"a": months(1, 2), "again": months(1, 2), "b": months(3, 4)},
        months(2, 3),
        [Select] * 2,
    ),
    "three parents": (
        {"a": months(1, 2), "b": months(3, 4), "c": months(5, 6)},
        months(2, 3, 5),
        [Select] * 3,
    ),
}


@pytest.mark.parametrize(("others", "child", "expected"), FOUND.values(), ids=FOUND)
def test_rows_of_several_tables_are_found(
    tmp_path: Path, others: dict[str, pa.Table], child: pa.Table, expected: list[type]
) -> None:
    lake = RecipeLake.of(tmp_path, {"child": child, **others})
    assert kinds(lake, *others) == expected


SOURCES = {"a": months(1, 2, 3, 4), "b": months(3, 4, 5, 6)}


def test_a_table_with_an_odd_part_of_the_rows_hides_no_others(tmp_path: Path) -> None:
    odd = months(2, 5)  # of which some rows are others, and no predicate tells these
    for row in Random(3).sample(range(80), 25):
        odd = changed(odd, row, odd["price"][row + 1 if row < 79 else 0].as_py())
    lake = RecipeLake.of(tmp_path, {"child": months(2, 5), "odd": odd, **SOURCES})
    assert kinds(lake, "odd", *SOURCES) == [Select] * 2


DRAWN = pa.table({"drawn": [n * 7919 % 104729 // 3 for n in range(1000)]})
NEAR: dict[str, tuple[dict[str, pa.Table], pa.Table]] = {
    "a value is another": (SOURCES, changed(months(2, 5), 7, 12345.0)),
    "a value is NULL": (SOURCES, changed(months(2, 5), 1, None)),
    "a value is NaN": (SOURCES, changed(months(2, 5), 1, NAN)),
    "a row is doubled": (SOURCES, together(months(2, 5), months(2).slice(3, 1))),
    "a row is there thrice": (SOURCES, together(months(2, 3, 5), *[months(3).slice(3, 1)] * 2)),
    "a row is in no other": ({**SOURCES, "b": months(3, 4, 6)}, months(2, 5)),
    "another type": (
        {**SOURCES, "b": SOURCES["b"].set_column(1, "month", SOURCES["b"]["month"].cast("int32"))},
        months(2, 5),
    ),
    "rows that no predicate tells": (
        {"a": DRAWN.slice(0, 500), "b": DRAWN.slice(500)},
        DRAWN.take(Random(1).sample(range(1000), 500)),
    ),
}


@pytest.mark.parametrize(("others", "child"), NEAR.values(), ids=NEAR)
def test_what_is_nearly_rows_of_several_has_no_recipe(
    tmp_path: Path, others: dict[str, pa.Table], child: pa.Table
) -> None:
    lake = RecipeLake.of(tmp_path, {"child": child, **others})
    assert lake.from_several("child", *others) == []


def test_a_row_that_is_missing_is_left_out_by_a_predicate_or_there_is_none(tmp_path: Path) -> None:
    child = months(2, 5)
    without = child.take([n for n in range(len(child)) if n != 17])
    lake = RecipeLake.of(tmp_path, {"child": without, **SOURCES})
    for proposal in lake.from_several("child", *SOURCES):
        assert proposal.recipe is not None
        tables = {table.location: table for table in lake.tables.values()}
        trial = try_out(lake.storage, tables, lake.tables["child"], proposal.recipe, lake.folder)
        assert trial.problem is None


@pytest.mark.parametrize("zero", [0.0, -0.0])
def test_the_sign_of_a_zero_is_never_lost(tmp_path: Path, zero: float) -> None:
    others = {"a": changed(months(1, 2), 45, zero), "b": months(4, 5)}
    lake = RecipeLake.of(tmp_path, {"child": changed(months(2, 5), 5, -0.0), **others})
    (proposal,) = lake.from_several("child", *others)
    assert proposal.recipe is not None
    tables = {table.location: table for table in lake.tables.values()}
    trial = try_out(lake.storage, tables, lake.tables["child"], proposal.recipe, lake.folder)
    assert (trial.problem is None) == (str(zero) == "-0.0")


def test_numbers_of_other_types_are_cast_where_types_are_widened(tmp_path: Path) -> None:
    narrow = {
        name: table.set_column(0, "id", table["id"].cast("int32"))
        for name, table in SOURCES.items()
    }
    lake = RecipeLake.of(tmp_path, {"child": months(2, 5), **narrow}, Types.WIDENED)
    assert kinds(lake, *narrow) == [Select] * 2


def test_a_parent_that_is_gone_is_left_out(tmp_path: Path) -> None:
    lake = RecipeLake.of(tmp_path, {"child": months(2, 5), "again": months(5, 6), **SOURCES})
    (tmp_path / "lake/b.parquet").unlink()
    assert kinds(lake, *SOURCES, "again") == [Select] * 2
    (tmp_path / "lake/again.parquet").unlink()
    assert lake.from_several("child", *SOURCES, "again") == []


def test_large_tables_are_sampled_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("r2d2.recipes.find.from_several.SAMPLED_BYTES", 0)
    lake = RecipeLake.of(tmp_path, {"child": months(2, 5), "other": months(1, 6), **SOURCES})
    assert kinds(lake, *SOURCES) == [Select] * 2
    counted_tables, count = list[str](), RowCounts.counted

    def noted(counts: RowCounts, table: Table, columns: Columns) -> Counted:
        counted_tables.append(table.location)
        return count(counts, table, columns)

    monkeypatch.setattr(RowCounts, "counted", noted)
    assert lake.from_several("other", "child", "a") == []
    assert counted_tables == []
    assert lake.from_several("child", *SOURCES, whole_bytes=1000) == []
    assert counted_tables == []
    assert lake.from_several("child", *SOURCES) != []
    assert counted_tables != []
