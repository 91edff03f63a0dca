"""Lists of a parent's rows: each way to write one gives the same rows, and the smallest is kept."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from r2d2.errors import RecipeRunError
from r2d2.formats.schema import flatten
from r2d2.hashing.finaliser import Lanes
from r2d2.hashing.multiset import Copies, Counted, HashList
from r2d2.model import Types
from r2d2.recipes.find.reading import hashed
from r2d2.recipes.grammar import Field, Output, Patch, Project, Residual, ResidualKind, Rows
from r2d2.recipes.run import RecipeContext, rebuilt
from r2d2.recipes.run.residuals import ResidualFolder, with_residuals
from r2d2.recipes.run.row_lists import RowList, row_lists
from r2d2.recipes.run.trial import try_out
from r2d2.storage.local import LocalStorage
from tests.support.recipes.lakes import put, tables

LISTED = Residual(ResidualKind.HASHES, "child.parquet", 0, 0)
KINDS = {ResidualKind.HASHES, ResidualKind.POSITIONS}


def recipe_of(child: pa.Table) -> Rows:
    columns = tuple(Output(name, Field((name,))) for name in child.column_names)
    return Rows("parent", columns, LISTED)


def context_of(lake: Path, folder: Path) -> RecipeContext:
    return RecipeContext(LocalStorage(str(lake)), tables(lake), ResidualFolder(folder))


def put_parent(lake: Path, parent: pa.Table, files: int) -> None:
    """The parent in so many files of a folder, of small row groups."""
    size = -(-parent.num_rows // files)
    for number in range(files):
        part = parent.slice(number * size, size)
        put(lake, f"parent/part-{number:05}.parquet", part, row_group_size=7)


def lists_of(context: RecipeContext, child: pa.Table) -> list[RowList]:
    (lanes,) = hashed(child.to_batches(), [flatten(child.schema)], Types.STRICT)
    recipe = recipe_of(child)
    return row_lists(context, recipe, child.to_batches, child.schema, Counted.of(lanes))


def rows_by(context: RecipeContext, each: RowList, folder: Path, schema: pa.Schema) -> list[object]:
    batches = list(rebuilt(context, each.written(folder), schema))
    return in_order(pa.Table.from_batches(batches, schema))


def in_order(table: pa.Table) -> list[object]:
    return sorted((tuple(row.values()) for row in table.to_pylist()), key=repr)


PEOPLE = st.fixed_dictionaries(
    {
        "n": st.integers(0, 12) | st.none(),
        "name": st.sampled_from(["", "a", "b", "ä" * 9]) | st.none(),
        "x": st.sampled_from([0.5, float("inf"), None]),
    }
)


@given(
    rows=st.lists(st.tuples(PEOPLE, st.booleans()), min_size=1, max_size=60),
    files=st.integers(1, 3),
    has_id=st.booleans(),
)
def test_every_list_of_rows_gives_the_same_multiset(
    tmp_path_factory: pytest.TempPathFactory,
    rows: Sequence[tuple[Mapping[str, object], bool]],
    files: int,
    has_id: bool,
) -> None:
    folder = tmp_path_factory.mktemp("lists")
    types = [("n", pa.int64()), ("name", pa.string()), ("x", pa.float64())]
    parent = pa.Table.from_pylist([dict(row) for row, _ in rows], pa.schema(types))
    if has_id:
        parent = parent.append_column("id", pa.array(range(100, 100 + len(rows)), pa.int32()))
    picked = [number for number, (_, is_picked) in enumerate(rows) if is_picked] or [0]
    child = parent.take(picked).combine_chunks()
    put_parent(folder / "lake", parent, files)
    context = context_of(folder / "lake", folder)
    lists = lists_of(context, child)
    kinds = {each.recipe.residual.kind for each in lists}
    assert kinds >= KINDS
    keys = {each.recipe.key for each in lists if each.recipe.key}
    told = {
        ((name,),)
        for name in parent.column_names
        if name != "x" and tells(parent[name].to_pylist(), picked)
    }
    assert keys == told
    for each in lists:
        assert rows_by(context, each, folder, child.schema) == in_order(child)
    made = with_residuals(context, recipe_of(child), child.to_batches, child.schema, folder)
    assert isinstance(made, Rows)
    least = min(len(each.content) for each in lists)
    assert made.residual.size_bytes <= least + least // 8 + 512
    content = (folder / made.residual.location).read_bytes()
    assert made.residual.sha256 == hashlib.sha256(content).hexdigest()


def tells(values: Sequence[object], picked: Sequence[int]) -> bool:
    """Whether no other row has a value of a picked row; by brute force."""
    listed = {values[number] for number in picked}
    return all(value not in listed for n, value in enumerate(values) if n not in set(picked))


def many(count: int) -> pa.Table:
    """Orders, five of each customer, in an order that is no column's."""
    turned = np.random.default_rng(5).permutation(count)
    return pa.table(
        {
            "order": turned,
            "customer": turned // 5,
            "note": [f"{number * 7919 % 100_003:06} of order {number}" for number in turned],
        }
    )


def some(count: int, share: float) -> pa.Array:
    return pa.array(np.random.default_rng(1).random(count) < share)


