"""Random histories of verbs, crashes and foreign writers: no row that somebody wrote is lost."""

import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from r2d2.deletion import journal as journal_module
from r2d2.deletion.verbs.apply import apply
from r2d2.deletion.verbs.approve import ApprovalLimits, approve
from r2d2.deletion.verbs.fsck import settle
from r2d2.deletion.verbs.purge import purge
from r2d2.deletion.verbs.rebuild import rebuild
from r2d2.deletion.verbs.release import release
from r2d2.deletion.verbs.undo import undo
from r2d2.errors import R2D2Error
from r2d2.lake.deletions import Deletion, State
from r2d2.plan.plan_file import load_plan
from tests.support.deletion.small_lake import approved, journal_of, times_alone, write_lake

pytestmark = pytest.mark.slow
HISTORIES = int(os.environ.get("R2D2_HISTORIES", "300"))
STEPS = int(os.environ.get("R2D2_HISTORY_STEPS", "15"))
"""Of a history, at most. 10,000 histories of 40 steps take an hour and a half."""
CHILDREN = ("oslo.parquet", "half.parquet", "rome")
PARENT = "whole.parquet"
FIRST_NEW = 10_000
CALLS = ("link", "rename", "replace", "unlink", "mkdir", "rmdir", "fsync", "write")


class Crash(BaseException):
    """The end of a runner in the midst of a verb."""


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake with an approved plan, its copy, and the plan's run."""
    folder = tmp_path_factory.mktemp("histories")
    write_lake(folder / "lake")
    with pytest.MonkeyPatch.context() as patch:
        times_alone(patch)
        approved(folder / "lake", folder / "run")
    shutil.copytree(folder / "lake", folder / "copy")
    return folder


