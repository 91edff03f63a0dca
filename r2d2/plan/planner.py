"""The plan: find recipes, price, choose, run the chosen; strike out what fails, choose again.

The way of an edge: Edge → Request → Recipe with its Trial → Choice.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import perf_counter
from typing import Protocol

from r2d2.model import UNNAMED, Edge, Table
from r2d2.plan.costs import Costing, TableRecipe
from r2d2.plan.graph_file import GraphFile, TableFacts, facts_of
from r2d2.plan.program import Option, Problem, Solution, Solver, solve
from r2d2.plan.program.problem import gains
from r2d2.plan.program.verify import Exchanges
from r2d2.plan.requests import ColumnNames, recipe_requests, several_requests
from r2d2.plan.usage import Usage
from r2d2.progress import Progress
from r2d2.recipes.constants import Constant, RowNumber
from r2d2.recipes.find.request import AnyRequest, Proposal, Request, outputs
from r2d2.recipes.grammar import Project, Recipe, Source, Struct, parents
from r2d2.recipes.run.trial import Trial
from r2d2.settings.plan import PlanSettings
from r2d2.text_tables import duration, human_bytes, usd

MOST_COLUMNS = 3
TOO_LITTLE = "deleting it would save "
PLAN_TOO_LITTLE = "the whole plan would save "
DEARER = "more than keeping it"
PARENT_GOES = ", which it could be rebuilt from, is deleted"
MONEY = r"(?:less than )?\$[\d.,e-]+"
NO_RECIPE = "no recipe rebuilds it from another table"
ONLY_WITHOUT = " has its rows only without "
REASONS = re.compile(
    rf"{NO_RECIPE}(?:: .+)?"
    r"|every recipe for it failed when it was run: .+"
    r"|rebuilding takes [\w. ]+ at least, its readers may wait ([\w. ]+)"
    rf"|(?:rebuilding it|reading its parents in its place) would cost {MONEY} a month, {DEARER}"
    rf"|(?:deleting it|the whole plan) would save {MONEY} a month, less than the minimum of {MONEY}"
    rf"|.+{PARENT_GOES}"
    r"|the plan may delete [\d.]+ .?B at most"
    rf"|the solver found no plan in time that deletes it, which would save {MONEY} a month",
    re.DOTALL,
)
"""Reasons that follow from recipes which were not chosen."""


class Recipes(Protocol):
    """The questions of a plan that an engine answers."""

    def propose(self, requests: Sequence[AnyRequest], /) -> Iterator[Proposal]:
        """The proposals for all of the requests, in any order."""

    def try_out(
        self, tables: Mapping[str, Table], work: Sequence[tuple[str, Recipe]], folder: Path
    ) -> Iterator[Trial]:
        """Each recipe run and compared with its table; residuals are written into the folder."""


@dataclass(frozen=True, slots=True)
class KnownRecipes:
    """A lake's tables and the recipes known for them, whatever they cost.

    `refused` counts the edges without a recipe by reason; `seconds` were spent on finding recipes
    and on running them; `passes` were made over parents whose rows exceed the memory. `why` tells
    of tables without a recipe which parent gives none, and why.
    """

    facts: Mapping[str, TableFacts]
    recipes: tuple[TableRecipe, ...]
    refused: Mapping[str, int]
    seconds: float = 0.0
    passes: Mapping[str, int] = field(default_factory=dict)
    why: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SolvedPlan:
    """A plan before it is written.

    The problem's options are the `known.recipes`, in order, and then the views of some.
    """

    known: KnownRecipes
    costing: Costing
    problem: Problem
    solution: Solution

    def recipe_of(self, option: int) -> TableRecipe:
        """The recipe of an option; a view shares it with a rebuild."""
        return self.known.recipes[recipe_number(self.problem, option)]


def learn(
    graph: GraphFile,
    tables: Mapping[str, Table],
    engine: Recipes,
    progress: Progress,
    tenant_of: Callable[[str], str | None] = lambda _: None,
    linked: Collection[str] = (),
) -> KnownRecipes:
    """The recipes for all edges that are worth a search; reads the lake once.

    The `linked` files have other names too (see `Listing`).
    """
    facts = facts_of(tables, graph, linked)
    eligible = {
        location
        for location, table in facts.items()
        if table.must_keep in (None, tables[location].must_keep)
    }
    worth = recipe_requests(graph.edges, tables, eligible, tenant_of)
    refused = Counter(worth.refused)
    requests: list[AnyRequest] = [*worth.requests, *worth.unions]
    columns = ColumnNames(graph.settings.types, graph.settings.case_sensitive)
    requests += several_requests(graph.edges, tables, eligible, requests, columns, tenant_of)
    recipes = [_copy(edge, tables) for edge in worth.copies]
    start = perf_counter()
    left_bytes = _bytes_by_search(worth.requests)
    progress.begin("finding recipes", sum(left_bytes.values()))
    passes: dict[str, int] = {}
    why: dict[str, list[str]] = defaultdict(list)
    for proposal in engine.propose(requests):
        if proposal.passes:
            passes |= dict.fromkeys(proposal.parents, proposal.passes)
        done_bytes = left_bytes.pop((proposal.child, *proposal.parents), 0)
        progress.advance(done_bytes, proposal.rows)
        if proposal.recipe is None:
            refused[proposal.reason] += 1
            why[proposal.child].append(f"{' and '.join(proposal.parents)}: {proposal.reason}")
        else:
            recipes.append(TableRecipe(proposal.child, proposal.recipe))
    progress.end()
    found = tuple(sorted(recipes, key=_order))
    seconds, told = perf_counter() - start, dict(sorted(passes.items()))
    children = {recipe.child for recipe in found}
    reasons = {child: min(each) for child, each in sorted(why.items()) if child not in children}
    return KnownRecipes(facts, found, dict(sorted(refused.items())), seconds, told, reasons)


def _copy(edge: Edge, tables: Mapping[str, Table]) -> TableRecipe:
    """The recipe for a child that is all of the parent's rows, as `find` has counted already."""
    child, parent = tables[edge.child], tables[edge.parent]
    columns = outputs(child.columns, parent.columns, dict(edge.columns))
    return TableRecipe(edge.child, Project(edge.parent, columns))


