"""A plan's tables leave the lake, come back by undo, are purged and are rebuilt."""

import json
import os
import shutil
from pathlib import Path

import pytest

from r2d2.cli import main
from r2d2.deletion.discrepancies import Discrepancy, discrepancies
from r2d2.deletion.verbs.apply import Applied, Refused, apply, would_apply
from r2d2.deletion.verbs.approve import ApprovalLimits, NotApprovedError, approve
from r2d2.deletion.verbs.purge import NotPurged, Purged, purge
from r2d2.deletion.verbs.rebuild import Back, rebuild
from r2d2.deletion.verbs.undo import NotUndone, Undone, undo, undoable, would_undo
from r2d2.errors import R2D2Error
from r2d2.lake.deletions import State
from r2d2.plan.plan_form import Data
from r2d2.storage import storage_of
from tests.support.deletion.small_lake import (
    approved,
    deleted_tables,
    files_of_lake,
    journal_of,
    planned,
    write_lake,
)

Deleting = tuple[Path, Path, Data]


@pytest.fixture
def deleting(tmp_path: Path) -> Deleting:
    """A lake, a run's folder, and an approved plan that deletes three tables."""
    lake, run = tmp_path / "lake", tmp_path / "run"
    write_lake(lake)
    plan = approved(lake, run)
    assert deleted_tables(plan) == ["half.parquet", "oslo.parquet", "rome"]
    return lake, run, plan


def applied(deleting: Deleting) -> list[object]:
    lake, run, plan = deleting
    return list(apply(journal_of(lake), plan, run))


def test_what_was_applied_is_not_in_the_lake_and_undo_gives_every_byte_back(
    deleting: Deleting,
) -> None:
    lake, _, _ = deleting
    before = files_of_lake(lake)
    steps = applied(deleting)
    assert all(isinstance(step, Applied) for step in steps)
    assert set(files_of_lake(lake)) == {"whole.parquet"}
    journal = journal_of(lake)
    assert list(discrepancies(journal)) == []
    back = list(undo(journal, [deletion.id for deletion in undoable(journal)]))
    assert [type(step) for step in back] == [Undone] * 3
    assert files_of_lake(lake) == before
    assert not list((lake / "_r2d2" / "quarantine").glob("*"))


def test_a_plan_that_nobody_approved_moves_nothing(tmp_path: Path) -> None:
    lake, run = tmp_path / "lake", tmp_path / "run"
    write_lake(lake)
    plan, before = planned(lake, run), files_of_lake(lake)
    with pytest.raises(NotApprovedError, match="r2d2 approve"):
        list(apply(journal_of(lake), plan, run))
    assert files_of_lake(lake) == before


def test_a_plan_beyond_a_limit_is_not_approved(tmp_path: Path) -> None:
    lake, run = tmp_path / "lake", tmp_path / "run"
    write_lake(lake)
    plan = planned(lake, run)
    fewer, smaller = ApprovalLimits(tables=2), ApprovalLimits(size_bytes=10)
    for limits in (fewer, smaller, ApprovalLimits(share=0.01)):
        with pytest.raises(R2D2Error, match="the plan deletes"):
            approve(journal_of(lake), plan, run, limits)


def test_a_dry_run_writes_nothing(deleting: Deleting) -> None:
    lake, run, plan = deleting
    before = sorted(lake.rglob("*"))
    assert len(list(would_apply(journal_of(lake), plan, run))) == 3
    assert sorted(lake.rglob("*")) == before


def test_a_plan_applied_again_does_nothing(deleting: Deleting) -> None:
    lake, _, _ = deleting
    applied(deleting)
    before = sorted(p for p in lake.rglob("*") if "journal" not in p.parts)
    again = applied(deleting)
    assert all(isinstance(step, Applied) and step.again for step in again)
    assert sorted(p for p in lake.rglob("*") if "journal" not in p.parts) == before


def test_a_table_that_changed_since_the_plan_is_refused_and_the_others_go(
    deleting: Deleting,
) -> None:
    lake, _, _ = deleting
    path = lake / "oslo.parquet"
    path.write_bytes(path.read_bytes())
    refused = [step for step in applied(deleting) if isinstance(step, Refused)]
    assert [(step.table, "changed" in step.reason) for step in refused] == [("oslo.parquet", True)]
    assert set(files_of_lake(lake)) == {"whole.parquet", "oslo.parquet"}


