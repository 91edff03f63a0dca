"""What a library raises at one table costs that table, at every boundary, and never the run."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from r2d2.engines import scan
from r2d2.engines.local.recipes import ThisProcess
from r2d2.errors import LakeError
from r2d2.lake import inventory
from r2d2.model import FileGroup, Split, Table, Types
from r2d2.recipes.find import from_one_parent
from r2d2.recipes.find.request import ContainedTable, Proposal, Request, outputs
from r2d2.recipes.grammar import Project
from r2d2.recipes.run import trial
from r2d2.settings.find import Settings
from r2d2.storage import storage_of
from tests.support.oracle.asking import ask
from tests.support.oracle.files import one, write

GOOD = {("good.parquet", "copy.parquet"), ("copy.parquet", "good.parquet")}
ERRORS = (
    pa.ArrowInvalid("Take operation overflowed binary array capacity"),
    pa.ArrowNotImplementedError("no kernel"),
    pa.ArrowMemoryError("malloc of size 9 failed"),
    MemoryError(),
    RecursionError("maximum recursion depth exceeded"),
    UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
    AttributeError("'NoneType' object has no attribute 'schema'"),
    AssertionError(),
    RuntimeError("a codec's own error"),
    SystemError("returned NULL without setting an exception"),
)
every_error = pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)


def lake_of(folder: Path) -> Path:
    write(folder, good=one([1, 2, 3]), copy=one([3, 2, 1]), bad=one([7, 1, 2]))
    return folder


def raising(error: BaseException, at: Callable[..., bool], instead: Callable[..., Any]) -> Any:
    """The function; where `at` says so of its arguments it raises."""

    def called(*arguments: Any) -> Any:
        if at(*arguments):
            raise error
        return instead(*arguments)

    return called


def of_bad(_storage: Any, _settings: Any, group: FileGroup, _lake: Any) -> bool:
    return group.location == "bad.parquet"


def split_of_bad(_storage: Any, split: Split, _columns: Any) -> bool:
    return split.file.path == "bad.parquet"


def has_seven(batch: pa.RecordBatch, *_: Any) -> bool:
    return 7 in batch.column("x").to_pylist()


BOUNDARIES: dict[str, tuple[Any, str, Callable[..., bool]]] = {
    "inventory": (inventory, "_inspect", of_bad),
    "read": (scan, "read_split", split_of_bad),
    "hash": (scan, "row_hashes", has_seven),
}


@every_error
@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_a_foreign_error_costs_the_table_that_it_is_about(
    tmp_path: Path, boundary: str, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    module, name, at = BOUNDARIES[boundary]
    monkeypatch.setattr(module, name, raising(error, at, getattr(module, name)))
    answer = ask(lake_of(tmp_path))
    assert answer.edges.keys() == GOOD
    assert answer.problems.keys() == {"bad.parquet"}
    assert type(error).__name__ in answer.problems["bad.parquet"]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), LakeError("the lake is gone")])
@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_what_is_not_one_table_s_ends_the_run(
    tmp_path: Path, boundary: str, error: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    module, name, at = BOUNDARIES[boundary]
    monkeypatch.setattr(module, name, raising(error, at, getattr(module, name)))
    with pytest.raises(type(error)):
        ask(lake_of(tmp_path))


def tables_of(folder: Path) -> dict[str, Table]:
    found = inventory.take_inventory(storage_of(str(lake_of(folder))), Settings())
    return {table.location: table for table in found.tables}


def searched(folder: Path, tables: dict[str, Table]) -> dict[str, Proposal]:
    names = {"x": "x"}
    children = tuple(ContainedTable(tables[f"{name}.parquet"], names) for name in ("copy", "bad"))
    request = Request(tables["good.parquet"], children)
    proposals = ThisProcess(storage_of(str(folder)), Types.STRICT).answer([request])
    return {proposal.child: proposal for proposal in proposals}


@every_error
def test_a_foreign_error_in_the_search_costs_the_child(
    tmp_path: Path, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables = tables_of(tmp_path)
    recipe = from_one_parent._recipe

    def failing(parent: Any, number: int, *more: Any) -> Any:
        if parent.children[number].table.location == "bad.parquet":
            raise error
        return recipe(parent, number, *more)

    monkeypatch.setattr(from_one_parent, "_recipe", failing)
    found = searched(tmp_path, tables)
    assert found["copy.parquet"].recipe is not None
    assert found["bad.parquet"].recipe is None
    assert type(error).__name__ in (found["bad.parquet"].reason or "")


@every_error
def test_a_foreign_error_in_a_trial_is_the_recipe_s_problem(
    tmp_path: Path, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables = tables_of(tmp_path)
    storage, child = storage_of(str(tmp_path)), tables["copy.parquet"]
    columns = outputs(child.columns, tables["good.parquet"].columns, {"x": "x"})
    recipe = Project("good.parquet", columns)
    assert trial.try_out(storage, tables, child, recipe, tmp_path / "out").problem is None
    monkeypatch.setattr(trial, "rebuilt", raising(error, lambda *_: True, trial.rebuilt))
    problem = trial.try_out(storage, tables, child, recipe, tmp_path / "out").problem
    assert type(error).__name__ in (problem or "")


def test_long_texts_in_small_dictionaries_are_read(tmp_path: Path) -> None:
    """Decoded, the tables that are looked at together are over 2 GiB."""
    texts = [f"<svg {number}>" + f"M{number} 10 L20 30 " * 3000 for number in range(3)]
    codes = pa.array([number % 3 for number in range(4000)], pa.int32())
    for day in range(14):
        columns = {"day": [day] * 4000, "t": pa.DictionaryArray.from_arrays(codes, texts)}
        pq.write_table(pa.table(columns), tmp_path / f"day{day:02}.parquet")
    pq.write_table(pa.table(columns), tmp_path / "copy.parquet")
    answer = ask(tmp_path)
    assert not answer.problems
    assert answer.edges.keys() == {
        ("copy.parquet", "day13.parquet"),
        ("day13.parquet", "copy.parquet"),
    }
