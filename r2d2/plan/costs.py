"""The costs of the program: of keeping each table a month, of rebuilding it by each recipe.

    storage_usd     = unique bytes × storage price
    maintenance_usd = scans per month × bytes × scan price
    rebuild_usd     = rebuilds per month × (bytes read × read price + bytes written × write price
                      + rebuild seconds × VM price per second) + residual bytes × storage price
    rebuild_p95_s   = start-up p95 + bytes read / read rate + bytes written / write rate
                      + the seconds that any table takes
    view_usd        = reads per month × (bytes read beyond the table's own × (scan + read price)
                      + the seconds of these × VM price per second)
    view_p95_s      = bytes read beyond the table's own / read rate

Bytes read are those of the partitions, row groups and columns that the recipe's run read.
Money is by bytes and rates, so that a plan made again is the same plan. Where the rebuild was run,
its seconds take the place of those of reading in `rebuild_p95_s`, and their p95 is as many times
longer as the rates say of reading's p95 and p50: what was measured decides whether a recipe is in
time, not which of two is cheaper by a few milliseconds of noise. A run makes the rows and writes
none: writing is by its rate. Start-up is paid for like work, at its p95.
"""

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from math import ceil
from typing import NamedTuple

from r2d2.plan.graph_file import TableFacts
from r2d2.plan.program import Option, Problem, StoredTable
from r2d2.plan.usage import Usage
from r2d2.recipes.grammar import Project, Recipe, Select, leaves, parents, residuals
from r2d2.recipes.literals import UnrenderableRecipeError
from r2d2.recipes.run.trial import Trial
from r2d2.settings.plan import PlanSettings, Prices, Rates

GB = 10**9
TABLE_P95_S = 0.2
"""Any table takes so long, however small: folders and files are made, listed and synced. A hundred
tables of 25 KB took 0.05 to 0.13 s each on two busy cores with a local disk."""


@dataclass(frozen=True, slots=True)
class TableRecipe:
    """A recipe for a table, and its trial, None while it was not run."""

    child: str
    recipe: Recipe
    trial: Trial | None = None

    @property
    def current(self) -> Recipe:
        """The recipe, with its residuals written if it was run."""
        return self.recipe if self.trial is None else self.trial.recipe


class Standing(NamedTuple):
    """What prefers one of two equal copies at the same cost, the gravest first; less is better."""

    rule: int
    reads: float
    consumers: int
    last_read: int
    format: int
    flat: bool
    copy_name: bool


FORMATS_BY_USE = {"delta": 0, "parquet": 1, "orc": 2, "avro": 3, "json": 4, "csv": 5}
"""Formats by what they give readers: a log of versions, columns apart, types, any names."""
NAMES_OF_COPIES = frozenset(("tmp", "temp", "backup", "backups", "bak", "copy", "copies", "old"))
PREFERRED: Mapping[str, str] = {
    "reads": "read more often",
    "consumers": "read by more consumers",
    "last_read": "read more recently",
    "format": "in a format that serves readers better",
    "flat": "partitioned",
    "copy_name": "not named as a copy",
}
"""The reasons of a standing in words."""


@dataclass(frozen=True, slots=True)
class Rebuild:
    """The bytes that one run of a recipe reads and writes, and those it keeps aside all the time.

    `measured_s` is a run's seconds without start-up, None where it was not run.
    `residual_bytes` are rows, row lists and bitmaps that the recipe stores beside its parents.
    """

    read_bytes: int
    written_bytes: int
    residual_bytes: int = 0
    measured_s: float | None = None