def test_purge_waits_for_the_retention_and_rebuild_gives_the_tables_back(
    deleting: Deleting, tmp_path: Path
) -> None:
    lake, _, plan = deleting
    applied(deleting)
    early = list(purge(journal_of(lake), 30.0))
    assert [type(step) for step in early] == [NotPurged] * 3
    done = list(purge(journal_of(lake), 0.0))
    assert [type(step) for step in done] == [Purged] * 3
    assert not [path for path in (lake / "_r2d2" / "quarantine").rglob("*") if path.is_file()]
    journal = journal_of(lake)
    assert list(discrepancies(journal)) == []
    elsewhere = list(rebuild(journal, deleted_tables(plan), tmp_path / "back"))
    assert all(isinstance(back, Back) for back in elsewhere)
    in_place = list(rebuild(journal_of(lake), deleted_tables(plan), None))
    assert all(isinstance(back, Back) for back in in_place)
    states = {deletion.state for deletion in journal_of(lake).state.deletions.values()}
    assert states == {State.REBUILT}
    assert journal_of(lake).state.held() == {}


def test_a_purge_stays_away_where_the_parent_does_not_give_the_table_back(
    deleting: Deleting,
) -> None:
    lake, _, _ = deleting
    applied(deleting)
    (lake / "whole.parquet").unlink()
    *alarms, _, _, _ = stays = list(purge(journal_of(lake), 0.0))
    assert all(isinstance(each, Discrepancy) and each.is_alarm for each in alarms)
    assert [type(step) for step in stays[-3:]] == [NotPurged] * 3
    assert all("parent" in step.reason for step in stays if isinstance(step, NotPurged))


def test_a_table_that_deleted_ones_are_rebuilt_from_is_never_planned(
    deleting: Deleting, tmp_path: Path
) -> None:
    lake, _, _ = deleting
    applied(deleting)
    copy = lake / "copy_of_whole.parquet"
    copy.write_bytes((lake / "whole.parquet").read_bytes())
    second = planned(lake, tmp_path / "second")
    whole = next(entry for entry in second["tables"] if entry["table"] == "whole.parquet")
    assert "which is deleted, is rebuilt from it" in whole["must_keep"]
    assert deleted_tables(second) == ["copy_of_whole.parquet"]


def test_quarantine_is_no_part_of_the_lake(deleting: Deleting) -> None:
    from r2d2.lake.inventory import take_inventory
    from r2d2.settings.find import Settings

    lake, _, _ = deleting
    applied(deleting)
    inventory = take_inventory(storage_of(str(lake)), Settings())
    assert [table.location for table in inventory.tables] == ["whole.parquet"]
    assert not [file for file in inventory.listing.files if file.path.startswith("_r2d2/")]


def test_a_purge_of_tables_by_name_leaves_the_others(deleting: Deleting, tmp_path: Path) -> None:
    lake, _, _ = deleting
    applied(deleting)
    at_once, out = tmp_path / "at_once.toml", tmp_path / "purged.json"
    at_once.write_text("[deletion]\nretention_days = 0\n")
    told = ["--config", str(at_once), "--out", str(out)]
    assert main(["purge", "oslo.parquet", str(lake), *told]) == 0
    assert main(["purge", "oslo.parquet", str(lake), *told, "--yes"]) == 0
    (step,) = json.loads(out.read_text())["steps"]
    assert (step["step"], step["table"]) == ("Purged", "oslo.parquet")
    assert {deletion.table for deletion in undoable(journal_of(lake))} == {"half.parquet", "rome"}
    assert main(["purge", "no_such_table", str(lake), *told, "--yes"]) == 2
    assert len(undoable(journal_of(lake))) == 2


