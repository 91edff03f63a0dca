"""Problems to solve: small ones of every kind, chains, and lakes of realistic families."""

import math
from dataclasses import replace
from random import Random

from r2d2.plan.program import Option, Problem, StoredTable

GB = 10**9


def table(name: str, keep_usd: float, size_bytes: int = GB, **limits: object) -> StoredTable:
    """A table, with a limit or a reason to stay where a test gives one."""
    return StoredTable(name, keep_usd, size_bytes, **limits)  # type: ignore[arg-type]


def twins(*keep_usd: float, rebuild_usd: float = 0.1) -> Problem:
    """Tables each of which can be rebuilt from any other."""
    numbers = range(len(keep_usd))
    return Problem(
        tuple(table(f"twin{number}", usd) for number, usd in enumerate(keep_usd)),
        tuple(Option(c, (p,), rebuild_usd, 1.0) for c in numbers for p in numbers if c != p),
    )


def random_problem(chance: Random, most: int = 12, capped: bool = False) -> Problem:
    """Up to `most` tables with single and several parents, limits, protections, struck options."""
    count = chance.randint(1, most)
    tables = tuple(
        StoredTable(
            f"t{number}",
            keep_usd_per_month=chance.choice([0.0, 1.0, 10 ** chance.uniform(-3, 3)]),
            size_bytes=chance.choice([0, GB, chance.randrange(1, 100 * GB)]),
            limit_s=chance.choice([None, None, 60.0, 600.0]),
            must_keep="protected" if chance.random() < 0.1 else None,
        )
        for number in range(count)
    )
    options = tuple(
        random_option(chance, tables) for _ in range(chance.randint(0, 5 * count)) if count > 1
    )
    total = sum(table.size_bytes for table in tables)
    return Problem(tables, options, chance.randint(0, total) if capped else None)


def random_option(chance: Random, tables: tuple[StoredTable, ...]) -> Option:
    """An option of any table on one to three others, often cheaper than keeping it."""
    child = chance.randrange(len(tables))
    others = [number for number in range(len(tables)) if number != child]
    several = min(len(others), chance.choice([1, 1, 1, 2, 3]))
    keep_usd = tables[child].keep_usd_per_month
    return Option(
        child,
        tuple(chance.sample(others, several)),
        usd_per_month=chance.choice(
            [0.0, keep_usd, keep_usd / 2, chance.uniform(0, 1.2) * keep_usd]
        ),
        seconds=chance.choice([1.0, 60.0, 61.0, 700.0]),
        struck="differs" if chance.random() < 0.05 else None,
    )


def with_views(chance: Random, problem: Problem) -> Problem:
    """The problem where about half of the recipes may be views too, dearer or cheaper."""
    views = tuple(
        replace(
            option,
            usd_per_month=option.usd_per_month * chance.choice([0.0, 0.5, 1.0, 2.0]),
            seconds=option.seconds / 10,
            view_of=number,
        )
        for number, option in enumerate(problem.options)
        if chance.random() < 0.5
    )
    return replace(problem, options=(*problem.options, *views))


def chain(chance: Random, count: int) -> tuple[list[float], list[list[float]], Problem]:
    """A chain in which each table contains all later ones, with costs for the chain program.

    Returns the costs of keeping, `rebuild[j][k]` of table k from its ancestor j, which grows with
    the ancestor's size, and the same as a problem. The first table must stay.
    """
    sizes = sorted((chance.uniform(1, 100) for _ in range(count)), reverse=True)
    keep = [size * 0.02 for size in sizes]
    reads = [chance.lognormvariate(-3, 2) for _ in range(count)]
    rebuild = [
        [
            reads[k] * (sizes[j] * 0.01 + sizes[k] * 0.02) if j < k else math.inf
            for k in range(count)
        ]
        for j in range(count)
    ]
    tables = tuple(
        table(f"t{k}", keep[k], must_keep="the root" if k == 0 else None) for k in range(count)
    )
    options = tuple(Option(k, (j,), rebuild[j][k], 1.0) for k in range(count) for j in range(k))
    return keep, rebuild, Problem(tables, options)


def families(chance: Random, tables: int, options: int) -> Problem:
    """A lake of containment families, closed under containment, priced by bytes.

    A family grows from a root: each table is a part of a recent one or an exact copy of it, so
    that it can be rebuilt from any of its ancestors; some tables are also the union of parts.
    """
    depth = options / tables
    stored: list[StoredTable] = []
    ways: list[Option] = []
    while len(stored) < tables:
        base = len(stored)
        count = min(tables - base, max(2, round(chance.lognormvariate(math.log(4 * depth), 0.5))))
        _grow(chance, base, count, stored, ways)
    return Problem(tuple(stored), tuple(ways))


def _grow(
    chance: Random, base: int, count: int, stored: list[StoredTable], ways: list[Option]
) -> None:
    sizes = [chance.lognormvariate(math.log(50 * GB), 2)]
    above: list[set[int]] = [set()]
    children: dict[int, list[int]] = {}
    for number in range(1, count):
        parent = chance.randrange(max(0, number - 6), number)
        copy = chance.random() < 0.15
        sizes.append(sizes[parent] * (1 if copy else chance.uniform(0.02, 0.95)))
        above.append(above[parent] | {parent})
        children.setdefault(parent, []).append(number)
        if copy:
            above[parent].add(number)
    for number, size in enumerate(sizes):
        reads = chance.lognormvariate(-3, 2)
        stored.append(
            StoredTable(
                f"family{base}/t{number}",
                keep_usd_per_month=size / GB * (0.023 + 0.005),
                size_bytes=int(size),
                limit_s=chance.choice([600.0, 3600.0, 14400.0, None]),
                must_keep="protected" if chance.random() < 0.02 else None,
            )
        )
        rests = [(ancestor,) for ancestor in sorted(above[number])]
        if len(children.get(number, [])) >= 3:
            rests.append(tuple(children[number][:3]))
        for rest in rests:
            read = sum(sizes[parent] for parent in rest)
            seconds = 60 + read / GB * 5 + size / GB * 10
            usd = reads * (read / GB * 0.0005 + size / GB * 0.005 + seconds * 0.192 / 3600)
            ways.append(Option(base + number, tuple(base + p for p in rest), usd, seconds))


def scattered(chance: Random, tables: int, options: int, spread: float = 1.5) -> Problem:
    """Options between any two tables, without order: one component, all of it open.

    `spread` is the standard deviation of the costs' logarithm.
    """
    stored = tuple(
        StoredTable(f"t{number}", chance.lognormvariate(0, spread), chance.randrange(1, 100 * GB))
        for number in range(tables)
    )
    ways = []
    for _ in range(options):
        child, parent = chance.sample(range(tables), 2)
        ways.append(
            Option(child, (parent,), chance.random() * stored[child].keep_usd_per_month, 1.0)
        )
    return Problem(stored, tuple(ways))


def with_cap(problem: Problem, share: float) -> Problem:
    """The problem in which at most this share of all bytes may be deleted."""
    total = sum(table.size_bytes for table in problem.tables)
    return replace(problem, max_deleted_bytes=int(total * share))
