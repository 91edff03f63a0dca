"""Recipes for any family: what engines call."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from r2d2.model import Table
from r2d2.rebuild.counting import Asked, Counts
from r2d2.rebuild.family import AnyFamily, Columns, Family, Proposal, UnionFamily, by_name
from r2d2.rebuild.propose import propose
from r2d2.rebuild.union import propose_unions


def proposals(family: AnyFamily, counts: Counts) -> list[Proposal]:
    """What is proposed for the family; one Counts for several reads their tables once."""
    if isinstance(family, Family):
        return propose(family, counts)
    return propose_unions(family, counts)


def all_proposals(families: Sequence[AnyFamily], counts: Counts) -> list[list[Proposal]]:
    """What is proposed for each of the families; small tables are read and hashed together."""
    counts.prepare(asked(families))
    return [proposals(family, counts) for family in families]


def asked(families: Iterable[AnyFamily]) -> list[Asked]:
    """The families' tables in order of location, with the columns that each is seen through."""
    tables: dict[str, Table] = {}
    sets: dict[str, dict[Columns, None]] = defaultdict(dict)

    def ask(table: Table, columns: Columns) -> None:
        tables[table.location] = table
        sets[table.location][columns] = None

    for family in families:
        match family:
            case Family(parent, children):
                for child in children:
                    ask(parent, child.columns_of(parent))
                    ask(child.table, child.columns)
            case UnionFamily(table, parts):
                ask(table, by_name(table.columns))
                for part in parts:
                    ask(part.table, part.columns_there)
    return [(tables[location], tuple(sets[location])) for location in sorted(tables)]
