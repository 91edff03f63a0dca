"""Which tables the lake around lineitem has: rows, columns, and the near-misses' one change."""

import datetime
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

Rows = Callable[[pa.Table, float], pa.Array]
"""Which rows of a batch are wanted, given how far the batch is into the table, in [0, 1]."""


@dataclass(frozen=True, slots=True)
class Change:
    """One cell of a column changed, or one row more, this far into the table."""

    column: str
    at: float
    more: bool = False


@dataclass(frozen=True, slots=True)
class Derived:
    """A table to write: which rows, which columns (all where empty), which change."""

    rows: Rows
    columns: tuple[str, ...] = ()
    change: Change | None = None


def shipped(start: str, end: str) -> Rows:
    """The rows shipped from a day up to, and without, another."""
    first, last = (pa.scalar(datetime.date.fromisoformat(day)) for day in (start, end))
    return lambda batch, _: pc.and_(
        pc.greater_equal(batch["l_shipdate"], first), pc.less(batch["l_shipdate"], last)
    )


def equal(name: str, value: str) -> Rows:
    """The rows with a value in a column."""
    return lambda batch, _: pc.equal(batch[name], value)


def stretch(start: float, end: float) -> Rows:
    """A stretch of the table, by batches."""
    return lambda batch, at: pa.array([start <= at < end] * batch.num_rows)


QUARTERS: Mapping[str, Rows] = {
    "1995q1": shipped("1995-01-01", "1995-04-01"),
    "1995q2": shipped("1995-04-01", "1995-07-01"),
    "1995q3": shipped("1995-07-01", "1995-10-01"),
    "1995q4": shipped("1995-10-01", "1996-01-01"),
}
SLICES: Mapping[str, Rows] = {
    **QUARTERS,
    "1993": shipped("1993-01-01", "1994-01-01"),
    "1994": shipped("1994-01-01", "1995-01-01"),
    "by_air": equal("l_shipmode", "AIR"),
    "returned": equal("l_returnflag", "R"),
    "load_1": stretch(0.0, 0.1),
    "load_2": stretch(0.3, 0.4),
    "load_3": stretch(0.5, 0.6),
    "load_4": stretch(0.9, 1.0),
}
KINDS: Mapping[str, tuple[str, ...]] = {
    "prices": (
        "l_orderkey", "l_linenumber", "l_partkey", "l_suppkey", "l_quantity", "l_extendedprice",
    ),
    "dates": (
        "l_orderkey", "l_linenumber", "l_shipdate", "l_commitdate", "l_receiptdate", "l_shipmode",
    ),
    "parts": ("l_suppkey", "l_partkey", "l_quantity", "l_returnflag", "l_linestatus"),
}  # fmt: skip
PROJECTED: Mapping[str, Rows] = {
    "all": stretch(0.0, 1.0),
    "1994": SLICES["1994"],
    "1995q1": SLICES["1995q1"],
    "load_2": SLICES["load_2"],
}
NEAR_MISSES: Mapping[str, tuple[str, Change]] = {
    "quantity": ("1995q1", Change("l_quantity", 0.6)),
    "supplier": ("1995q2", Change("l_suppkey", 0.7)),
    "comment": ("load_1", Change("l_comment", 0.06)),
    "received": ("load_3", Change("l_receiptdate", 0.55)),
    "row_in_1995q3": ("1995q3", Change("l_partkey", 0.4, more=True)),
    "row_in_load_4": ("load_4", Change("l_tax", 0.97, more=True)),
}


def derived() -> dict[str, Derived]:
    """Every table of the lake by location."""
    tables = {"warehouse/lineitem.parquet": Derived(stretch(0.0, 1.0))}
    for name, rows in SLICES.items():
        tables[f"slices/{name}.parquet"] = Derived(rows)
    for kind, columns in KINDS.items():
        for name, rows in PROJECTED.items():
            tables[f"marts/{kind}_{name}.parquet"] = Derived(rows, columns)
    for name, (part, change) in NEAR_MISSES.items():
        tables[f"drafts/{name}.parquet"] = Derived(SLICES[part], change=change)
    return tables
