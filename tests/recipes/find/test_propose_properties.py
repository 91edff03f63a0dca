"""The recipes proposed for random tables give, when they are run, exactly the child's rows."""

from itertools import chain, combinations
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from r2d2.recipes.grammar import Patch, Recipe, Union
from tests.support.recipes.recipe_lake import RecipeLake, counted

Row = tuple[int | None, str | None, float | None]
SCHEMA = pa.schema({"i": pa.int64(), "s": pa.string(), "f": pa.float64()})
row = st.tuples(
    st.sampled_from([None, 0, 1, 2]),
    st.sampled_from([None, "", "a", "B"]),
    st.sampled_from([None, 0.0, 1.5, float("inf")]),
)
rows = st.lists(row, min_size=1, max_size=14)


def table(rows: list[Row], columns: list[str] | None = None) -> pa.Table:
    arrays = zip(*rows, strict=True) if rows else ([], [], [])
    typed = [pa.array(values, type_) for values, type_ in zip(arrays, SCHEMA.types, strict=True)]
    return pa.table(typed, schema=SCHEMA).select(columns or SCHEMA.names)


@pytest.mark.slow
@settings(max_examples=150)
@given(rows, st.data())
def test_a_proposal_gives_the_childs_rows(parent: list[Row], data: st.DataObject) -> None:
    names = data.draw(st.lists(st.sampled_from(SCHEMA.names), min_size=1, unique=True))
    kept = data.draw(st.lists(st.sampled_from(range(len(parent))), min_size=1, max_size=20))
    if data.draw(st.booleans()):
        kept = sorted(set(kept))
    strange = data.draw(st.lists(row, max_size=2))
    child = table([*(parent[number] for number in kept), *strange], names)
    with TemporaryDirectory() as folder:
        lake = RecipeLake.of(Path(folder), {"parent": table(parent), "child": child})
        proposal = lake.from_parent("child", "parent")
        surplus = counted(child) - counted(table(parent).select(names))
        aside = sum(surplus.values())
        if aside > 0.2 * child.num_rows:
            assert proposal.recipe is None or isinstance(proposal.recipe, Union)
            if proposal.recipe:
                assert lake.rows("child", proposal.recipe) == counted(child)
        else:
            assert proposal.recipe is not None
            assert kept_aside(proposal.recipe) == aside
            assert lake.rows("child", proposal.recipe) == counted(child)


def kept_aside(recipe: Recipe) -> int:
    return recipe.plus.rows if isinstance(recipe, Patch) and recipe.plus else 0


@pytest.mark.slow
@settings(max_examples=150)
@given(st.lists(row, min_size=8, max_size=30), st.data())
def test_a_copy_that_drifted_from_its_parent_comes_back(
    parent: list[Row], data: st.DataObject
) -> None:
    names = data.draw(st.lists(st.sampled_from(SCHEMA.names), min_size=2, unique=True))
    gone = data.draw(st.sets(st.sampled_from(range(len(parent))), max_size=3))
    strange = data.draw(st.lists(row, max_size=1))
    kept = [row for number, row in enumerate(parent) if number not in gone]
    child = table([*kept, *strange], names)
    with TemporaryDirectory() as folder:
        lake = RecipeLake.of(Path(folder), {"parent": table(parent), "child": child})
        recipe = lake.from_parent("child", "parent").recipe
        assert recipe is not None
        if isinstance(recipe, Patch) and recipe.minus:
            event("rows taken away")
        assert lake.rows("child", recipe) == counted(child)


@pytest.mark.slow
@settings(max_examples=100)
@given(
    st.lists(rows, min_size=2, max_size=4), st.lists(rows, max_size=3), st.lists(row, max_size=1)
)
def test_a_union_is_found_where_brute_force_finds_one_and_gives_the_tables_rows(
    parts: list[list[Row]], others: list[list[Row]], more: list[Row]
) -> None:
    whole = table([*chain.from_iterable(parts), *more])
    tables = {f"part{n}": table(part) for n, part in enumerate([*parts, *others])}
    with TemporaryDirectory() as folder:
        lake = RecipeLake.of(Path(folder), {"whole": whole, **tables})
        found = lake.from_parts("whole", *tables)
        assert is_union(whole, list(tables.values())) <= bool(found)
        for proposal in found:
            assert proposal.recipe is not None
            assert lake.rows("whole", proposal.recipe) == counted(whole)


def is_union(whole: pa.Table, parts: list[pa.Table]) -> bool:
    return any(
        counted(pa.concat_tables(chosen)) == counted(whole)
        for count in range(2, len(parts) + 1)
        for chosen in combinations(parts, count)
    )
