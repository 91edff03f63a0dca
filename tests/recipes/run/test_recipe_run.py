"""Each kind of recipe, run on small tables: the rows that come back, and what stops a run."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from pyarrow import csv

from r2d2.errors import R2D2Error, RecipeRunError
from r2d2.hashing.finaliser import Lanes
from r2d2.hashing.multiset import Seen
from r2d2.recipes.grammar import (
    Between,
    Distinct,
    Equals,
    Field,
    In,
    IsNull,
    NotNull,
    Output,
    Project,
    Recipe,
    Residual,
    ResidualKind,
    Rows,
    Select,
    Struct,
    Union,
)
from r2d2.recipes.literals import Literal
from r2d2.recipes.run import RecipeContext, rebuilt
from r2d2.recipes.run.residuals import ResidualFolder
from r2d2.recipes.run.trial import Trial, try_out
from r2d2.storage.local import LocalStorage
from tests.support.recipes.differences import difference
from tests.support.recipes.lakes import put, tables

PARENT = "parent.parquet"
N = Output("n", Field(("n",)))
HASHES = Residual(ResidualKind.HASHES, "child.parquet", 0, 0)


def number(value: object, type_: pa.DataType | None = None) -> Literal:
    return Literal.of(pa.scalar(value, type_ or pa.int64()))


def try_here(lake: Path, recipe: Recipe) -> Trial:
    """The recipe tried out for the table `child.parquet`; residuals go beside the lake.

    With little memory the trial ends as it does with much.
    """
    found = tables(lake)
    storage, child, folder = LocalStorage(str(lake)), found["child.parquet"], lake.parent / "run"
    trial = try_out(storage, found, child, recipe, folder)
    in_ranges = try_out(storage, found, child, recipe, folder, memory_bytes=100)
    assert (in_ranges.problem is None) == (trial.problem is None)
    if trial.problem is None:
        told = (in_ranges.recipe, in_ranges.rows, in_ranges.fingerprint, in_ranges.layout)
        assert told == (trial.recipe, trial.rows, trial.fingerprint, trial.layout)
    return trial


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    return tmp_path / "lake"


def put_tables(lake: Path, parent: pa.Table, child: pa.Table, **options: object) -> None:
    put(lake, PARENT, parent, **options)
    put(lake, "child.parquet", child)


PEOPLE = pa.table(
    {
        "n": pa.array([1, 2, 2, None, 3]),
        "t": ["a", "b", "b", "c", None],
        "s": pa.array(
            [{"x": 1, "y": "p"}, None, None, {"x": None, "y": None}, {"x": 2, "y": None}],
            pa.struct([("x", pa.int64()), ("y", pa.string())]),
        ),
    }
)


def test_a_projection_gives_dropped_and_reordered_columns(lake: Path) -> None:
    put_tables(lake, PEOPLE, PEOPLE.select(["t", "n"]))
    trial = try_here(lake, Project(PARENT, (Output("t", Field(("t",))), N)))
    assert (trial.problem, trial.rows) == (None, 5)
    assert len(trial.fingerprint) == 32


def test_a_null_struct_and_a_struct_of_nulls_stay_two(lake: Path) -> None:
    field = PEOPLE["s"].combine_chunks()
    reversed_ = pa.StructArray.from_arrays(
        [field.flatten()[1], field.flatten()[0]], ["y", "z"], mask=field.is_null()
    )
    put_tables(lake, PEOPLE, pa.table({"s": reversed_}))
    parts = (Output("y", Field(("s", "y"))), Output("z", Field(("s", "x"))))
    assert try_here(lake, Project(PARENT, (Output("s", Struct(("s",), parts)),))).problem is None
    never_null = try_here(lake, Project(PARENT, (Output("s", Struct((), parts)),)))
    assert never_null.problem == "values of s differ"


def test_a_field_of_a_struct_is_null_where_the_struct_is(lake: Path) -> None:
    put_tables(lake, PEOPLE, pa.table({"x": pa.array([1, None, None, None, 2])}))
    assert try_here(lake, Project(PARENT, (Output("x", Field(("s", "x"))),))).problem is None


@pytest.mark.parametrize(
    ("where", "rows"),
    [
        ((Equals(("n",), number(2)),), [1, 2]),
        ((In(("n",), (number(1), number(3))),), [0, 4]),
        ((Between(("n",), number(2), number(3)),), [1, 2, 4]),
        ((IsNull(("n",)),), [3]),
        ((NotNull(("t",)), NotNull(("n",))), [0, 1, 2]),
        ((Equals(("s", "y"), number("p", pa.string())),), [0]),
        ((IsNull(("s", "x")),), [1, 2, 3]),
    ],
)
def test_a_selection_keeps_the_rows_that_satisfy_every_atom(
    lake: Path, where: tuple[object, ...], rows: Sequence[int]
) -> None:
    put_tables(lake, PEOPLE, PEOPLE.take(rows))
    columns = tuple(Output(name, Field((name,))) for name in PEOPLE.column_names)
    assert try_here(lake, Select(PARENT, columns, where)).problem is None  # type: ignore[arg-type]


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_a_column_of_few_values_is_selected_by_though_its_reader_makes_dictionaries(
    lake: Path, ending: str
) -> None:
    table = pa.table({"k": [f"key {i % 3}" for i in range(10_000)], "n": map(str, range(10_000))})
    put(lake, PARENT, table)
    csv.write_csv(table, lake / "parent.csv")
    put(lake, "child.parquet", table.filter(pc.equal(table["k"], "key 1")))
    columns = (Output("k", Field(("k",))), N)
    for atom in (
        Equals(("k",), number("key 1", pa.string())),
        In(("k",), (number("key 1", pa.string()), number("other", pa.string()))),
        Between(("k",), number("key 1", pa.string()), number("key 1z", pa.string())),
    ):
        assert try_here(lake, Select(f"parent.{ending}", columns, (atom,))).problem is None


def test_a_selection_passes_over_files_that_lack_its_column(lake: Path) -> None:
    put(lake, "p/k=1/x.parquet", PEOPLE.select(["t"]))
    put(lake, "p/k=2/x.parquet", PEOPLE.select(["n", "t"]))
    put(lake, "child.parquet", PEOPLE.select(["n", "t"]).take([0]))
    columns = (N, Output("t", Field(("t",))))
    assert try_here(lake, Select("p", columns, (Equals(("n",), number(1)),))).problem is None
    whole = Union((Project(PARENT, columns), Select("p", columns, (IsNull(("n",)),))))
    put(lake, PARENT, PEOPLE.select(["n", "t"]))
    nulls = pa.table({"n": pa.nulls(6, pa.int64()), "t": ["a", "b", "b", "c", None, "c"]})
    put(lake, "child.parquet", pa.concat_tables([PEOPLE.select(["n", "t"]), nulls]))
    assert try_here(lake, whole).problem is None


def test_a_table_whose_first_file_lacks_a_column_is_rebuilt(lake: Path) -> None:
    put(
        lake,
        PARENT,
        pa.table({"n": pa.array([None, 5]), "t": ["a", "b"], "k": pa.array([1, 2], pa.int32())}),
    )
    put(lake, "c/k=1/x.parquet", pa.table({"t": ["a"]}))
    put(lake, "c/k=2/x.parquet", pa.table({"t": ["b"], "n": pa.array([5])}))
    found = tables(lake)
    columns = tuple(Output(name, Field((name,))) for name in ("t", "n", "k"))
    trial = try_out(
        LocalStorage(str(lake)), found, found["c"], Project(PARENT, columns), lake.parent / "run"
    )
    assert trial.problem is None


def test_distinct_rows_come_once_across_batches(lake: Path) -> None:
    many = pa.table({"n": pa.array([i % 1000 for i in range(200_000)])})
    put_tables(lake, many, pa.table({"n": range(1000)}), row_group_size=50_000)
    assert try_here(lake, Distinct(PARENT, (N,))).problem is None
    context = RecipeContext(LocalStorage(str(lake)), tables(lake), ResidualFolder(lake))
    parts = list(rebuilt(context, Distinct(PARENT, (N,)), pa.schema([("n", pa.int64())])))
    assert pa.Table.from_batches(parts)["n"].to_pylist() == list(range(1000))


def test_rows_come_back_by_their_hashes_each_as_often_as_listed(lake: Path) -> None:
    parent = pa.table({"n": [7, 7, 7, 8, 9, 9] * 30_000, "x": range(180_000)})
    put_tables(lake, parent, pa.table({"n": [7] * 40_000 + [9] * 2 + [8]}), row_group_size=7_000)
    trial = try_here(lake, Rows(PARENT, (N,), HASHES))
    assert trial.problem is None
    assert isinstance(trial.recipe, Rows)
    written = trial.recipe.residual
    assert (written.kind, written.rows) == (ResidualKind.HASHES, 3)
    assert (lake.parent / "run" / written.location).stat().st_size == written.size_bytes


def test_rows_that_the_parent_has_less_often_are_missed(lake: Path) -> None:
    put_tables(lake, pa.table({"n": [1, 2]}), pa.table({"n": [1, 1, 3]}))
    problem = try_here(lake, Rows(PARENT, (N,), HASHES)).problem
    assert problem == "2 rows of the table are no longer in its parent"


def test_a_residual_that_is_another_than_the_plans_stops_the_recipe(lake: Path) -> None:
    put_tables(lake, PEOPLE, PEOPLE.select(["n"]))
    recipe = try_here(lake, Rows(PARENT, (N,), HASHES)).recipe
    assert isinstance(recipe, Rows)
    context = RecipeContext(
        LocalStorage(str(lake)), tables(lake), ResidualFolder(lake.parent / "run")
    )
    schema = pa.schema([("n", pa.int64())])
    assert (
        difference(PEOPLE.select(["n"]).to_batches(), list(rebuilt(context, recipe, schema)))
        is None
    )
    for wrong in ("0" * 64, None):
        changed = replace(recipe, residual=replace(recipe.residual, sha256=wrong))
        with pytest.raises(RecipeRunError, match="not the residual that the plan was made with"):
            list(rebuilt(context, changed, schema))
    (lake.parent / "run" / recipe.residual.location).unlink()
    with pytest.raises(RecipeRunError, match="No such file"):
        list(rebuilt(context, recipe, schema))


def test_a_union_adds_up_its_parts(lake: Path) -> None:
    put(lake, "a.parquet", pa.table({"n": [1, 2]}))
    put(lake, "b.parquet", pa.table({"m": pa.array([2, 3])}))
    put(lake, "child.parquet", pa.table({"n": [1, 2, 2, 3]}))
    parts = (Project("a.parquet", (N,)), Project("b.parquet", (Output("n", Field(("m",))),)))
    assert try_here(lake, Union(parts)).problem is None


@pytest.mark.parametrize(
    ("recipe", "problem"),
    [
        (Project("gone.parquet", (N,)), "the recipe's parent cannot be read: it is gone"),
        (Project("bad.parquet", (N,)), "the recipe's parent cannot be read: bad.parquet"),
        (Project(PARENT, (Output("m", Field(("n",))),)), "the rows have columns"),
        (Project(PARENT, (Output("n", Field(("t",))),)), "do not fit the table"),
        (Distinct(PARENT, (N,)), "it has 4 rows instead of 5"),
    ],
)
def test_a_recipe_that_cannot_run_says_why(lake: Path, recipe: Recipe, problem: str) -> None:
    put_tables(lake, PEOPLE, PEOPLE.select(["n"]))
    (lake / "bad.parquet").write_bytes(b"PAR1")
    found = try_here(lake, recipe).problem
    assert found is not None
    assert problem in found


def test_a_parent_that_changed_since_it_was_listed_stops_the_recipe(lake: Path) -> None:
    # More rows than an inventory keeps in memory.
    put(lake, PARENT, pa.table({"n": range(5000)}))
    found = tables(lake)
    put(lake, PARENT, pa.table({"n": range(5001)}))
    context = RecipeContext(LocalStorage(str(lake)), found, ResidualFolder(lake))
    with pytest.raises(R2D2Error, match="changed since it was listed"):
        list(rebuilt(context, Project(PARENT, (N,)), pa.schema([("n", pa.int64())])))


def test_the_parents_layout_gives_way_to_the_childs(lake: Path) -> None:
    parent = pa.table({"n": pa.array([1000, None], pa.timestamp("ms")), "t": ["a", None]})
    child = pa.table(
        {
            "n": parent["n"].cast(pa.timestamp("ns")),
            "t": parent["t"].cast(pa.dictionary(pa.int8(), pa.large_string())),
        }
    )
    put_tables(lake, parent, child)
    columns = (N, Output("t", Field(("t",))))
    assert try_here(lake, Project(PARENT, columns)).problem is None


def test_a_value_that_the_childs_layout_cannot_hold_is_no_crash(lake: Path) -> None:
    parent = pa.table({"n": pa.array([1], pa.timestamp("ns"))})
    put_tables(lake, parent, pa.table({"n": pa.array([1], pa.timestamp("s"))}))
    problem = try_here(lake, Project(PARENT, (N,))).problem
    assert problem is not None
    assert "do not fit the table" in problem


def test_hashes_are_new_once_however_many_batches_bring_them() -> None:
    seen = Seen()
    random = np.random.default_rng(5)
    known: set[tuple[int, int]] = set()
    for size in (0, 1, 50, 3, 200, 7, 7, 400):
        first, second = (random.integers(0, 12, size, np.uint64) for _ in range(2))
        new = []
        for row, pair in enumerate(zip(first.tolist(), second.tolist(), strict=True)):
            if pair not in known:
                known.add(pair)
                new.append(row)
        assert seen.new(Lanes(first, second)).tolist() == new