def _order(recipe: TableRecipe) -> tuple[str, int, tuple[str, ...]]:
    """An order that does not depend on which search ended first."""
    read = parents(recipe.recipe)
    return recipe.child, len(read), read


def _bytes_by_search(requests: Sequence[Request]) -> dict[tuple[str, ...], int]:
    """The bytes that a search is counted as, by child and parent.

    Children that are searched in one parent share it: a small one waits for the whole of it, too.
    Unions are not counted: where a table is none, nothing tells that the search is over.
    """
    return {
        (child.table.location, request.parent.location): child.table.size_bytes
        + request.parent.size_bytes // len(request.children)
        for request in requests
        for child in request.children
    }


def choose(
    known: KnownRecipes,
    settings: PlanSettings,
    usage: Mapping[str, Usage],
    try_out: Callable[[Sequence[tuple[str, Recipe]]], Iterable[Trial]] | None,
) -> SolvedPlan:
    """The cheapest plan all of whose recipes were run; without `try_out`, none is run.

    A round strikes out what failed and prices what was measured, so it ends: no recipe is run
    twice, and a round that runs none is the last.
    """
    costing = Costing(settings, known.facts, usage)
    while True:
        problem = costing.problem(known.recipes)
        solution = solve(problem, Solver(settings.plan.solver), settings.plan.time_limit_s)
        used = [choice.option for choice in solution.choices if choice.option is not None]
        chosen = [recipe_number(problem, option) for option in used]
        new = [number for number in chosen if known.recipes[number].trial is None]
        if try_out is None or not new:
            return SolvedPlan(known, costing, problem, solution)
        recipes, start = list(known.recipes), perf_counter()
        trials = try_out([(recipes[number].child, recipes[number].recipe) for number in new])
        for number, trial in zip(new, trials, strict=True):
            recipes[number] = replace(recipes[number], trial=trial)
        seconds = known.seconds + perf_counter() - start
        known = replace(known, recipes=tuple(recipes), seconds=seconds)


def recipe_number(problem: Problem, option: int) -> int:
    """The number of the option's recipe."""
    rebuilt = problem.options[option].view_of
    return option if rebuilt is None else rebuilt


