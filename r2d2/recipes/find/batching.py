"""Batches of requests for one task each, so that a table is read by few tasks.

Requests that share tables are neighbours, and a batch reads each of its tables once. It is cut
where its tables outgrow a task: what is large stands alone.
"""

from collections.abc import Iterator, Sequence

from r2d2.model import Table
from r2d2.recipes.find.request import AnyRequest, Request, UnionRequest

TASK_BYTES = 32 << 20
LEAST_TABLES, MOST_TABLES = 200, 1024
"""Of one batch: worth a task's start, and no more than other tasks wait for."""
MANY_TASKS = 64


def batches(requests: Sequence[AnyRequest]) -> list[list[int]]:
    """The requests' numbers by batch, ascending in each."""
    reads = sum(len(tables_of(request)) for request in requests)
    most = min(MOST_TABLES, max(LEAST_TABLES, -(-reads // MANY_TASKS)))
    cut: list[list[int]] = []
    batch_sizes: dict[str, int] = {}
    count = 0
    for number in _neighbours(requests):
        sizes = {table.location: table.size_bytes for table in tables_of(requests[number])}
        count += len(sizes)
        together = batch_sizes | sizes
        if not cut or count > most or sum(together.values()) > TASK_BYTES:
            cut.append([])
            together, count = sizes, len(sizes)
        cut[-1].append(number)
        batch_sizes = together
    return [sorted(batch) for batch in cut]


def tables_of(request: AnyRequest) -> list[Table]:
    """The tables that are read for the request's proposals."""
    match request:
        case Request(parent, children):
            return [parent, *(child.table for child in children)]
        case UnionRequest(table, parts):
            return [table, *(part.table for part in parts)]


def _neighbours(requests: Sequence[AnyRequest]) -> Iterator[int]:
    """The requests' numbers, those that share tables directly or through others side by side."""
    joined: dict[str, str] = {}

    def root(location: str) -> str:
        while (above := joined.setdefault(location, location)) != location:
            joined[location] = location = joined[above]
        return location

    for request in requests:
        first, *others = tables_of(request)
        for other in others:
            low, high = sorted((root(first.location), root(other.location)))
            joined[high] = low
    order = sorted(
        (root(tables_of(request)[0].location), number) for number, request in enumerate(requests)
    )
    yield from (number for _, number in order)
