"""Sets of deleted tables: chosen by plan or folder, in an order, one reading for one parent."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from r2d2.cli import main
from r2d2.deletion.parents import families
from r2d2.deletion.verbs.apply import apply
from r2d2.deletion.verbs.rebuild import Back, chosen, forecast, rebuild
from r2d2.errors import R2D2Error
from r2d2.plan.plan_form import Data
from r2d2.recipes import run as recipe_run
from tests.support.deletion.small_lake import (
    approved,
    deleted_tables,
    journal_of,
    write_lake,
)

Deleted = tuple[Path, Data, dict[str, list[object]]]


@pytest.fixture
def deleted(tmp_path: Path) -> Deleted:
    """A lake, the plan that was applied to it, and the ids of each table's rows before."""
    lake, run = tmp_path / "lake", tmp_path / "run"
    write_lake(lake)
    plan = approved(lake, run)
    rows = {name: ids(lake / name) for name in deleted_tables(plan)}
    list(apply(journal_of(lake), plan, run))
    return lake, plan, rows


def ids(table: Path) -> list[object]:
    return sorted(pq.read_table(table)["id"].to_pylist())


def test_tables_of_one_parent_come_back_by_one_reading_of_it(
    deleted: Deleted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake, plan, rows = deleted
    read: list[str] = []
    real = recipe_run.read_split

    def counted(storage, split, names):  # type: ignore[no-untyped-def]
        read.append(split.file.path)
        return real(storage, split, names)

    monkeypatch.setattr(recipe_run, "read_split", counted)
    journal = journal_of(lake)
    names = chosen(journal, [], None, plan["sha256"])
    slices = [n for n in names if journal.deletion(n).table in ("oslo.parquet", "rome")]
    assert len(families([journal.deletion(name) for name in slices])) == 1
    back = list(rebuild(journal, slices, tmp_path / "together"))
    assert all(isinstance(each, Back) for each in back)
    together = len(read)
    for name in slices:
        list(rebuild(journal, [name], tmp_path / "alone"))
    assert together < len(read) - together
    for table in ("oslo.parquet", "rome"):
        assert ids(tmp_path / "together" / table) == rows[table]


def test_a_set_is_chosen_by_plan_by_folder_or_by_name(deleted: Deleted) -> None:
    lake, plan, rows = deleted
    journal = journal_of(lake)

    def tables(names: list[str]) -> set[str]:
        return {journal.deletion(name).table for name in names}

    assert tables(chosen(journal, [], None, plan["sha256"])) == set(rows)
    assert tables(chosen(journal, [], "rome", None)) == {"rome"}
    assert tables(chosen(journal, ["half.parquet"], "rome", None)) == {"half.parquet", "rome"}
    with pytest.raises(R2D2Error, match="r2d2 status"):
        chosen(journal, [], "elsewhere", None)


def test_what_a_deadline_leaves_too_late_is_said_first(deleted: Deleted) -> None:
    lake, _, rows = deleted
    journal = journal_of(lake)
    deletions = [journal.deletion(table) for table in rows]
    promises = [deletion.record["entry"]["rebuild_p95_s"] for deletion in deletions]
    told = forecast(deletions, max(promises))
    assert [each.in_time for each in told] == [True, True, False]
    assert {each.table for each in told[:2]} == {"oslo.parquet", "rome"}


def test_the_command_rebuilds_all_of_a_plan(
    deleted: Deleted, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lake, _, rows = deleted
    plan, to = str(tmp_path / "run" / "plan.json"), tmp_path / "back"
    wanted = ["--all-of", plan, "--to", str(to), "--deadline", "1s"]
    assert main(["rebuild", str(lake), *wanted]) == 0
    assert "late" in capsys.readouterr().err
    assert {name: ids(to / name) for name in rows} == rows
