"""Writes the sample lake's expected edges, by comparing every pair of tables as Python sets.

    python tests/golden/brute_force.py [--lake sample_lake] [--to tests/golden]

Nothing here is shared with r2d2: the formats are read by other means where there are some
(Delta by replaying its log, CSV and JSON by the standard library), and rows are tuples.

- sample_lake_edges.csv: child, parent under strict types;
- sample_lake_widened.csv: the edges that only widened types add;
- sample_lake_near.csv: child, parent, missing_rows, child_rows for fractions in [0.9, 1);
- sample_lake_degenerate.csv: the edges of tables without rows.
"""

import argparse
import csv
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from tests.golden.brute_readers import Rows, read_lake

HERE = Path(__file__).parent
WIDENED = re.compile(r"u?int\d+|float\d+|decimal.*")
NEAR_HEADER = ("child", "parent", "missing_rows", "child_rows")


def main() -> None:
    """Read every table of the lake, compare all pairs, write four files."""
    arguments = argparse.ArgumentParser(description="Write the sample lake's expected edges.")
    arguments.add_argument("--lake", type=Path, default=HERE.parents[1] / "sample_lake")
    arguments.add_argument("--to", type=Path, default=HERE)
    chosen = arguments.parse_args()
    tables = dict(read_lake(chosen.lake))
    compared = list(compare(tables))
    write(chosen.to / "sample_lake_edges.csv", exact(compared))
    wide = {location: widened(table) for location, table in tables.items()}
    added = set(exact(compare(wide))) - set(exact(compared))
    write(chosen.to / "sample_lake_widened.csv", added)
    near = [pair for pair in compared if 0 < pair[2] <= 0.1 * pair[3]]
    write(chosen.to / "sample_lake_near.csv", near, NEAR_HEADER)
    write(chosen.to / "sample_lake_degenerate.csv", degenerate(tables))


def compare(tables: Mapping[str, Rows]) -> Iterator[tuple[str, str, int, int]]:
    """(child, parent, missing rows, child rows) of each pair whose columns fit; distinct rows."""
    distinct = cache(lambda location, names: tables[location].distinct(names))
    for child, small in tables.items():
        names = tuple(sorted(small.types))
        for parent, large in tables.items():
            fits = parent != child and small.types.items() <= large.types.items()
            if fits and not small.empty():
                rows = distinct(child, names)
                yield child, parent, len(rows - distinct(parent, names)), len(rows)


def exact(compared: Iterable[tuple[str, str, int, int]]) -> list[tuple[str, str]]:
    """The pairs without missing rows."""
    return [(child, parent) for child, parent, missing, _ in compared if not missing]


def degenerate(tables: Mapping[str, Rows]) -> list[tuple[str, str]]:
    """The pairs whose child has no rows."""
    return [
        (child, parent)
        for child, small in tables.items()
        for parent, large in tables.items()
        if parent != child and small.empty() and small.types.items() <= large.types.items()
    ]


def widened(table: Rows) -> Rows:
    """The table with all numbers as one type; Python compares them by exact value."""
    types = {n: "number" if WIDENED.fullmatch(t) else t for n, t in table.types.items()}
    return Rows(types, table.values)


def write(
    path: Path, rows: Iterable[tuple[Any, ...]], header: Sequence[str] = ("child", "parent")
) -> None:
    """Write sorted rows."""
    with path.open("w", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(header)
        out.writerows(sorted(rows))


if __name__ == "__main__":
    main()
