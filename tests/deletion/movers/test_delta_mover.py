"""Delta tables are deleted by a commit, come back by one, and are purged by name."""

import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from r2d2.deletion import journal as journals
from r2d2.deletion.discrepancies import Discrepancy, discrepancies
from r2d2.deletion.movers.delta import DeltaMover
from r2d2.deletion.movers.delta_log import DeltaLogs
from r2d2.deletion.place import LocalPlace
from r2d2.deletion.verbs.apply import Applied, Refused, apply
from r2d2.deletion.verbs.fsck import settle
from r2d2.deletion.verbs.purge import NotPurged, Purged, purge
from r2d2.deletion.verbs.rebuild import Back, rebuild
from r2d2.deletion.verbs.undo import NotUndone, Undone, undo
from r2d2.errors import R2D2Error
from r2d2.lake.inventory import take_inventory
from r2d2.plan.rebuild import LostTable
from r2d2.settings.find import Settings
from r2d2.storage import storage_of
from tests.support.deletion.delta_lake import (
    CHILD,
    applied_delta,
    child_rows,
    planned_delta,
    rows_by_delta_rs,
    write_delta_lake,
)
from tests.support.deletion.small_lake import journal_of

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    """A lake whose Delta table is deleted."""
    write_delta_lake(tmp_path / "lake")
    steps = applied_delta(tmp_path / "lake", tmp_path / "run")
    assert [type(step) for step in steps] == [Applied], steps
    return tmp_path / "lake"


def metadata_of(table: Path) -> Any:
    from deltalake import DeltaTable

    found = DeltaTable(str(table)).metadata()
    return (found.id, found.name, found.description, found.partition_columns, found.configuration)


def commit(table: Path, version: int) -> list[dict[str, Any]]:
    path = table / "_delta_log" / f"{version:020d}.json"
    return [json.loads(line) for line in path.read_text().splitlines()]


def data_files(table: Path) -> set[str]:
    return {str(path.relative_to(table)) for path in table.rglob("*.parquet")}


def test_a_deleted_table_reads_as_no_rows_and_its_files_stay_for_the_retention(lake: Path) -> None:
    assert rows_by_delta_rs(lake / CHILD) == []
    assert len(data_files(lake / CHILD)) == 2
    info, *rest = commit(lake / CHILD, 2)
    journal = journal_of(lake)
    (deletion,) = journal.state.deletions
    assert deletion in info["commitInfo"]["userMetadata"]
    (metadata,) = [entry["metaData"] for entry in rest if "metaData" in entry]
    kept = metadata["configuration"]["delta.deletedFileRetentionDuration"]
    assert kept == "interval 37 days"
    assert f"r2d2 undo {deletion} LAKE" in metadata["description"]
    assert list(discrepancies(journal)) == []


def test_a_deleted_table_is_no_table_of_the_lake_until_somebody_writes_to_it(lake: Path) -> None:
    def tables() -> list[str]:
        found = take_inventory(storage_of(str(lake)), Settings())
        return [table.location for table in found.tables]

    assert tables() == ["whole.parquet"]
    append_late(lake)
    assert tables() == [CHILD, "whole.parquet"]


def test_undo_gives_rows_properties_and_history_back(tmp_path: Path) -> None:
    from deltalake import DeltaTable

    lake = tmp_path / "lake"
    table = write_delta_lake(lake, {"delta.logRetentionDuration": "interval 90 days"})
    before, adds = metadata_of(table), commit(table, 0) + commit(table, 1)
    assert [type(step) for step in applied_delta(lake, tmp_path / "run")] == [Applied]
    assert metadata_of(table) != before
    assert [type(step) for step in undo(journal_of(lake), [CHILD])] == [Undone]
    assert rows_by_delta_rs(table) == child_rows()
    assert metadata_of(table) == before
    history = [entry["operation"] for entry in DeltaTable(str(table)).history()]
    assert history == ["RESTORE", "DELETE", "WRITE", "WRITE"]
    restored = {e["add"]["path"]: e["add"] for e in commit(table, 3) if "add" in e}
    assert restored == {e["add"]["path"]: e["add"] for e in adds if "add" in e}
    assert rows_by_delta_rs(table) == child_rows()
    assert not (lake / "_r2d2" / "quarantine").exists()


