"""A lake of a Parquet parent and a Delta child with a history, for tests that delete the child."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from r2d2.deletion.verbs.apply import apply
from r2d2.plan.plan_form import Data
from tests.support.deletion.small_lake import approved, deleted_tables, journal_of

ROWS = 300
CHILD = "sales"


def rows_of_parent() -> pa.Table:
    """The rows of which the child has two cities' in two commits."""
    return pa.table(
        {
            "id": range(ROWS),
            "city": [("Rome", "Oslo", "Lima")[n % 3] for n in range(ROWS)],
            "amount": [n * 7919 % 1009 / 4 for n in range(ROWS)],
        }
    )


def write_delta_lake(lake: Path, configuration: dict[str, str | None] | None = None) -> Path:
    """Writes the parent, and the child by delta-rs: partitioned, of two versions."""
    from deltalake import write_deltalake

    whole = rows_of_parent()
    lake.mkdir(parents=True)
    pq.write_table(whole, lake / "whole.parquet")
    for city in ("Rome", "Oslo"):
        write_deltalake(
            str(lake / CHILD),
            whole.filter(pc.equal(whole["city"], city)),
            partition_by=["city"],
            mode="append",
            name="sales",
            description="what was sold",
            configuration=configuration,
        )
    return lake / CHILD


def applied_delta(lake: Path, run: Path) -> list[Any]:
    """What apply told of a plan that deletes the child alone."""
    plan = planned_delta(lake, run)
    return list(apply(journal_of(lake), plan, run))


def planned_delta(lake: Path, run: Path) -> Data:
    """An approved plan that deletes the child alone."""
    plan = approved(lake, run)
    assert deleted_tables(plan) == [CHILD]
    return plan


def rows_by_delta_rs(table: Path) -> list[tuple[Any, ...]]:
    """The rows as delta-rs reads them, in order."""
    from deltalake import DeltaTable

    read = DeltaTable(str(table)).to_pyarrow_table().select(["id", "city", "amount"])
    return sorted(zip(*(column.to_pylist() for column in read.columns), strict=True))


def child_rows() -> list[tuple[Any, ...]]:
    """The rows of the child, in order."""
    whole = rows_of_parent()
    columns = (column.to_pylist() for column in whole.columns)
    return sorted(row for row in zip(*columns, strict=True) if row[1] != "Lima")
