"""The plan: propose, price, choose, run what is chosen; strike out what fails and choose again."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Protocol

from r2d2.costs import PlanSettings, Usage
from r2d2.model import Table
from r2d2.plan.costing import Candidate, Costing
from r2d2.plan.facts import Facts, facts_of
from r2d2.plan.families import families, union_families, without_recipe
from r2d2.plan.graph_file import GraphFile
from r2d2.program import Problem, Solution, Solver, solve
from r2d2.progress import Progress
from r2d2.rebuild.family import AnyFamily, Family, Proposal
from r2d2.rebuild.trial import Trial
from r2d2.recipes.grammar import Recipe


class Recipes(Protocol):
    """What a plan asks of an engine."""

    def propose(self, families: Sequence[AnyFamily]) -> Iterator[tuple[int, list[Proposal]]]:
        """Each family's number and its proposals, in any order."""

    def try_out(
        self, tables: Mapping[str, Table], work: Sequence[tuple[str, Recipe]], folder: Path
    ) -> Iterator[Trial]:
        """Each recipe run and compared with its table; residuals are written into the folder."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a lake's tables and of how they can be rebuilt, whatever that costs.

    `refused` counts the edges without a recipe by reason.
    """

    facts: Mapping[str, Facts]
    candidates: tuple[Candidate, ...]
    refused: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Planned:
    """A solved plan before it is written: `known.candidates` are the problem's options."""

    known: Known
    costing: Costing
    problem: Problem
    solution: Solution


def learn(
    graph: GraphFile,
    tables: Mapping[str, Table],
    recipes: Recipes,
    progress: Progress,
    tenant_of: Callable[[str], str | None] = lambda _: None,
) -> Known:
    """Reads the lake once for the recipes of all edges that are worth one."""
    facts = facts_of(tables, graph)
    fit = {location for location, known in facts.items() if known.must_keep is None}
    refused = without_recipe(graph.edges, fit)
    asked: list[AnyFamily] = [*families(graph.edges, tables, fit, tenant_of)]
    asked += union_families(graph.edges, tables, fit)
    progress.begin("finding recipes", sum(map(_asked_bytes, asked)))
    found: dict[int, list[Proposal]] = {}
    for number, proposals in recipes.propose(asked):
        found[number] = proposals
        for proposal in proposals:
            progress.advance(tables[proposal.child].size_bytes, proposal.rows)
    progress.end()
    candidates = []
    for proposal in chain.from_iterable(found[number] for number in range(len(asked))):
        if proposal.recipe is None:
            refused[proposal.reason] = refused.get(proposal.reason, 0) + 1
        else:
            candidates.append(Candidate(proposal.child, proposal.recipe))
    return Known(facts, tuple(candidates), dict(sorted(refused.items())))


def _asked_bytes(family: AnyFamily) -> int:
    """Of the tables that are answered for."""
    if isinstance(family, Family):
        return sum(child.table.size_bytes for child in family.children)
    return family.table.size_bytes


def choose(
    known: Known,
    settings: PlanSettings,
    usage: Mapping[str, Usage],
    try_out: Callable[[Sequence[tuple[str, Recipe]]], Iterable[Trial]] | None,
) -> Planned:
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
            return Planned(known, costing, problem, solution)
        tried = list(known.candidates)
        trials = try_out([(tried[number].child, tried[number].recipe) for number in new])
        for number, trial in zip(new, trials, strict=True):
            tried[number] = replace(tried[number], trial=trial)
        known = replace(known, candidates=tuple(tried))
