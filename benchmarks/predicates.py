"""Filters planted in a table: how many does the predicate search find, by kind and size?

    python -m benchmarks.predicates [--rows 2000,20000,200000] [--conditions 1,2,3] [--most 2000]
                                    [--seed 0] [--missed]

Each filter is SQL that DuckDB runs: the child is what it selects. A predicate that is found is
rendered as SQL, too, and DuckDB must give the child's rows and no others, else it is inexact.
All pairs and triples of kinds are planted, or so many of them as `--most` says, evenly chosen. A
filter that selects no row, or all of them, or repeats a column of another, is left out.
"""

import argparse
import itertools
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import duckdb
import numpy as np
import pyarrow as pa

from r2d2.arrays import Bools, Int64s
from r2d2.recipes.grammar import Field, Output, Select
from r2d2.recipes.predicate import Predicate, find_predicate
from r2d2.recipes.predicate.columns import EncodedTable
from r2d2.recipes.predicate.row_labels import RowLabels
from r2d2.recipes.sql import SqlDialect, query

KINDS: dict[str, dict[str, tuple[str, ...]]] = {
    "=": {"a": ("a = 1",), "s": ("s = 'IT'",), "c": ("c = 7",)},
    "IN": {"a": ("a IN (1, 3)",), "s": ("s IN ('IT', 'FR', 'DE')",), "c": ("c IN (2, 5, 11)",)},
    "int range": {"q": ("q BETWEEN 100 AND 700", "q >= 300"), "c": ("c < 20",)},
    "float range": {"d": ("d < 0.7", "d BETWEEN -1 AND 1.1", "d >= -0.2")},
    "date range": {"day": ("day BETWEEN '1970-03-02' AND '1970-05-31'", "day >= '1971-01-01'")},
    "timestamp range": {"ts": ("ts >= '2024-03-01 12:30:00'", "ts < '2024-09-01'")},
    "string range": {"code": ("code >= 'M'", "code BETWEEN 'C' AND 'T'")},
    "IS NULL": {"g": ("g IS NULL",), "b": ("b IS NULL",)},
    "IS NOT NULL": {"g": ("g IS NOT NULL",), "b": ("b IS NOT NULL",), "e": ("e IS NOT NULL",)},
    "<>": {"a": ("a <> 2",), "c": ("c <> 7",), "s": ("s <> 'IT'",), "cust": ("cust <> 17",)},
    "NOT IN": {"c": ("c NOT IN (3, 9)",), "cust": ("cust NOT IN (5, 17, 44)",)},
    "LIKE prefix": {"code": ("code LIKE 'K%'", "code LIKE 'B%'")},
    "NaN and -0.0": {
        "f": (
            *("f > 0.5", "f < 0.5", "f >= 0", "f < 0", "f = 0", "f <= 0"),
            *("isnan(f)", "NOT isnan(f)"),
        )
    },
    "struct NULL": {"st": ("st IS NULL", "st IS NOT NULL")},
    "list NULL": {"li": ("li IS NULL", "li IS NOT NULL")},
    "month": {
        "ts": ("month(ts) = 3", "month(ts) IN (6, 7, 8)"),
        "day": ("month(day) = 12", "month(day) <> 8"),
    },
    "weekday": {
        "day": ("isodow(day) <= 5", "isodow(day) IN (6, 7)"),
        "ts": ("isodow(ts) = 1", "isodow(ts) IN (2, 4)"),
    },
    "modulo": {"id": ("id % 10 = 3", "id % 7 <> 0", "id % 10 < 8"), "cust": ("cust % 2 = 0",)},
    "two columns": {
        "x": ("x < y", "x = y", "x >= y", "x <> y"),
        "day": ("day <= due",),
        "s": ("s = s2",),
    },
    "OR": {
        "a": ("(a = 1 OR s = 'IT')", "((a = 1 AND c < 10) OR (a = 2 AND q > 500))"),
        "day": ("(day < DATE '1970-06-01' OR q > 900)",),
        "g": ("(g IS NULL OR c = 3)",),
    },
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Filter:
    """The kinds of its conditions, and the SQL."""

    kinds: tuple[str, ...]
    sql: str


def table(rows: int, seed: int) -> pa.Table:
    """A table with columns of every kind; `id` is its key."""
    rng = np.random.default_rng(seed)

    def some_null(values: Sequence[object], share: float) -> pa.Array:
        return pa.array(
            [None if x < share else v for x, v in zip(rng.random(rows), values, strict=True)]
        )

    countries = np.array(["IT", "FR", "DE", "ES", "UK", "US", "AT", "CH", "NL", "BE"])
    letters = np.array(list("ABCDEFGHIJKLMNOPQRSTUVWXYZ"))
    floats = rng.normal(0, 1, rows)
    floats[rng.random(rows) < 0.05] = np.nan
    floats[rng.random(rows) < 0.05] = 0.0
    floats[rng.random(rows) < 0.05] = -0.0
    days = np.sort(rng.integers(0, 700, rows)).astype("i4")
    x = rng.integers(0, 1000, rows)
    return pa.table(
        {
            "id": np.arange(rows),
            "a": rng.integers(0, 5, rows),
            "b": some_null(rng.integers(0, 50, rows).tolist(), 0.03),
            "c": rng.integers(0, 30, rows),
            "cust": rng.integers(0, 500, rows),
            "d": rng.normal(0, 1, rows),
            "e": some_null(rng.integers(0, 50, rows).tolist(), 0.002),
            "f": floats,
            "g": some_null(rng.integers(0, 9, rows).tolist(), 0.3),
            "q": rng.integers(0, 1000, rows),
            "s": countries[rng.integers(0, 10, rows)].tolist(),
            "s2": countries[rng.integers(0, 10, rows)].tolist(),
            "code": [f"{letters[i]}{n:06d}" for i, n in rng.integers(0, (26, 10**6), (rows, 2))],
            "day": pa.array(days, pa.date32()),
            "due": pa.array(days + rng.integers(-9, 30, rows).astype("i4"), pa.date32()),
            "ts": pa.array(
                1704067200 * 10**6 + rng.integers(0, 366 * 86400 * 10**6, rows), pa.timestamp("us")
            ),
            "x": x,
            "y": np.where(rng.random(rows) < 0.2, x, rng.integers(0, 1000, rows)),
            "st": some_null([{"u": int(n)} for n in rng.integers(0, 9, rows)], 0.2),
            "li": some_null([[int(n)] for n in rng.integers(0, 9, rows)], 0.2),
        }
    )


def filters(conditions: int, most: int, seed: int) -> Iterator[Filter]:
    """Filters of so many conditions of different kinds, on different columns."""
    rng = np.random.default_rng(seed)
    every = list(itertools.combinations(KINDS, conditions))
    if conditions == 1:
        for kind, columns in KINDS.items():
            for sql in itertools.chain.from_iterable(columns.values()):
                yield Filter((kind,), sql)
        return
    for kinds in every[:: max(1, -(-len(every) // most))]:
        chosen: dict[str, str] = {}
        for kind in kinds:
            free = [column for column in KINDS[kind] if column not in chosen]
            if free:
                column = free[int(rng.integers(len(free)))]
                texts = KINDS[kind][column]
                chosen[column] = texts[int(rng.integers(len(texts)))]
        if len(chosen) == conditions:
            yield Filter(kinds, " AND ".join(chosen.values()))


class Planted:
    """A table in DuckDB, and the search over it."""

    def __init__(self, rows: int, seed: int) -> None:
        self.rows, self.table = rows, table(rows, seed)
        self.encoded = EncodedTable.of(self.table)
        self.sql = duckdb.connect(config={"threads": 1})
        self.sql.register("parent", self.table)
        self.sql.execute("CREATE TABLE p AS SELECT * FROM parent")

    def mask(self, text: str) -> Bools:
        """The mask of the rows whose ids a query gives."""
        mask = np.zeros(self.rows, np.bool_)
        mask[self.sql.sql(text).fetchnumpy()["id"]] = True
        return mask

    def found(self, rows: Int64s) -> Predicate | None:
        """The predicate that is found for a child of these rows."""
        child = np.zeros(self.rows, np.int8)
        child[rows] = 1
        ones = np.ones(self.rows, np.int64)
        labels = RowLabels(np.arange(self.rows), ones, child, is_key=True)
        return find_predicate(self.encoded, labels)

    def outcome(self, planted: Filter) -> str:
        """`found`, `missed`, `inexact`, or `left out`."""
        child = self.mask(f"SELECT id FROM p WHERE {planted.sql}")
        if not child.any() or child.all():
            return "left out"
        found = self.found(np.flatnonzero(child))
        if found is None:
            return "missed"
        recipe = Select("p", (Output("id", Field(("id",))),), found.atoms)
        text = query(recipe, {"p": ("p",)}, SqlDialect.DUCKDB)
        return "found" if np.array_equal(self.mask(text), child) else f"inexact: {text}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Plants the filters and prints the table; 1 where a predicate is inexact."""
    options = argparse.ArgumentParser("python -m benchmarks.predicates", description=__doc__)
    options.add_argument("--rows", default="2000,20000")
    options.add_argument("--conditions", default="1,2,3")
    options.add_argument("--most", type=int, default=2000)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--missed", action="store_true", help="print every filter that is missed")
    chosen = options.parse_args(arguments)
    sizes = [int(part) for part in chosen.rows.split(",")]
    numbers = [int(part) for part in chosen.conditions.split(",")]
    counts: dict[tuple[str, int, int], Counter[str]] = defaultdict(Counter)
    inexact = 0
    for rows in sizes:
        planted = Planted(rows, chosen.seed)
        for number in numbers:
            start = time.process_time()
            for one in filters(number, chosen.most, chosen.seed):
                told = planted.outcome(one)
                for kind in (*one.kinds, "all"):
                    counts[kind, rows, number][told.partition(":")[0]] += 1
                inexact += told.startswith("inexact")
                if told.startswith("inexact") or (chosen.missed and told == "missed"):
                    print(f"{rows}: {told}: {one.sql}")
            seconds = time.process_time() - start
            print(f"{rows} rows, {number} conditions: {seconds:.1f} s of CPU", file=sys.stderr)
    columns = [(rows, number) for rows in sizes for number in numbers]
    print("| kind | " + " | ".join(f"{rows:,} × {number}" for rows, number in columns) + " |")
    print("|---" * (len(columns) + 1) + "|")
    for kind in (*KINDS, "all"):
        cells = []
        for column in columns:
            count = counts[(kind, *column)]
            cells.append(f"{count['found']}/{count['found'] + count['missed'] + count['inexact']}")
        print(f"| {kind} | " + " | ".join(cells) + " |")
    print(f"inexact: {inexact}")
    return 1 if inexact else 0


if __name__ == "__main__":
    sys.exit(main())
