"""A journal, a record or a file in quarantine that anybody changed is told, and never believed.

R2D2_FLIPS=2000 flips so many bits, of each kind of file alike; what came of them is printed by -s.
"""

import errno
import os
import random
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from r2d2.cli import main
from r2d2.deletion.discrepancies import changed_parents, discrepancies
from r2d2.deletion.verbs.apply import Applied, Refused, apply, would_apply
from r2d2.deletion.verbs.fsck import settle
from r2d2.deletion.verbs.purge import NotPurged, purge, would_purge
from r2d2.deletion.verbs.rebuild import Back, rebuild
from r2d2.deletion.verbs.undo import NotUndone, Undone, undo
from r2d2.errors import EXIT_FAILED, EXIT_FOUND, EXIT_OK, R2D2Error, UsageError
from r2d2.lake.deletions import JournalError
from r2d2.lake.inventory import take_inventory
from r2d2.plan.plan_file import load_plan
from r2d2.plan.rebuild import LostTable
from r2d2.recipes.find.reading import read_batches
from r2d2.settings.find import Settings
from r2d2.storage import storage_of
from tests.support.deletion.delta_lake import CHILD, applied_delta, child_rows, write_delta_lake
from tests.support.deletion.small_lake import approved, journal_of, write_lake

KINDS = 9
FLIPS = -(-int(os.environ.get("R2D2_FLIPS", "180")) // KINDS)
"""Of each kind of file."""


@pytest.fixture(scope="module")
def applied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a lake whose plan was applied."""
    folder = tmp_path_factory.mktemp("tampering")
    write_lake(folder / "lake")
    plan = approved(folder / "lake", folder / "run")
    list(apply(journal_of(folder / "lake"), plan, folder / "run"))
    return folder


@pytest.fixture
def lake(applied: Path, tmp_path: Path) -> Path:
    """A copy of that lake."""
    return shutil.copytree(applied / "lake", tmp_path / "lake")


def flip(path: Path, chance: random.Random) -> None:
    """One bit of the file is another."""
    content = bytearray(path.read_bytes())
    content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    path.write_bytes(content)


def flips(files: Sequence[Path], count: int = FLIPS) -> Iterator[Path]:
    """Each time one of the files with another bit, and in the end all as they were."""
    chance = random.Random(f"{len(files)} {files[0].name}")
    for _ in range(count):
        path = chance.choice(files)
        content = path.read_bytes()
        flip(path, chance)
        yield path
        path.write_bytes(content)


def told_of(kind: str, outcomes: Counter[str]) -> None:
    """Prints what came of the flips, none of which was let through unseen."""
    print(f"\n{kind}: {dict(outcomes)}")
    assert outcomes.total() == FLIPS


def records(lake: Path) -> list[Path]:
    return sorted((lake / "_r2d2" / "journal").glob("*.json"))


def test_a_journal_with_any_bit_flipped_is_refused(lake: Path) -> None:
    assert any("approved" in path.read_text() for path in records(lake))
    for _ in flips(records(lake)):
        with pytest.raises(JournalError):
            journal_of(lake)
    journal_of(lake)
    told_of("journal and approval", Counter(refused=FLIPS))


@pytest.mark.parametrize("name", ["journal/0000000001.json", "head.json"])
def test_a_journal_that_this_user_may_not_read_is_not_to_be_mended(
    lake: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = os.open

    def closed(path: str, *more: Any) -> int:
        if str(path).endswith(name):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        return opened(path, *more)

    monkeypatch.setattr("r2d2.storage.local.os.open", closed)
    told = f"_r2d2/{name}: Permission denied; let this user read it, or take one who may: "
    with pytest.raises(JournalError, match=told):
        journal_of(lake)


def test_a_head_with_any_bit_flipped_is_refused(lake: Path) -> None:
    for _ in flips([lake / "_r2d2" / "head.json"]):
        with pytest.raises(JournalError):
            journal_of(lake)
    told_of("head", Counter(refused=FLIPS))


def check_flips_of_a_plan(path: Path, count: int) -> None:
    """Passes where each flip is refused, also one that leaves every value as it was."""
    load_plan(path)
    for _ in flips([path], count):
        with pytest.raises(UsageError):
            load_plan(path)


def test_a_plan_with_any_bit_flipped_is_refused(applied: Path) -> None:
    check_flips_of_a_plan(applied / "run" / "plan.json", FLIPS)
    told_of("plan", Counter(refused=FLIPS))


def test_a_runs_files_with_any_bit_flipped_let_no_other_plan_be_applied(tmp_path: Path) -> None:
    lake, run = tmp_path / "lake", tmp_path / "run"
    write_lake(lake)
    plan = approved(lake, run)
    journal, outcomes = journal_of(lake), Counter[str]()
    right = list(would_apply(journal, plan, run))
    files = [run / "graph.json", run / "recipes.json", *(run / "residuals").iterdir()]
    for path in flips(files):
        try:
            now = list(would_apply(journal, plan, run))
        except R2D2Error:
            outcomes["refused"] += 1
            continue
        assert now == right or any(isinstance(step, Refused) for step in now), path
        outcomes["the same deletions" if now == right else "a table refused"] += 1
    told_of("run's evidence, settings and residuals", outcomes)


def test_a_provenance_record_with_any_bit_flipped_is_told_by_fsck(lake: Path) -> None:
    for path in flips(sorted((lake / "_r2d2" / "records").glob("*/deletion.json"))):
        found = list(discrepancies(journal_of(lake)))
        assert [each.deletion for each in found if each.is_alarm] == [path.parent.name]
    told_of("provenance record", Counter(alarm=FLIPS))


def test_a_residual_with_any_bit_flipped_purges_and_rebuilds_nothing(
    lake: Path, tmp_path: Path
) -> None:
    (residual,) = (lake / "_r2d2" / "records").glob("*/residuals/*")
    journal = journal_of(lake)
    for _ in flips([residual]):
        steps = {step.table: step for step in would_purge(journal, 0.0)}
        assert isinstance(steps["half.parquet"], NotPurged)
        (lost,) = rebuild(journal, ["half.parquet"], tmp_path / "back")
        assert isinstance(lost, LostTable)
    told_of("residual", Counter({"purge and rebuild refuse": FLIPS}))


def test_a_file_in_quarantine_with_any_bit_flipped_is_not_put_back(lake: Path) -> None:
    for path in flips(sorted((lake / "_r2d2" / "quarantine").rglob("*.parquet"))):
        again = shutil.copytree(lake, lake.with_name("again"))
        name = path.relative_to(lake / "_r2d2" / "quarantine").parts[0]
        (step,) = undo(journal_of(again), [name])
        assert isinstance(step, NotUndone)
        assert "SHA-256" in step.reason
        shutil.rmtree(again)
    told_of("quarantined data", Counter({"undo refuses": FLIPS}))


def test_a_parent_with_any_bit_flipped_gives_the_same_rows_or_none(
    lake: Path, tmp_path: Path
) -> None:
    names, outcomes = ["oslo.parquet", "rome", "half.parquet"], Counter[str]()
    journal = journal_of(lake)
    list(rebuild(journal, names, tmp_path / "right"))
    right = {name: rows_of(tmp_path / "right" / name) for name in names}
    for number, _ in enumerate(flips([lake / "whole.parquet"])):
        for back in rebuild(journal, names, tmp_path / str(number)):
            if isinstance(back, Back):
                name = back.rebuilt.table
                assert rows_of(tmp_path / str(number) / name) == right[name]
        outcomes["none" if isinstance(back, LostTable) else "the same rows"] += 1
        shutil.rmtree(tmp_path / str(number), ignore_errors=True)
    told_of("parent's data", outcomes)


def rows_of(path: Path) -> list[dict[str, object]]:
    rows = pq.read_table(path, partitioning=None).to_pylist()
    return sorted(rows, key=lambda row: row["id"])


def test_a_delta_table_with_any_bit_flipped_comes_back_with_its_rows_or_not_at_all(
    tmp_path: Path,
) -> None:
    """Of its log and of its data, which both stay where they are."""
    lake, outcomes = tmp_path / "lake", Counter[str]()
    write_delta_lake(lake)
    (step,) = applied_delta(lake, tmp_path / "run")
    assert isinstance(step, Applied)
    files = [*(lake / CHILD / "_delta_log").glob("*.json"), *(lake / CHILD).rglob("*.parquet")]
    for path in flips(sorted(files)):
        again = shutil.copytree(lake, tmp_path / "again")
        kind = "log" if path.suffix == ".json" else "data"
        steps = list(undo(journal_of(again), [CHILD]))
        if any(isinstance(step, Undone) for step in steps):
            assert kind == "log"
            assert rows_by_r2d2(again) == child_rows()
            outcomes["log: the same rows"] += 1
        else:
            outcomes[f"{kind}: undo refuses"] += 1
        shutil.rmtree(again)
    told_of("Delta log and data", outcomes)


def rows_by_r2d2(lake: Path) -> list[tuple[object, ...]] | None:
    """The rows of the Delta table as r2d2 reads them; None where it refuses to."""
    storage = storage_of(str(lake))
    (table,) = [t for t in take_inventory(storage, Settings()).tables if t.location == CHILD]
    if not table.eligible:
        return None
    batches = read_batches(storage, table, table.columns)
    rows = pa.Table.from_batches(batches).select(["id", "city", "amount"])
    return sorted(zip(*(column.to_pylist() for column in rows.columns), strict=True))


@pytest.mark.parametrize("which", [0, 3, -1])
def test_a_journal_without_one_of_its_records_is_refused(lake: Path, which: int) -> None:
    records(lake)[which].unlink()
    with pytest.raises(JournalError):
        journal_of(lake)


def test_a_journal_with_two_records_exchanged_is_refused(lake: Path) -> None:
    one, other = records(lake)[2:4]
    first, second = one.read_bytes(), other.read_bytes()
    one.write_bytes(second)
    other.write_bytes(first)
    with pytest.raises(JournalError):
        journal_of(lake)


def test_a_file_that_changed_in_quarantine_is_not_put_back_but_its_table_is_rebuilt(
    lake: Path, tmp_path: Path
) -> None:
    moved = next((lake / "_r2d2" / "quarantine").glob("*/*/oslo.parquet"))
    flip(moved, random.Random(1))
    (step,) = list(undo(journal_of(lake), ["oslo.parquet"]))
    assert isinstance(step, NotUndone)
    assert "SHA-256" in step.reason
    assert not (lake / "oslo.parquet").exists()
    (back,) = list(rebuild(journal_of(lake), ["oslo.parquet"], tmp_path / "back"))
    assert isinstance(back, Back)


def test_a_file_that_was_cut_in_quarantine_is_an_alarm_and_rebuilt(lake: Path) -> None:
    cut = next((lake / "_r2d2" / "quarantine").glob("*/*/oslo.parquet"))
    rows = pq.read_table(cut)
    cut.write_bytes(b"")
    (told,) = discrepancies(journal_of(lake))
    assert told.is_alarm
    assert "oslo.parquet is not in quarantine as it was moved there" in told.told
    assert "that file is deleted then" in told.remedy
    alarm, back = undo(journal_of(lake), ["oslo.parquet"])
    assert (alarm, type(back)) == (told, Undone)
    assert pq.read_table(lake / "oslo.parquet").equals(rows)
    assert not cut.exists()


def test_a_file_that_was_cut_in_quarantine_stays_where_its_parent_does_not_give_it(
    lake: Path,
) -> None:
    cut = next((lake / "_r2d2" / "quarantine").glob("*/*/oslo.parquet"))
    cut.write_bytes(cut.read_bytes()[:-100])
    pq.write_table(pq.read_table(lake / "whole.parquet").slice(5), lake / "whole.parquet")
    *_, refused, step = undo(journal_of(lake), ["oslo.parquet"])
    assert "gone or damaged, and it cannot be rebuilt" in str(refused)
    assert isinstance(step, NotUndone)
    assert len(list((lake / "_r2d2" / "quarantine").glob("*/*/oslo.parquet"))) == 1


def test_a_list_of_rows_that_changed_rebuilds_nothing_and_purges_nothing(
    lake: Path, tmp_path: Path
) -> None:
    residual = next((lake / "_r2d2" / "records").glob("*/residuals/*"))
    flip(residual, random.Random(2))
    (lost,) = list(rebuild(journal_of(lake), ["half.parquet"], tmp_path / "back"))
    assert isinstance(lost, LostTable)
    stays = [step for step in purge(journal_of(lake), 0.0) if isinstance(step, NotPurged)]
    assert [step.table for step in stays] == ["half.parquet"]


def test_a_parent_that_was_cut_is_an_alarm_with_its_remedy(
    lake: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = pq.read_table(lake / "whole.parquet")
    (lake / "whole.parquet").touch()
    assert (main(["fsck", str(lake)]), capsys.readouterr().out) == (
        EXIT_OK,
        "The journal and the files agree.\n",
    )
    pq.write_table(whole.slice(5), lake / "whole.parquet")
    assert main(["fsck", str(lake)]) == EXIT_OK
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("ALARM: whole.parquet: it changed: ")
    assert "(and 2 more) was deleted; is that table still in it? `r2d2 rebuild " in line
    assert "`r2d2 undo ID LAKE --yes` while the files are in quarantine" in line


def test_a_changed_parent_of_a_purged_table_is_an_alarm_without_undo(lake: Path) -> None:
    list(purge(journal_of(lake), 0.0))
    pq.write_table(pq.read_table(lake / "whole.parquet").slice(5), lake / "whole.parquet")
    journal = journal_of(lake)
    (told,) = changed_parents(journal, journal.place.storage.list())
    assert told.is_alarm
    assert told.remedy.endswith("shows it; if not, put its rows back")


def test_a_lake_whose_journal_alone_is_gone_is_refused_by_all(applied: Path, lake: Path) -> None:
    shutil.rmtree(lake / "_r2d2" / "journal")
    for head in (True, False):
        with pytest.raises(JournalError, match="cut" if head else "is gone"):
            take_inventory(storage_of(str(lake)), Settings())
        with pytest.raises(JournalError, match="cut" if head else "is gone"):
            journal_of(lake)
        (lake / "_r2d2" / "head.json").unlink(missing_ok=True)
    assert main(["find", str(lake)]) == EXIT_FAILED


def test_notes_of_deletions_without_a_journal_are_told(
    lake: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (lake / "_mine.deleted-by-r2d2.json").write_text("{}")
    assert main(["find", str(lake)]) == EXIT_OK
    assert "of deletions" not in capsys.readouterr().err
    shutil.rmtree(lake / "_r2d2")
    assert main(["find", str(lake)]) == EXIT_OK
    assert "3 notes *.deleted-by-r2d2.json of deletions, and no jo" in capsys.readouterr().err
    assert main(["status", str(lake)]) == EXIT_OK
    told = capsys.readouterr()
    assert "_rome.deleted-by-r2d2.json: a note of a deletion" in told.err
    assert "Nothing is deleted" not in told.out
    assert main(["fsck", str(lake)]) == EXIT_FOUND
    assert len(capsys.readouterr().out.splitlines()) == 3


def test_a_file_in_quarantine_that_changed_and_kept_its_size_is_found_by_who_reads_it(
    lake: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    moved = next((lake / "_r2d2" / "quarantine").glob("*/*/oslo.parquet"))
    whole = rows_of(moved)
    flip(moved, random.Random(1))
    assert main(["fsck", str(lake)]) == 0
    assert main(["fsck", str(lake), "--read-data"]) == 3
    assert "oslo.parquet is not in quarantine as it was moved there" in capsys.readouterr().out
    assert main(["fsck", str(lake), "--read-data", "--yes"]) == 0
    assert [type(step) for step in undo(journal_of(lake), ["oslo.parquet"])] == [Undone]
    assert rows_of(lake / "oslo.parquet") == whole


def test_files_beside_the_records_are_no_records(
    lake: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    killed, strange = (lake / "_r2d2" / "journal" / name for name in (".r2d2-1", "foo.tmp"))
    for each in (killed, strange):
        each.write_text("{}")
    assert main(["audit", str(lake)]) == 0
    capsys.readouterr()
    assert main(["fsck", str(lake), "--yes"]) == 3
    told = capsys.readouterr().out
    assert told == "fsck: _r2d2/journal/foo.tmp: no record of the journal; move it away\n"
    assert (killed.exists(), strange.exists()) == (False, True)


def test_a_file_in_quarantine_is_not_taken_for_what_a_killed_runner_left(lake: Path) -> None:
    moved = next((lake / "_r2d2" / "quarantine").glob("*/*/rome"))
    owners = moved / ".r2d2-of-its-owner"
    owners.write_text("kept")
    with (journal := journal_of(lake)).lease("fsck"):
        settle(journal)
    assert owners.read_text() == "kept"
