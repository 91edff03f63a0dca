"""The lake as it is now, held against a plan: Delta and Hive folders, a bucket."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, write_deltalake

from r2d2.cli import main
from r2d2.plan import make_plan
from r2d2.plan.lake_now import compare_lake
from r2d2.settings.plan import PlanSettings, Prices
from tests.support.servers import SmallServer, small_server
from tests.support.storage.buckets import Bucket, bucket_on

DEAR = PlanSettings(prices=Prices(storage_usd_per_gb_month=1e9))
ROWS = pa.table({"k": ["ab"[n % 2] for n in range(300)], "v": range(300)})


def lake_of(folder: Path) -> Path:
    """All rows in one file; half of them as Delta, with an old version; a third by partitions."""
    lake = folder / "lake"
    lake.mkdir()
    pq.write_table(ROWS, lake / "all.parquet")
    write_deltalake(str(lake / "delta"), ROWS.slice(0, 10))
    write_deltalake(str(lake / "delta"), ROWS.slice(0, 150), mode="overwrite")
    pq.write_to_dataset(
        ROWS.slice(0, 100), lake / "hive", ["k"], basename_template="part-{i}.parquet"
    )
    return lake


def planned(lake: str, run: Path) -> dict[str, Any]:
    assert main(["find", lake, "--out", str(run)]) == 0
    plan = make_plan(run, DEAR)
    gone = {t["table"] for t in plan["tables"] if t["choice"] == "delete"}
    assert gone == {"delta", "hive"}
    return plan


def since(plan: dict[str, Any], run: Path | None) -> dict[str, str]:
    """What stands against the plan, by rule."""
    broken = compare_lake(plan, run).broken
    assert len({rule for rule, _ in broken}) == len(broken), broken
    return dict(broken)


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    return lake_of(tmp_path)


@pytest.fixture
def plan(lake: Path, tmp_path: Path) -> dict[str, Any]:
    return planned(str(lake), tmp_path / "run")


def data_file(lake: Path) -> str:
    """The one file of the Delta table's newest version, by its path in the lake."""
    (path,) = DeltaTable(str(lake / "delta")).file_uris()
    return Path(path).relative_to(lake).as_posix()


def test_as_long_as_nothing_changed_nothing_is_said(plan: dict[str, Any], tmp_path: Path) -> None:
    for run in (tmp_path / "run", None):
        found = compare_lake(plan, run)
        assert (found.broken, found.notes) == ((), ())


def test_a_commit_since_is_told_by_its_files_or_its_version(
    plan: dict[str, Any], lake: Path, tmp_path: Path
) -> None:
    DeltaTable(str(lake / "delta")).alter.set_table_properties({"delta.appendOnly": "true"})
    told = since(plan, tmp_path / "run")
    assert told.keys() == {"lake-changed", "lake-foreign"}
    assert told["lake-changed"] == "delta is at delta:2, the plan saw delta:1"
    assert "delta/_delta_log/00000000000000000002.json" in told["lake-foreign"]


def test_a_data_file_of_delta_that_is_another_at_the_same_version_is_named(
    plan: dict[str, Any], lake: Path, tmp_path: Path
) -> None:
    path = data_file(lake)
    os.utime(lake / path, ns=(0, 0))
    assert path in since(plan, tmp_path / "run")["lake-changed"]
    (lake / path).unlink()
    told = since(plan, tmp_path / "run")
    assert told.keys() == {"lake-missing", "lake-unreadable"}
    assert path in told["lake-missing"]


def test_an_old_file_that_a_vacuum_took_stands_against_nothing(
    plan: dict[str, Any], lake: Path, tmp_path: Path
) -> None:
    (old,) = {path.name for path in (lake / "delta").glob("*.parquet")} - {
        data_file(lake).removeprefix("delta/")
    }
    (lake / "delta" / old).unlink()
    assert since(plan, tmp_path / "run") == {}


@pytest.mark.parametrize("name", ["hive/readme.md", "hive/k=a/_temporary/x", "delta/stray.parquet"])
def test_a_file_that_came_into_the_folder_of_a_table_that_goes_is_named(
    plan: dict[str, Any], lake: Path, tmp_path: Path, name: str
) -> None:
    (lake / name).parent.mkdir(exist_ok=True)
    (lake / name).write_bytes((lake / "all.parquet").read_bytes())
    assert name in json.dumps(compare_lake(plan, tmp_path / "run").broken)


def test_a_new_partition_is_named(plan: dict[str, Any], lake: Path) -> None:
    pq.write_to_dataset(
        pa.table({"k": ["c"], "v": [1]}), lake / "hive", ["k"], basename_template="part-{i}.parquet"
    )
    assert "hive: the file hive/k=c/part-0.parquet came" in since(plan, None)["lake-foreign"]


@pytest.fixture(scope="module")
def server() -> Iterator[SmallServer]:
    with small_server() as started:
        yield started


@pytest.fixture
def bucket(server: SmallServer, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    return bucket_on(server, monkeypatch)


@pytest.mark.slow
def test_a_bucket_is_looked_at_alike(bucket: Bucket, lake: Path, tmp_path: Path) -> None:
    assert isinstance(bucket.server, SmallServer)
    bucket.server.load(bucket.name, "lake/", lake)
    run, url = tmp_path / "run", f"s3://{bucket.name}/lake"
    plan = planned(url, run)
    path = str(run / "plan.json")
    assert main(["check", path]) == 0
    bucket.put("lake/hive/notes.txt")
    assert "hive/notes.txt" in since(plan, run)["lake-foreign"]
    bucket.delete("lake/hive/notes.txt")
    content = (lake / data_file(lake)).read_bytes()
    bucket.put(f"lake/{data_file(lake)}", content[:-1] + b"\0")
    assert data_file(lake) in since(plan, run)["lake-changed"]
    bucket.delete("lake/all.parquet")
    assert since(plan, run)["lake-missing"].startswith("all.parquet is gone")
    assert main(["check", path]) == 1
    assert main(["check", path, "--no-lake"]) == 0


def test_owners_that_came_since_are_noted(plan: dict[str, Any], lake: Path, tmp_path: Path) -> None:
    write_deltalake(str(lake / "new"), ROWS.slice(7, 3))
    found = compare_lake(plan, tmp_path / "run")
    assert found.broken == ()
    assert "1 table came since the plan was made, such as new" in found.notes
    assert "owners of files: 1 by delta when the plan was made, 2 now" in found.notes


def test_a_file_of_other_bytes_with_the_size_and_mtime_of_before_is_another(
    lake: Path, plan: dict[str, Any], tmp_path: Path
) -> None:
    """As `cp -p`, `rsync -a` and a restored backup leave it."""
    path = lake / "all.parquet"
    before, content = path.stat(), bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert "all.parquet" in "".join(since(plan, tmp_path / "run").values())