class Histories(RuleBasedStateMachine):
    """A lake, its journal, and the rows that their owners wrote and did not take back."""

    folder: Path

    def __init__(self) -> None:
        super().__init__()
        self.lake, self.run = self.folder / "lake", self.folder / "run"
        shutil.rmtree(self.lake)
        shutil.copytree(self.folder / "copy", self.lake)
        self.plan = load_plan(self.run / "plan.json")
        self.wanted = {table: ids_at(self.lake / table) for table in (*CHILDREN, PARENT)}
        self.next_id = FIRST_NEW
        self.is_cleaned = False
        self.told_needless = set[str]()

    # The verbs; each may be cut short by a crash.

    def verb(self, run: Callable[[Any], Iterable[object]], crash_at: int | None) -> None:
        calls = {name: getattr(os, name) for name in CALLS}
        left = [crash_at]

        def counted(name: str) -> Callable[..., Any]:
            def call(*args: Any, **options: Any) -> Any:
                if left[0] is not None:
                    if left[0] == 0:
                        raise Crash
                    left[0] -= 1
                return calls[name](*args, **options)

            return call

        for name in CALLS:
            setattr(os, name, counted(name))
        try:
            for _ in run(journal_of(self.lake)):
                pass
        except (R2D2Error, Crash):
            pass
        finally:
            for name in CALLS:
                setattr(os, name, calls[name])

    crashes = st.none() | st.integers(0, 60)

    @rule(crash_at=crashes)
    def apply(self, crash_at: int | None) -> None:
        def approved_again(journal: Any) -> Iterable[object]:
            if any(deletion.undone_in for deletion in journal.state.deletions.values()):
                approve(journal, self.plan, self.run, ApprovalLimits())
            return apply(journal, self.plan, self.run)

        self.verb(approved_again, crash_at)

    @rule(crash_at=crashes, table=st.sampled_from(CHILDREN))
    def undo(self, crash_at: int | None, table: str) -> None:
        self.verb(lambda journal: undo(journal, [table]), crash_at)

    @rule(crash_at=crashes, days=st.sampled_from([0.0, 30.0]))
    def purge(self, crash_at: int | None, days: float) -> None:
        self.verb(lambda journal: purge(journal, days), crash_at)

    @rule(crash_at=crashes, table=st.sampled_from(CHILDREN))
    def rebuild(self, crash_at: int | None, table: str) -> None:
        self.verb(lambda journal: rebuild(journal, [table], None), crash_at)

    @rule(crash_at=crashes, table=st.sampled_from(CHILDREN))
    def release(self, crash_at: int | None, table: str) -> None:
        self.verb(lambda journal: release(journal, [table]), crash_at)

    @rule(crash_at=crashes)
    def undo_what_was_given_up(self, crash_at: int | None) -> None:
        ids = [deletion.id for deletion in self.given_up() if deletion.moved]
        self.verb(lambda journal: undo(journal, ids), crash_at)

    @rule(crash_at=crashes)
    def fsck(self, crash_at: int | None) -> None:
        def settled(journal: Any) -> Iterable[object]:
            with journal.lease("fsck"):
                yield from settle(journal)

        self.verb(settled, crash_at)

    # Other people.

    def fresh_rows(self, count: int = 3) -> pa.Table:
        ids = list(range(self.next_id, self.next_id + count))
        self.next_id += count
        return pa.table({"id": ids, "city": ["Oslo"] * count, "note": ["new"] * count})

    @rule(table=st.sampled_from(CHILDREN))
    def somebody_appends(self, table: str) -> None:
        rows, place = self.fresh_rows(), self.lake / table
        if table == "rome":
            place.mkdir(exist_ok=True)
            pq.write_table(rows, place / f"part-{self.next_id}-0.parquet")
        else:
            before = [pq.read_table(place)] if place.exists() else []
            replaced(place, pa.concat_tables([*before, rows]))
        self.wanted[table] |= set(rows["id"].to_pylist())

    @rule(table=st.sampled_from(CHILDREN))
    def somebody_overwrites(self, table: str) -> None:
        place = self.lake / table
        self.wanted[table] -= ids_at(place)
        rows = self.fresh_rows()
        if table == "rome":
            shutil.rmtree(place, ignore_errors=True)
            place.mkdir()
            pq.write_table(rows, place / "part-00000-0.parquet")
        else:
            replaced(place, rows)
        self.wanted[table] |= set(rows["id"].to_pylist())

    @rule(table=st.sampled_from(CHILDREN))
    def somebody_drops(self, table: str) -> None:
        place = self.lake / table
        self.wanted[table] -= ids_at(place)
        if place.is_dir():
            shutil.rmtree(place)
        else:
            place.unlink(missing_ok=True)

    @rule(table=st.sampled_from(CHILDREN))
    def somebody_copies_it_away_and_back(self, table: str) -> None:
        place, other = self.lake / table, self.folder / "aside"
        if place.exists():
            os.rename(place, other)
            os.rename(other, place)

    @rule(table=st.sampled_from(CHILDREN))
    @precondition(lambda self: self.may_lose_quarantine())
    def somebody_cleans_quarantine(self, table: str) -> None:
        self.is_cleaned = True
        for path in sorted((self.lake / "_r2d2" / "quarantine").glob(f"*/*/{table}*")):
            if path.is_file():
                path.unlink()

    @rule(grows=st.booleans())
    @precondition(lambda self: self.may_change_parent())
    def the_parent_changes(self, grows: bool) -> None:
        place = self.lake / PARENT
        rows = pq.read_table(place)
        if grows:
            more = self.fresh_rows()
            rows = pa.concat_tables([rows, more])
            self.wanted[PARENT] |= set(more["id"].to_pylist())
        else:
            gone = rows["id"][len(rows) // 2].as_py()
            rows = rows.filter(pc.not_equal(rows["id"], gone))
            self.wanted[PARENT] -= {gone}
        replaced(place, rows)

    def may_change_parent(self) -> bool:
        """Owners leave parents alone that a table without files is rebuilt from."""
        if self.is_cleaned:
            return False
        deletions = journal_of(self.lake).state.deletions.values()
        return not any(d.purge_began and d.holds for d in deletions)

    def may_lose_quarantine(self) -> bool:
        """Where the parent gives the table back, its files may vanish."""
        return self.wanted[PARENT] >= set(range(300)) and not self.given_up()

    def given_up(self) -> list[Deletion]:
        deletions = journal_of(self.lake).state.deletions.values()
        return [deletion for deletion in deletions if deletion.state is State.GIVEN_UP]

    def forget_what_was_given_up(self) -> None:
        """What was given up is needed until its retention, which begins then, is over."""
        for deletion in self.given_up():
            is_over = deletion.purge_began or not deletion.moved
            if is_over and deletion.id not in self.told_needless:
                self.told_needless.add(deletion.id)
                table = deletion.table
                self.wanted[table] -= CHILD_IDS[table] - ids_at(self.lake / table)

    @invariant()
    def no_row_is_lost(self) -> None:
        self.forget_what_was_given_up()
        journal = journal_of(self.lake)
        parent = ids_at(self.lake / PARENT)
        assert parent == self.wanted[PARENT]
        for table in CHILDREN:
            found = ids_at(self.lake / table)
            for path in (self.lake / "_r2d2" / "quarantine").glob(f"*/*/{table}"):
                found |= ids_at(path)
            for deletion in journal.state.deletions.values():
                if deletion.table == table and deletion.holds:
                    found |= parent & CHILD_IDS[table]
            assert self.wanted[table] <= found, table


CHILD_IDS = {
    "oslo.parquet": {n for n in range(300) if n % 3 == 1},
    "rome": {n for n in range(300) if n % 3 == 0},
    "half.parquet": {n for n in range(300) if n * 2654435761 % 97 < 48},
}


def replaced(place: Path, rows: pa.Table) -> None:
    """Writes the rows where readers find the old file until then."""
    waiting = place.with_name(f".{place.name}.new")
    pq.write_table(rows, waiting)
    waiting.rename(place)


def ids_at(place: Path) -> set[int]:
    """The ids of the rows in the file, or in the folder's files."""
    paths = sorted(place.glob("*.parquet")) if place.is_dir() else [place]
    return {
        number
        for path in paths
        if path.is_file()
        for number in pq.ParquetFile(path).read(["id"], use_threads=False)["id"].to_pylist()
    }


def test_no_row_is_lost_in_any_history(prepared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    times_alone(monkeypatch)
    # A crash in this process leaves its lease to a process that lives.
    monkeypatch.setattr(journal_module, "_is_over", lambda lease: True)
    machine = type("HistoriesHere", (Histories,), {"folder": prepared})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=HISTORIES,
            stateful_step_count=STEPS,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
