"""A lake within another: each holds the parents of what the other deleted."""

import subprocess
import sys
from pathlib import Path

import pytest

from r2d2.cli import main
from r2d2.deletion.verbs.apply import apply
from r2d2.deletion.verbs.undo import Undone, undo, undoable
from r2d2.lake.inventory import take_inventory
from r2d2.settings.find import Settings
from r2d2.storage import storage_of
from tests.support.deletion.small_lake import approved, files_of_lake, journal_of, write_lake


def kept(lake: Path) -> dict[str, str | None]:
    """The tables of the lake, each with why it must stay."""
    tables = take_inventory(storage_of(str(lake)), Settings()).tables
    return {table.location: table.must_keep for table in tables}


def applied(lake: Path, run: Path) -> None:
    """All tables of a plan for the lake are deleted."""
    plan = approved(lake, run)
    list(apply(journal_of(lake), plan, run))


def test_the_outer_lake_holds_what_the_inner_one_needs(tmp_path: Path) -> None:
    inner = tmp_path / "lake" / "team"
    write_lake(inner)
    applied(inner, tmp_path / "run")
    told = kept(tmp_path / "lake")
    assert told.keys() == {"team/whole.parquet"}
    assert "is rebuilt from it" in str(told["team/whole.parquet"])


def test_the_inner_lake_holds_what_the_outer_one_needs(tmp_path: Path) -> None:
    outer = tmp_path / "lake"
    write_lake(outer / "team")
    applied(outer, tmp_path / "run")
    told = kept(outer / "team")
    assert told.keys() == {"whole.parquet"}
    assert "is rebuilt from it" in str(told["whole.parquet"])


def test_a_lake_that_was_moved_with_its_journal_can_be_undone(tmp_path: Path) -> None:
    lake, other = tmp_path / "lake", tmp_path / "other"
    write_lake(lake)
    before = files_of_lake(lake)
    applied(lake, tmp_path / "run")
    lake.rename(other)
    journal = journal_of(other)
    steps = list(undo(journal, [deletion.id for deletion in undoable(journal)]))
    assert [type(step) for step in steps] == [Undone] * 3
    assert files_of_lake(other) == before


def test_who_looks_at_a_lake_while_tables_are_deleted_and_come_back_is_not_stopped(
    tmp_path: Path,
) -> None:
    lake, run = tmp_path / "lake", tmp_path / "run"
    write_lake(lake)
    approved(lake, run)
    cycle = """
import sys
from pathlib import Path
from r2d2.deletion.verbs.apply import apply
from r2d2.deletion.verbs.undo import undo, undoable
from r2d2.plan.plan_file import load_plan
from tests.support.deletion.small_lake import journal_of

lake, run = map(Path, sys.argv[1:])
for _ in range(4):
    list(apply(journal_of(lake), load_plan(run / "plan.json"), run))
    journal = journal_of(lake)
    list(undo(journal, [deletion.id for deletion in undoable(journal)]))
"""
    runner = subprocess.Popen([sys.executable, "-c", cycle, str(lake), str(run)])
    looks = 0
    while runner.poll() is None:
        assert "whole.parquet" in kept(lake)
        looks += 1
    assert runner.returncode == 0
    assert looks > 1


def test_who_asks_a_folder_without_a_journal_is_told_of_those_above_and_below(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    inner = tmp_path / "lake" / "team"
    write_lake(inner)
    applied(inner, tmp_path / "run")
    for folder in (tmp_path / "lake", inner / "rome"):
        folder.mkdir(exist_ok=True)
        assert main(["status", str(folder)]) == 0
        assert main(["audit", str(folder)]) == 0
        told = capsys.readouterr().out
        assert f"There is one of another folder: r2d2 status {inner}" in told
        assert f"There is one of another folder: r2d2 audit {inner}" in told


def test_a_plan_of_a_lake_that_was_moved_says_that_it_must_be_planned_anew(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lake, run = tmp_path / "lake", tmp_path / "run"
    write_lake(lake)
    approved(lake, run)
    lake.rename(tmp_path / "other")
    for words in (["approve"], ["apply", "--no-catalogue"]):
        assert main([*words, str(run / "plan.json")]) == 2
        assert "if it was moved, find and plan again" in capsys.readouterr().err
