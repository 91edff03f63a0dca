"""Whatever is done to a folder of files while a verb moves it, no row of anybody is lost."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.support.deletion.races import (
    SEEDS,
    VERBS,
    Raced,
    races_of_two_runners,
    races_with_a_writer,
)
from tests.support.deletion.small_lake import approved, times_alone, write_lake

TABLE = "rome"
LATE = pa.table({"id": [1001, 1002], "city": ["Rome", "Rome"], "note": ["late", "later"]})


def append(table: Path) -> None:
    table.mkdir(exist_ok=True)
    pq.write_table(LATE, table / "part-00009-0.parquet")


def overwrite(table: Path) -> None:
    drop(table)
    append(table)


def delete(table: Path) -> None:
    for path in table.glob("*.parquet"):
        rows = pq.read_table(path)
        replaced(path, rows.filter(pa.array([each % 2 == 1 for each in rows["id"].to_pylist()])))


def optimize(table: Path) -> None:
    paths = sorted(table.glob("*.parquet"))
    if paths:
        rows = pa.concat_tables(map(pq.read_table, paths))
        pq.write_table(rows, table / "part-00005-0.parquet")
        for path in paths:
            path.unlink()


def vacuum(table: Path) -> None:
    for path in table.glob("_*"):
        path.unlink()


def drop(table: Path) -> None:
    shutil.rmtree(table, ignore_errors=True)


def rename(table: Path) -> None:
    if table.exists():
        table.rename(table.parents[1] / "elsewhere")


def replaced(path: Path, rows: pa.Table) -> None:
    waiting = path.with_name(f".{path.name}.new")
    pq.write_table(rows, waiting)
    waiting.rename(path)


def visible(table: Path) -> set[Any]:
    """The ids that readers see at a place."""
    return {each for path in table.glob("*.parquet") for each in ids(path)}


def ids(path: Path) -> list[int]:
    found: list[int] = pq.read_table(path, columns=["id"], use_threads=False)["id"].to_pylist()
    return found


@pytest.fixture(scope="module")
def raced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Raced]:
    """A lake on which a verb races."""
    folder = tmp_path_factory.mktemp("races")
    write_lake(folder / "lake")
    with pytest.MonkeyPatch.context() as patch:
        times_alone(patch)
        plan = approved(folder / "lake", folder / "run")
        yield Raced(folder, TABLE, folder / "lake", plan, visible)


ACTS = (append, overwrite, delete, optimize, vacuum, drop, rename)


@pytest.mark.parametrize("act", ACTS, ids=lambda act: act.__name__)
@pytest.mark.parametrize("verb", VERBS)
def test_a_writer_at_any_step_loses_no_row_and_is_told(
    raced: Raced, verb: str, act: Callable[[Path], None]
) -> None:
    assert races_with_a_writer(raced, verb, act).total() == SEEDS


@pytest.mark.parametrize("other", VERBS)
@pytest.mark.parametrize("verb", VERBS)
def test_of_two_runners_that_rename_one_wins_and_the_other_says_why(
    raced: Raced, verb: str, other: str
) -> None:
    assert races_of_two_runners(raced, verb, other).total() == SEEDS
