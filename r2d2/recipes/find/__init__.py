"""The search for recipes: a request in, proposals out.

The way of an edge to a decision, one noun a step:

| noun | what it is |
|---|---|
| `model.Edge` | one table is contained in another, as `find` proved |
| `request.Request` | a parent, and children it contains for which recipes are searched |
| `request.UnionRequest` | a table, and tables it contains that together may be all of it |
| `request.SeveralRequest` | tables, and those that may have all rows of one among them |
| `request.Proposal` | the answer for one child: a recipe, or the reason why there is none |
| `grammar.Recipe` | how a child is made from its parents; `run.trial.Trial` is one run of it |
| `plan.program.Choice` | what the plan decides for a table: it stays, or goes by one recipe |

Engines take batches of requests (`request.batches`) as plain lists and call `search`.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

from r2d2.formats.errors import table_problem
from r2d2.model import Table
from r2d2.recipes.find.from_one_parent import propose_from_parent
from r2d2.recipes.find.from_several import propose_from_several
from r2d2.recipes.find.from_union import propose_from_parts
from r2d2.recipes.find.request import (
    AnyRequest,
    Columns,
    Proposal,
    Request,
    SeveralRequest,
    UnionRequest,
    by_name,
    held_bytes,
    no_recipe,
)
from r2d2.recipes.find.row_counts import RowCounts, TableColumns
from r2d2.recipes.find.streamed import propose_streamed
from r2d2.recipes.grammar import Distinct, Project, Select, numbers_rows

SMALLER_PARENT_SERVES = "a smaller table that stays, or an equal of it, gives the child back"

NUMBERED = "its rows are numbered, and are no selection of the parent's in their order"
TOO_MANY_PARTS = "it may be several tables together, whose rows exceed the memory"


def search(requests: Sequence[AnyRequest], counts: RowCounts) -> list[Proposal]:
    """The proposals for all requests; small tables are read and hashed together.

    Small parents come first, so that a child which one of them serves is skipped in larger ones.
    Rows of several parents come last, of tables that are mostly read by then.
    """
    several = [request for request in requests if isinstance(request, SeveralRequest)]
    others = [request for request in requests if not isinstance(request, SeveralRequest)]
    counts.prepare(columns_by_table(others))
    served: dict[str, str] = {}
    proposals: list[Proposal] = []
    for request in sorted(others, key=_size_and_location):
        if isinstance(request, Request):
            proposals += _search_unserved(request, counts, served)
        else:
            proposals += search_one(request, counts)
    counts.prepare(columns_by_table(several))
    return [*proposals, *(found for request in several for found in search_one(request, counts))]


def columns_by_table(requests: Iterable[AnyRequest]) -> list[TableColumns]:
    """The requests' tables in order of location, with the column sets that each is hashed over."""
    tables: dict[str, Table] = {}
    sets: dict[str, dict[Columns, None]] = defaultdict(dict)

    def add(table: Table, columns: Columns) -> None:
        tables[table.location] = table
        sets[table.location][columns] = None

    for request in requests:
        match request:
            case Request(parent, children):
                for child in children:
                    add(parent, child.columns_of(parent))
                    add(child.table, child.columns)
            case UnionRequest(table, parts):
                add(table, by_name(table.columns))
                for part in parts:
                    add(part.table, part.columns_renamed)
            case SeveralRequest(_, others):
                for other in others:
                    add(other.table, other.columns)
    return [(tables[location], tuple(sets[location])) for location in sorted(tables)]


def _size_and_location(request: Request | UnionRequest) -> tuple[int, str]:
    table = request.parent if isinstance(request, Request) else request.table
    return table.size_bytes, table.location


def _search_unserved(request: Request, counts: RowCounts, served: dict[str, str]) -> list[Proposal]:
    """The proposals for one parent's children.

    `served` maps a child to the class of equal tables that gives it back; it is added to.
    """
    searched, skipped = [], []
    for child in request.children:
        served_by = served.get(child.table.location, child.kept_class)
        if child.skippable and served_by != child.kept_class:
            skipped.append(no_recipe(request.parent, child.table, SMALLER_PARENT_SERVES))
        else:
            searched.append(child)
    if not searched:
        return skipped
    proposals = search_one(replace(request, children=tuple(searched)), counts)
    for child, proposal in zip(searched, proposals, strict=True):
        if child.kept_class and isinstance(proposal.recipe, Project | Distinct | Select):
            served.setdefault(child.table.location, child.kept_class)
    return [*proposals, *skipped]


def search_one(request: AnyRequest, counts: RowCounts) -> list[Proposal]:
    """The proposals for one request; requests that share `counts` read their tables once."""
    try:
        if isinstance(request, SeveralRequest):
            return propose_from_several(request, counts)
        if held_bytes(request) > counts.memory_bytes:
            return _beyond_memory(request, counts)
        if isinstance(request, Request):
            return list(map(_in_order, propose_from_parent(request, counts)))
        return propose_from_parts(request, counts)
    except Exception as error:  # noqa: BLE001 - one table's trouble is that table's
        problem = table_problem(error)
        if not isinstance(request, Request):
            return []
        return [no_recipe(request.parent, child.table, problem) for child in request.children]


def _in_order(proposal: Proposal) -> Proposal:
    """The proposal, unless it numbers rows that it does not give in the parent's order."""
    recipe = proposal.recipe
    if recipe is None or isinstance(recipe, Project | Select) or not numbers_rows(recipe):
        return proposal
    return replace(proposal, recipe=None, reason=NUMBERED)


def _beyond_memory(request: Request | UnionRequest, counts: RowCounts) -> list[Proposal]:
    if isinstance(request, Request):
        return list(map(_in_order, propose_streamed(request, counts)))
    parts = tuple(sorted(part.table.location for part in request.parts))
    return [Proposal(request.table.location, parts, None, reason=TOO_MANY_PARTS)]
