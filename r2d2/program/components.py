"""Parts of the problem that share no table, each of which is solved for itself."""

from collections.abc import Sequence

from r2d2.plan.program.reduce import Usables

BATCH_TABLES = 300
"""A model of HiGHS takes 3 ms to start; 2,000 components of 2–3 tables take 7 s one by one and
0.6 s by 300."""


def components(usables: Usables) -> list[tuple[int, ...]]:
    """The tables of each connected component, both in order."""
    root = {table: table for table in usables}

    def find(table: int) -> int:
        while root[table] != table:
            root[table] = table = root[root[table]]
        return table

    for table, options in usables.items():
        for option in options:
            for parent in option.parents:
                one, other = sorted((find(table), find(parent)))
                root[other] = one
    members: dict[int, list[int]] = {}
    for table in sorted(usables):
        members.setdefault(find(table), []).append(table)
    return [tuple(tables) for tables in members.values()]


def batches(parts: Sequence[tuple[int, ...]]) -> list[tuple[tuple[int, ...], ...]]:
    """The components in order, as many together as one model takes."""
    groups: list[list[tuple[int, ...]]] = []
    room = 0
    for part in parts:
        if len(part) > room:
            groups.append([])
            room = BATCH_TABLES
        groups[-1].append(part)
        room -= len(part)
    return [tuple(group) for group in groups]
