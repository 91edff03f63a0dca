"""A lake whose columns are renamed at random, and how well `--renamed` does on it.

python -m tests.support.stages.renaming LAKE TRUTH.csv.gz [SEED]
"""

import csv
import gzip
import random
import string
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path
from time import perf_counter

import pyarrow as pa
import pyarrow.parquet as pq

import r2d2

Pair = tuple[str, str]


def write_renamed(source: Path, target: Path, seed: int, every: int = 3) -> list[str]:
    """Copies a lake of Parquet files with all columns of every so many tables renamed: which."""
    chance = random.Random(seed)
    renamed = []
    for number, path in enumerate(sorted(source.rglob("*.parquet"))):
        table = pq.read_table(path)
        location = path.relative_to(source).as_posix()
        if number % every == seed % every:
            names = ["".join(chance.choices(string.ascii_lowercase, k=8)) for _ in table.schema]
            table = table.rename_columns(names)
            renamed.append(location)
        copy = target / location
        copy.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, copy)
    return renamed


def true_edges(truth: Path) -> set[Pair]:
    """The strict edges of a truth."""
    with gzip.open(truth, "rt", newline="") as file:
        rows = csv.DictReader(file)
        return {(row["child"], row["parent"]) for row in rows if row["exact_strict"] == "true"}


def false_edges(lake: Path, edges: Iterable[r2d2.Edge]) -> list[Pair]:
    """The edges whose mapping does not hold, looked up row by row in plain Python."""
    column = cells(lake)

    @cache
    def rows(location: str, names: Sequence[str]) -> frozenset[tuple[object, ...]]:
        return frozenset(zip(*(column(location, name) for name in names), strict=True))

    found = []
    for edge in edges:
        names, others = zip(*edge.columns, strict=True)
        distinct = len(set(others)) == len(others)
        if not distinct or not rows(edge.child, names) <= rows(edge.parent, others):
            found.append((edge.child, edge.parent))
    return found


def cells(lake: Path) -> Callable[[str, str], list[object]]:
    """What reads a column's values, each with its type and with one NaN."""

    @cache
    def table(location: str) -> pa.Table:
        return pq.read_table(lake / location)

    @cache
    def column(location: str, name: str) -> list[object]:
        values = table(location).column(name.replace("`", ""))
        kind = str(values.type).split("[")[0]  # timestamps of any unit are one type
        return [(kind, "NaN" if value != value else value) for value in values.to_pylist()]

    return column


def main(lake: Path, truth: Path, seed: int) -> None:
    """Prints recall, false edges, and the time of the command against that of `find`."""
    expected = true_edges(truth)
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "lake"
        renamed = write_renamed(lake, copy, seed)
        edges = {(edge.child, edge.parent): edge for edge in r2d2.find(copy, renamed=True).edges}
        false = false_edges(copy, edges.values())
        plain, also = (_seconds(copy, *flags) for flags in ((), ("--renamed",)))
    print(f"{len(renamed)} tables renamed, seed {seed}")
    print(f"{len(expected & edges.keys())} of {len(expected)} true edges found", end=", ")
    print(f"recall {len(expected & edges.keys()) / len(expected):.4f}, {len(false)} false")
    print(f"{len(edges.keys() - expected)} more edges hold under their mappings")
    print(f"find {plain:.2f} s, find --renamed {also:.2f} s: {also / plain:.2f} ×")


def _seconds(lake: Path, *flags: str) -> float:
    """The least of three runs of the whole process."""
    command = [
        sys.executable,
        "-c",
        "from r2d2.__main__ import run; run()",
        "find",
        str(lake),
        *flags,
    ]
    taken = []
    for _ in range(3):
        with tempfile.TemporaryDirectory() as out:
            start = perf_counter()
            subprocess.run([*command, "--out", out], check=True, capture_output=True)
            taken.append(perf_counter() - start)
    return min(taken)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 0)