def test_the_file_of_an_apply_says_what_was_done_before_an_error(
    deleting: Deleting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake, run, _ = deleting
    out, link, seen = tmp_path / "applied.json", os.link, list[str]()

    def failing(source: Path, target: Path, **options: bool) -> None:
        seen.extend(["x"] * (b'"tombstoned"' in source.read_bytes()))
        if len(seen) == 1:
            assert "was stopped" in json.loads(out.read_text())["problem"]
        if len(seen) == 2:
            seen.append("once")
            raise OSError(5, "Input/output error")
        link(source, target, **options)

    monkeypatch.setattr(os, "link", failing)
    command = ["apply", str(run / "plan.json"), "--yes", "--no-catalogue", "--out", str(out)]
    assert main(command) == 1
    told = json.loads(out.read_text())
    assert [step["table"] for step in told["steps"]] == ["half.parquet"]
    assert "Input/output error" in told["problem"]
    monkeypatch.undo()
    assert main(command) == 3
    told = json.loads(out.read_text())
    assert told["problem"] is None
    assert [step["step"] for step in told["steps"]].count("Applied") == 2
    assert set(files_of_lake(lake)) == {"whole.parquet", "oslo.parquet"}


def test_a_file_of_somebody_elses_is_met_before_anything_is_deleted(
    deleting: Deleting, tmp_path: Path
) -> None:
    lake, run, _ = deleting
    before, out = files_of_lake(lake), tmp_path / "mine.txt"
    out.write_text("mine")
    command = ["apply", str(run / "plan.json"), "--yes", "--no-catalogue", "--out", str(out)]
    assert main(command) == 2
    assert files_of_lake(lake) == before
    assert out.read_text() == "mine"


def test_what_was_undone_goes_again_by_the_same_plan_once_that_is_approved_again(
    deleting: Deleting,
) -> None:
    lake, run, plan = deleting
    applied(deleting)
    list(undo(journal_of(lake), ["oslo.parquet", "rome"]))
    refused = [step for step in applied(deleting) if isinstance(step, Refused)]
    assert [step.table for step in refused] == ["oslo.parquet", "rome"]
    assert all("approve` again" in step.reason for step in refused)
    approve(journal_of(lake), plan, run, ApprovalLimits())
    assert all(isinstance(step, Applied) for step in applied(deleting))
    assert set(files_of_lake(lake)) == {"whole.parquet"}


def test_what_somebody_wrote_to_since_it_was_undone_is_planned_anew(deleting: Deleting) -> None:
    lake, run, plan = deleting
    applied(deleting)
    list(undo(journal_of(lake), ["oslo.parquet"]))
    path = lake / "oslo.parquet"
    path.write_bytes(path.read_bytes())
    approve(journal_of(lake), plan, run, ApprovalLimits())
    (refused,) = [step for step in applied(deleting) if isinstance(step, Refused)]
    assert refused.reason.startswith(
        "oslo.parquet changed since the plan was made (in time, not in"
    )
    assert refused.reason.endswith(": run `r2d2 find` and `plan` again")


def told_of(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str]:
    """The exit code of a command, and all that it printed."""
    code = main([str(word) for word in words])
    return code, "".join(capsys.readouterr())


def test_a_dry_undo_refuses_what_an_undo_refuses(
    deleting: Deleting, capsys: pytest.CaptureFixture[str]
) -> None:
    lake, _, _ = deleting
    applied(deleting)
    old = journal_of(lake).deletion("half.parquet").id
    list(undo(journal_of(lake), [old]))
    (lake / "oslo.parquet").write_bytes(b"somebody's")
    moved = next((lake / "_r2d2" / "quarantine").rglob("rome/*.parquet"))
    moved.write_bytes(b"?" * moved.stat().st_size)
    for name, reason in (
        (old, "it is live"),
        ("oslo.parquet", "somebody wrote"),
        ("rome", "SHA-256"),
    ):
        for yes in ([], ["--yes"]):
            code, told = told_of(capsys, "undo", name, lake, *yes)
            assert (code, reason in told) == (3, True), (name, yes, told)


def test_a_dry_undo_of_lost_files_asks_the_parents(deleting: Deleting) -> None:
    lake, _, _ = deleting
    applied(deleting)
    next((lake / "_r2d2" / "quarantine").rglob("oslo.parquet")).unlink()
    steps = list(would_undo(journal_of(lake), ["oslo.parquet"]))
    assert [type(step) for step in steps] == [Discrepancy, Undone]
    (lake / "whole.parquet").unlink()
    *_, stays = would_undo(journal_of(lake), ["oslo.parquet"])
    assert isinstance(stays, NotUndone)
    assert "cannot be rebuilt" in stays.reason


def test_the_json_of_a_dry_run_says_that_it_would(
    deleting: Deleting, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lake, run, _ = deleting
    at_once = tmp_path / "at_once.toml"
    at_once.write_text("[deletion]\nretention_days = 0\n")
    for given in (
        ["apply", str(run / "plan.json"), "--no-catalogue"],
        ["undo", "rome", str(lake)],
        ["purge", "rome", str(lake), "--config", str(at_once)],
        ["release", "rome", str(lake)],
    ):
        for yes, would in (([], [True]), (["--yes"], [None])):
            main([*given, *yes, "--json"])
            steps = json.loads(capsys.readouterr().out)
            assert [each.get("would") for each in steps[:1]] == would
        if given[0] == "undo":
            approve(journal_of(lake), deleting[2], run, ApprovalLimits())
            applied(deleting)


def test_a_dry_apply_says_that_the_plan_must_be_approved_and_counts_no_table_twice(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lake, run = tmp_path / "lake", tmp_path / "run"
    write_lake(lake)
    plan = planned(lake, run)
    command = ["apply", run / "plan.json", "--no-catalogue"]
    code, told = told_of(capsys, *command)
    assert code == 0
    assert "3 tables would be moved" in told
    assert "nobody approved this plan" in told.splitlines()[-1]
    approve(journal_of(lake), plan, run, ApprovalLimits())
    assert told_of(capsys, *command, "--yes")[0] == 0
    code, told = told_of(capsys, *command)
    assert code == 0
    assert "0 tables would be moved" in told
    assert "nobody" not in told


def test_a_wrong_name_or_order_is_wrong_usage_and_nothing_is_done(
    deleting: Deleting, capsys: pytest.CaptureFixture[str]
) -> None:
    lake, run, _ = deleting
    applied(deleting)
    before, file = files_of_lake(lake), lake / "whole.parquet"
    for words, reason in (
        *(([verb, "nobody", lake], "no deletion") for verb in ("undo", "purge", "release")),
        (["rebuild", "nobody", lake], "no deletion"),
        (["undo", lake], "--all"),
        (["undo"], "the lake comes last"),
        (["undo", lake, "rome"], "the lake comes last"),
        (["undo", "--all", "rome", lake, "--yes"], "--all and rome"),
        (["status", file], "is a file, not a folder"),
        (["approve", run / "plan.json", "--max-share", "1.5"], "from 0 to 1"),
        (["approve", run / "plan.json", "--approved-by", ""], "--approved-by is empty"),
    ):
        code, told = told_of(capsys, *words)
        assert (code, reason in told, "--include" in told) == (2, True, False), (words, told)
    assert files_of_lake(lake) == before


def test_a_table_is_named_by_what_became_of_it(
    deleting: Deleting, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lake, _, _ = deleting
    applied(deleting)
    at_once = tmp_path / "at_once.toml"
    at_once.write_text("[deletion]\nretention_days = 0\n")
    purging = ["purge", "rome", lake, "--config", at_once]
    assert told_of(capsys, *purging, "--yes")[0] == 0
    code, told = told_of(capsys, *purging)
    assert (code, told) == (0, "rome: nothing to purge: it is purged\n")
    assert told_of(capsys, "rebuild", "rome", lake)[0] == 0
    code, told = told_of(capsys, "undo", "rome", "rome", lake)
    assert (code, told.count("it is rebuilt")) == (3, 1)


def test_a_check_of_a_plan_that_was_applied_says_so_once(
    deleting: Deleting, capsys: pytest.CaptureFixture[str]
) -> None:
    applied(deleting)
    assert main(["check", str(deleting[1] / "plan.json")]) == 1
    told = capsys.readouterr().out
    assert "lake-missing: 3 tables, such as half.parquet, are deleted by this very plan" in told
    assert told.count("lake-missing") == 1
    assert "again" not in told


def test_a_dry_rebuild_names_what_a_rebuild_would_not_bring_back(
    deleting: Deleting, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lake, to = deleting[0], tmp_path / "back"
    applied(deleting)
    capsys.readouterr()
    for words in (["--dry-run"], []):
        assert main(["rebuild", str(lake), "--under", ".", *words]) == 1
        assert capsys.readouterr().err.count("it is tombstoned: `r2d2 undo") == 3
    to.mkdir()
    (to / "oslo.parquet").write_text("other")
    for words in (["--dry-run"], []):
        assert main(["rebuild", "oslo.parquet", str(lake), "--to", str(to), *words]) == 1
        assert "oslo.parquet is there already" in capsys.readouterr().err
    (lake / "whole.parquet").rename(tmp_path / "whole.parquet")
    for words in (["--dry-run"], []):
        assert main(["rebuild", "rome", str(lake), "--to", str(to), *words]) == 1
        assert "whole.parquet is gone" in capsys.readouterr().err
    assert main(["rebuild", str(lake), "--under", "nosuch", "--to", str(to)]) == 2


def test_who_wrote_where_a_purged_table_was_is_told_how_to_go_on(
    deleting: Deleting, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lake, now = deleting[0], tmp_path / "now.toml"
    now.write_text("[deletion]\nretention_days = 0\n")
    applied(deleting)
    assert main(["purge", str(lake), "--config", str(now), "--yes"]) == 0
    shutil.copy(lake / "whole.parquet", lake / "oslo.parquet")
    capsys.readouterr()
    assert main(["rebuild", "oslo.parquet", str(lake)]) == 1
    assert "move it away, or, if it is a table, `r2d2 release" in capsys.readouterr().err
    (lake / "rome").write_text("no table")
    assert main(["rebuild", "rome", str(lake), "--dry-run"]) == 1
    assert main(["release", "oslo.parquet", str(lake), "--yes"]) == 0


def test_a_dry_run_tells_what_fsck_finds(
    deleting: Deleting, capsys: pytest.CaptureFixture[str]
) -> None:
    applied(deleting)
    next((deleting[0] / "_r2d2" / "quarantine").glob("*/*/oslo.parquet")).unlink()
    capsys.readouterr()
    for words in (["undo", "oslo.parquet"], ["purge"], ["release", "rome"]):
        main([*words, str(deleting[0])])
        assert capsys.readouterr().out.startswith("ALARM: oslo.parquet: 1 file of it went")
