"""The check of a plan file: refused if it breaks a rule, by what the file itself says."""

from collections.abc import Iterator
from typing import Any

from r2d2.errors import UsageError
from r2d2.plan.plan_file import Data
from r2d2.plan.program import Choice, Option, Problem, StoredTable, Violation, verify
from r2d2.recipes.grammar import parents
from r2d2.recipes.json import from_data
from r2d2.recipes.literals import RecipeError


def check_plan(plan: Data) -> tuple[tuple[str, str], ...]:
    """Every rule that the plan breaks, with a sentence; empty for a sound plan.

    To the program's rules come `recipe-run` (each chosen recipe was run and gave the table) and
    `recipe-parents` (it reads the parents that the plan names, and nothing else).

    Raises:
        UsageError: the file lacks what a plan has.
    """
    try:
        broken = [*_recipes(plan), *((v.rule.value, v.sentence) for v in _program(plan))]
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(f"not a plan of r2d2's: {error!r}") from error
    return tuple(broken)


def _recipes(plan: Data) -> Iterator[tuple[str, str]]:
    for table in plan["tables"]:
        if table["choice"] != "delete":
            continue
        name = table["table"]
        if not table["evidence"]["run"]:
            yield "recipe-run", f"{name} is rebuilt by a recipe that was not run"
        try:
            read = list(parents(from_data(table["recipe"])))
        except RecipeError as error:
            yield "recipe-parents", f"{name} has a recipe that r2d2 cannot read: {error}"
            continue
        if read != table["parents"]:
            stated = ", ".join(table["parents"])
            yield "recipe-parents", f"{name} is rebuilt from {', '.join(read)}, not from {stated}"


def _program(plan: Data) -> tuple[Violation, ...]:
    names: dict[str, int] = {}
    for table in plan["tables"]:
        names.setdefault(table["table"], len(names))
    options: list[Option] = []
    choices: list[Choice] = []
    for table in plan["tables"]:
        number = names[table["table"]]
        if table["choice"] != "delete":
            choices.append(Choice(number))
            continue
        choices.append(Choice(number, len(options)))
        options.append(_option(table, number, names))
    stored = {names[table["table"]]: _stored(table) for table in plan["tables"]}
    problem = Problem(
        tuple(stored[number] for number in range(len(stored))),
        tuple(options),
        plan["totals"]["max_freed_bytes"],
    )
    return verify(problem, choices, plan["totals"]["cost_usd_per_month"])


def _stored(table: Data) -> StoredTable:
    return StoredTable(
        table["table"],
        table["keep_usd_per_month"],
        table["frees_bytes"],
        table["latency_limit_s"],
        table["reason"] if table["must_keep"] else None,
    )


def _option(table: Data, number: int, names: dict[str, int]) -> Option:
    unknown = [parent for parent in table["parents"] if parent not in names]
    if unknown:
        raise UsageError(f"{table['table']} is rebuilt from {unknown[0]}, which the plan lacks")
    usd: Any = table["rebuild_usd_per_month"]
    return Option(
        number, tuple(names[parent] for parent in table["parents"]), usd, table["rebuild_p95_s"]
    )
