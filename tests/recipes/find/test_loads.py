"""Tables that were loaded twice, or from loads that overlap: each kind, and what is nearly one."""

from collections import Counter
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from r2d2.recipes.grammar import (
    Distinct,
    ParentChange,
    Patch,
    Project,
    Recipe,
    Rows,
    Select,
    Survival,
    Union,
    survives,
)
from tests.support.recipes.recipe_lake import RecipeLake, counted

ROWS = 120
BASE = pa.table(
    {
        "id": range(ROWS),
        "month": [1 + number // 10 for number in range(ROWS)],
        "value": [number * 7919 % 1009 for number in range(ROWS)],
    }
)
SALES = pa.table(
    {"id": [1, 1, 2, 3, 3, 3], "city": ["Rome", "Rome", "Oslo", "Lima", "Lima", "Lima"]}
)


def months(*chosen: int) -> pa.Table:
    """The rows of these months, of one as often as it is named."""
    parts = [BASE.filter(pc.equal(BASE["month"], month)) for month in chosen]
    return pa.concat_tables(parts).combine_chunks()


def several(*tables: pa.Table) -> pa.Table:
    return pa.concat_tables(tables).combine_chunks()


def kinds(recipe: Recipe | None) -> list[type]:
    return [type(part) for part in recipe.parts] if isinstance(recipe, Union) else [type(recipe)]


@pytest.mark.parametrize(
    ("parent", "child", "expected"),
    [
        (BASE, several(BASE, BASE), [Project] * 2),
        (BASE, several(BASE, BASE, BASE).select(["value", "id"]), [Project] * 3),
        (SALES, several(SALES, SALES), [Project] * 2),
        (BASE, months(3, 3), [Select] * 2),
        (BASE, several(BASE, months(5, 6)), [Project, Select]),
        (BASE, months(2, 3, 4, 4, 4, 5, 6), [Select] * 3),
        (SALES, several(*[SALES.slice(1, 3)] * 3), [Distinct] * 3),
    ],
    ids=[
        *("twice", "thrice, fewer columns", "twice with equal rows", "a month twice"),
        *("two months again", "a month three times", "distinct rows thrice"),
    ],
)
def test_rows_that_were_loaded_again_are_a_union_with_themselves(
    tmp_path: Path, parent: pa.Table, child: pa.Table, expected: list[type]
) -> None:
    lake = RecipeLake.of(tmp_path, {"parent": parent, "child": child})
    recipe = lake.from_parent("child", "parent").recipe
    assert recipe is not None
    assert kinds(recipe) == expected
    assert lake.rows("child", recipe) == counted(child)


@pytest.mark.parametrize(
    "child",
    [
        several(BASE, BASE.slice(1)),
        several(BASE, BASE.take([0, 17, 31, 44, 58, 73, 85, 99, 101, 113])),
        several(months(3, 3), BASE.slice(60, 1)),
        several(*[months(3)] * 5),
    ],
    ids=["one row once", "any rows again", "another row", "too often"],
)
def test_what_is_nearly_loaded_twice_is_exact_or_has_no_recipe(
    tmp_path: Path, child: pa.Table
) -> None:
    lake = RecipeLake.of(tmp_path, {"parent": BASE, "child": child})
    proposal = lake.from_parent("child", "parent")
    if proposal.recipe is None:
        assert proposal.reason == "the parent has too many of its rows less often"
    else:
        assert lake.rows("child", proposal.recipe) == counted(child)


def test_a_few_rows_that_are_there_again_are_kept_aside(tmp_path: Path) -> None:
    child = several(BASE, BASE.slice(20, 5))
    lake = RecipeLake.of(tmp_path, {"parent": BASE, "child": child})
    recipe = lake.from_parent("child", "parent").recipe
    assert isinstance(recipe, Patch)
    assert lake.rows("child", recipe) == counted(child)


def test_a_load_within_a_table_that_has_it_twice_is_its_distinct_rows(tmp_path: Path) -> None:
    tables = {"parent": months(1, 2, 2, 3, 3, 4), "child": months(2), "near": BASE.slice(10, 9)}
    lake = RecipeLake.of(tmp_path, tables)
    recipe = lake.from_parent("child", "parent").recipe
    assert isinstance(recipe, Distinct)
    assert recipe.where
    assert lake.rows("child", recipe) == counted(tables["child"])
    near = lake.from_parent("near", "parent").recipe
    assert isinstance(near, Distinct | Rows)
    assert lake.rows("near", near) == counted(tables["near"])


PARTS = {"m1": months(1), "m2": months(2), "m3": months(3), "m23": months(2, 3)}


@pytest.mark.parametrize(
    ("whole", "parts", "expected"),
    [
        (months(1, 2, 2, 3), ["m1", "m2", "m3"], ["m1", "m2", "m2", "m3"]),
        (months(1, 1, 1, 2, 2, 2, 3), ["m1", "m2", "m3"], ["m1"] * 3 + ["m2"] * 3 + ["m3"]),
        (months(1, 2, 3, 2, 3), ["m1", "m23"], ["m1", "m23", "m23"]),
    ],
    ids=["one twice", "two three times", "two months at once"],
)
def test_a_part_that_was_loaded_several_times_stands_so_often_in_the_union(
    tmp_path: Path, whole: pa.Table, parts: list[str], expected: list[str]
) -> None:
    lake = RecipeLake.of(tmp_path, {"whole": whole, **{name: PARTS[name] for name in parts}})
    (proposal,) = lake.from_parts("whole", *parts)
    recipe = proposal.recipe
    assert isinstance(recipe, Union)
    assert not recipe.distinct
    assert [part.parent.removesuffix(".parquet") for part in recipe.parts] == expected
    assert proposal.parents == tuple(f"{name}.parquet" for name in parts)
    assert lake.rows("whole", recipe) == counted(whole)


OVERLAPPING = {"left": months(1, 2, 3), "right": months(3, 4, 5), "again": months(2, 4)}


def test_loads_that_overlap_are_a_union_of_distinct_rows(tmp_path: Path) -> None:
    tables = OVERLAPPING | {"more": several(months(5), months(5))}
    lake = RecipeLake.of(tmp_path, {"whole": months(1, 2, 3, 4, 5), **tables})
    (proposal,) = lake.from_parts("whole", *tables)
    recipe = proposal.recipe
    assert isinstance(recipe, Union)
    assert recipe.distinct
    assert proposal.parents == ("left.parquet", "right.parquet")
    assert lake.rows("whole", recipe) == counted(months(1, 2, 3, 4, 5))
    changes = [survives(recipe, "left.parquet", change) for change in ParentChange]
    assert changes == [Survival.PERHAPS, Survival.PERHAPS, Survival.ALWAYS]


@pytest.mark.parametrize(
    ("whole", "parts"),
    [
        (months(1, 2, 3, 4, 5, 6), OVERLAPPING),
        (several(months(1, 2, 3, 4, 5), BASE.slice(3, 1)), OVERLAPPING),
        (months(1, 2, 3, 4, 5), OVERLAPPING | {"right": months(3, 4, 5, 6)}),
        (months(1, 2, 3, 4, 5), OVERLAPPING | {"right": months(3, 4)}),
    ],
    ids=["a month lacks", "a row twice", "a part has more", "no part has it"],
)
def test_what_no_loads_give_is_no_union(
    tmp_path: Path, whole: pa.Table, parts: dict[str, pa.Table]
) -> None:
    lake = RecipeLake.of(tmp_path, {"whole": whole, **parts})
    assert lake.from_parts("whole", *parts) == []


rows = st.lists(st.tuples(st.integers(0, 3), st.sampled_from("ab")), min_size=1, max_size=6)


def table(drawn: list[tuple[int, str]]) -> pa.Table:
    numbers, letters = zip(*drawn, strict=True)
    return pa.table({"n": pa.array(numbers, pa.int64()), "s": letters})


@pytest.mark.slow
@settings(max_examples=100)
@given(st.lists(rows, min_size=2, max_size=3), st.lists(st.integers(0, 3), min_size=2, max_size=3))
def test_a_union_of_several_loads_is_found_where_brute_force_finds_one(
    drawn: list[list[tuple[int, str]]], times: list[int]
) -> None:
    named = [row for part, often in zip(drawn, times, strict=False) for row in part * often]
    parts = {f"part{number}": table(part) for number, part in enumerate(drawn)}
    whole = table(named or drawn[0] * 2)
    with TemporaryDirectory() as folder:
        lake = RecipeLake.of(Path(folder), {"whole": whole, **parts})
        found = lake.from_parts("whole", *parts)
        event(f"{len(found)} found")
        assert any_union(whole, list(parts.values())) <= bool(found)
        for proposal in found:
            assert proposal.recipe is not None
            assert lake.rows("whole", proposal.recipe) == counted(whole)


def any_union(whole: pa.Table, parts: list[pa.Table]) -> bool:
    """Whether some parts, each three times at most, are the table; none has all of its rows."""
    wanted = counted(whole)
    smaller = [counted(part) for part in parts if part.num_rows < whole.num_rows]
    chosen_often = product(range(4), repeat=len(smaller))
    return any(together(smaller, often) == wanted for often in chosen_often if sum(often) > 1)


def together(
    parts: list[Counter[tuple[object, ...]]], often: tuple[int, ...]
) -> Counter[tuple[object, ...]]:
    every = (part for part, times in zip(parts, often, strict=True) for _ in range(times))
    return sum(every, Counter())


@pytest.mark.slow
@settings(max_examples=100)
@given(rows, st.lists(st.integers(0, 3), min_size=6, max_size=6))
def test_rows_of_one_parent_that_occur_more_often_come_back(
    drawn: list[tuple[int, str]], times: list[int]
) -> None:
    again = [row for row, often in zip(drawn, times, strict=False) for _ in range(often)]
    child = table(again or drawn)
    with TemporaryDirectory() as folder:
        lake = RecipeLake.of(Path(folder), {"parent": table(drawn), "child": child})
        recipe = lake.from_parent("child", "parent").recipe
        event(type(recipe).__name__)
        if recipe is not None:
            assert lake.rows("child", recipe) == counted(child)
