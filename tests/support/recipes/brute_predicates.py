"""All predicates of one or two atoms, enumerated and evaluated in plain Python."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import pyarrow as pa

from tests.support.recipes.children import row_identities

MOST_LISTED = 10


@dataclass(frozen=True, slots=True)
class BruteAtom:
    """An atom as Python has it, and which rows of the table it holds for."""

    says: str
    rows: frozenset[int]


def brute_atoms(table: pa.Table) -> list[BruteAtom]:
    """Every atom that the grammar has, the search may offer, and one row satisfies."""
    atoms = [atom for name in table.column_names for atom in _atoms(name, table[name].to_pylist())]
    return [atom for atom in atoms if atom.rows]


def _atoms(name: str, values: Sequence[Any]) -> Iterator[BruteAtom]:
    def atom(says: str, holds: Callable[[Any], bool]) -> BruteAtom:
        rows = (row for row, value in enumerate(values) if holds(value))
        return BruteAtom(f"{name} {says}", frozenset(rows))

    yield atom("is null", lambda value: value is None)
    yield atom("is not null", lambda value: value is not None)
    known = [value for value in values if value is not None and value == value]
    has_minus_zero = any(str(value) == "-0.0" for value in known)
    named = sorted(
        {
            v
            for v in known
            if v not in (float("inf"), -float("inf")) and not (has_minus_zero and v == 0)
        }
    )
    for value in named:
        yield atom(f"= {value}", lambda other, value=value: other == value)
    for low, high in combinations(named, 2):
        if not isinstance(low, bool):
            yield atom(
                f"in [{low}, {high}]",
                lambda other, low=low, high=high: other is not None and low <= other <= high,
            )
    for size in range(2, min(len(named), MOST_LISTED) + 1):
        for listed in combinations(named, size):
            yield atom(f"in {listed}", lambda other, listed=listed: other in listed)


def brute_predicates(
    table: pa.Table, child: Sequence[int], columns: Sequence[str]
) -> tuple[list[BruteAtom], list[tuple[BruteAtom, BruteAtom]]]:
    """Those of one atom and those of two that select as many of each row as the child has."""
    identities = row_identities(table, columns)
    wanted = Counter(identities[row] for row in child)
    atoms = brute_atoms(table)

    def right(rows: frozenset[int]) -> bool:
        return Counter(identities[row] for row in rows) == wanted

    ones = [atom for atom in atoms if right(atom.rows)]
    distinct = list({atom.rows: atom for atom in atoms}.values())
    twos = [(a, b) for a, b in combinations(distinct, 2) if right(a.rows & b.rows)]
    return ones, twos
