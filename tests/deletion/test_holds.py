"""Delta parents of deleted tables refuse deletes while something rests on them, if asked for."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from r2d2.deletion.discrepancies import discrepancies
from r2d2.deletion.movers.delta_log import DeltaLogs
from r2d2.deletion.verbs.apply import Applied, apply
from r2d2.deletion.verbs.fsck import settle
from r2d2.deletion.verbs.undo import Undone, undo
from r2d2.lake.deletions import Event
from tests.support.deletion.delta_lake import rows_of_parent
from tests.support.deletion.small_lake import approved, deleted_tables, journal_of

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
CHILDREN = ("oslo.parquet", "rome.parquet")
KEPT = {"delta.logRetentionDuration": "interval 90 days"}


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    """A lake of a Delta parent and two slices of it."""
    return write_lake(tmp_path / "lake", KEPT)


def write_lake(lake: Path, properties: dict[str, str]) -> Path:
    from deltalake import write_deltalake

    whole = rows_of_parent()
    lake.mkdir(parents=True)
    for start in (0, 150):
        part = whole.slice(start, 150)
        write_deltalake(str(lake / "whole"), part, mode="append", configuration={**properties})
    for child in CHILDREN:
        city = child.removesuffix(".parquet").title()
        pq.write_table(whole.filter(pc.equal(whole["city"], city)), lake / child)
    return lake


def applied(lake: Path, hold: bool = True) -> list[Any]:
    run = lake.with_name("run")
    plan = approved(lake, run)
    assert deleted_tables(plan) == list(CHILDREN)
    return list(apply(journal_of(lake), plan, run, hold_parents=hold))


def opened(lake: Path) -> Any:
    from deltalake import DeltaTable

    return DeltaTable(str(lake / "whole"))


def properties(lake: Path) -> dict[str, str]:
    found: dict[str, str] = opened(lake).metadata().configuration
    return found


HOLDS = {**KEPT, "delta.appendOnly": "true"}


def test_a_parent_refuses_deletes_until_the_last_deleted_table_is_back(lake: Path) -> None:
    from deltalake.exceptions import DeltaError

    assert [type(step) for step in applied(lake)] == [Applied, Applied]
    assert properties(lake) == HOLDS
    with pytest.raises(DeltaError):
        opened(lake).delete("id = 1")
    opened(lake).optimize.compact()
    opened(lake).vacuum(0, dry_run=False, enforce_retention_duration=False)
    for child, expected in zip(CHILDREN, (HOLDS, KEPT), strict=True):
        assert [type(step) for step in undo(journal_of(lake), [child])] == [Undone]
        assert properties(lake) == expected
    opened(lake).delete("id = 1")
    assert len(opened(lake).to_pyarrow_table()) == 299
    assert list(discrepancies(journal_of(lake))) == []


def test_nothing_is_committed_to_a_parent_unless_asked_for(lake: Path) -> None:
    assert [type(step) for step in applied(lake, hold=False)] == [Applied, Applied]
    assert opened(lake).version() == 1


def test_a_property_that_the_owner_set_is_not_taken_back(tmp_path: Path) -> None:
    lake = write_lake(tmp_path / "lake", HOLDS)
    assert [type(step) for step in applied(lake)] == [Applied, Applied]
    assert {type(step) for step in undo(journal_of(lake), CHILDREN)} == {Undone}
    assert (opened(lake).version(), properties(lake)) == (1, HOLDS)


def test_a_property_that_somebody_takes_away_is_an_alarm_once(lake: Path) -> None:
    applied(lake)
    now = DeltaLogs(journal_of(lake).place).newest("whole")
    assert now is not None
    taken = {"metaData": {**now.metadata, "configuration": KEPT}}
    DeltaLogs(journal_of(lake).place).commit("whole", now.version, [taken])
    (alarm,) = discrepancies(journal_of(lake))
    assert (alarm.table, alarm.is_alarm) == ("whole", True)
    with (journal := journal_of(lake)).lease("fsck"):
        settle(journal)
    assert list(discrepancies(journal_of(lake))) == []
    list(undo(journal_of(lake), CHILDREN))
    assert opened(lake).version() == now.version + 1


@pytest.mark.parametrize("step", [Event.HOLDING, Event.HELD, Event.FREEING, Event.FREED])
@pytest.mark.parametrize("is_before", [True, False])
def test_a_runner_that_stops_at_any_step_leaves_no_property(
    lake: Path, monkeypatch: pytest.MonkeyPatch, step: Event, is_before: bool
) -> None:
    """Before or after the step is journalled: the commit is between the first and the second."""
    from r2d2.deletion.journal import Journal

    append, stopped = Journal.append, list[Event]()

    def stopping(self: Journal, event: Event, *args: Any, **options: Any) -> Any:
        if event is step and is_before and not stopped:
            stopped.append(event)
            raise OSError("stopped")
        record = append(self, event, *args, **options)
        if event is step and not stopped:
            stopped.append(event)
            raise OSError("stopped")
        return record

    monkeypatch.setattr(Journal, "append", stopping)

    def there_and_back() -> None:
        applied(lake)
        list(undo(journal_of(lake), CHILDREN))

    with pytest.raises(OSError, match="stopped"):
        there_and_back()
    assert stopped == [step]
    with (journal := journal_of(lake)).lease("fsck"):
        settle(journal)
    list(undo(journal_of(lake), [d.table for d in journal.state.deletions.values() if d.holds]))
    assert properties(lake) == KEPT
    assert set(journal_of(lake).state.properties.values()) <= {Event.FREED}
    assert pa.table(opened(lake).to_pyarrow_table()).num_rows == 300


def test_a_parent_whose_protocol_has_no_such_property_is_told(lake: Path) -> None:
    logs = DeltaLogs(journal_of(lake).place)
    protocol = {"minReaderVersion": 1, "minWriterVersion": 1}
    logs.commit("whole", 1, [{"protocol": protocol}])
    steps = applied(lake)
    told = [step.told for step in steps if not isinstance(step, Applied)]
    assert len(told) == len(CHILDREN)
    assert all("its owner must upgrade it first" in each for each in told)


def test_a_parent_that_a_deletion_of_a_lake_around_this_one_needs_stays_held(
    lake: Path, tmp_path: Path
) -> None:
    outer, run = lake.parent / "outer", tmp_path / "outer run"
    outer.mkdir()
    lake = lake.rename(outer / "inner")
    slice_of_parent = rows_of_parent().slice(0, 90)
    pq.write_table(slice_of_parent, outer / "part.parquet")
    applied(lake)
    plan = approved(outer, run)
    assert deleted_tables(plan) == ["part.parquet"]
    list(apply(journal_of(outer), plan, run))
    list(undo(journal_of(lake), list(CHILDREN)))
    assert properties(lake) == HOLDS
    list(undo(journal_of(outer), ["part.parquet"]))
    with (journal := journal_of(lake)).lease("fsck"):
        settle(journal)
    assert properties(lake) == KEPT
