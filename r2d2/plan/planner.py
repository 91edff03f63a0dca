"""The plan: propose, price, choose, run what is chosen; strike out what fails and choose again."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from r2d2.model import Table
from r2d2.plan.costs import Costing, TableFacts, TableRecipe, facts_of
from r2d2.plan.edges_worth_asking import recipe_requests, without_recipe
from r2d2.plan.graph_file import GraphFile, ProvedEdge
from r2d2.plan.program import Problem, Solution, Solver, solve
from r2d2.plan.usage import Usage
from r2d2.progress import Progress
from r2d2.recipes.find import SMALLER_PARENT_SERVES
from r2d2.recipes.find.request import AnyRequest, Proposal, Request
from r2d2.recipes.grammar import Project, Recipe, outputs, parents
from r2d2.recipes.run.trial import Trial
from r2d2.settings.plan import PlanSettings


class Recipes(Protocol):
    """What a plan asks of an engine."""

    def propose(self, families: Sequence[AnyRequest]) -> Iterator[Proposal]:
        """The proposals for all of the families, in any order."""

    def try_out(
        self, tables: Mapping[str, Table], work: Sequence[tuple[str, Recipe]], folder: Path
    ) -> Iterator[Trial]:
        """Each recipe run and compared with its table; residuals are written into the folder."""


@dataclass(frozen=True, slots=True)
class KnownRecipes:
    """What is known of a lake's tables and of how they can be rebuilt, whatever that costs.

    `refused` counts the edges without a recipe by reason.
    """

    facts: Mapping[str, TableFacts]
    candidates: tuple[TableRecipe, ...]
    refused: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class SolvedPlan:
    """A solved plan before it is written: `known.candidates` are the problem's options."""

    known: KnownRecipes
    costing: Costing
    problem: Problem
    solution: Solution


def learn(
    graph: GraphFile,
    tables: Mapping[str, Table],
    recipes: Recipes,
    progress: Progress,
    tenant_of: Callable[[str], str | None] = lambda _: None,
) -> KnownRecipes:
    """Reads the lake once for the recipes of all edges that are worth one."""
    facts = facts_of(tables, graph)
    fit = {location for location, known in facts.items() if known.must_keep is None}
    refused = Counter(without_recipe(graph.edges, fit))
    worth = recipe_requests(graph.edges, tables, fit, tenant_of)
    refused[SMALLER_PARENT_SERVES] += worth.spare
    asked: list[AnyRequest] = [*worth.families, *worth.unions]
    candidates = [_copied(edge, tables) for edge in worth.copies]
    progress.begin("finding recipes", sum(map(_asked_bytes, asked)))
    for proposal in recipes.propose(asked):
        progress.advance(tables[proposal.child].size_bytes, proposal.rows)
        if proposal.recipe is None:
            refused[proposal.reason] += 1
        else:
            candidates.append(TableRecipe(proposal.child, proposal.recipe))
    progress.end()
    return KnownRecipes(
        facts, tuple(sorted(candidates, key=_order)), dict(sorted((+refused).items()))
    )


def _copied(edge: ProvedEdge, tables: Mapping[str, Table]) -> TableRecipe:
    """That a child is all of the parent's rows, `find` has counted already."""
    child, parent = tables[edge.child], tables[edge.parent]
    columns = outputs(child.columns, parent.columns, dict(edge.columns))
    return TableRecipe(edge.child, Project(edge.parent, columns))


def _order(candidate: TableRecipe) -> tuple[str, int, tuple[str, ...]]:
    """Whatever order they were found in."""
    of = parents(candidate.recipe)
    return candidate.child, len(of), of


def _asked_bytes(family: AnyRequest) -> int:
    """Of the tables that are answered for."""
    if isinstance(family, Request):
        return sum(child.table.size_bytes for child in family.children)
    return family.table.size_bytes


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
        problem = costing.problem(known.candidates)
        solution = solve(problem, Solver(settings.plan.solver), settings.plan.time_limit_s)
        chosen = [c.option for c in solution.choices if c.option is not None]
        new = [number for number in chosen if known.candidates[number].trial is None]
        if try_out is None or not new:
            return SolvedPlan(known, costing, problem, solution)
        tried = list(known.candidates)
        trials = try_out([(tried[number].child, tried[number].recipe) for number in new])
        for number, trial in zip(new, trials, strict=True):
            tried[number] = replace(tried[number], trial=trial)
        known = replace(known, candidates=tuple(tried))
