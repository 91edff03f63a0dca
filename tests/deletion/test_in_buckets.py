"""A plan's tables in a bucket with versions leave the lake, come back, are purged and rebuilt."""

from pathlib import Path

import pytest

from r2d2.deletion.verbs.apply import Applied, apply
from r2d2.deletion.verbs.fsck import discrepancies
from r2d2.deletion.verbs.purge import Purged, purge
from r2d2.deletion.verbs.rebuild import Back, rebuild
from r2d2.deletion.verbs.undo import Undone, undo, undoable
from tests.support.deletion.bucket_lake import BucketLake
from tests.support.deletion.small_lake import deleted_tables
from tests.support.servers import S3Server
from tests.support.storage.buckets import bucket_on


@pytest.fixture
def lake(moto: S3Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> BucketLake:
    """The small lake in a bucket that keeps versions."""
    bucket_on(moto, monkeypatch)
    made = BucketLake(versioned=True)
    made.write(tmp_path / "source")
    return made


def test_what_was_applied_is_hidden_and_undo_gives_the_very_versions_back(
    lake: BucketLake, tmp_path: Path
) -> None:
    before, versions = lake.objects(), lake.versions()
    plan = lake.approved(tmp_path / "run")
    steps = list(apply(lake.journal(), plan, tmp_path / "run"))
    assert [type(step) for step in steps] == [Applied] * 3, steps
    assert set(lake.objects()) == {"whole.parquet"}
    journal = lake.journal()
    assert list(discrepancies(journal)) == []
    back = list(undo(journal, [deletion.id for deletion in undoable(journal)]))
    assert [type(step) for step in back] == [Undone] * 3, back
    assert lake.objects() == before
    own = ("_r2d2/", "_")
    assert [each for each in lake.versions() if not each[0].startswith(own)] == versions


def test_a_purge_deletes_the_journalled_versions_alone_and_rebuild_gives_the_tables_back(
    lake: BucketLake, tmp_path: Path
) -> None:
    lake.put("oslo.parquet", (tmp_path / "source" / "oslo.parquet").read_bytes())
    first, second = [id_ for path, id_ in reversed(lake.versions("oslo.parquet"))]
    plan, run = lake.approved(tmp_path / "run"), tmp_path / "run"
    assert all(isinstance(step, Applied) for step in apply(lake.journal(), plan, run))
    assert [type(step) for step in purge(lake.journal(), 0.0)] == [Purged] * 3
    left = [id_ for _, id_ in lake.versions("oslo.parquet")]
    assert left == [first]
    assert second not in left
    assert lake.versions("rome/") == []
    assert list(discrepancies(lake.journal())) == []
    names = deleted_tables(plan)
    assert all(isinstance(b, Back) for b in rebuild(lake.journal(), names, tmp_path / "back"))
    in_place = list(rebuild(lake.journal(), names, None))
    assert [type(back) for back in in_place] == [Back] * 3, in_place
    assert {"half.parquet", "oslo.parquet"} < set(lake.objects())
    assert list(discrepancies(lake.journal())) == []
