"""Other people's files, older journals, other names: none of them is lost or believed."""

import json
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from r2d2.cli import main
from r2d2.deletion.discrepancies import discrepancies
from r2d2.deletion.verbs.apply import Applied, Refused, apply
from r2d2.deletion.verbs.fsck import settle
from r2d2.deletion.verbs.purge import purge
from r2d2.deletion.verbs.undo import NotUndone, Undone, undo
from r2d2.lake.deletions import tombstone_path
from r2d2.lake.inventory import take_inventory
from r2d2.plan.plan_form import Data
from r2d2.settings.find import Settings
from r2d2.storage import storage_of
from tests.support.deletion.small_lake import approved, journal_of, write_lake


def begun(tmp_path: Path) -> tuple[Path, Path, Data]:
    """A lake, a run's folder and an approved plan."""
    lake, run = tmp_path / "lake", tmp_path / "run"
    write_lake(lake)
    return lake, run, approved(lake, run)


@pytest.mark.parametrize("name", ["README.md", "_archive/2012.parquet", ".staging/new.parquet"])
def test_a_table_whose_folder_has_files_of_others_stays(tmp_path: Path, name: str) -> None:
    lake, run = tmp_path / "lake", tmp_path / "run"
    write_lake(lake)
    other = lake / "rome" / name
    other.parent.mkdir(exist_ok=True)
    shutil.copy(lake / "half.parquet", other)
    plan = approved(lake, run)
    steps = list(apply(journal_of(lake), plan, run))
    refused = {step.table: step.reason for step in steps if isinstance(step, Refused)}
    if "rome" in {entry["table"] for entry in plan["tables"] if entry["choice"] == "delete"}:
        assert "is not of it" in refused["rome"]
    assert other.exists()


def test_residuals_are_kept_where_the_journal_was_replaced_by_an_older_one(tmp_path: Path) -> None:
    lake, run, plan = begun(tmp_path)
    journal = lake / "_r2d2" / "journal"
    older = {path.name: path.read_bytes() for path in journal.iterdir()}
    head = (lake / "_r2d2" / "head.json").read_bytes()
    list(apply(journal_of(lake), plan, run))
    list(purge(journal_of(lake), 0.0))
    records = sorted((lake / "_r2d2" / "records").rglob("*.*"))
    for path in journal.iterdir():
        if path.name not in older:
            path.unlink()
    (lake / "_r2d2" / "head.json").write_bytes(head)
    found = journal_of(lake)
    assert any("knows no such deletion" in each.told for each in discrepancies(found))
    with found.lease("fsck"):
        settle(found)
    assert sorted((lake / "_r2d2" / "records").rglob("*.*")) == records


def test_a_parent_under_another_name_is_held_too(tmp_path: Path) -> None:
    lake, run, plan = begun(tmp_path)
    list(apply(journal_of(lake), plan, run))
    (lake / "whole.parquet").rename(lake / "all_of_it.parquet")
    (table,) = take_inventory(storage_of(str(lake)), Settings()).tables
    assert "is rebuilt from it" in str(table.must_keep)


def test_a_parent_that_is_gone_is_an_alarm(tmp_path: Path) -> None:
    lake, run, plan = begun(tmp_path)
    list(apply(journal_of(lake), plan, run))
    list(purge(journal_of(lake), 0.0))
    (lake / "whole.parquet").unlink()
    found = [each for each in discrepancies(journal_of(lake)) if each.is_alarm]
    assert {each.table for each in found} == {"half.parquet", "oslo.parquet", "rome"}
    assert all("whole.parquet is gone" in each.told for each in found)


def test_one_tables_trouble_does_not_keep_another_from_coming_back(tmp_path: Path) -> None:
    lake, run, plan = begun(tmp_path)
    list(apply(journal_of(lake), plan, run))
    next((lake / "_r2d2" / "quarantine").glob("*/*/oslo.parquet")).unlink()
    rows = pq.read_table(lake / "whole.parquet")
    pq.write_table(rows.slice(0, 10), lake / "whole.parquet")
    steps = list(undo(journal_of(lake), ["rome", "oslo.parquet"]))
    assert [type(step) for step in steps[-2:]] == [Undone, NotUndone]
    assert len(pq.read_table(lake / "rome")) == 100


def test_a_note_of_somebody_elses_is_neither_replaced_nor_deleted(tmp_path: Path) -> None:
    lake, run, plan = begun(tmp_path)
    note = lake / tombstone_path("oslo.parquet")
    note.write_text("mine")
    steps = list(apply(journal_of(lake), plan, run))
    assert all(isinstance(step, Applied) for step in steps)
    list(undo(journal_of(lake), ["oslo.parquet"]))
    assert note.read_text() == "mine"


def test_the_beginning_of_an_id_names_its_deletion(tmp_path: Path) -> None:
    lake, run, plan = begun(tmp_path)
    list(apply(journal_of(lake), plan, run))
    journal = journal_of(lake)
    deletion = journal.deletion("rome")
    assert journal.deletion(deletion.id[:12]) == deletion


def test_an_error_of_the_system_is_told_without_a_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lake, run, _ = begun(tmp_path)
    (lake / "_r2d2" / "quarantine").write_text("in the way")
    assert main(["apply", str(run / "plan.json"), "--yes", "--no-catalogue"]) == 1
    assert "r2d2: " in capsys.readouterr().err
    assert json.loads((run / "plan.json").read_text())["lake"] == str(lake)