def tried(folder: Path, parent: pa.Table, child: pa.Table, recipe: Rows | Patch) -> Rows | Patch:
    put_parent(folder / "lake", parent, 1)
    put(folder / "lake", "child.parquet", child)
    found = tables(folder / "lake")
    storage, run = LocalStorage(str(folder / "lake")), folder / "run"
    trial = try_out(storage, found, found["child.parquet"], recipe, run)
    assert trial.problem is None
    assert isinstance(trial.recipe, Rows | Patch)
    return trial.recipe


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5])
def test_a_list_of_rows_of_no_key_takes_about_as_few_bits_as_it_must(
    tmp_path: Path, share: float
) -> None:
    parent = many(20_000).select(["customer", "note"])
    child = parent.filter(some(20_000, share))
    recipe = tried(tmp_path, parent, child, recipe_of(child))
    assert isinstance(recipe, Rows)
    entropy = -(share * np.log2(share) + (1 - share) * np.log2(1 - share))
    assert recipe.residual.size_bytes < 20_000 * entropy / 8 * 1.2 + 800


def test_orders_of_some_customers_are_listed_by_customer(tmp_path: Path) -> None:
    parent = many(20_000)
    customers = np.random.default_rng(2).choice(4000, 300, replace=False)
    child = parent.filter(pa.array(np.isin(parent["customer"].to_numpy(), customers)))
    recipe = tried(tmp_path, parent, child, recipe_of(child))
    assert isinstance(recipe, Rows)
    assert (recipe.residual.kind, recipe.key) == (ResidualKind.KEYS, (("customer",),))
    assert recipe.residual.rows == 300


def test_a_customer_with_an_order_elsewhere_is_no_key(tmp_path: Path) -> None:
    parent = many(2000).drop(["order", "note"])
    parent = parent.append_column("n", pa.array([number % 3 for number in range(2000)]))
    child = parent.filter(some(2000, 0.3))
    recipe = tried(tmp_path, parent, child, recipe_of(child))
    assert isinstance(recipe, Rows)
    assert recipe.residual.kind is not ResidualKind.KEYS


def test_many_rows_to_be_removed_become_a_list_of_those_that_stay(tmp_path: Path) -> None:
    parent = many(20_000).select(["customer", "note"])
    child = parent.filter(some(20_000, 0.9))
    whole = Project("parent", recipe_of(child).columns)
    patch = Patch(whole, minus=Residual(ResidualKind.HASHES, "child.parquet", 0, 0))
    recipe = tried(tmp_path, parent, child, patch)
    assert isinstance(recipe, Rows)
    assert recipe.residual.kind is ResidualKind.POSITIONS
    assert recipe.residual.size_bytes < 3000


def test_few_rows_to_be_removed_stay_a_list_of_hashes(tmp_path: Path) -> None:
    parent = many(2000).select(["customer", "note"])
    child = parent.slice(10)
    patch = Patch(
        Project("parent", recipe_of(child).columns),
        minus=Residual(ResidualKind.HASHES, "child.parquet", 0, 0),
    )
    recipe = tried(tmp_path, parent, child, patch)
    assert isinstance(recipe, Patch)
    assert recipe.minus is not None
    assert (recipe.minus.kind, recipe.minus.rows) == (ResidualKind.HASHES, 10)


def test_positions_that_the_parent_has_no_more_are_told(tmp_path: Path) -> None:
    parent = many(50).select(["note"])
    put_parent(tmp_path / "lake", parent, 1)
    child = parent.slice(40)
    lists = lists_of(context_of(tmp_path / "lake", tmp_path), child)
    (by_gaps, *_) = (e for e in lists if e.recipe.residual.kind is ResidualKind.POSITIONS)
    recipe = by_gaps.written(tmp_path)
    put_parent(tmp_path / "lake", parent.slice(0, 45), 1)
    with pytest.raises(RecipeRunError, match="has 45 rows: 5 listed ones are not there"):
        list(rebuilt(context_of(tmp_path / "lake", tmp_path), recipe, child.schema))


def words(*pairs: tuple[int, int]) -> Lanes:
    first, second = zip(*pairs, strict=True)
    return Lanes(np.array(first, np.uint64), np.array(second, np.uint64))


word_pairs = st.tuples(st.integers(0, 5), st.integers(0, 3))


@given(rows=st.lists(word_pairs, min_size=1, max_size=40), data=st.data())
def test_rows_that_share_a_first_word_are_told_apart(
    rows: list[tuple[int, int]], data: st.DataObject
) -> None:
    picked = data.draw(st.lists(st.sampled_from(range(len(rows))), min_size=1, unique=True))
    listed = Counted.of(words(*(rows[number] for number in picked)))
    hashes = HashList(listed)
    middle = data.draw(st.integers(1, len(rows)))
    for part in (rows[:middle], rows[middle:]):
        if part:
            hashes.add(words(*part))
    residual = hashes.table()
    copies = Copies(residual)
    found = copies.pick(words(*rows))
    assert sorted(rows[number] for number in found) == sorted(rows[number] for number in picked)
    assert copies.missing() == 0
    alone = {first for first, _ in rows if len({pair for pair in rows if pair[0] == first}) == 1}
    listed_first = residual["first"].to_pylist()
    if "second" in residual.column_names:
        pairs = zip(listed_first, residual["second"].to_pylist(), strict=True)
        assert all((second is None) == (first in alone) for first, second in pairs)
    else:
        assert set(listed_first) <= alone
    assert ("copies" in residual.column_names) == (len(listed_first) < len(picked))
