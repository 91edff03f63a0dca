"""A lake of daily snapshots: many small tables, millions of pairs whose columns fit, few edges.

    python -m benchmarks.snapshots FOLDER [--days 500] [--closed 4]

Five feeds write one Parquet file a day. A feed's schema grew over the years, so that its versions
are nested: 7 + 4 + 4 + 3 + 2 = 20 schemas of 500 days each give 10,000 tables and, as
`duckdb_peer.py` counts them, 14.24 million pairs. Counts accumulate, and newcomers wait at zero, so
that a day's bounds often lie within a later day's. A seventh of the entities rests on a day and
some, `--closed`, have closed for good, so that rows come back unchanged. One child a schema was
written from rows of another table: 20 true edges. One seed, the same lake.
"""

import argparse
import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.snapshot_values import (
    ENTITIES,
    FIRST_DAY,
    days_of_rest,
    entities_present,
    names_of,
    values_of,
)

SEED = 20_240_229


@dataclass(frozen=True, slots=True)
class Feed:
    """What one source reports: its entity, and the columns that each version of it added."""

    name: str
    entity: str
    versions: tuple[tuple[str, ...], ...]


FEEDS = (
    Feed(
        "health",
        "district",
        (
            ("region:text", "population:trait", "cases:count", "deaths:count", "contacts:count"),
            ("recovered:count", "admitted:count"),
            ("tests:count", "trend:status"),
            ("reported_at:time",),
            ("incidence:level",),
            ("beds_free:level", "beds_total:trait"),
            ("vaccinated:count", "boosters:count"),
        ),
    ),
    Feed(
        "retail",
        "store",
        (
            (
                "city:text",
                "tier:trait",
                "units_sold:count",
                "revenue_cents:count",
                "customers:count",
            ),
            ("units_returned:count", "refunds_cents:count"),
            ("stock:level",),
            ("closed_at:time",),
        ),
    ),
    Feed(
        "energy",
        "meter",
        (
            ("area:text", "tariff:trait", "consumed_wh:count", "readings:count"),
            ("fed_in_wh:count", "outages:count", "meter_state:status"),
            ("peak_kw:level", "lowest_kw:level"),
            ("read_at:time",),
        ),
    ),
    Feed(
        "transit",
        "station",
        (
            ("line:text", "zone:trait", "entries:count", "exits:count", "transfers:count"),
            ("tickets:count", "lifts:status", "delay_min:level"),
            ("counted_at:time",),
        ),
    ),
    Feed(
        "web",
        "page",
        (
            ("section:text", "language:trait", "views:count", "visitors:count", "shares:count"),
            ("crawled_at:time",),
        ),
    ),
)


def make(lake: Path, days: int = 500, closed: int = 4) -> tuple[tuple[str, str], ...]:
    """Write the lake, `days` tables a schema; returns the true edges, (child, parent)."""
    edges: list[tuple[str, str]] = []
    for number, feed in enumerate(FEEDS):
        folder = lake / feed.name
        folder.mkdir(parents=True, exist_ok=True)
        chance = np.random.default_rng((SEED, number))
        tables = list(snapshots(feed, days, closed, chance))
        for child, parent in restated(len(feed.versions), days):
            tables[child] = some_rows(tables[parent], tables[child].column_names, chance)
            edges.append((file_name(feed, child), file_name(feed, parent)))
        for day, table in enumerate(tables):
            pq.write_table(table, lake / file_name(feed, day))
    return tuple(sorted(edges))


def file_name(feed: Feed, day: int) -> str:
    """Where a day's table lies in the lake."""
    return f"{feed.name}/{feed.name}_{FIRST_DAY + day}.parquet"


def restated(versions: int, days: int) -> Iterator[tuple[int, int]]:
    """One (child day, parent day) a version: the parent is of the next version, or of the last."""
    for version in range(versions):
        later = min(version + 1, versions - 1)
        yield version * days + days // 3, later * days + days * 3 // 4


def some_rows(table: pa.Table, names: Sequence[str], chance: np.random.Generator) -> pa.Table:
    """The least number of rows an ordinary table has, of the columns named, in their order."""
    chosen = chance.choice(table.num_rows, ENTITIES[0], replace=False)
    return table.select(names).take(pa.array(np.sort(chosen)))


def snapshots(
    feed: Feed, days: int, closed: int, chance: np.random.Generator
) -> Iterator[pa.Table]:
    """A table a day, all versions one after another."""
    present = entities_present(days * len(feed.versions), chance)
    resting = days_of_rest(present.shape, closed, chance)
    columns = {feed.entity: names_of(feed.entity, present.shape)}
    for version, added in enumerate(feed.versions):
        for column in added:
            name, _, kind = column.partition(":")
            columns[name] = values_of(kind, present, resting, chance)
        for day in range(version * days, (version + 1) * days):
            here = np.flatnonzero(present[day])
            yield pa.table({name: values[day, here] for name, values in columns.items()})


def write_truth(lake: Path, edges: Sequence[tuple[str, str]]) -> None:
    """The true edges, in the lake under a name that is no table's."""
    with (lake / "_truth.csv").open("w", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(("child", "parent"))
        out.writerows(edges)


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description="Write the lake of daily snapshots.")
    arguments.add_argument("lake", type=Path)
    arguments.add_argument("--days", type=int, default=500)
    arguments.add_argument("--closed", type=int, default=4)
    chosen = arguments.parse_args()
    write_truth(chosen.lake, make(chosen.lake, chosen.days, chosen.closed))