@dataclass(frozen=True, slots=True)
class Reasons:
    """Sentences on a plan's choices: why a table goes or stays, and which copy stays."""

    planned: SolvedPlan
    options: Mapping[int, Sequence[Option]]
    served: Mapping[int, int]
    copies: Set[tuple[int, int]]
    exchanges: Exchanges
    unread: Set[str]
    refused_usd: float
    without: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, planned: SolvedPlan, edges: Iterable[Edge] = ()) -> "Reasons":
        """The reasons of the plan.

        `options` are by child, `served` counts children by parent, and `copies` are pairs of which
        each is all rows of the other. `refused_usd` is what a plan would save a month that is none
        as it saves too little. `without` says of tables that are in others only without columns
        that no recipe gives, which these are.
        """
        problem, chosen = planned.problem, {c.table: c.option for c in planned.solution.choices}
        options: dict[int, list[Option]] = defaultdict(list)
        for option in problem.options:
            options[option.child].append(option)
        used = [problem.options[number] for number in chosen.values() if number is not None]
        served = Counter(parent for option in used for parent in set(option.parents))
        ways = {
            (option.child, option.parents[0])
            for number, option in enumerate(problem.options)
            if _is_whole(planned.recipe_of(number).recipe)
        }
        copies = {(child, parent) for child, parent in ways if (parent, child) in ways}
        unread = planned.costing.unread()
        exchanges = Exchanges.of(problem, chosen)
        return cls(
            planned,
            options,
            served,
            copies,
            exchanges,
            unread,
            _refused_usd(planned),
            _without(edges),
        )

    def of_choice(self, number: int) -> str:
        """The reason in one sentence."""
        problem = self.planned.problem
        stored, choice = problem.tables[number], self.planned.solution.choices[number]
        if choice.option is not None:
            chosen = problem.options[choice.option]
            names = " and ".join(problem.tables[parent].name for parent in chosen.parents)
            if chosen.view_of is not None:
                longer = f"{duration(chosen.seconds)} longer" if chosen.seconds else "no longer"
                return f"it can be a view of {names}: a read takes {longer}"
            return f"it can be rebuilt from {names} in {duration(chosen.seconds)}"
        if stored.must_keep is not None:
            return stored.must_keep
        if served := self.served[number]:
            return f"{served} deleted {'table is' if served == 1 else 'tables are'} rebuilt from it"
        possible = self.options.get(number, ())
        if not possible:
            why = self.without.get(stored.name) or self.planned.known.why.get(stored.name)
            return f"{NO_RECIPE}: {why}" if why else NO_RECIPE
        if all(option.struck for option in possible):
            return f"every recipe for it failed when it was run: {possible[0].struck}"
        limit_s = stored.limit_s
        sound = [option for option in possible if not option.struck]
        slow = [option for option in sound if limit_s is not None and option.seconds > limit_s]
        if len(slow) == len(sound):
            least_s = min(option.seconds for option in slow)
            return (
                f"rebuilding takes {duration(least_s)} at least,"
                f" its readers may wait {duration(limit_s)}"
            )
        return self._too_dear(stored.keep_usd_per_month, [o for o in sound if o not in slow])

    def _too_dear(self, keep_usd: float, options: Sequence[Option]) -> str:
        """The reason of a table that could come back in time by these options."""
        problem, choices = self.planned.problem, self.planned.solution.choices
        best = min(options, key=lambda option: option.usd_per_month)
        saving_usd, least_usd = keep_usd - best.usd_per_month, problem.min_saving_usd_per_month
        minimum = "a month, less than the minimum of"
        if saving_usd <= 0:
            doing = "rebuilding it" if best.view_of is None else "reading its parents in its place"
            return f"{doing} would cost {usd(best.usd_per_month)} a month, {DEARER}"
        if saving_usd < least_usd:
            return f"{TOO_LITTLE}{usd(saving_usd)} {minimum} {usd(least_usd)}"
        if self.refused_usd > 0:
            whole_usd = problem.min_plan_saving_usd_per_month
            return f"{PLAN_TOO_LITTLE}{usd(self.refused_usd)} {minimum} {usd(whole_usd)}"
        gone = [
            [parent for parent in option.parents if choices[parent].option is not None]
            for option in options
            if gains(problem, option)
        ]
        if all(gone):
            return f"{problem.tables[gone[0][0]].name}{PARENT_GOES}"
        if problem.max_deleted_bytes is not None:
            return f"the plan may delete {human_bytes(problem.max_deleted_bytes)} at most"
        found = "the solver found no plan in time that deletes it"
        return f"{found}, which would save {usd(saving_usd)} a month"

    def copy_that_stays(self, number: int) -> dict[str, str] | None:
        """The equal table that stays in place of a deleted one, and why it and not this one.

        None where none that stays is all of its rows, as it is all of theirs.
        """
        problem, choice = self.planned.problem, self.planned.solution.choices[number]
        rests = () if choice.option is None else problem.options[choice.option].parents
        twins = set(self.exchanges.kept_twins(number))
        kept = [t for t in self.exchanges.chosen if self.exchanges.chosen[t] is None]
        copies = [t for t in kept if (number, t) in self.copies]
        if choice.option is None or not copies:
            return None
        stays = min(copies, key=lambda copy: (copy not in rests, copy not in twins, copy))
        why = self._why_it_stays(stays, number, stays in twins)
        return {"table": problem.tables[stays].name, "because": why}

    def _why_it_stays(self, stays: int, gone: int, is_twin: bool) -> str:
        """Why the one copy stays; where it is no twin, it had to stay before the other."""
        problem, costing = self.planned.problem, self.planned.costing
        stored, names = (
            problem.tables[stays],
            (problem.tables[stays].name, problem.tables[gone].name),
        )
        if must := stored.must_keep:
            return must if must.startswith("protected") else f"it must be kept: {must}"
        if is_twin:
            dearer = self.exchanges.dearer_usd(stays, gone) > 0
            return "that makes the plan cheapest" if dearer else costing.why_preferred(*names)
        ways = [o for o in self.options[stays] if o.parents == (gone,) and not o.struck]
        if not ways:
            return "its own recipe failed when it was run"
        limit_s = stored.limit_s
        if limit_s is not None and all(way.seconds > limit_s for way in ways):
            return "rebuilding it takes longer than its readers may wait"
        if costing.reads_per_month(names[0]) > costing.reads_per_month(names[1]):
            return "its deletion does not pay, and it is read more often"
        return "its deletion does not pay"


