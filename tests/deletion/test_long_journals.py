"""A lake with many deletions: each record is read once, each folder listed once, nothing copied.

R2D2_DELETIONS=5000 makes it as long as is wanted.
"""

import os
from collections import Counter
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest

from r2d2.deletion.discrepancies import discrepancies
from r2d2.deletion.place import LocalPlace
from r2d2.lake.deletions import Event, JournalError, journal_state, record_path
from r2d2.lake.inventory import take_inventory
from r2d2.model import FileInfo
from r2d2.settings.find import Settings
from r2d2.storage import storage_of
from r2d2.storage.local import LocalStorage
from tests.support.deletion.long_journal import write_long_journal
from tests.support.deletion.small_lake import journal_of

DELETIONS = int(os.environ.get("R2D2_DELETIONS", "60"))


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake with many deletions."""
    lake = tmp_path_factory.mktemp("long") / "lake"
    write_long_journal(lake, DELETIONS)
    return lake


def counted(monkeypatch: pytest.MonkeyPatch, kind: type, name: str) -> Counter[str]:
    """How often a method is called for each path, from now on."""
    calls, method = Counter[str](), getattr(kind, name)

    def counting(self: Any, path: Any, *more: Any, **flags: Any) -> Any:
        calls[getattr(path, "path", path)] += 1
        return method(self, path, *more, **flags)

    monkeypatch.setattr(kind, name, counting)
    return calls


def test_fsck_looks_for_each_parent_once(lake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = journal_of(lake)
    assert len(journal.state.held()["whole.parquet"]) == DELETIONS + 3
    calls = counted(monkeypatch, LocalPlace, "file")
    assert list(discrepancies(journal)) == []
    assert calls["whole.parquet"] == 1


def test_an_inventory_reads_each_record_once(lake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = counted(monkeypatch, LocalStorage, "read")
    (whole,) = take_inventory(storage_of(str(lake)), Settings()).tables
    assert "is rebuilt from it" in str(whole.must_keep)
    records = [count for path, count in calls.items() if "/journal/" in path]
    assert len(records) > 5 * DELETIONS
    assert {*records} == {1}


def test_a_record_more_copies_no_other(lake: Path) -> None:
    journal = journal_of(lake)
    deletions = journal.state.deletions
    name = next(each.id for each in deletions.values() if each.table == "t/00000.parquet")
    for event in (Event.PURGING, Event.TOMBSTONED):
        journal.append(event, name)
    assert journal.state.deletions is deletions
    assert journal_of(lake).state == journal.state


def test_a_record_that_cannot_follow_is_neither_written_nor_believed(lake: Path) -> None:
    journal = journal_of(lake)
    number, name = journal.state.next_number, journal.deletion("t/00001.parquet").id
    with pytest.raises(JournalError, match="purged, and was purged"):
        journal.append(Event.PURGED, name)
    assert not (lake / record_path(number)).exists()
    assert journal_of(lake).state == journal.state


def test_a_journal_in_a_bucket_is_read_many_records_at_once(lake: Path) -> None:
    local, at_once = LocalStorage(str(lake)), Barrier(16)

    class Remote(LocalStorage):
        def read(self, file: FileInfo, *more: Any) -> bytes:
            if "/journal/" in file.path and int(Path(file.path).stem) <= at_once.parties:
                at_once.wait(timeout=30)
            return local.read(file, *more)

    remote = Remote("s3://bucket/lake")
    assert journal_state(remote, local.list()).next_number > 5 * DELETIONS
