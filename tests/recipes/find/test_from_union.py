"""Tables that are several others together."""

from pathlib import Path

import pyarrow as pa
import pytest

from r2d2.recipes.grammar import Union, parents
from tests.support.recipes.recipe_lake import RecipeLake, counted

MONTHS = [f"month{number:02}" for number in range(1, 13)]
YEAR = pa.table(
    {
        "day": range(365),
        "month": [1 + day * 12 // 365 for day in range(365)],
        "price": [day * 7919 % 13 for day in range(365)],
    }
)


@pytest.fixture(autouse=True, params=["not sampled", "sampled"])
def is_sampled(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Large tables are sampled first, of which the answers are the same."""
    if request.param == "sampled":
        monkeypatch.setattr("r2d2.recipes.find.from_union.SAMPLED_BYTES", 0)


def of_months(*months: int) -> pa.Table:
    return YEAR.filter(pa.array([month in months for month in YEAR["month"].to_pylist()]))


def calendar() -> dict[str, pa.Table]:
    months = {name: of_months(number) for number, name in enumerate(MONTHS, 1)}
    return {"year": YEAR, **months}


def names(union: Union) -> list[str]:
    return [name.removesuffix(".parquet") for name in parents(union)]


def test_a_year_is_its_twelve_months(tmp_path: Path) -> None:
    lake = RecipeLake.of(tmp_path, calendar())
    (proposal,) = lake.from_parts("year", *MONTHS)
    assert proposal.child == "year.parquet"
    assert proposal.parents == tuple(f"{month}.parquet" for month in MONTHS)
    assert proposal.rows == 365
    assert isinstance(proposal.recipe, Union)
    assert lake.rows("year", proposal.recipe) == counted(YEAR)


@pytest.mark.parametrize(
    ("spoilt", "near_miss"),
    [
        ("a month missing", None),
        ("a row missing", of_months(5).slice(1)),
        ("a row lacks that is there twice", of_months(5).take([0, 0, *range(2, 31)])),
        (
            "a value changed",
            of_months(5).set_column(2, "price", pa.array([99] * of_months(5).num_rows)),
        ),
        ("another type", of_months(5).set_column(1, "month", of_months(5)["month"].cast("int32"))),
    ],
)
def test_months_that_are_not_quite_the_year_are_no_union(
    tmp_path: Path, spoilt: str, near_miss: pa.Table | None
) -> None:
    tables = calendar()
    if near_miss is None:
        del tables["month05"]
    else:
        tables["month05"] = near_miss
    lake = RecipeLake.of(tmp_path, tables)
    assert lake.from_parts("year", *(month for month in MONTHS if month in tables)) == [], spoilt


def test_the_largest_parts_are_proposed_and_the_smallest(tmp_path: Path) -> None:
    tables = calendar() | {
        f"quarter{q}": of_months(*range(3 * q - 2, 3 * q + 1)) for q in (1, 2, 4)
    }
    # Neither is a part of any union, though each is contained.
    tables |= {"winter": of_months(1, 2, 12), "firsts": YEAR.take([0, 31, 60])}
    lake = RecipeLake.of(tmp_path, tables)
    largest, smallest = lake.from_parts("year", *sorted(set(tables) - {"year"}))
    assert isinstance(largest.recipe, Union)
    assert isinstance(smallest.recipe, Union)
    assert names(largest.recipe) == [*MONTHS[6:9], "quarter1", "quarter2", "quarter4"]
    assert names(smallest.recipe) == MONTHS
    for found in (largest, smallest):
        assert found.recipe is not None
        assert lake.rows("year", found.recipe) == counted(YEAR)


def test_parts_that_take_each_others_rows_are_searched(tmp_path: Path) -> None:
    # Taking the largest first leaves rows that no other part fits.
    parts = {"most": range(1, 9), "left": range(5), "right": range(5, 10), "rest": range(8, 10)}
    tables = {name: YEAR.take(list(rows)) for name, rows in parts.items()}
    lake = RecipeLake.of(tmp_path, {"ten": YEAR.slice(0, 10), **tables})
    for proposal in lake.from_parts("ten", *parts):
        assert proposal.parents == ("left.parquet", "right.parquet")
    assert lake.from_parts("ten", *parts)
    (overlapping,) = lake.from_parts("ten", "most", "left", "rest")
    assert isinstance(overlapping.recipe, Union)
    assert overlapping.recipe.distinct
    assert lake.from_parts("ten", "most", "rest") == []


def test_columns_may_have_another_order_and_rows_may_be_equal(tmp_path: Path) -> None:
    whole = pa.table({"a": [1, 1, 1, 2], "b": ["x", "x", "x", "y"]})
    tables = {"whole": whole, "two": whole.slice(0, 2).select(["b", "a"]), "rest": whole.slice(2)}
    lake = RecipeLake.of(tmp_path, tables)
    (proposal,) = lake.from_parts("whole", "two", "rest")
    assert proposal.recipe is not None
    assert lake.rows("whole", proposal.recipe) == counted(whole)


def test_a_part_that_is_gone_is_left_out(tmp_path: Path) -> None:
    lake = RecipeLake.of(tmp_path, calendar() | {"again": of_months(3)})
    for name in ("month03", "again", "year"):
        assert lake.from_parts("year", *MONTHS, "again") or name == "year"
        (tmp_path / f"lake/{name}.parquet").unlink()
    assert lake.from_parts("year", *MONTHS, "again") == []
