"""Families bundled for one task each, so that a table is read by few tasks.

Families that share tables are neighbours, and a bundle reads each of its tables once. It is cut
where its tables outgrow a task: what is large stands alone.
"""

from collections.abc import Iterator, Sequence

from r2d2.model import Table
from r2d2.recipes.find.request import AnyRequest, Request, UnionRequest

TASK_BYTES = 32 << 20
LEAST_QUESTIONS, MOST_QUESTIONS = 200, 1024
"""Tables asked for in one bundle: worth a task's start, and no more than others wait for."""
MANY_TASKS = 64


def tables_of(family: AnyRequest) -> list[Table]:
    """The tables that are read for the family's proposals."""
    match family:
        case Request(parent, children):
            return [parent, *(child.table for child in children)]
        case UnionRequest(table, parts):
            return [table, *(part.table for part in parts)]


def batches(families: Sequence[AnyRequest]) -> list[list[int]]:
    """The families' numbers, each in one bundle, ascending in each."""
    questions = sum(len(tables_of(family)) for family in families)
    most = min(MOST_QUESTIONS, max(LEAST_QUESTIONS, -(-questions // MANY_TASKS)))
    found: list[list[int]] = []
    tables: dict[str, int] = {}
    asked = 0
    for number in _neighbours(families):
        own = {table.location: table.size_bytes for table in tables_of(families[number])}
        asked += len(own)
        together = tables | own
        if not found or asked > most or sum(together.values()) > TASK_BYTES:
            found.append([])
            together, asked = own, len(own)
        found[-1].append(number)
        tables = together
    return [sorted(bundle) for bundle in found]


def _neighbours(families: Sequence[AnyRequest]) -> Iterator[int]:
    """The families' numbers, those that share tables directly or through others side by side."""
    joined: dict[str, str] = {}

    def root(location: str) -> str:
        while (above := joined.setdefault(location, location)) != location:
            joined[location] = location = joined[above]
        return location

    for family in families:
        first, *others = tables_of(family)
        for other in others:
            low, high = sorted((root(first.location), root(other.location)))
            joined[high] = low
    order = sorted(
        (root(tables_of(family)[0].location), number) for number, family in enumerate(families)
    )
    yield from (number for _, number in order)
