"""Recipes for any family: what engines call."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

from r2d2.model import Table
from r2d2.recipes.find.from_one_parent import propose
from r2d2.recipes.find.from_union import propose_unions
from r2d2.recipes.find.request import (
    AnyFamily,
    Columns,
    Family,
    Proposal,
    UnionFamily,
    by_name,
    without_recipe,
)
from r2d2.recipes.find.row_counts import Asked, Counts
from r2d2.recipes.grammar import Distinct, Project, Select

SPARE = "a smaller table that stays, or an equal of it, gives the child back"


def proposals(family: AnyFamily, counts: Counts) -> list[Proposal]:
    """What is proposed for the family; one Counts for several reads their tables once."""
    if isinstance(family, Family):
        return propose(family, counts)
    return propose_unions(family, counts)


def all_proposals(families: Sequence[AnyFamily], counts: Counts) -> list[Proposal]:
    """What is proposed for all of the families; small tables are read and hashed together.

    Small parents are asked first, and what is spare then is not asked any more.
    """
    counts.prepare(asked(families))
    given: dict[str, str] = {}
    found: list[Proposal] = []
    for family in sorted(families, key=_order):
        if isinstance(family, Family):
            found += _without_spare(family, counts, given)
        else:
            found += proposals(family, counts)
    return found


def _order(family: AnyFamily) -> tuple[int, str]:
    table = family.parent if isinstance(family, Family) else family.table
    return table.size_bytes, table.location


def _without_spare(family: Family, counts: Counts, given: dict[str, str]) -> list[Proposal]:
    """`given` tells which top gives a child back already, and is told."""
    wanted, found = [], []
    for child in family.children:
        if child.spare and given.get(child.table.location, child.top) != child.top:
            found.append(without_recipe(family.parent, child.table, SPARE))
        else:
            wanted.append(child)
    if not wanted:
        return found
    answers = proposals(replace(family, children=tuple(wanted)), counts)
    for child, proposal in zip(wanted, answers, strict=True):
        if child.top and isinstance(proposal.recipe, Project | Distinct | Select):
            given.setdefault(child.table.location, child.top)
    return [*answers, *found]


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
