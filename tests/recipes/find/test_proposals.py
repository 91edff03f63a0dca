"""Each kind of recipe where it is due, and not where a single value or row speaks against it."""

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from r2d2.errors import RecipeRunError
from r2d2.recipes.grammar import Distinct, Patch, Project, Rows, Select
from r2d2.recipes.run import RecipeContext, rebuilt
from r2d2.recipes.run.residuals import ResidualFolder
from r2d2.recipes.run.trial import try_out
from tests.support.recipes.recipe_lake import RecipeLake, counted

WHOLE = pa.table(
    {
        "id": range(40),
        "city": [("Rome", "Oslo", "Lima", "Kyiv")[n % 4] for n in range(40)],
        "price": [n * 7919 % 101 / 8 for n in range(40)],
        "batch": [n * 31 % 40 for n in range(40)],
    }
)
CITIES = pa.table({"city": ["Rome", "Oslo", "Lima", "Kyiv"]})
OSLO = WHOLE.filter(pc.equal(WHOLE["city"], "Oslo"))
SOME = WHOLE.take([0, 3, 4, 7, 10, 13, 14, 18, 21, 23, 27, 32, 33, 38])


def changed(table: pa.Table) -> pa.Table:
    """The table with one price that no row of the parent has."""
    prices = table["price"].to_pylist()
    return table.set_column(
        table.column_names.index("price"), "price", pa.array([-1.0, *prices[1:]])
    )


def with_again(table: pa.Table, *rows: int) -> pa.Table:
    """The table with these rows once more."""
    return pa.concat_tables([table, table.take(list(rows))])


CASES = {
    "project": (WHOLE.select(["price", "id"]), Project),
    "distinct": (CITIES, Distinct),
    "select": (OSLO, Select),
    "rows": (SOME, Rows),
}


@pytest.mark.parametrize(("child", "kind"), CASES.values(), ids=list(CASES))
def test_a_contained_table_gets_the_simplest_recipe(
    tmp_path: Path, child: pa.Table, kind: type
) -> None:
    lake = RecipeLake.of(tmp_path, {"whole": WHOLE, "child": child})
    proposal = lake.from_parent("child", "whole")
    assert isinstance(proposal.recipe, kind)
    assert (proposal.child, proposal.parents) == ("child.parquet", ("whole.parquet",))
    assert proposal.rows == child.num_rows
    assert lake.rows("child", proposal.recipe) == counted(child)


@pytest.mark.parametrize("name", ["project", "select", "rows"])
@pytest.mark.parametrize("spoil", [lambda child: with_again(child, 3), changed])
def test_a_row_too_many_or_with_another_value_goes_into_a_residual(
    tmp_path: Path, name: str, spoil: Callable[[pa.Table], pa.Table]
) -> None:
    child, kind = CASES[name]
    child = spoil(child)
    lake = RecipeLake.of(tmp_path, {"whole": WHOLE, "child": child})
    recipe = lake.from_parent("child", "whole").recipe
    assert isinstance(recipe, Patch)
    assert recipe.plus is not None
    assert recipe.plus.rows == 1
    # What is left of the whole table without one row is a range of it.
    assert isinstance(recipe.recipe, kind) or (name, spoil) == ("project", changed)
    assert lake.rows("child", recipe) == counted(child)


def test_distinct_rows_with_one_of_them_twice_are_not_distinct(tmp_path: Path) -> None:
    child = with_again(CITIES, 0)
    lake = RecipeLake.of(tmp_path, {"whole": WHOLE, "cities": CITIES, "child": child})
    assert isinstance(lake.from_parent("child", "whole").recipe, Rows | Select)
    recipe = lake.from_parent("child", "cities").recipe
    assert isinstance(recipe, Patch)
    assert isinstance(recipe.recipe, Project)
    assert lake.rows("child", recipe) == counted(child)


@pytest.mark.parametrize(("extra", "patched"), [(10, True), (11, False)])
def test_more_than_a_fifth_of_a_table_goes_into_no_residual(
    tmp_path: Path, extra: int, patched: bool
) -> None:
    child = with_again(WHOLE, *(n * 7 % 40 for n in range(extra)))
    strange = pa.concat_tables([WHOLE, changed(WHOLE.slice(0, 1)).take([0] * extra)])
    lake = RecipeLake.of(tmp_path, {"whole": WHOLE, "child": child, "strange": strange})
    more, lacking = lake.from_parent("child", "whole"), lake.from_parent("strange", "whole")
    assert isinstance(more.recipe, Patch) == isinstance(lacking.recipe, Patch) == patched
    if not patched:
        assert more.reason == "the parent has too many of its rows less often"
        assert lacking.reason == "the parent lacks too many of its rows"


