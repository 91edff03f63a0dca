"""A lake of so many tables that a plan deletes, of several kinds, ten of each parent."""

from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from r2d2.settings.plan import PlanSettings
from tests.support.deletion.small_lake import COSTLY

AT_ONCE = replace(COSTLY, rates=replace(COSTLY.rates, start_up_p95_s=0.0))
"""Promises are of the work alone: a start-up of minutes would hide what it takes."""
OF_ONE_PARENT = 10
WORDS = ("lima", "oslo", "rome", "kyiv", "bern", "doha", "baku", "bonn", "cork", "nice")


def write_many(lake: Path, tables: int, rows: int = 2000) -> PlanSettings:
    """The lake's folders: a parent for ten tables each; the settings to plan with."""
    for number in range(0, tables, OF_ONE_PARENT):
        name = f"{WORDS[number // 100 % 10]}_{WORDS[number // 10 % 10]}"
        whole = _whole(number, rows)
        _parquet(whole, lake / f"{name}_all")
        for part in range(min(OF_ONE_PARENT, tables - number)):
            selected, columns = KINDS[part % len(KINDS)]
            own = whole.filter(selected(whole, WORDS[part])).select(columns)
            _parquet(own, lake / f"{name}_{WORDS[part]}_part")
    return AT_ONCE


def rows_of(table: Path) -> list[str]:
    """The rows of a table of the lake, in any order."""
    return sorted(map(str, pq.read_table(table / "data.parquet").to_pylist()))


def _whole(number: int, rows: int) -> pa.Table:
    return pa.table(
        {
            "id": range(number * rows, (number + 1) * rows),
            "city": [WORDS[n % 10] for n in range(rows)],
            "share": [n * 2654435761 % 9973 / 7 for n in range(rows)],
            "note": [sha256(f"{number} {n}".encode()).hexdigest()[:24] for n in range(rows)],
        }
    )


def _parquet(table: pa.Table, folder: Path) -> None:
    folder.mkdir(parents=True)
    pq.write_table(table, folder / "data.parquet")


def _of_city(whole: pa.Table, city: str) -> Any:
    return pc.equal(whole["city"], city)


def _any_half(whole: pa.Table, city: str) -> Any:
    """Rows that no predicate selects."""
    start = WORDS.index(city) + 1
    return pa.array([n * 2654435761 * start % 97 < 48 for n in range(whole.num_rows)])


KINDS: tuple[tuple[Callable[[pa.Table, str], Any], list[str]], ...] = (
    (_of_city, ["id", "city", "share", "note"]),
    (_any_half, ["id", "city", "note"]),
    (_of_city, ["note", "id", "share"]),
)
