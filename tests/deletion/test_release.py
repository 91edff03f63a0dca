"""Deletions that are given up: parents are free, and what was moved stays for the retention."""

import json
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from r2d2.cli import main
from r2d2.deletion.discrepancies import Discrepancy, discrepancies
from r2d2.deletion.journal import status_of
from r2d2.deletion.verbs.apply import Applied, apply
from r2d2.deletion.verbs.purge import NotPurged, Purged, purge
from r2d2.deletion.verbs.release import GivenUp, NotGivenUp, release, would_release
from r2d2.deletion.verbs.undo import NotUndone, Undone, undo
from r2d2.lake.deletions import State, tombstone_path
from tests.support.deletion.small_lake import (
    approved,
    deleted_tables,
    files_of_lake,
    journal_of,
    planned,
    write_lake,
)

TABLES = ["half.parquet", "oslo.parquet", "rome"]


@pytest.fixture
def deleted(tmp_path: Path) -> Path:
    """A lake of which three tables are in quarantine."""
    lake, run = tmp_path / "lake", tmp_path / "run"
    write_lake(lake)
    plan = approved(lake, run)
    steps = list(apply(journal_of(lake), plan, run))
    assert [type(step) for step in steps] == [Applied] * 3
    return lake


def done(steps: Iterable[object]) -> list[object]:
    """The steps without what fsck found before them."""
    return [step for step in steps if not isinstance(step, Discrepancy)]


def write_anew(lake: Path) -> None:
    """The owner writes other rows where the file and the folder were."""
    (lake / "rome").mkdir()
    for path in (lake / "oslo.parquet", lake / "rome" / "part-00000-0.parquet"):
        pq.write_table(pa.table({"id": [900, 901], "city": ["Oslo", "Rome"]}), path)


def test_a_purged_table_that_is_given_up_frees_its_parents(deleted: Path, tmp_path: Path) -> None:
    list(purge(journal_of(deleted), 0.0))
    notes = [json.loads((deleted / tombstone_path(t)).read_text()) for t in TABLES]
    assert all(n["undo"] == f"r2d2 rebuild {n['deletion']} LAKE" for n in notes)
    steps = list(release(journal_of(deleted), TABLES))
    assert [type(step) for step in steps] == [GivenUp] * 3
    journal = journal_of(deleted)
    assert journal.state.held() == {}
    assert {d.state for d in journal.state.deletions.values()} == {State.GIVEN_UP}
    assert not any((deleted / tombstone_path(table)).exists() for table in TABLES)
    (deleted / "copy.parquet").write_bytes((deleted / "whole.parquet").read_bytes())
    second = planned(deleted, tmp_path / "second")
    assert all(entry["must_keep"] is None for entry in second["tables"])
    (deleted / "whole.parquet").unlink()
    assert list(discrepancies(journal_of(deleted))) == []


def test_a_table_in_quarantine_is_given_up_only_where_its_owner_has_another(deleted: Path) -> None:
    (deleted / "oslo.parquet").write_bytes(b"no table")
    steps = done(release(journal_of(deleted), TABLES))
    assert all(isinstance(step, NotGivenUp) and "has no table" in step.reason for step in steps)
    told = {step.table: step.reason for step in steps if isinstance(step, NotGivenUp)}
    assert (
        "oslo.parquet is there, and is no table that can be read; move it away"
        in told["oslo.parquet"]
    )
    assert " puts the table back, or let a purge take it" in told["rome"]
    assert set(journal_of(deleted).state.held()) == {"whole.parquet"}


def test_what_was_moved_stays_for_a_retention_of_its_own_and_then_goes_by_name(
    deleted: Path,
) -> None:
    write_anew(deleted)
    owners = files_of_lake(deleted)
    *_, step = would_release(journal_of(deleted), ["oslo.parquet"])
    assert isinstance(step, GivenUp)
    assert journal_of(deleted).of_table("oslo.parquet") is not None
    steps = done(release(journal_of(deleted), ["oslo.parquet", "rome"]))
    assert all(isinstance(step, GivenUp) and step.kept_bytes for step in steps)
    assert list(discrepancies(journal_of(deleted))) == []
    told = {each["table"]: each for each in status_of(journal_of(deleted), 30.0)}
    assert told["rome"]["state"] == "given up"
    assert told["rome"]["holds"] == []
    assert told["rome"]["purge_after"] > told["rome"]["since"]
    assert [type(step) for step in purge(journal_of(deleted), 30.0)] == [NotPurged] * 3
    whole = (deleted / "whole.parquet").read_bytes()
    (deleted / "whole.parquet").write_bytes(b"held for one table still")
    gone = [step for step in purge(journal_of(deleted), 0.0) if isinstance(step, Purged)]
    assert sorted(step.table for step in gone) == ["oslo.parquet", "rome"]
    (deleted / "whole.parquet").write_bytes(whole)
    assert files_of_lake(deleted) == owners
    left = [p.name for p in (deleted / "_r2d2" / "quarantine").rglob("*") if p.is_file()]
    assert left == ["half.parquet"]
    assert list(discrepancies(journal_of(deleted))) == []
    assert [type(step) for step in purge(journal_of(deleted), 0.0)] == [Purged]


