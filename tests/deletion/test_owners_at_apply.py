"""Whose files a table has is asked again when it is to be deleted: owners may have come since."""

import os
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from r2d2.cli import main
from r2d2.deletion.verbs.apply import Applied, Refused, apply
from r2d2.errors import R2D2Error
from tests.support.deletion.small_lake import approved, files_of_lake, journal_of, write_lake
from tests.support.lake.owned import IcebergTable, put


def symlink_manifest(lake: Path) -> None:
    """A Hive table of which the file is a part, by a manifest of symbolic links."""
    put(lake / "hive" / "_symlink_format_manifest" / "manifest", f"{lake}/oslo.parquet\n")


def iceberg_manifest(lake: Path) -> None:
    """An Iceberg table whose manifest names the file."""
    IcebergTable(lake, "ice", lambda path: f"{lake}/{path}").commit(["oslo.parquet"])


def link(lake: Path) -> None:
    """A symbolic link from elsewhere in the lake."""
    (lake / "shared").mkdir()
    (lake / "shared" / "oslo.parquet").symlink_to(lake / "oslo.parquet")


def other_rows(lake: Path) -> None:
    """Other rows under the same name, size and time."""
    path = lake / "oslo.parquet"
    before, rows = path.stat(), pq.read_table(path)
    pq.write_table(rows.slice(0, len(rows)), path)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def gone(lake: Path) -> None:
    """The table was dropped."""
    (lake / "oslo.parquet").unlink()


def parent_gone(lake: Path) -> None:
    """Its parent was dropped, and so the parent of all."""
    (lake / "whole.parquet").unlink()


@pytest.mark.parametrize(
    "change",
    [symlink_manifest, iceberg_manifest, link, other_rows, gone, parent_gone],
    ids=lambda change: change.__name__,
)
def test_a_table_that_is_another_or_anothers_since_the_plan_is_refused(
    change: Callable[[Path], None], tmp_path: Path
) -> None:
    lake, run = tmp_path / "lake", tmp_path / "run"
    write_lake(lake)
    plan = approved(lake, run)
    change(lake)
    before = files_of_lake(lake)
    steps = list(apply(journal_of(lake), plan, run))
    refused = {step.table for step in steps if isinstance(step, Refused)}
    assert "oslo.parquet" in refused
    moved = {step.table for step in steps if isinstance(step, Applied)}
    left = {path: content for path, content in before.items() if path.split("/")[0] not in moved}
    assert files_of_lake(lake) == left


def test_files_that_came_into_a_tables_folder_keep_it(tmp_path: Path) -> None:
    lake, run = tmp_path / "lake", tmp_path / "run"
    write_lake(lake)
    plan = approved(lake, run)
    put(lake / "rome" / "readme.txt", "somebody's notes")
    steps = list(apply(journal_of(lake), plan, run))
    assert [step.table for step in steps if isinstance(step, Refused)] == ["rome"]
    assert (lake / "rome" / "readme.txt").read_text() == "somebody's notes"


def test_a_lake_that_is_read_only_by_its_permissions_is_left_alone_also_by_root(
    tmp_path: Path,
) -> None:
    lake, run = tmp_path / "lake", tmp_path / "run"
    write_lake(lake)
    plan = approved(lake, run)
    before = files_of_lake(lake)
    lake.chmod(0o555)
    try:
        with pytest.raises(R2D2Error, match="let nobody write"):
            list(apply(journal_of(lake), plan, run))
    finally:
        lake.chmod(0o755)
    assert files_of_lake(lake) == before


def test_a_table_whose_folder_is_read_only_stays(tmp_path: Path) -> None:
    lake, run = tmp_path / "lake", tmp_path / "run"
    write_lake(lake / "team")
    plan = approved(lake, run)
    (lake / "team").chmod(0o555)
    try:
        steps = list(apply(journal_of(lake), plan, run))
    finally:
        (lake / "team").chmod(0o755)
    assert [type(step) for step in steps] == [Refused] * 3
    assert all("by its permissions" in step.reason for step in steps if isinstance(step, Refused))


def test_that_no_catalogue_was_asked_must_be_accepted_by_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lake, run = tmp_path / "lake", tmp_path / "run"
    write_lake(lake)
    approved(lake, run)
    before, plan = files_of_lake(lake), str(run / "plan.json")
    assert main(["apply", plan, "--yes"]) == 2
    told = capsys.readouterr().err
    assert "--no-catalogue" in told
    assert "--catalogue FILE" in told
    assert files_of_lake(lake) == before
    assert main(["apply", plan, "--yes", "--no-catalogue"]) == 0
    assert files_of_lake(lake) != before
