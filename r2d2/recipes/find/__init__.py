"""Recipes for any family: what engines call."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

from r2d2.model import Table
from r2d2.recipes.find.from_one_parent import propose_from_parent
from r2d2.recipes.find.from_union import propose_from_parts
from r2d2.recipes.find.request import (AnyRequest, Columns, Request, Proposal, UnionRequest, by_name, no_recipe)
from r2d2.recipes.find.row_counts import TableColumns, Counts
from r2d2.recipes.grammar import Distinct, Project, Select

SMALLER_PARENT_SERVES = "a smaller table that stays, or an equal of it, gives the child back"


def search_one(family: AnyRequest, counts: Counts) -> list[Proposal]:
    """What is proposed for the family; one Counts for several reads their tables once."""
    if isinstance(family, Request):
        return propose_from_parent(family, counts)
    return propose_from_parts(family, counts)


def search(families: Sequence[AnyRequest], counts: Counts) -> list[Proposal]:
    """What is proposed for all of the families; small tables are read and hashed together.

    Small parents are asked first, and what is spare then is not asked any more.
    """
    counts.prepare(columns_by_table(families))
    given: dict[str, str] = {}
    found: list[Proposal] = []
    for family in sorted(families, key=_order):
        if isinstance(family, Request):
            found += _without_spare(family, counts, given)
        else:
            found += search_one(family, counts)
    return found


def _order(family: AnyRequest) -> tuple[int, str]:
    table = family.parent if isinstance(family, Request) else family.table
    return table.size_bytes, table.location


def _without_spare(family: Request, counts: Counts, given: dict[str, str]) -> list[Proposal]:
    """`given` tells which top gives a child back already, and is told."""
    wanted, found = [], []
    for child in family.children:
        if child.spare and given.get(child.table.location, child.top) != child.top:
            found.append(no_recipe(family.parent, child.table, SMALLER_PARENT_SERVES))
        else:
            wanted.append(child)
    if not wanted:
        return found
    answers = search_one(replace(family, children=tuple(wanted)), counts)
    for child, proposal in zip(wanted, answers, strict=True):
        if child.top and isinstance(proposal.recipe, Project | Distinct | Select):
            given.setdefault(child.table.location, child.top)
    return [*answers, *found]


def columns_by_table(families: Iterable[AnyRequest]) -> list[TableColumns]:
    """The families' tables in order of location, with the columns that each is seen through."""
    tables: dict[str, Table] = {}
    sets: dict[str, dict[Columns, None]] = defaultdict(dict)

    def ask(table: Table, columns: Columns) -> None:
        tables[table.location] = table
        sets[table.location][columns] = None

    for family in families:
        match family:
            case Request(parent, children):
                for child in children:
                    ask(parent, child.columns_of(parent))
                    ask(child.table, child.columns)
            case UnionRequest(table, parts):
                ask(table, by_name(table.columns))
                for part in parts:
                    ask(part.table, part.columns_there)
    return [(tables[location], tuple(sets[location])) for location in sorted(tables)]