def test_a_deletion_that_was_given_up_is_undone_by_its_id_once_its_place_is_free(
    deleted: Path, tmp_path: Path
) -> None:
    write_anew(deleted)
    old = journal_of(deleted).deletion("oslo.parquet").id
    list(release(journal_of(deleted), ["oslo.parquet"]))
    (stays,) = done(undo(journal_of(deleted), [old]))
    assert isinstance(stays, NotUndone)
    assert "somebody wrote" in stays.reason
    (deleted / "oslo.parquet").rename(tmp_path / "owners.parquet")
    assert [type(step) for step in done(undo(journal_of(deleted), [old]))] == [Undone]
    assert pq.read_table(deleted / "oslo.parquet").num_rows == 100
    assert journal_of(deleted).state.deletions[old].state is State.LIVE


def test_a_new_table_is_deleted_again_beside_the_one_that_was_given_up(
    deleted: Path, tmp_path: Path
) -> None:
    whole = pq.read_table(deleted / "whole.parquet")
    pq.write_table(whole.slice(10, 20), deleted / "oslo.parquet")
    old = journal_of(deleted).deletion("oslo.parquet").id
    assert [type(s) for s in done(release(journal_of(deleted), ["oslo.parquet"]))] == [GivenUp]
    again = approved(deleted, tmp_path / "second")
    assert deleted_tables(again) == ["oslo.parquet"]
    steps = list(apply(journal_of(deleted), again, tmp_path / "second"))
    assert [type(step) for step in steps] == [Applied]
    (refused,) = undo(journal_of(deleted), [old])
    assert isinstance(refused, NotUndone)
    assert "another deletion has its place" in refused.reason
    assert [type(step) for step in undo(journal_of(deleted), ["oslo.parquet"])] == [Undone]
    assert pq.read_table(deleted / "oslo.parquet").num_rows == 20


def test_each_verb_says_that_there_was_nothing_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lake = tmp_path / "lake"
    write_lake(lake)
    for words in (["undo", "--all", str(lake)], ["purge", str(lake)]):
        for more in ([], ["--yes"]):
            assert main([*words, *more]) == 0
            assert f"There is nothing to {words[0]}" in capsys.readouterr().out
    assert main(["release", str(lake)]) == 2


def test_the_command_tells_what_it_would_give_up_and_what_it_did(
    deleted: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_anew(deleted)
    assert main(["release", "oslo.parquet", str(deleted)]) == 0
    told = capsys.readouterr().out
    assert "oslo.parquet: would be given up; whole.parquet must stay: " in told
    assert "Nothing was done" in told
    assert main(["release", "half.parquet", "oslo.parquet", str(deleted), "--yes"]) == 3
    told = capsys.readouterr().out
    assert "half.parquet: not given up: its owner has no table in its place" in told
    assert "oslo.parquet: given up" in told
    assert main(["release", "oslo.parquet", str(deleted), "--yes"]) == 3
    assert "not given up: it is given up already" in capsys.readouterr().out


def test_a_parent_that_another_deleted_table_needs_is_not_said_to_be_free(
    deleted: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    now = tmp_path / "now.toml"
    now.write_text("[deletion]\nretention_days = 0\n")
    assert main(["purge", str(deleted), "--config", str(now), "--yes"]) == 0
    capsys.readouterr()
    told = "oslo.parquet: {}given up; whole.parquet must stay: half.parquet is rebuilt from it"
    assert main(["release", "oslo.parquet", str(deleted)]) == 0
    assert told.format("would be ") in capsys.readouterr().out
    assert main(["release", "oslo.parquet", str(deleted), "--yes"]) == 0
    assert told.format("") in capsys.readouterr().out
    assert main(["release", "rome", "half.parquet", str(deleted)]) == 0
    rome, half, _ = capsys.readouterr().out.splitlines()
    assert "whole.parquet must stay: half.parquet is rebuilt from it" in rome
    assert "half.parquet: would be given up; whole.parquet may change" in half


def test_what_a_purged_table_saved_is_counted_when_it_is_given_up_or_rebuilt(
    deleted: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    now = tmp_path / "now.toml"
    now.write_text("[deletion]\nretention_days = 0\n")
    assert main(["purge", str(deleted), "--config", str(now), "--yes"]) == 0
    assert main(["release", "oslo.parquet", str(deleted), "--yes"]) == 0
    assert main(["rebuild", "rome", str(deleted)]) == 0
    capsys.readouterr()
    assert main(["status", str(deleted), "--json"]) == 0
    assert all(each["saved_usd"] > 0 for each in json.loads(capsys.readouterr().out))
    rest = ["rebuild", str(deleted), "--under", ".", "--to", str(tmp_path / "back")]
    assert main([*rest, "--dry-run"]) == 0
    assert "1 table was given up: name one to have it, too" in capsys.readouterr().out


def test_a_table_that_is_given_up_is_not_said_to_be_kept_by_giving_it_up(
    deleted: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_anew(deleted)
    assert main(["release", "oslo.parquet", str(deleted), "--yes"]) == 0
    capsys.readouterr()
    assert main(["undo", "oslo.parquet", str(deleted)]) == 3
    (told,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("oslo")]
    assert "move it away" in told
    assert "r2d2 release" not in told