def _is_whole(recipe: Recipe) -> bool:
    """Whether the recipe gives all rows of its parent, and no column that the parent has not."""
    return isinstance(recipe, Project) and all(
        _is_of_parent(column.source) for column in recipe.columns
    )


def _is_of_parent(source: Source) -> bool:
    """Whether the parent has it: no constant or row number is in it."""
    if isinstance(source, Struct):
        return all(_is_of_parent(part.source) for part in source.parts)
    return not isinstance(source, Constant | RowNumber)


def _refused_usd(planned: SolvedPlan) -> float:
    """What the plan would save a month if it had no minimum; 0 where it deletes a table."""
    problem, limits = planned.problem, planned.costing.settings.plan
    stay = all(choice.option is None for choice in planned.solution.choices)
    gaining = any(gains(problem, option) for option in problem.options)
    if not (stay and gaining and problem.min_plan_saving_usd_per_month):
        return 0.0
    free = replace(problem, min_plan_saving_usd_per_month=0.0)
    instead = solve(free, Solver(limits.solver), limits.time_limit_s)
    return planned.solution.cost_usd_per_month - instead.cost_usd_per_month


def _without(edges: Iterable[Edge]) -> dict[str, str]:
    """By child, the first parent that has its rows, and the columns that no recipe gives.

    Only of those that are in no table with all columns that a recipe may give.
    """
    whole = [edge for edge in edges if edge.whole]
    usable = {edge.child for edge in whole if not edge.ignores}
    told: dict[str, str] = {}
    for edge in sorted(whole, key=lambda edge: (edge.child, edge.parent)):
        lost = [f"{c.column or UNNAMED} ({c.why.value})" for c in edge.unmatched if not c.is_given]
        if edge.child not in usable:
            columns = ", ".join(lost[:MOST_COLUMNS]) + (", …" if len(lost) > MOST_COLUMNS else "")
            reason = f"{edge.parent}{ONLY_WITHOUT}{columns}"
            told.setdefault(edge.child, reason)
    return told
