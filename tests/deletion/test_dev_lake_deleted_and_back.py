"""The dev lake: planned, approved, applied, purged, and rebuilt into its places."""

import shutil
from pathlib import Path

import pytest

from r2d2.deletion.journal import Journal
from r2d2.deletion.verbs.apply import Applied, apply
from r2d2.deletion.verbs.purge import Purged, purge
from r2d2.deletion.verbs.rebuild import Back, RebuildLimits, rebuild
from r2d2.lake.deletions import State
from tests.plan.test_deleted_tables_come_back import differences
from tests.support.deletion.small_lake import approved, deleted_tables, journal_of

pytestmark = [pytest.mark.shared, pytest.mark.slow]


def states(journal: Journal) -> set[State]:
    """The states of all deletions."""
    return {deletion.state for deletion in journal.state.deletions.values()}


def test_every_table_of_the_dev_lake_that_is_purged_comes_back_equal(
    shared: Path, tmp_path: Path
) -> None:
    original, lake, run = shared / "lakes/dev/parquet", tmp_path / "lake", tmp_path / "run"
    shutil.copytree(original, lake, copy_function=shutil.copyfile)
    for folder in (lake, *(path for path in lake.rglob("*") if path.is_dir())):
        folder.chmod(0o755)  # the shared lake may be read alone
    plan = approved(lake, run)
    names = deleted_tables(plan)
    assert len(names) > 150
    moved = list(apply(journal_of(lake), plan, run))
    assert [type(step) for step in moved] == [Applied] * len(names)
    gone = list(purge(journal_of(lake), 0))
    assert [type(step) for step in gone] == [Purged] * len(names)
    assert not [name for name in names if (lake / name).exists()]
    back = list(rebuild(journal_of(lake), names, None, RebuildLimits(2)))
    assert [type(step) for step in back] == [Back] * len(names)
    assert states(journal_of(lake)) == {State.REBUILT}
    print(f"{len(names)} tables deleted, purged and back")
    assert [name for name in names if differences(original / name, lake / name)] == []
