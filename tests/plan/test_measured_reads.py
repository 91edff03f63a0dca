"""A recipe is charged the bytes that its run read: partitions, row groups and columns."""

from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from deltalake import write_deltalake

from r2d2.cli import main
from r2d2.plan import make_plan
from r2d2.plan.check import check_plan
from r2d2.plan.plan_file import kept_kind
from r2d2.plan.usage import Usage
from r2d2.settings.plan import PlanLimits, PlanSettings, Prices, Rates

MONTHS, ROWS = 60, 200

# The default prices and rates, where a kilobyte stands for a gigabyte and a cluster runs already.
SCALE = 1e6
PLAIN = PlanSettings()
SETTINGS = replace(
    PLAIN,
    prices=Prices(
        storage_usd_per_gb_month=PLAIN.prices.storage_usd_per_gb_month * SCALE,
        scan_usd_per_gb=PLAIN.prices.scan_usd_per_gb * SCALE,
        read_usd_per_gb=PLAIN.prices.read_usd_per_gb * SCALE,
        write_usd_per_gb=PLAIN.prices.write_usd_per_gb * SCALE,
    ),
    rates=Rates(
        start_up_p95_s=0.0,
        read_p50_s_per_gb=PLAIN.rates.read_p50_s_per_gb * SCALE,
        read_p95_s_per_gb=0.0,
        write_p50_s_per_gb=PLAIN.rates.write_p50_s_per_gb * SCALE,
        write_p95_s_per_gb=0.0,
    ),
    plan=PlanLimits(min_saving_usd_per_month=0.0, min_plan_saving_usd_per_month=0.0),
)
ONCE = (Usage(1, "month", 1.0), Usage(2, "years", 1.0))


def rows() -> pa.Table:
    """Five years of months, with text that does not compress."""
    count = MONTHS * ROWS
    return pa.table(
        {
            "month": [f"{2020 + n // ROWS // 12}-{n // ROWS % 12 + 1:02}" for n in range(count)],
            "id": range(count),
            "note": [sha256(str(n).encode()).hexdigest() for n in range(count)],
            "more": [sha256(f"more {n}".encode()).hexdigest() for n in range(count)],
        }
    )


def partitioned(lake: Path, table: pa.Table) -> None:
    write_deltalake(str(lake / "years"), table, partition_by=["month"])


def folders(lake: Path, table: pa.Table) -> None:
    pq.write_to_dataset(table, lake / "years", partition_cols=["month"])


def parts(lake: Path, table: pa.Table) -> None:
    """A file for each month, which only its statistics and rows tell."""
    (lake / "years").mkdir()
    for number in range(MONTHS):
        part = table.slice(number * ROWS, ROWS)
        pq.write_table(part, lake / f"years/part-{number:05}.parquet")


def row_groups(lake: Path, table: pa.Table) -> None:
    """One file with a row group for each month."""
    pq.write_table(table, lake / "years.parquet", row_group_size=ROWS)


def scattered(lake: Path, table: pa.Table) -> None:
    order = pc.sort_indices(pa.array([n * 7919 % table.num_rows for n in range(table.num_rows)]))
    pq.write_table(table.take(order), lake / "years.parquet")


def planned(folder: Path, write: Callable[[Path, pa.Table], None], columns: list[str]) -> Any:
    """The entry of one month's table, and the bytes of all years."""
    lake, run, table = folder / "lake", folder / "run", rows()
    lake.mkdir()
    write(lake, table)
    month = table.filter(pc.equal(table["month"], "2022-05")).select(columns)
    pq.write_table(month, lake / "month.parquet")
    assert main(["find", str(lake), "--out", str(run)]) == 0
    plan = make_plan(run, SETTINGS, ONCE)
    assert check_plan(plan, run) == check_plan(plan) == ()
    entries = {entry["table"]: entry for entry in plan["tables"]}
    (years,) = (entry for name, entry in entries.items() if name.startswith("years"))
    return entries["month.parquet"], years["size_bytes"]


EVERY = ["month", "id", "note", "more"]


@pytest.mark.parametrize("write", [partitioned, folders, parts, row_groups])
def test_a_month_of_five_years_goes_as_only_its_part_is_read(
    tmp_path: Path, write: Callable[[Path, pa.Table], None]
) -> None:
    month, years_bytes = planned(tmp_path, write, EVERY)
    assert (month["choice"], month["recipe"]["kind"]) == ("delete", "select")
    read_bytes = month["evidence"]["read_bytes"]
    assert 0.7 * month["size_bytes"] < read_bytes < years_bytes / 20
    assert month["saving_usd_per_month"] > 0.5 * month["keep_usd_per_month"]


def test_a_month_whose_rows_are_everywhere_stays_once_it_was_run(tmp_path: Path) -> None:
    month, _ = planned(tmp_path, scattered, EVERY)
    assert month["choice"] == "keep"
    assert kept_kind(month) == "rebuilding it would cost more than keeping it"


def test_columns_that_are_not_asked_for_are_not_charged(tmp_path: Path) -> None:
    all_columns, years_bytes = planned(tmp_path, parts, EVERY)
    (tmp_path / "fewer").mkdir()
    fewer, _ = planned(tmp_path / "fewer", parts, ["month", "id"])
    assert fewer["choice"] == "delete"
    part_bytes = years_bytes / MONTHS
    spared = all_columns["evidence"]["read_bytes"] - fewer["evidence"]["read_bytes"]
    assert 0.6 * part_bytes < spared < part_bytes
