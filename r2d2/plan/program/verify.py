"""The verification of a program's solution against the rules; no code is shared with solvers."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from r2d2.plan.program.problem import Choice, Problem


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
    COST_TOTAL = "cost-total"


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
                f"{table.name} takes {option.seconds:g} s to rebuild; it may take"
                f" {table.limit_s:g} s",
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
    if not math.isclose(total_usd, stated_usd, rel_tol=1e-9, abs_tol=1e-9):
        yield Violation(
            Rule.COST_TOTAL, f"the choices cost {total_usd!r} USD a month, not {stated_usd!r}"
        )
