"""Tables and candidates as the program sees them: what keeping costs, what rebuilding costs.

Money is by bytes and rates, so that a plan made again is the same plan. What was measured decides
whether a recipe is in time, not which of two is cheaper by a few milliseconds of noise.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from r2d2.costs import (
    PlanSettings,
    Rebuild,
    Usage,
    maintenance_usd,
    rebuild_p95_s,
    rebuild_usd,
    storage_usd,
)
from r2d2.plan.facts import Facts
from r2d2.plan.program import Option, Problem, StoredTable
from r2d2.recipes.grammar import Recipe, parents, residuals
from r2d2.recipes.run.trial import Trial


@dataclass(frozen=True, slots=True)
class Candidate:
    """A recipe for a table, and what came of running it, None while it was not run."""

    child: str
    recipe: Recipe
    trial: Trial | None = None

    @property
    def current(self) -> Recipe:
        """The recipe, with its residuals written if it was run."""
        return self.recipe if self.trial is None else self.trial.recipe


@dataclass(frozen=True, slots=True)
class Costing:
    """Prices every table and candidate of a lake; all money is USD per month."""

    settings: PlanSettings
    facts: Mapping[str, Facts]
    usage: Mapping[str, Usage]

    def problem(self, candidates: Sequence[Candidate]) -> Problem:
        """The program's input: tables in order of location, an option for each candidate."""
        numbers = {location: number for number, location in enumerate(self.facts)}
        share = self.settings.plan.max_deleted_share
        total_bytes = sum(facts.unique_bytes for facts in self.facts.values())
        return Problem(
            tuple(self._stored(location) for location in self.facts),
            tuple(self._option(candidate, numbers) for candidate in candidates),
            None if share >= 1 else int(share * total_bytes),
        )

    def rebuild(self, candidate: Candidate) -> Rebuild:
        """What one run of the candidate's recipe reads, writes and keeps aside."""
        return Rebuild(
            sum(self.facts[parent].size_bytes for parent in parents(candidate.current)),
            self.facts[candidate.child].size_bytes,
            sum(file.size_bytes for file in residuals(candidate.current)),
        )

    def p95_s(self, candidate: Candidate) -> float:
        """How long a rebuild takes at p95: by its own run where there was one, else by rates."""
        trial, rebuild = candidate.trial, self.rebuild(candidate)
        if trial is not None and trial.problem is None:
            rebuild = replace(rebuild, measured_s=trial.seconds)
        return rebuild_p95_s(rebuild, self.settings.rates)

    def reads_per_month(self, location: str) -> float:
        """How often the table is read, each time rebuilt once it is deleted."""
        told = self.usage.get(location)
        known = told.reads_per_month if told is not None else None
        return self.settings.usage.reads_per_month if known is None else known

    def must_keep(self, location: str) -> str | None:
        """Why the table stays whatever it costs; None where it may go."""
        reason = self.settings.protection(location)
        protected = None if reason is None else f"protected: {reason}"
        return self.facts[location].must_keep or protected

    def _stored(self, location: str) -> StoredTable:
        facts, prices = self.facts[location], self.settings.prices
        scans = self.settings.usage.maintenance_scans_per_month
        return StoredTable(
            location,
            storage_usd(facts.unique_bytes, prices)
            + maintenance_usd(facts.size_bytes, scans, prices),
            facts.unique_bytes,
            self.settings.limit_s(location),
            self.must_keep(location),
        )

    def _option(self, candidate: Candidate, numbers: Mapping[str, int]) -> Option:
        prices, rates = self.settings.prices, self.settings.rates
        reads, trial = self.reads_per_month(candidate.child), candidate.trial
        return Option(
            numbers[candidate.child],
            tuple(numbers[parent] for parent in parents(candidate.recipe)),
            rebuild_usd(self.rebuild(candidate), reads, prices, rates),
            self.p95_s(candidate),
            self._foreign(candidate) or (None if trial is None else trial.problem),
        )

    def _foreign(self, candidate: Candidate) -> str | None:
        own = self.settings.tenant_of(candidate.child)
        for parent in parents(candidate.recipe):
            if self.settings.tenant_of(parent) != own:
                return f"{parent} belongs to another tenant"
        return None
