"""Random lakes of owners beside innocent copies: no owned file is planned, every copy is a table.

20 lakes by default; 200, and how much was planned, with

    R2D2_RANDOM_OWNERS=200 python -m pytest -q -n 0 -s tests/lake/owners/test_random_owners.py
"""

import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import r2d2
from r2d2.engines.spark.lake import SparkLake
from r2d2.lake.inventory import take_inventory
from r2d2.model import FileInfo
from r2d2.plan import make_plan
from r2d2.plan.check import check_plan
from r2d2.progress import Silence
from r2d2.report import write_find
from r2d2.settings.find import Settings
from r2d2.settings.plan import PlanSettings, Prices
from r2d2.storage import storage_of
from r2d2.storage.local import LocalStorage
from tests.support.lake.random_owners import make_owned_lake

LAKES = int(os.environ.get("R2D2_RANDOM_OWNERS", "20"))
SEED_OF_MANY = 15
"""Seven owners: a streaming sink, Iceberg with and without metadata files, Delta with absolute
paths and with a clone, a transactional table of Hive and `_metadata`."""
DEAR = PlanSettings(prices=Prices(storage_usd_per_gb_month=1e9))


def test_no_owned_file_is_planned_and_innocent_copies_are_tables(tmp_path: Path) -> None:
    counts: Counter[str] = Counter()
    for seed in range(LAKES):
        root, run = tmp_path / f"lake{seed}", tmp_path / f"run{seed}"
        lake = make_owned_lake(root, seed)
        graph = r2d2.find(root)
        tables = {table.location: table for table in graph.tables}
        lake.check(tables)
        write_find(run, graph, Settings(), str(root))
        plan = make_plan(run, DEAR)
        assert check_plan(plan) == ()
        gone = {table["table"] for table in plan["tables"] if table["choice"] == "delete"}
        for location in gone:
            for file in tables[location].files:
                owner = lake.owner_of.get(file.path, location)
                assert owner == location, f"seed {seed}: {file.path} of {owner} is planned"
        counts["owned files"] += len(lake.owner_of)
        counts["copies"] += len(lake.innocent)
        counts["copies that may go"] += 0 if lake.unread else len(lake.innocent)
        counts["copies planned"] += len(gone & set(lake.innocent))
    assert counts["copies planned"] > counts["copies that may go"] / 3
    print(f"\n{LAKES} lakes: {dict(counts)}, 0 owned files planned")


@pytest.mark.spark
@pytest.mark.parametrize("most", [512, 0], ids=["driver", "executors"])
def test_spark_sees_the_same_owners_and_reads_their_metadata_once(
    tmp_path: Path, spark: Any, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    lake = make_owned_lake(tmp_path / "lake", SEED_OF_MANY)
    storage = storage_of(str(lake.root))
    here = take_inventory(storage, Settings())
    monkeypatch.setattr("r2d2.engines.spark.lake.DRIVER_TABLES", most)
    read: Counter[str] = Counter()
    plain = LocalStorage.read

    def counted(self: LocalStorage, file: FileInfo, *part: Any, **named: Any) -> bytes:
        read[file.path] += 1
        return plain(self, file, *part, **named)

    monkeypatch.setattr(LocalStorage, "read", counted)
    with SparkLake(storage, Settings(), spark, Silence()) as there:
        inventory = there.inventory()
    assert inventory.owners == here.owners
    assert inventory.skipped == here.skipped
    assert [_in_short(table) for table in inventory.tables] == list(map(_in_short, here.tables))
    metadata = [path for path in read if path.endswith((".avro", ".metadata.json", "/_metadata"))]
    assert metadata
    assert {read[path] for path in metadata} == {1}


def _in_short(table: r2d2.Table) -> tuple[str, bool, str | None]:
    return table.location, table.eligible, table.must_keep
