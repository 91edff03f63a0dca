"""Delta tables are deleted by a commit, come back by one, and are purged by name."""

import json
from pathlib import Path
from typing import Any

import pytest

from r2d2.deletion.verbs.apply import Applied
from r2d2.deletion.verbs.fsck import discrepancies
from r2d2.deletion.verbs.purge import NotPurged, Purged, purge
from r2d2.deletion.verbs.undo import Undone, undo
from tests.support.deletion.delta_lake import (
    CHILD,
    applied_delta,
    child_rows,
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