def test_purge_deletes_the_files_by_name_and_leaves_the_log(lake: Path) -> None:
    assert [type(step) for step in purge(journal_of(lake), 30.0)] == [NotPurged]
    assert [type(step) for step in purge(journal_of(lake), 0.0)] == [Purged]
    assert data_files(lake / CHILD) == set()
    assert len(list((lake / CHILD / "_delta_log").glob("*.json"))) == 3
    assert rows_by_delta_rs(lake / CHILD) == []
    assert list(discrepancies(journal_of(lake))) == []


def test_a_purge_that_stopped_half_way_is_rebuilt_and_undone_under_new_names(
    lake: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = data_files(lake / CHILD)
    stopped(lake, monkeypatch, after=1)
    assert len(data_files(lake / CHILD)) == 1
    assert [type(step) for step in undo(journal_of(lake), [CHILD])] == [Discrepancy, Undone]
    assert rows_by_delta_rs(lake / CHILD) == child_rows()
    live = {path for path in live_files(lake / CHILD) if "/r2d2-" in path}
    assert len(live) == 2
    assert not live & old
    assert not list((lake / "_r2d2" / "quarantine").glob("*"))
    assert list(discrepancies(journal_of(lake))) == []


def test_a_purge_that_only_slept_deletes_nothing_of_a_table_that_is_back(
    lake: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = sorted(data_files(lake / CHILD))
    stopped(lake, monkeypatch, after=0)
    assert [type(step) for step in undo(journal_of(lake), [CHILD])] == [Discrepancy, Undone]
    assert not set(live_files(lake / CHILD)) & set(old)
    for path in old:
        (lake / CHILD / path).unlink()
    assert rows_by_delta_rs(lake / CHILD) == child_rows()


def test_a_runner_that_slept_since_it_marked_the_table_cannot_delete_it_any_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from deltalake import DeltaTable

    lake, run = tmp_path / "lake", tmp_path / "run"
    write_delta_lake(lake)
    move, slept = DeltaMover.move, list[Any]()

    def sleeping(self: DeltaMover, deletion: Any) -> None:
        seen, kept = self._logs.newest(CHILD), self._kept(deletion)
        monkeypatch.setattr(journals, "_is_over", lambda lease: True)
        with (other := journal_of(lake)).lease("fsck"):
            slept.extend(settle(other))
        monkeypatch.setattr(DeltaLogs, "newest", lambda self, table: seen)
        monkeypatch.setattr(DeltaMover, "_kept", lambda self, deletion: kept)
        move(self, deletion)

    monkeypatch.setattr(DeltaMover, "move", sleeping)
    with pytest.raises(R2D2Error, match="another runner wrote record"):
        applied_delta(lake, run)
    monkeypatch.undo()
    assert len(slept) == 1
    assert rows_by_delta_rs(lake / CHILD) == child_rows()
    operations = [entry["operation"] for entry in DeltaTable(str(lake / CHILD)).history()]
    assert operations == ["MANUAL UPDATE", "WRITE", "WRITE"]
    assert list(discrepancies(journal_of(lake))) == []


def test_files_that_somebody_vacuumed_are_rebuilt_with_an_alarm_and_come_back(lake: Path) -> None:
    from deltalake import DeltaTable

    table = DeltaTable(str(lake / CHILD))
    assert table.vacuum(dry_run=False) == []
    gone = table.vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)
    assert len(gone) == 2
    steps = list(undo(journal_of(lake), [CHILD]))
    assert [type(step) for step in steps] == [Discrepancy, Undone]
    assert steps[0].is_alarm
    assert rows_by_delta_rs(lake / CHILD) == child_rows()
    assert DeltaTable(str(lake / CHILD)).history(1)[0]["operation"] == "RESTORE"


def test_a_table_that_somebody_dropped_comes_back_with_its_properties(lake: Path) -> None:
    shutil.rmtree(lake / CHILD)
    steps = list(undo(journal_of(lake), [CHILD]))
    assert [type(step) for step in steps] == [Discrepancy, Undone]
    assert rows_by_delta_rs(lake / CHILD) == child_rows()
    assert metadata_of(lake / CHILD)[1:] == ("sales", "what was sold", ["city"], {})


def test_rows_that_somebody_appended_stop_a_purge_and_stay_beside_the_table(lake: Path) -> None:
    late = append_late(lake)
    steps = list(purge(journal_of(lake), 0.0))
    assert [type(step) for step in steps] == [Discrepancy, NotPurged]
    assert "somebody wrote" in steps[1].reason
    assert [type(step) for step in undo(journal_of(lake), [CHILD])] == [Discrepancy, Undone]
    assert rows_by_delta_rs(lake / CHILD) == sorted([*child_rows(), *late])


def test_a_table_that_somebody_wrote_anew_is_not_mixed_with_the_deleted_one(lake: Path) -> None:
    late = append_late(lake, mode="overwrite")
    steps = list(undo(journal_of(lake), [CHILD]))
    assert [type(step) for step in steps] == [Discrepancy, NotUndone]
    assert rows_by_delta_rs(lake / CHILD) == late


def test_a_rebuild_in_place_that_a_writer_came_before_leaves_the_table_deleted(
    lake: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert [type(step) for step in purge(journal_of(lake), 0.0)] == [Purged]
    back = DeltaMover.back

    def coming_late(self: DeltaMover, deletion: Any) -> None:
        append_late(lake, mode="overwrite")
        back(self, deletion)

    monkeypatch.setattr(DeltaMover, "back", coming_late)
    (lost,) = list(rebuild(journal_of(lake), [CHILD], None))
    assert isinstance(lost, LostTable)
    (deletion,) = journal_of(lake).state.deletions.values()
    assert f"`r2d2 release {deletion.id} LAKE --yes` keeps what is there now" in lost.problem
    assert deletion.state.value == "tombstoned"
    assert len(rows_by_delta_rs(lake / CHILD)) == 2


def test_what_its_owner_set_on_a_deleted_table_stays_when_it_comes_back(lake: Path) -> None:
    from deltalake import DeltaTable
    from deltalake.schema import Field, PrimitiveType

    DeltaTable(str(lake / CHILD)).alter.set_table_properties({"delta.checkpointInterval": "7"})
    DeltaTable(str(lake / CHILD)).alter.add_columns([Field("more", PrimitiveType("string"))])
    assert isinstance(list(undo(journal_of(lake), [CHILD]))[-1], Undone)
    assert rows_by_delta_rs(lake / CHILD) == child_rows()
    assert [field.name for field in DeltaTable(str(lake / CHILD)).schema().fields][-1] == "more"
    told = ("sales", "what was sold", ["city"], {"delta.checkpointInterval": "7"})
    assert metadata_of(lake / CHILD)[1:] == told


def test_a_table_that_its_owner_restored_is_back_without_its_files_added_twice(lake: Path) -> None:
    from deltalake import DeltaTable

    DeltaTable(str(lake / CHILD)).restore(1)
    assert isinstance(list(undo(journal_of(lake), [CHILD]))[-1], Undone)
    assert rows_by_delta_rs(lake / CHILD) == child_rows()
    assert metadata_of(lake / CHILD)[1:] == ("sales", "what was sold", ["city"], {})
    assert not [entry for entry in commit(lake / CHILD, 4) if "add" in entry]
    assert list(discrepancies(journal_of(lake))) == []


def test_a_purged_table_is_rebuilt_into_its_old_place_with_its_history(lake: Path) -> None:
    from deltalake import DeltaTable

    assert [type(step) for step in purge(journal_of(lake), 0.0)] == [Purged]
    assert [type(step) for step in rebuild(journal_of(lake), [CHILD], None)] == [Back]
    assert rows_by_delta_rs(lake / CHILD) == child_rows()
    assert metadata_of(lake / CHILD)[1:] == ("sales", "what was sold", ["city"], {})
    assert len(DeltaTable(str(lake / CHILD)).history()) == 4
    assert journal_of(lake).state.held() == {}
    assert list(discrepancies(journal_of(lake))) == []


def test_files_that_a_clone_reads_are_neither_deleted_nor_purged(tmp_path: Path) -> None:
    lake, run = tmp_path / "lake", tmp_path / "run"
    write_delta_lake(lake)
    plan = planned_delta(lake, run)
    clone(lake, "late")
    steps: list[Any] = list(apply(journal_of(lake), plan, run))
    assert [type(step) for step in steps] == [Refused]
    assert "late" in steps[0].reason
    shutil.rmtree(lake / "late")
    assert [type(step) for step in apply(journal_of(lake), plan, run)] == [Applied]
    clone(lake, "late")
    steps = list(purge(journal_of(lake), 0.0))
    assert [type(step) for step in steps] == [NotPurged]
    assert "late reads sales/city=" in steps[0].reason
    assert len(data_files(lake / CHILD)) == 2


def clone(lake: Path, name: str) -> None:
    """A shallow clone of the child's version 1."""
    entries = [entry for version in (0, 1) for entry in commit(lake / CHILD, version)]
    for add in (entry["add"] for entry in entries if "add" in entry):
        add["path"] = (lake / CHILD / add["path"]).as_uri()
    log = lake / name / "_delta_log"
    log.mkdir(parents=True)
    lines = [json.dumps(entry) for entry in entries if "commitInfo" not in entry]
    (log / f"{0:020d}.json").write_text("\n".join(lines))


def stopped(lake: Path, monkeypatch: pytest.MonkeyPatch, after: int) -> None:
    """Runs a purge that an error ends after so many files."""
    deleted: list[str] = []
    delete = DeltaMover.delete

    def deleting(self: DeltaMover, deletion: Any, path: str) -> None:
        if len(deleted) == after:
            raise OSError("stopped")
        deleted.append(path)
        delete(self, deletion, path)

    with monkeypatch.context() as patched:
        patched.setattr(DeltaMover, "delete", deleting)
        with pytest.raises(OSError, match="stopped"):
            list(purge(journal_of(lake), 0.0))


def live_files(table: Path) -> list[str]:
    from deltalake import DeltaTable

    return [str(Path(path).relative_to(table)) for path in DeltaTable(str(table)).file_uris()]


def append_late(lake: Path, mode: Any = "append") -> list[tuple[Any, ...]]:
    """Writes two rows where the table was."""
    from deltalake import write_deltalake

    rows = pa.table({"id": [1001, 1002], "city": ["Rome", "Bern"], "amount": [0.25, 0.5]})
    write_deltalake(str(lake / CHILD), rows, mode=mode)
    return [(1001, "Rome", 0.25), (1002, "Bern", 0.5)]


def test_a_purged_table_that_its_owner_made_anew_is_not_touched_by_a_rebuild(lake: Path) -> None:
    assert [type(step) for step in purge(journal_of(lake), 0.0)][-1] is Purged
    shutil.rmtree(lake / CHILD)
    deltalake = pytest.importorskip("deltalake")
    deltalake.write_deltalake(str(lake / CHILD), pa.table({"mine": [1, 2]}))
    (lost,) = list(rebuild(journal_of(lake), [CHILD], None))
    (deletion,) = journal_of(lake).state.deletions
    assert isinstance(lost, LostTable)
    assert f"`r2d2 release {deletion} LAKE --yes` keeps what is there" in lost.problem
    states = {deletion.state.value for deletion in journal_of(lake).state.deletions.values()}
    assert states == {"purged"}
    assert deltalake.DeltaTable(str(lake / CHILD)).to_pyarrow_table()["mine"].to_pylist() == [1, 2]


def test_a_commit_into_a_log_that_was_dropped_just_before_leaves_no_broken_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake, put_new = tmp_path / "lake", LocalPlace.put_new
    write_delta_lake(lake)

    def dropping(self: LocalPlace, path: str, content: bytes) -> None:
        if path.startswith(f"{CHILD}/"):
            shutil.rmtree(lake / CHILD, ignore_errors=True)
        put_new(self, path, content)

    with monkeypatch.context() as patched:
        patched.setattr(LocalPlace, "put_new", dropping)
        assert [type(step) for step in applied_delta(lake, tmp_path / "run")] == [Refused]
    assert isinstance(list(undo(journal_of(lake), [*journal_of(lake).state.deletions]))[-1], Undone)
    assert rows_by_delta_rs(lake / CHILD) == child_rows()
    assert list(discrepancies(journal_of(lake))) == []