def test_a_renamed_column_comes_back_under_its_own_name(tmp_path: Path) -> None:
    child = OSLO.rename_columns(["number", "city", "price", "batch"])
    lake = RecipeLake.of(tmp_path, {"whole": WHOLE, "child": child})
    recipe = lake.from_parent("child", "whole", number="id").recipe
    assert isinstance(recipe, Select)
    assert lake.rows("child", recipe) == counted(child)


@pytest.mark.parametrize(("left_out", "taken_away"), [(24, True), (25, False)])
def test_the_fewer_rows_are_listed(tmp_path: Path, left_out: int, taken_away: bool) -> None:
    # No range leaves out rows of the middle, and no other column tells them from their neighbours.
    whole = pa.table({"id": range(120)})
    rows = [n for n in range(120) if not 1 < n < 2 * left_out + 2 or n % 2]
    child = whole.take(rows)
    lake = RecipeLake.of(tmp_path, {"whole": whole, "child": child})
    recipe = lake.from_parent("child", "whole").recipe
    if taken_away:
        assert isinstance(recipe, Patch)
        assert isinstance(recipe.recipe, Project)
        assert recipe.minus is not None
        assert (recipe.plus, recipe.minus.rows) == (None, left_out)
    else:
        assert isinstance(recipe, Rows)
    assert lake.rows("child", recipe) == counted(child)


def test_a_copy_with_a_row_changed_has_two_rows_in_residuals(tmp_path: Path) -> None:
    child = WHOLE.set_column(
        2,
        "price",
        pa.array([*WHOLE["price"].to_pylist()[:20], -1.0, *WHOLE["price"].to_pylist()[21:]]),
    )
    lake = RecipeLake.of(tmp_path, {"whole": WHOLE, "child": child})
    recipe = lake.from_parent("child", "whole").recipe
    assert isinstance(recipe, Patch)
    assert recipe.plus is not None
    assert recipe.minus is not None
    assert (recipe.plus.rows, recipe.minus.rows) == (1, 1)
    assert lake.rows("child", recipe) == counted(child)


def test_rows_to_be_removed_that_are_gone_stop_the_recipe(tmp_path: Path) -> None:
    child = WHOLE.take([n for n in range(40) if n != 20])
    lake = RecipeLake.of(tmp_path, {"whole": WHOLE, "child": child, "shorter": child.slice(0, 39)})
    recipe = lake.from_parent("child", "whole").recipe
    located = {table.location: table for table in lake.tables.values()}
    trial = try_out(lake.storage, located, lake.tables["child"], recipe, tmp_path)
    moved = located | {"whole.parquet": lake.tables["shorter"]}
    context = RecipeContext(lake.storage, moved, ResidualFolder(tmp_path))
    with pytest.raises(RecipeRunError, match="1 row to be removed is no longer"):
        list(rebuilt(context, trial.recipe, child.schema))


def test_nested_rows_go_into_a_residual_whole(tmp_path: Path) -> None:
    rows = [{"tags": [str(n)] * (n % 3), "at": {"x": n, "y": None}} for n in range(20)]
    whole = pa.table({"id": range(20), "row": pa.array(rows)})
    child = pa.concat_tables([whole, whole.slice(4, 2)])
    lake = RecipeLake.of(tmp_path, {"whole": whole, "child": child})
    recipe = lake.from_parent("child", "whole").recipe
    assert isinstance(recipe, Patch)
    tables = {table.location: table for table in lake.tables.values()}
    assert try_out(lake.storage, tables, lake.tables["child"], recipe, tmp_path).problem is None


def test_a_table_named_like_a_residual_goes_into_one_as_it_is(tmp_path: Path) -> None:
    whole = pa.table({"first": range(10), "second": [0.5] * 10, "copies": ["a"] * 10})
    child = with_again(whole, 3)
    lake = RecipeLake.of(tmp_path, {"whole": whole, "child": child})
    recipe = lake.from_parent("child", "whole").recipe
    assert recipe is not None
    assert lake.rows("child", recipe) == counted(child)
