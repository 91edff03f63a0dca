"""Each case of shared/cases/listing, planned while nothing told of it, or by an older version.

Its own script makes a lake the case. What makes it one is taken away first, and put back after the
plan was approved: the table's own files are as the plan saw them. Where no such lake is without the
fault (r2d2 groups the files right by now), the plan is one of a version that took each file for a
table: its digests and its evidence are true.
"""

import importlib
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from r2d2.cli import main
from r2d2.deletion.verbs.apply import Applied, Refused, apply
from r2d2.deletion.verbs.approve import ApprovalLimits, approve
from r2d2.lake.grouping import Grouping
from r2d2.model import FileGroup, Format
from r2d2.settings.plan import Protection
from r2d2.storage.local import Listing, Storage, is_hidden
from tests.deletion.test_security import NOBODY, as_nobody
from tests.support.deletion.small_lake import (
    COSTLY,
    deleted_tables,
    files_of_lake,
    journal_of,
    planned,
)
from tests.support.lake.owned import IcebergTable, put

Case = Callable[[str], ModuleType]


@pytest.fixture
def case(shared: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Case]:
    """Loads a script of a case, of which nothing is written."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setattr(
        sys, "path", [str(shared / "cases/listing"), str(shared / "cases"), *sys.path]
    )
    names = {path.stem for path in (shared / "cases/listing").iterdir()} | {"lib"}
    yield importlib.import_module
    for name in names:
        sys.modules.pop(name, None)


@contextmanager
def taken_away(lake: Path, *paths: str) -> Iterator[None]:
    """Without what is at these places, which comes back at the end."""
    aside = lake.with_name(f"{lake.name}.aside")
    aside.mkdir()
    for number, path in enumerate(paths):
        (lake / path).rename(aside / str(number))
    yield
    for number, path in enumerate(paths):
        (aside / str(number)).rename(lake / path)


def old_plan(lake: Path, run: Path, *keep: str) -> list[str]:
    """The tables that an approved plan deletes, which keeps those of some patterns."""
    settings = replace(COSTLY, protect=tuple(Protection(pattern, "stays") for pattern in keep))
    plan = planned(lake, run, settings)
    approve(journal_of(lake), plan, run, ApprovalLimits(), no_catalogue=True)
    return deleted_tables(plan)


def check_refused(lake: Path, run: Path, victims: list[str], told: str = "") -> None:
    """Passes where apply refuses these tables for a reason, and nothing of them is moved."""
    from r2d2.plan.plan_file import load_plan

    before = files_of_lake(lake)
    steps = list(apply(journal_of(lake), load_plan(run / "plan.json"), run))
    refused = {step.table: step.reason for step in steps if isinstance(step, Refused)}
    assert victims
    assert {*victims} <= {*refused}, steps
    assert all(told in refused[victim] for victim in victims), refused
    moved = tuple(step.table for step in steps if isinstance(step, Applied))
    left = {path: data for path, data in before.items() if not moved or not path.startswith(moved)}
    assert files_of_lake(lake) == left
    assert not list(journal_of(lake).state.of_tables.keys() & {*victims})


# A Delta table's newest commit is a link or a FIFO.


@pytest.mark.parametrize("variant", ["inside", "outside", "hidden", "fifo"])
@pytest.mark.parametrize("victim", ["t", "archive.parquet"])
def test_linked_commit(
    case: Case, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variant: str, victim: str
) -> None:
    module, lake, run = case("linked_commit"), tmp_path / "lake", tmp_path / "run"
    commit = module.table(lake)
    if victim == "t":
        with taken_away(lake, str(commit.relative_to(lake))):
            assert old_plan(lake, run, "archive.parquet") == ["t"]
    else:
        assert old_plan(lake, run, "t") == ["archive.parquet"]
    monkeypatch.setattr(module, "table", lambda _: commit)
    getattr(module, variant)(tmp_path if variant == "outside" else lake)
    check_refused(lake, run, [victim])


# Part of a table is left out of the listing.


@pytest.mark.parametrize(
    "variant", ["file_link_inside", "file_link_outside", "folder_link", "name_no_utf8"]
)
@pytest.mark.parametrize("victim", ["p", "archive.parquet"])
def test_partial_table(
    case: Case, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variant: str, victim: str
) -> None:
    module, lake, run = case("partial_table"), tmp_path / "lake", tmp_path / "run"
    file = plan_partial(module, lake, run, victim)
    monkeypatch.setattr(module, "folder", lambda _: file)
    getattr(module, variant)(tmp_path if variant == "file_link_outside" else lake)
    check_refused(lake, run, [victim])


def plan_partial(module: ModuleType, lake: Path, run: Path, victim: str) -> Path:
    """Plans to delete one of the two tables; the file of the second partition."""
    file: Path = module.folder(lake)
    if victim == "p":
        with taken_away(lake, "p/k=2"):
            assert old_plan(lake, run, "archive.parquet") == ["p"]
    else:
        assert old_plan(lake, run, "p") == ["archive.parquet"]
    return file


@pytest.mark.slow
@pytest.mark.parametrize("victim", ["p", "archive.parquet", "d"])
def test_partial_table_of_a_user_who_may_not_list(
    case: Case, open_folder: Path, victim: str
) -> None:
    """A partition, or the log of a Delta table, which an older version took for none."""
    module, folder = case("partial_table"), open_folder
    lake, run = folder / "lake", folder / "run"
    if victim == "d":
        shut, victims = module.delta(lake), planned_as_files(lake, run, "d/")
    else:
        shut, victims = plan_partial(module, lake, run, victim).parent, [victim]
    before = files_of_lake(lake)
    for path in (lake, *lake.rglob("*"), run, *run.rglob("*")):
        if not path.is_file() or "_r2d2" in path.parts or run in path.parents:
            os.chown(path, NOBODY, NOBODY)
        if path.is_file() and lake in path.parents and "_r2d2" not in path.parts:
            assert path.stat().st_mode & 0o044
    shut.chmod(0)
    dry = ["apply", str(run / "plan.json")]
    (folder / "other").mkdir()
    first = [dry, ["fsck", str(folder / "other"), "--yes"]]
    (code,), told = as_nobody(first, [[*dry, "--yes"]], folder)
    shut.chmod(0o755)
    assert code == 3, told
    assert all(f"{name}: refused: " in told for name in victims), told
    assert files_of_lake(lake) == before


def test_partial_table_whose_log_is_a_link(case: Case, tmp_path: Path) -> None:
    module, lake, run = case("partial_table"), tmp_path / "lake", tmp_path / "run"
    log = module.delta(lake)
    module.linked(log, lake / "logs")
    check_refused(lake, run, planned_as_files(lake, run, "d/"))


# By a version that took each file for a table.


def older_grouping(storage: Storage, listing: Listing, _: object) -> Grouping:
    """Each data file as a table of its own, whoever may own it; links and folders are not seen."""
    formats = {".parquet": Format.PARQUET, ".csv": Format.CSV}
    groups = tuple(
        FileGroup(file.path, formats[Path(file.path).suffix], (file,))
        for file in listing.files
        if Path(file.path).suffix in formats and not any(map(is_hidden, file.path.split("/")))
    )
    return Grouping(groups, {})


def planned_as_files(lake: Path, run: Path, *within: str) -> list[str]:
    """The files below these folders that an older version plans to delete."""
    with pytest.MonkeyPatch.context() as older:
        older.setattr("r2d2.lake.inventory.grouped", older_grouping)
        gone = old_plan(lake, run)
    return [name for name in gone if name.startswith(within)]


@pytest.mark.parametrize("variant", ["two_copies", "plan_deletes_a_part"])
def test_spark_folder(case: Case, tmp_path: Path, variant: str) -> None:
    lake, run = tmp_path / "lake", tmp_path / "run"
    lake.mkdir()
    getattr(case("spark_folder"), variant)(lake)
    check_refused(lake, run, planned_as_files(lake, run, "copy_", "big/"), "no table by itself")


def test_own_output(case: Case, tmp_path: Path) -> None:
    lake, run = tmp_path / "lake", tmp_path / "run"
    lake.mkdir()
    case("own_output").own_output(lake)
    assert main(["find", str(lake), "--out", str(lake / "run")]) == 0
    shutil.copytree(lake / "run", lake / "run2")
    check_refused(lake, run, planned_as_files(lake, run, "run"), "no table by itself")


# Files of a table whose metadata lies elsewhere.

METADATA = ("wh", "pai/snapshot", "pai/schema", "pai/manifest", "hive")


@pytest.mark.parametrize("by", ["a plan before", "an older version"])
def test_foreign_files(case: Case, tmp_path: Path, by: str) -> None:
    """By pyiceberg where it is installed, else by a writer of our own of the same metadata."""
    lake, run = tmp_path / "lake", tmp_path / "run"
    lake.mkdir()
    try:
        case("foreign_files").foreign(lake)
    except ModuleNotFoundError:
        write_foreign(lake)
    if by == "a plan before":
        # Two files of one folder are one table by now, which is in no other.
        with taken_away(lake, *METADATA):
            victims = old_plan(lake, run, "orders/*")
        assert len(victims) in (3, 5)
    else:
        victims = planned_as_files(lake, run, "icedata", "landing", "pai", "exports")
        assert len(victims) == 5
    check_refused(lake, run, victims)


def write_foreign(lake: Path) -> None:
    """The lake of the case, of which the Iceberg tables are ours."""
    rows = pa.table({"id": range(20000), "s": [f"value {n * 7919 % 20000}" for n in range(20000)]})
    files = {
        "orders/part-0.parquet": rows,
        "icedata/split/data/00000-0-a.parquet": rows.slice(0, 5000),
        "icedata/split/data/00001-1-b.parquet": rows.slice(100, 4900),
        "landing/may.parquet": rows.slice(5000, 5000),
        "pai/bucket-0/data-a-0.parquet": rows.slice(10000, 3000),
        "exports_june.parquet": rows.slice(14000, 3000),
    }
    for path, some in files.items():
        (lake / path).parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(some, lake / path)
    _, older, newer, added, _, exported = files
    for location, commits in (("wh/db/split", (older, newer)), ("wh/db/added", (added,))):
        table = IcebergTable(lake, location, lambda path: f"file://{lake}/{path}")
        for path in commits:
            table.commit([path])
    put(lake / "pai/snapshot/snapshot-1", "{}")
    put(lake / "pai/snapshot/LATEST", "1")
    put(lake / "pai/schema/schema-0", "{}")
    (lake / "pai/manifest").mkdir()
    put(lake / "hive/_symlink_format_manifest/manifest", f"file:{lake}/{exported}\n")
