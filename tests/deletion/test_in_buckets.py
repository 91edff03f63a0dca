"""A plan's tables in a bucket leave the lake, come back, are purged and rebuilt."""

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from r2d2.deletion.discrepancies import Discrepancy, changed_parents, discrepancies
from r2d2.deletion.movers.delta_log import DeltaLogs
from r2d2.deletion.verbs.apply import Applied, Refused, apply
from r2d2.deletion.verbs.fsck import settle
from r2d2.deletion.verbs.purge import NotPurged, Purged, purge
from r2d2.deletion.verbs.rebuild import Back, rebuild
from r2d2.deletion.verbs.undo import NotUndone, Undone, undo, undoable
from r2d2.lake.deletions import Event
from r2d2.settings.deletion import DeletionSettings
from tests.support.deletion.bucket_lake import BucketLake
from tests.support.deletion.delta_lake import rows_of_parent
from tests.support.deletion.small_lake import deleted_tables
from tests.support.servers import S3Server
from tests.support.storage.buckets import bucket_on

AT_ONCE = -1.0
"""A retention in days that is over: the store tells times in whole seconds."""
COPIES = DeletionSettings(copy_in_buckets=True)


@pytest.fixture
def lake(moto: S3Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> BucketLake:
    """The small lake in a bucket that keeps versions."""
    bucket_on(moto, monkeypatch)
    made = BucketLake(versioned=True)
    made.write(tmp_path / "source")
    return made


def test_what_was_applied_is_hidden_and_undo_gives_the_very_versions_back(
    lake: BucketLake, tmp_path: Path
) -> None:
    before, versions = lake.objects(), lake.versions()
    plan = lake.approved(tmp_path / "run")
    steps = list(apply(lake.journal(), plan, tmp_path / "run"))
    assert [type(step) for step in steps] == [Applied] * 3, steps
    assert set(lake.objects()) == {"whole.parquet"}
    journal = lake.journal()
    assert list(discrepancies(journal)) == []
    back = list(undo(journal, [deletion.id for deletion in undoable(journal)]))
    assert [type(step) for step in back] == [Undone] * 3, back
    assert lake.objects() == before
    own = ("_r2d2/", "_")
    assert [each for each in lake.versions() if not each[0].startswith(own)] == versions


def test_a_purge_deletes_the_journalled_versions_alone_and_rebuild_gives_the_tables_back(
    lake: BucketLake, tmp_path: Path
) -> None:
    lake.put("oslo.parquet", (tmp_path / "source" / "oslo.parquet").read_bytes())
    first, second = [id_ for path, id_ in reversed(lake.versions("oslo.parquet"))]
    plan, run = lake.approved(tmp_path / "run"), tmp_path / "run"
    assert all(isinstance(step, Applied) for step in apply(lake.journal(), plan, run))
    assert [type(step) for step in purge(lake.journal(), AT_ONCE)] == [Purged] * 3
    left = [id_ for _, id_ in lake.versions("oslo.parquet")]
    assert left == [first]
    assert second not in left
    assert lake.versions("rome/") == []
    assert list(discrepancies(lake.journal())) == []
    names = deleted_tables(plan)
    assert all(isinstance(b, Back) for b in rebuild(lake.journal(), names, tmp_path / "back"))
    in_place = list(rebuild(lake.journal(), names, None))
    assert [type(back) for back in in_place] == [Back] * 3, in_place
    assert {"half.parquet", "oslo.parquet"} < set(lake.objects())
    assert list(discrepancies(lake.journal())) == []


def test_without_versions_tables_are_copied_compared_and_deleted_where_that_was_asked_for(
    moto: S3Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bucket_on(moto, monkeypatch)
    lake, run = BucketLake(versioned=False), tmp_path / "run"
    lake.write(tmp_path / "source")
    before, plan = lake.objects(), lake.approved(run)
    steps = list(apply(lake.journal(COPIES), plan, run))
    assert [type(step) for step in steps] == [Applied] * 3, steps
    assert set(lake.objects()) == {"whole.parquet"}
    journal = lake.journal()
    assert list(discrepancies(journal)) == []
    back = list(undo(journal, [deletion.id for deletion in undoable(journal)]))
    assert [type(step) for step in back] == [Undone] * 3, back
    assert lake.objects() == before
    assert not [path for path in lake.objects(own=True) if "quarantine" in path]
    plan = lake.approved(run)
    again = list(apply(lake.journal(COPIES), plan, run))
    assert [type(step) for step in again] == [Applied] * 3, again
    assert [type(step) for step in purge(lake.journal(), AT_ONCE)] == [Purged] * 3
    assert not [path for path in lake.objects(own=True) if "quarantine" in path]
    in_place = list(rebuild(lake.journal(), deleted_tables(plan), None))
    assert [type(step) for step in in_place] == [Back] * 3, in_place
    assert list(discrepancies(lake.journal())) == []


def test_a_copy_in_a_bucket_that_was_cut_and_a_parent_that_was_are_alarms(
    moto: S3Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bucket_on(moto, monkeypatch)
    lake, run = BucketLake(versioned=False), tmp_path / "run"
    lake.write(tmp_path / "source")
    before, plan = lake.objects(), lake.approved(run)
    list(apply(lake.journal(COPIES), plan, run))
    (copy,) = [path for path in lake.objects(own=True) if path.endswith("/oslo.parquet")]
    lake.put(copy, b"cut")
    journal = lake.journal(COPIES)
    assert list(changed_parents(journal, journal.place.storage.list())) == []
    (told,) = discrepancies(journal)
    assert told.is_alarm
    assert "oslo.parquet is not in quarantine as it was moved there" in told.told
    alarm, back = undo(journal, ["oslo.parquet"])
    assert (alarm, type(back)) == (told, Undone)
    assert rows_of(lake.objects()["oslo.parquet"]) == rows_of(before["oslo.parquet"])
    assert not [path for path in lake.objects(own=True) if path.endswith("/oslo.parquet")]
    lake.put("whole.parquet", before["oslo.parquet"])
    journal = lake.journal(COPIES)
    (changed,) = changed_parents(journal, journal.place.storage.list())
    assert (changed.table, changed.is_alarm) == ("whole.parquet", True)


def rows_of(content: bytes) -> pa.Table:
    return pq.read_table(pa.BufferReader(content))


@pytest.mark.parametrize("versioned", [True, False], ids=["versioned", "unversioned"])
def test_what_somebody_writes_while_a_table_is_deleted_stays_and_stops_undo_and_purge(
    moto: S3Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, versioned: bool
) -> None:
    bucket_on(moto, monkeypatch)
    lake, run = BucketLake(versioned), tmp_path / "run"
    lake.write(tmp_path / "source")
    plan = lake.approved(run)
    assert all(isinstance(s, Applied) for s in apply(lake.journal(COPIES), plan, run))
    lake.put("oslo.parquet", b"another table")
    lake.put("rome/part-9.parquet", b"another part")
    wrote = {"oslo.parquet", "rome/part-9.parquet"}
    stays = [step for step in purge(lake.journal(), AT_ONCE) if isinstance(step, NotPurged)]
    assert {step.table for step in stays} == {"oslo.parquet", "rome"}
    assert all("somebody wrote" in step.reason for step in stays)
    journal = lake.journal()
    ids = [deletion.id for deletion in undoable(journal)]
    refused = [step for step in undo(journal, ids) if isinstance(step, NotUndone)]
    assert len(refused) == 2
    assert {path: lake.objects()[path] for path in wrote} == {
        "oslo.parquet": b"another table",
        "rome/part-9.parquet": b"another part",
    }
    for path in wrote:
        lake.delete(path)
    back = [step for step in undo(lake.journal(), ids) if isinstance(step, Undone)]
    assert len(back) == 2
    source = tmp_path / "source" / "oslo.parquet"
    assert lake.objects()["oslo.parquet"] == source.read_bytes()


def test_versions_that_went_are_rebuilt_into_quarantine_and_come_back_from_there(
    lake: BucketLake, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    plan = lake.approved(run)
    assert all(isinstance(step, Applied) for step in apply(lake.journal(), plan, run))
    ((path, id_),) = lake.versions("oslo.parquet")
    lake.client.delete_object(Bucket=lake.name, Key=f"lake/{path}", VersionId=id_)
    journal = lake.journal()
    assert [each.is_alarm for each in discrepancies(journal)] == [True]
    with journal.lease("fsck"):
        settle(journal)
    assert list(discrepancies(lake.journal())) == []
    ids = [deletion.id for deletion in undoable(journal)]
    assert [type(step) for step in undo(lake.journal(), ids)] == [Undone] * 3
    rows = pq.read_table(pa.BufferReader(lake.objects()["oslo.parquet"]))
    assert rows.equals(pq.read_table(tmp_path / "source" / "oslo.parquet"))
    assert not [p for p in lake.objects(own=True) if "quarantine" in p]


def test_once_a_purge_began_a_table_comes_back_under_new_versions(
    lake: BucketLake, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    plan, versions = lake.approved(run), dict(lake.versions())
    before = lake.objects()
    assert all(isinstance(step, Applied) for step in apply(lake.journal(), plan, run))
    journal = lake.journal()
    with journal.lease("purge"):
        for deletion in undoable(journal):
            journal.append(Event.PURGING, deletion.id)
    journal = lake.journal()
    ids = [d.id for d in journal.state.deletions.values()]
    steps = [step for step in undo(journal, ids) if not isinstance(step, Discrepancy)]
    assert [type(step) for step in steps] == [Undone] * 3, steps
    # What the purge that slept would delete now is not what readers see.
    for path in ("oslo.parquet", "half.parquet", "rome/part-00000-0.parquet"):
        lake.client.delete_object(Bucket=lake.name, Key=f"lake/{path}", VersionId=versions[path])
    assert lake.objects() == before


def delta_lake(
    moto: S3Server, monkeypatch: pytest.MonkeyPatch, folder: Path, versioned: bool, child: str
) -> BucketLake:
    """A bucket with the Delta table `whole`, and a slice of it: a Delta table, too, or a file."""
    from deltalake import write_deltalake

    bucket_on(moto, monkeypatch)
    rows, made = rows_of_parent(), BucketLake(versioned)
    folder.mkdir()
    oslo = rows.filter(pc.equal(rows["city"], "Oslo"))
    write_deltalake(str(folder / "whole"), rows)
    if child.endswith(".parquet"):
        pq.write_table(oslo, folder / child)
    else:
        write_deltalake(str(folder / child), oslo)
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        made.put(path.relative_to(folder).as_posix(), path.read_bytes())
    return made


@pytest.mark.parametrize("versioned", [True, False])
def test_a_delta_parent_in_a_bucket_refuses_deletes_until_nothing_rests_on_it(
    moto: S3Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, versioned: bool
) -> None:
    from deltalake import DeltaTable
    from deltalake.exceptions import DeltaError

    made = delta_lake(moto, monkeypatch, tmp_path / "source", versioned, "oslo.parquet")
    plan, run = made.approved(tmp_path / "run"), tmp_path / "run"
    steps = list(apply(made.journal(COPIES), plan, run, hold_parents=True))
    assert [type(step) for step in steps] == [Applied]
    held = DeltaTable(f"{made.url}/whole")
    assert held.metadata().configuration == {"delta.appendOnly": "true"}
    with pytest.raises(DeltaError):
        held.delete("id = 1")
    assert [type(step) for step in undo(made.journal(COPIES), ["oslo.parquet"])] == [Undone]
    assert DeltaTable(f"{made.url}/whole").metadata().configuration == {}


@pytest.mark.parametrize("versioned", [True, False])
def test_a_delta_table_in_a_bucket_is_refused_with_the_reason_and_what_to_do(
    moto: S3Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, versioned: bool
) -> None:
    made = delta_lake(moto, monkeypatch, tmp_path / "source", versioned, "oslo")
    before, plan = made.objects(), made.approved(tmp_path / "run")
    (refused,) = apply(made.journal(COPIES), plan, tmp_path / "run")
    assert isinstance(refused, Refused)
    assert "may replace our commit; let its owner delete the rows" in refused.reason
    assert made.objects() == before


@pytest.mark.parametrize("versioned", [True, False])
def test_of_two_commits_of_one_version_to_a_log_in_a_bucket_one_is_refused(
    moto: S3Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, versioned: bool
) -> None:
    from deltalake import DeltaTable, write_deltalake

    made = delta_lake(moto, monkeypatch, tmp_path / "source", versioned, "oslo")
    logs, table = DeltaLogs(made.journal().place), f"{made.url}/oslo"
    late = DeltaTable(table)
    logs.commit("oslo", 0, [{"commitInfo": {"operation": "MANUAL UPDATE"}}])
    write_deltalake(late, rows_of_parent().slice(0, 1), mode="append")
    with pytest.raises(FileExistsError):
        logs.commit("oslo", 1, [{"commitInfo": {"operation": "MANUAL UPDATE"}}])
    operations = [each["operation"] for each in DeltaTable(table).history()]
    assert operations == ["WRITE", "MANUAL UPDATE", "WRITE"]
    now = logs.newest("oslo")
    assert now is not None
    assert (now.version, len(now.adds)) == (2, 2)
