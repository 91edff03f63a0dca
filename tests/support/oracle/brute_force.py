"""The truth about a small lake, by comparing every row of every pair.

python -m tests.support.oracle.brute_force LAKE [--widened]
"""

import argparse
from collections.abc import Mapping
from pathlib import Path

from tests.support.oracle.reading import Rows, read_lake

Pair = tuple[str, str]
Counts = tuple[int, int]


def judge(folder: Path, *, widened: bool = False) -> dict[Pair, Counts]:
    """(child, parent) → (child's distinct rows, how many the parent lacks).

    Every ordered pair is listed whose parent has all columns of the child.
    A child without rows or without columns has no distinct rows.
    """
    return judge_tables(read_lake(folder, widened=widened))


def judge_tables(lake: Mapping[str, Rows]) -> dict[Pair, Counts]:
    """The same for tables already read."""
    projected: dict[tuple[str, tuple[tuple[str, ...], ...]], frozenset[object]] = {}

    def distinct(table: str, names: tuple[tuple[str, ...], ...]) -> frozenset[object]:
        key = (table, names)
        if key not in projected:
            projected[key] = frozenset(lake[table].distinct(names))
        return projected[key]

    pairs = {}
    for child, rows in lake.items():
        names = tuple(sorted(rows.kinds))
        for parent, candidate in lake.items():
            if child != parent and _has_columns(candidate, rows):
                mine = distinct(child, names)
                pairs[child, parent] = (len(mine), len(mine - distinct(parent, names)))
    return pairs


def _has_columns(parent: Rows, child: Rows) -> bool:
    """Whether the parent has the child's columns; one of type null is of any type."""
    theirs = parent.kinds
    return all(name in theirs and _match(kind, theirs[name]) for name, kind in child.kinds.items())


def _match(one: object, other: object) -> bool:
    if one == other or ("null",) in (one, other):
        return True
    if not isinstance(one, tuple) or not isinstance(other, tuple) or len(one) != len(other):
        return False
    return all(map(_match, one, other))


def edges(pairs: Mapping[Pair, Counts], min_fraction: float = 1.0) -> dict[Pair, Counts]:
    """The pairs whose fraction reaches `min_fraction`, degenerate ones apart."""
    return {
        pair: (rows, missing)
        for pair, (rows, missing) in pairs.items()
        if rows and fraction(rows, missing) >= min_fraction
    }


def degenerate(pairs: Mapping[Pair, Counts]) -> set[Pair]:
    """The pairs whose child has no rows or no columns."""
    return {pair for pair, (rows, _) in pairs.items() if not rows}


def equal(pairs: Mapping[Pair, Counts]) -> set[Pair]:
    """The contained pairs that are contained the other way round too."""
    contained = edges(pairs)
    return {(child, parent) for child, parent in contained if (parent, child) in contained}


def fraction(rows: int, missing: int) -> float:
    """The part of the child's distinct rows that the parent has; 1 where it has none."""
    return (rows - missing) / rows if rows else 1.0


def main() -> None:
    """Prints the truth about a lake as CSV."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("lake", type=Path)
    arguments.add_argument("--widened", action="store_true")
    options = arguments.parse_args()
    print("child,parent,child_distinct,missing,fraction")
    for (child, parent), (rows, missing) in judge(options.lake, widened=options.widened).items():
        print(f"{child},{parent},{rows},{missing},{fraction(rows, missing)!r}")


if __name__ == "__main__":
    main()