@dataclass(frozen=True, slots=True)
class Costing:
    """Prices every table and recipe of a lake; all money is USD per month."""

    settings: PlanSettings
    facts: Mapping[str, TableFacts]
    usage: Mapping[str, Usage]

    def problem(self, recipes: Sequence[TableRecipe]) -> Problem:
        """The program's input: tables in order of location, an option for each recipe."""
        numbers = {location: number for number, location in enumerate(self.facts)}
        share = self.settings.plan.max_deleted_share
        total_bytes = sum(facts.unique_bytes for facts in self.facts.values())
        standings = {location: self.standing(location) for location in self.facts}
        ranks = {standing: rank for rank, standing in enumerate(sorted(set(standings.values())))}
        unread = self.unread()
        options = [self._option(recipe, numbers) for recipe in recipes]
        for number in self.views(recipes):
            options.append(self._view(recipes[number], options[number], number))
        return Problem(
            tuple(
                self._stored(location, ranks[standings[location]], location in unread)
                for location in self.facts
            ),
            tuple(options),
            None if share >= 1 else int(share * total_bytes),
            self.settings.plan.min_saving_usd_per_month,
            self.settings.plan.min_plan_saving_usd_per_month,
        )

    def views(self, recipes: Sequence[TableRecipe]) -> list[int]:
        """The numbers of the recipes that may stand as views: allowed, in time, of rows, in SQL."""
        limits = ((n, self.settings.view_limit_s(recipe.child)) for n, recipe in enumerate(recipes))
        return [
            number
            for number, limit_s in limits
            if limit_s is not None
            and not residuals(recipes[number].current)
            and self.view_p95_s(recipes[number]) <= limit_s
            and has_sql(recipes[number].current)
        ]

    def rebuild(self, recipe: TableRecipe) -> Rebuild:
        """The bytes that one run of the recipe reads, writes and keeps aside."""
        return Rebuild(
            self._read_bytes(recipe),
            self.facts[recipe.child].size_bytes,
            sum(file.size_bytes for file in residuals(recipe.current)),
        )

    def _read_bytes(self, recipe: TableRecipe) -> int:
        """The bytes that a run reads, as it was measured; not run yet, those that it must read.

        That is no more than the table has where columns and row groups lie apart: a recipe is run
        before it is found to be dear.
        """
        trial = recipe.trial
        if trial is not None and trial.problem is None and trial.read_bytes is not None:
            return trial.read_bytes
        read = [self.facts[parent] for parent in parents(recipe.current)]
        whole = sum(parent.size_bytes for parent in read)
        of_parts = all(isinstance(leaf, Project | Select) for leaf in leaves(recipe.current))
        apart = all(parent.format in ("parquet", "delta") for parent in read)
        own_bytes = self.facts[recipe.child].size_bytes
        return min(whole, own_bytes) if trial is None and of_parts and apart else whole

    def p95_s(self, recipe: TableRecipe) -> float:
        """The seconds of a rebuild at p95: by its trial where there was one, else by rates."""
        return rebuild_p95_s(self._measured(recipe), self.settings.rates)

    def view_p95_s(self, recipe: TableRecipe) -> float:
        """The seconds more that 95 of 100 reads through a view take at most."""
        return view_p95_s(self._measured(recipe), self.settings.rates)

    def _measured(self, recipe: TableRecipe) -> Rebuild:
        trial, rebuild = recipe.trial, self.rebuild(recipe)
        ran = trial is not None and trial.problem is None
        return replace(rebuild, measured_s=trial.seconds) if trial and ran else rebuild

    def usd(self, recipe: TableRecipe, reads: float, as_view: bool) -> float:
        """The cost a month of rebuilding the table at each read, or of reading through a view."""
        if as_view:
            return view_usd(self.rebuild(recipe), reads, self.settings.prices, self.settings.rates)
        return rebuild_usd(self.rebuild(recipe), reads, self.settings.prices, self.settings.rates)

    def reads_per_month(self, location: str) -> float:
        """The reads a month; each is a rebuild once the table is deleted."""
        usage = self.usage.get(location)
        known = usage.reads_per_month if usage is not None else None
        return self.settings.usage.reads_per_month if known is None else known

    def unread(self) -> frozenset[str]:
        """The tables that nobody read for long: by their last read, else by no reads a month."""
        told = [usage.last_read for usage in self.usage.values() if usage.last_read is not None]
        as_of = self.settings.usage.as_of or max(told, default=None)
        days = self.settings.latency.unread_days
        return frozenset(
            location
            for location, usage in self.usage.items()
            if (
                usage.reads_per_month == 0
                if usage.last_read is None or as_of is None
                else (as_of - usage.last_read).days >= days
            )
        )

    def saving_bounds_usd(self, recipe: TableRecipe, as_view: bool = False) -> tuple[float, float]:
        """The least and the most USD a month that the table's deletion saves.

        They differ where its reads are not known: at as many as may be, and at none.
        """
        usage, defaults = self.usage.get(recipe.child), self.settings.usage
        reads = self.reads_per_month(recipe.child)
        most, least = reads, reads
        if usage is None or usage.reads_per_month is None:
            most, least = max(defaults.most_reads_per_month, reads), 0.0
        keep_usd = self.keep_usd(recipe.child)
        costs_usd = (self.usd(recipe, count, as_view) for count in (most, least))
        at_least, at_most = (keep_usd - usd for usd in costs_usd)
        return at_least, at_most

    def keep_usd(self, location: str) -> float:
        """The cost of keeping the table a month."""
        facts, prices = self.facts[location], self.settings.prices
        scans = self.settings.usage.maintenance_scans_per_month
        storing_usd = storage_usd(facts.unique_bytes, prices)
        return storing_usd + maintenance_usd(facts.size_bytes, scans, prices)

    def must_keep(self, location: str) -> str | None:
        """The reason why the table stays whatever it costs; None where it may go."""
        reason = self.settings.protection(location)
        protected = None if reason is None else f"protected: {reason}"
        return self.facts[location].must_keep or protected

    def standing(self, location: str) -> Standing:
        """The table's standing among its equal copies."""
        usage, facts = self.usage.get(location), self.facts[location]
        last_read = None if usage is None else usage.last_read
        return Standing(
            self.settings.preference(location),
            -self.reads_per_month(location),
            -(0 if usage is None else usage.consumers or 0),
            0 if last_read is None else -last_read.toordinal(),
            FORMATS_BY_USE.get(facts.format, len(FORMATS_BY_USE)),
            not facts.is_partitioned(),
            any(word in NAMES_OF_COPIES for word in re.split(r"[^a-z]+", location.lower())),
        )

    def why_preferred(self, stays: str, goes: str) -> str:
        """The first reason why one copy is preferred to the other at the same cost."""
        one, other = self.standing(stays), self.standing(goes)
        if one.rule < other.rule:
            return self.settings.prefer[one.rule].reason
        return next(
            (told for key, told in PREFERRED.items() if getattr(one, key) < getattr(other, key)),
            "first of them by location",
        )

    def _stored(self, location: str, rank: int, unread: bool) -> StoredTable:
        return StoredTable(
            location,
            self.keep_usd(location),
            self.facts[location].unique_bytes,
            self.settings.limit_s(location, unread),
            self.must_keep(location),
            rank,
        )

    def _option(self, recipe: TableRecipe, numbers: Mapping[str, int]) -> Option:
        reads, trial = self.reads_per_month(recipe.child), recipe.trial
        return Option(
            numbers[recipe.child],
            tuple(numbers[parent] for parent in parents(recipe.recipe)),
            self.usd(recipe, reads, as_view=False),
            self.p95_s(recipe),
            self._other_tenant(recipe) or (None if trial is None else trial.problem),
        )

    def _view(self, recipe: TableRecipe, rebuilt: Option, number: int) -> Option:
        reads_usd = self.usd(recipe, self.reads_per_month(recipe.child), as_view=True)
        seconds = self.view_p95_s(recipe)
        return replace(rebuilt, usd_per_month=reads_usd, seconds=seconds, view_of=number)

    def _other_tenant(self, recipe: TableRecipe) -> str | None:
        tenant = self.settings.tenant_of(recipe.child)
        for parent in parents(recipe.recipe):
            if self.settings.tenant_of(parent) != tenant:
                return f"{parent} belongs to another tenant"
        return None


