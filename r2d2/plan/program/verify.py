"""The verification of a program's solution against the rules; no code is shared with solvers."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from enum import Enum

from r2d2.plan.program.problem import Choice, Option, Problem
from r2d2.text_tables import duration


class Rule(str, Enum):
    """A rule that every plan holds to."""

    KNOWN_TABLE = "known-table"
    ONE_CHOICE = "one-choice"
    KNOWN_RECIPE = "known-recipe"
    OWN_RECIPE = "own-recipe"
    STRUCK_OUT = "struck-out"
    MUST_KEEP = "must-keep"
    LATENCY = "latency"
    PARENT_KEPT = "parent-kept"
    CAP = "cap"
    MIN_SAVING = "min-saving"
    COST_TOTAL = "cost-total"
    PREFERENCE = "preference"


@dataclass(frozen=True, slots=True)
class Violation:
    """A broken rule, and a sentence that says how."""

    rule: Rule
    sentence: str


def verify(
    problem: Problem, choices: Sequence[Choice], cost_usd_per_month: float
) -> tuple[Violation, ...]:
    """Every rule that the choices or their stated cost break; empty for a sound plan."""
    broken = list(_unknown(problem, choices))
    if not broken:
        broken = list(_counts(problem, choices))
    if broken:
        return tuple(broken)
    chosen = {choice.table: choice.option for choice in choices}
    broken += _deletions(problem, chosen)
    broken += _totals(problem, chosen, cost_usd_per_month)
    if not broken:
        broken += _preferences(problem, chosen)
    return tuple(broken)


def _unknown(problem: Problem, choices: Sequence[Choice]) -> Iterator[Violation]:
    for choice in choices:
        if not 0 <= choice.table < len(problem.tables):
            yield Violation(Rule.KNOWN_TABLE, f"there is no table number {choice.table}")
        elif choice.option is not None and not 0 <= choice.option < len(problem.options):
            name = problem.tables[choice.table].name
            yield Violation(
                Rule.KNOWN_RECIPE, f"{name} is rebuilt by recipe {choice.option}, which is unknown"
            )


def _counts(problem: Problem, choices: Sequence[Choice]) -> Iterator[Violation]:
    times = Counter(choice.table for choice in choices)
    for number, table in enumerate(problem.tables):
        if times[number] != 1:
            yield Violation(Rule.ONE_CHOICE, f"{table.name} is decided {times[number]} times")


def _deletions(problem: Problem, chosen: Mapping[int, int | None]) -> Iterator[Violation]:
    for number, option_number in sorted(chosen.items()):
        if option_number is None:
            continue
        table, option = problem.tables[number], problem.options[option_number]
        if option.child != number:
            other = problem.tables[option.child].name
            yield Violation(
                Rule.OWN_RECIPE, f"{table.name} is rebuilt by a recipe that makes {other}"
            )
        if option.struck is not None:
            yield Violation(
                Rule.STRUCK_OUT,
                f"{table.name} is rebuilt by a recipe that was struck out: {option.struck}",
            )
        if table.must_keep is not None:
            yield Violation(
                Rule.MUST_KEEP, f"{table.name} is deleted but must stay: {table.must_keep}"
            )
        if table.limit_s is not None and option.seconds > table.limit_s:
            yield Violation(
                Rule.LATENCY,
                f"{table.name} takes {duration(option.seconds)} to rebuild; it may take"
                f" {duration(table.limit_s)}",
            )
        saving_usd = table.keep_usd_per_month - option.usd_per_month
        if saving_usd < problem.min_saving_usd_per_month:
            yield Violation(
                Rule.MIN_SAVING,
                f"deleting {table.name} saves {saving_usd:g} USD a month, a deletion must save"
                f" {problem.min_saving_usd_per_month:g}",
            )
        for parent in option.parents:
            if chosen[parent] is not None:
                yield Violation(
                    Rule.PARENT_KEPT,
                    f"{table.name} is rebuilt from {problem.tables[parent].name},"
                    " which is deleted too",
                )


def _totals(
    problem: Problem, chosen: Mapping[int, int | None], stated_usd: float
) -> Iterator[Violation]:
    costs, deleted_bytes = [], 0
    for number, table in enumerate(problem.tables):
        option = chosen[number]
        if option is None:
            costs.append(table.keep_usd_per_month)
        else:
            costs.append(problem.options[option].usd_per_month)
            deleted_bytes += table.size_bytes
    cap = problem.max_deleted_bytes
    if cap is not None and deleted_bytes > cap:
        yield Violation(Rule.CAP, f"{deleted_bytes} bytes are deleted; at most {cap} may be")
    total_usd = math.fsum(costs)
    saving_usd = math.fsum(table.keep_usd_per_month for table in problem.tables) - total_usd
    deletes = any(option is not None for option in chosen.values())
    if deletes and saving_usd < problem.min_plan_saving_usd_per_month:
        least_usd = problem.min_plan_saving_usd_per_month
        told = f"the plan saves {saving_usd:g} USD a month, a plan must save {least_usd:g}"
        yield Violation(Rule.MIN_SAVING, told)
    if not math.isclose(total_usd, stated_usd, rel_tol=1e-9, abs_tol=1e-9):
        yield Violation(
            Rule.COST_TOTAL, f"the choices cost {total_usd!r} USD a month, not {stated_usd!r}"
        )


@dataclass(frozen=True, slots=True)
class Exchanges:
    """The exchanges of a plan's tables for their twins: tables rebuilt from each other alone.

    `ways` are the options by child that may be used and cost less than keeping their table;
    `resting` are the children of all ways by parent.
    """

    problem: Problem
    chosen: Mapping[int, int | None]
    ways: Mapping[int, Sequence[Option]]
    resting: Mapping[int, Set[int]]

    @classmethod
    def of(cls, problem: Problem, chosen: Mapping[int, int | None]) -> "Exchanges":
        """The exchanges of the choices, by table."""
        ways: dict[int, list[Option]] = {}
        resting: dict[int, set[int]] = {}
        for option in problem.options:
            table = problem.tables[option.child]
            late = table.limit_s is not None and option.seconds > table.limit_s
            saving_usd = table.keep_usd_per_month - option.usd_per_month
            dear = saving_usd <= 0 or saving_usd < problem.min_saving_usd_per_month
            if not (late or dear or option.struck or table.must_keep):
                ways.setdefault(option.child, []).append(option)
                for parent in option.parents:
                    resting.setdefault(parent, set()).add(option.child)
        return cls(problem, chosen, ways, resting)

    def kept_twins(self, gone: int) -> list[int]:
        """The twins of a deleted table that stay, in order."""
        parents = {way.parents[0] for way in self.ways.get(gone, ()) if len(way.parents) == 1}
        return sorted(
            parent
            for parent in parents
            if self.chosen[parent] is None
            and any(way.parents == (gone,) for way in self.ways.get(parent, ()))
        )

    def dearer_usd(self, stays: int, gone: int) -> float:
        """The USD a month that the plan would cost more with `gone` in place of its twin."""
        kept = {stays: False, gone: True}

        def is_kept(table: int) -> bool:
            return kept.get(table, self.chosen[table] is None)

        rested = self.resting.get(stays, set()) | self.resting.get(gone, set())
        touched = {stays, *(child for child in rested if not is_kept(child))}
        keep_usd = self.problem.tables[stays].keep_usd_per_month
        changes = [self.problem.tables[gone].keep_usd_per_month, -keep_usd, -self._usd(gone)]
        for child in touched:
            usd = [
                way.usd_per_month
                for way in self.ways.get(child, ())
                if all(map(is_kept, way.parents))
            ]
            changes.append(min(usd, default=math.inf))
            changes += [] if child == stays else [-self._usd(child)]
        return math.fsum(changes)

    def _usd(self, gone: int) -> float:
        option = self.chosen[gone]
        return math.inf if option is None else self.problem.options[option].usd_per_month


def _preferences(problem: Problem, chosen: Mapping[int, int | None]) -> Iterator[Violation]:
    """Twins of which the preferred one goes, although the plan would cost no more with it."""
    exchanges = Exchanges.of(problem, chosen)
    deleted = [number for number, option in sorted(chosen.items()) if option is not None]
    freed = sum(problem.tables[number].size_bytes for number in deleted)
    cap = math.inf if problem.max_deleted_bytes is None else problem.max_deleted_bytes
    for gone in deleted:
        for stays in exchanges.kept_twins(gone):
            one, other = problem.tables[stays], problem.tables[gone]
            fits = freed + one.size_bytes - other.size_bytes <= cap
            better = (other.rank, gone) < (one.rank, stays)
            if fits and better and exchanges.dearer_usd(stays, gone) <= 0:
                told = f"{other.name} is preferred to {one.name} at the same cost, and is deleted"
                yield Violation(Rule.PREFERENCE, told)


def cheaper_changes(problem: Problem, choices: Sequence[Choice]) -> Iterator[str]:
    """Single changes that would cost less, of a plan that says that none does."""
    chosen = {choice.table: choice.option for choice in choices}
    used = [problem.options[option] for option in chosen.values() if option is not None]
    needed = {parent for option in used for parent in option.parents}
    freed = sum(problem.tables[option.child].size_bytes for option in used)
    room = math.inf if problem.max_deleted_bytes is None else problem.max_deleted_bytes - freed
    keep_usd = [table.keep_usd_per_month for table in problem.tables]
    saved_usd = math.fsum(keep_usd[option.child] - option.usd_per_month for option in used)
    least_usd = 1e-6 * math.fsum(keep_usd)
    for child, ways in sorted(Exchanges.of(problem, chosen).ways.items()):
        now = chosen[child]
        if child in needed or (now is None and problem.tables[child].size_bytes > room):
            continue
        usd = keep_usd[child] if now is None else problem.options[now].usd_per_month
        for option in ways:
            gain_usd = usd - option.usd_per_month
            enough = saved_usd + gain_usd >= problem.min_plan_saving_usd_per_month
            stay = all(chosen[parent] is None for parent in option.parents)
            if stay and enough and gain_usd > least_usd:
                read = ", ".join(problem.tables[parent].name for parent in option.parents)
                how = "rebuild it from" if option.view_of is None else "make it a view of"
                yield f"{problem.tables[child].name}: to {how} {read} would cost less"
