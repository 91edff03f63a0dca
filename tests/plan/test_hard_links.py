"""A file that has another name frees nothing when one of them goes: the other keeps the bytes."""

import json
import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from r2d2.cli import main

DEAR = "[prices]\nas_of = 2026-01-01\nstorage_usd_per_gb_month = 1e9\nscan_usd_per_gb = 1e9\n"


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    lake = tmp_path / "lake"
    lake.mkdir()
    pq.write_table(pa.table({"x": range(2000)}), lake / "all.parquet")
    return lake


def part(place: Path, begin: int) -> Path:
    place.parent.mkdir(exist_ok=True)
    pq.write_table(pa.table({"x": range(begin, begin + 500)}), place)
    return place


def planned(lake: Path, name: str) -> Any:
    run, dear = lake.parent / "run", lake.parent / "dear.toml"
    dear.write_text(DEAR)
    assert main(["find", str(lake), "--out", str(run)]) == 0
    assert main(["plan", "--run", str(run), "--config", str(dear)]) == 0
    assert main(["check", str(run / "plan.json")]) == 0
    tables = json.loads((run / "plan.json").read_text())["tables"]
    return next(table for table in tables if table["table"] == name)


@pytest.mark.parametrize("other", ["lake/copy.parquet", "elsewhere.parquet"])
def test_a_table_whose_file_has_another_name_stays_as_its_deletion_frees_nothing(
    lake: Path, other: str
) -> None:
    os.link(part(lake / "part.parquet", 0), lake.parent / other)
    table = planned(lake, "part.parquet")
    assert (table["choice"], table["frees_bytes"]) == ("keep", 0)
    assert "other names too (hard links): deleting it frees nothing" in table["reason"]


def test_a_table_is_rebuilt_from_one_whose_file_has_another_name(lake: Path) -> None:
    part(lake / "part.parquet", 0)
    os.link(lake / "all.parquet", lake.parent / "elsewhere.parquet")
    table = planned(lake, "part.parquet")
    assert (table["choice"], table["parents"]) == ("delete", ["all.parquet"])
    assert table["frees_bytes"] == table["size_bytes"]


def test_of_a_table_of_several_files_only_those_with_one_name_are_freed(lake: Path) -> None:
    linked = part(lake / "t" / "part-00000.parquet", 0)
    other = part(lake / "t" / "part-00001.parquet", 500)
    os.link(linked, lake.parent / "elsewhere.parquet")
    table = planned(lake, "t")
    assert table["choice"] == "delete"
    assert table["frees_bytes"] == other.stat().st_size
    assert table["size_bytes"] == linked.stat().st_size + other.stat().st_size