def pays_from_bytes(settings: PlanSettings, reads_per_month: float) -> int | None:
    """The least size of a table whose deletion saves what it must; None where none is large enough.

    Its recipe reads and writes as many bytes as it has.

    >>> pays_from_bytes(PlanSettings(), 0.0) // GB, pays_from_bytes(PlanSettings(), 100.0)
    (38, None)
    """
    prices, rates, usage = settings.prices, settings.rates, settings.usage
    keep_usd = storage_usd(GB, prices) + maintenance_usd(
        GB, usage.maintenance_scans_per_month, prices
    )
    start_up_usd = rebuild_usd(Rebuild(0, 0), reads_per_month, prices, rates)
    gain_usd = keep_usd - rebuild_usd(Rebuild(GB, GB), reads_per_month, prices, rates)
    per_gb_usd = gain_usd + start_up_usd
    if per_gb_usd <= 0:
        return None
    return ceil((settings.plan.min_saving_usd_per_month + start_up_usd) / per_gb_usd * GB)


def storage_usd(unique_bytes: int, prices: Prices) -> float:
    """The cost of storing bytes that no other table needs, per month.

    >>> storage_usd(10**12, Prices(storage_usd_per_gb_month=0.02))
    20.0
    """
    return unique_bytes / GB * prices.storage_usd_per_gb_month


def maintenance_usd(size_bytes: int, scans_per_month: float, prices: Prices) -> float:
    """The cost of scanning all of the table's bytes so often, per month."""
    return scans_per_month * size_bytes / GB * prices.scan_usd_per_gb


def rebuild_usd(rebuild: Rebuild, rebuilds_per_month: float, prices: Prices, rates: Rates) -> float:
    """The cost of rebuilding so often, and of storing what it needs, per month."""
    seconds = rates.start_up_p95_s + _work_s(rebuild, rates)
    once_usd = (
        rebuild.read_bytes / GB * prices.read_usd_per_gb
        + rebuild.written_bytes / GB * prices.write_usd_per_gb
        + seconds * prices.vm_usd_per_hour / 3600
    )
    return rebuilds_per_month * once_usd + storage_usd(rebuild.residual_bytes, prices)


@lru_cache(maxsize=1 << 14)
def has_sql(recipe: Recipe) -> bool:
    """Whether one of the SQL dialects can express the recipe, over tables of any name."""
    from r2d2.recipes.sql import query
    from r2d2.recipes.sql_names import SqlDialect

    names = {parent: (f"parent_{number}",) for number, parent in enumerate(parents(recipe))}
    for dialect in SqlDialect:
        with suppress(UnrenderableRecipeError):
            query(recipe, names, dialect)
            return True
    return False


def view_usd(rebuild: Rebuild, reads_per_month: float, prices: Prices, rates: Rates) -> float:
    """The cost of reading the parents in place of the table so often, per month.

    Only what is read beyond the table's own bytes counts, with the time that this takes.
    """
    more_gb = _more_bytes(rebuild) / GB
    scanned_usd = more_gb * (prices.scan_usd_per_gb + prices.read_usd_per_gb)
    seconds = more_gb * rates.read_p50_s_per_gb
    return reads_per_month * (scanned_usd + seconds * prices.vm_usd_per_hour / 3600)


def view_p95_s(rebuild: Rebuild, rates: Rates) -> float:
    """The seconds that 95 of 100 reads through a view take more than reads of the table."""
    more_bytes = _more_bytes(rebuild)
    if rebuild.measured_s is None or not more_bytes:
        return more_bytes / GB * rates.read_p95_s_per_gb
    p50_s, p95_s = rates.read_p50_s_per_gb, rates.read_p95_s_per_gb
    return rebuild.measured_s * more_bytes / rebuild.read_bytes * (p95_s / p50_s if p50_s else 1.0)


def _more_bytes(rebuild: Rebuild) -> int:
    return max(0, rebuild.read_bytes - rebuild.written_bytes)


def rebuild_p95_s(rebuild: Rebuild, rates: Rates) -> float:
    """The seconds that 95 of 100 rebuilds stay within, start-up included."""
    seconds = making_p95_s(rebuild, rates), writing_p95_s(rebuild.written_bytes, rates)
    return rates.start_up_p95_s + sum(seconds)


def making_p95_s(rebuild: Rebuild, rates: Rates) -> float:
    """The seconds in which the table's rows are made of its parents'."""
    p50_s, p95_s = rates.read_p50_s_per_gb, rates.read_p95_s_per_gb
    if rebuild.measured_s is None:
        return rebuild.read_bytes / GB * p95_s
    return rebuild.measured_s * (p95_s / p50_s if p50_s else 1.0)


def writing_p95_s(size_bytes: int, rates: Rates) -> float:
    """The seconds in which a table is compared, written, read again and moved to its place."""
    return TABLE_P95_S + size_bytes / GB * rates.write_p95_s_per_gb


def _work_s(rebuild: Rebuild, rates: Rates) -> float:
    if rebuild.measured_s is not None:
        return rebuild.measured_s
    return _rated_s(rebuild, rates.read_p50_s_per_gb, rates.write_p50_s_per_gb)


def _rated_s(rebuild: Rebuild, read_s_per_gb: float, write_s_per_gb: float) -> float:
    return rebuild.read_bytes / GB * read_s_per_gb + rebuild.written_bytes / GB * write_s_per_gb
