"""`plan.json`: canonical, so that the same graph, settings and measurements give the same bytes."""

import hashlib
import json
import math
import re
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, astuple, replace
from datetime import date
from pathlib import Path
from typing import Any

from r2d2.errors import UsageError
from r2d2.model import FileInfo
from r2d2.plan.costs import Costing, TableRecipe, pays_from_bytes
from r2d2.plan.graph_file import PLAN_NAME, GraphFile, earlier_runs, is_compared
from r2d2.plan.plan_form import Data, check_form
from r2d2.plan.planner import (
    DEARER,
    MONEY,
    NO_RECIPE,
    ONLY_WITHOUT,
    PARENT_GOES,
    PLAN_TOO_LITTLE,
    TOO_LITTLE,
    Reasons,
    SolvedPlan,
)
from r2d2.recipes.grammar import ParentChange, parents, survives
from r2d2.recipes.json import to_data
from r2d2.recipes.run.trial import Trial
from r2d2.settings.plan import PlanSettings, plan_settings_of
from r2d2.storage.output import json_text, json_with, settle
from r2d2.text_tables import (
    counted,
    did_you_mean,
    human_bytes,
    pluralize,
    shell_word,
    usd,
    without_file,
)

VERSION = 3
is_plan = json_with("solver", "totals", "tables")
"""Recognises a plan's file, also of another version of r2d2."""


def plan_data(
    planned: SolvedPlan,
    graph: GraphFile,
    warnings: Sequence[str] = (),
    recipes_sha256: str = "",
) -> Data:
    """The plan as plain data, with its digest under `sha256`."""
    snapshots, reasons = dict(graph.snapshots), Reasons.of(planned, graph.edges)
    tables = [_table(reasons, number, snapshots) for number in range(len(planned.problem.tables))]
    data = {
        "version": VERSION,
        "lake": graph.lake,
        "tables": tables,
        "totals": _totals(planned, tables),
        "solver": _solver(planned),
        "settings": plain(asdict(planned.costing.settings)),
        "snapshots": snapshots,
        "owners": dict(graph.owners),
        "find": dict(graph.found_with),
        "run": {"graph_sha256": graph.sha256, "recipes_sha256": recipes_sha256},
        "warnings": [*graph.warnings, *warnings],
    }
    return data | {"sha256": digest(data)}


def digest(data: Data) -> str:
    """The SHA-256 of the plan without its own."""
    rest = {key: value for key, value in data.items() if key != "sha256"}
    return hashlib.sha256(json_text(rest).encode()).hexdigest()


def load_plan(path: Path) -> Data:
    """A plan that nobody changed since it was written.

    Raises:
        UsageError: it is missing, no plan, of another version, or its digest does not fit.
    """
    settle(path.parent)
    try:
        text = path.read_bytes().decode()
        data = json.loads(text, object_pairs_hook=_unlike, parse_constant=_no_number)
        known = isinstance(data, dict) and data.get("version") == VERSION
        # The same values may be written in other letters, as 1E-05.
        whole = known and data.get("sha256") == digest(data) and text == json_text(data)
    except OSError as error:
        remedy = "give a plan that `r2d2 plan` wrote, such as run/plan.json"
        raise UsageError(f"{path}: {error.strerror}; {remedy}") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path}: not JSON: {error}") from error
    if not known:
        raise UsageError(f"{path}: not a plan of this version of r2d2")
    if not whole:
        raise UsageError(f"{path}: changed since it was written: not a letter may be another")
    check_form(data, f"{path}: ")
    return dict(data)


def not_deleted(run: Path, name: str, plan: Mapping[str, Any]) -> UsageError:
    """The error for a table that is not among those that the plan deletes.

    It says why the plan keeps it, and names an earlier plan that deletes it; of no table, the
    nearest of those that go.
    """
    kept = [entry["reason"] for entry in plan["tables"] if entry["table"] == name]
    told = f"the plan keeps {name!r}" if kept else f"the plan deletes no table {name!r}"
    for folder in earlier_runs(run):
        with suppress(UsageError):
            for entry in load_plan(folder / PLAN_NAME)["tables"]:
                if (entry["table"], entry["choice"]) == (name, "delete"):
                    return UsageError(f"{told}; an earlier one deletes it: give --run {folder}")
    if kept:
        remedy = (
            f"`r2d2 plan show {shell_word(str(run))} --choice delete` lists those that have one"
        )
        return UsageError(f"{told}, so it has no recipe: {kept[0]}; {remedy}")
    deleted = [entry["table"] for entry in plan["tables"] if entry["choice"] == "delete"]
    return UsageError(f"{told}{did_you_mean(name, deleted)}")


def _unlike(pairs: list[tuple[str, Any]]) -> Data:
    data = dict(pairs)
    if len(data) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"a key is there twice: {next(k for k in keys if keys.count(k) > 1)!r}")
    return data


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no number")


def _table(reasons: Reasons, number: int, snapshots: Mapping[str, str]) -> Data:
    planned = reasons.planned
    stored, choice = planned.problem.tables[number], planned.solution.choices[number]
    facts = planned.known.facts[stored.name]
    data: Data = {
        "table": stored.name,
        "choice": "keep" if choice.option is None else "delete",
        "reason": reasons.of_choice(number),
        "must_keep": stored.must_keep,
        "tenant": planned.costing.settings.tenant_of(stored.name),
        "parents": [],
        "recipe": None,
        "keep_usd_per_month": stored.keep_usd_per_month,
        "saving_usd_per_month": 0.0,
        "rebuild_p95_s": None,
        "latency_limit_s": stored.limit_s,
        "size_bytes": facts.size_bytes,
        "frees_bytes": stored.size_bytes,
        "files_sha256": files_digest(facts.files),
        "usage": _usage(planned.costing, stored.name, stored.name in reasons.unread),
    }
    if choice.option is not None:
        option = planned.problem.options[choice.option]
        recipe, is_view = planned.recipe_of(choice.option), option.view_of is not None
        at_least, at_most = planned.costing.saving_bounds_usd(recipe, is_view)
        data |= {
            "parents": list(parents(recipe.current)),
            "recipe": to_data(recipe.current),
            "saving_usd_per_month": stored.keep_usd_per_month - option.usd_per_month,
            "way": "view" if is_view else "rebuild",
            "rebuild_usd_per_month": option.usd_per_month,
            "rebuild_p95_s": option.seconds,
            "evidence": _evidence(planned.costing, recipe, snapshots),
            "layout": {} if recipe.trial is None else dict(recipe.trial.layout),
            "files": [list(astuple(file)) for file in facts.files],
            "inside": list(facts.inside),
            "copy_that_stays": reasons.copy_that_stays(number),
            "saving_at_least_usd_per_month": at_least,
            "saving_at_most_usd_per_month": at_most,
        }
    return data


def files_digest(files: Sequence[FileInfo]) -> str:
    """A digest of the names, sizes and versions of a table's files."""
    listed = sorted(astuple(file) for file in files)
    return hashlib.sha256(json_text(listed).encode()).hexdigest()[:32]


def _usage(costing: Costing, location: str, unread: bool) -> Data:
    """The reads a month, as stated or assumed; the last read and the consumers, where stated."""
    usage = costing.usage.get(location)
    assumed = usage is None or usage.reads_per_month is None
    last_read = None if usage is None else usage.last_read
    return {
        "assumed": assumed,
        "unread": unread,
        "reads_per_month": costing.reads_per_month(location),
        "last_read": None if last_read is None else last_read.isoformat(),
        "consumers": None if usage is None else usage.consumers,
        "consumer_names": [] if usage is None else list(usage.consumer_names),
    }


def _evidence(costing: Costing, recipe: TableRecipe, snapshots: Mapping[str, str]) -> Data:
    trial = recipe.trial
    if trial is None:
        return {"run": False}
    rebuild = costing.rebuild(recipe)
    return {
        "run": True,
        "rows": trial.rows,
        "fingerprint": trial.fingerprint,
        "seconds": trial.seconds,
        "trial_sha256": _trial_digest(trial),
        "read_bytes": rebuild.read_bytes,
        "written_bytes": rebuild.written_bytes,
        "residual_bytes": rebuild.residual_bytes,
        "snapshots": {name: snapshots[name] for name in (recipe.child, *parents(trial.recipe))},
        "survives": {
            parent: {c.value: survives(trial.recipe, parent, c).name.lower() for c in ParentChange}
            for parent in parents(trial.recipe)
        },
    }


def _trial_digest(trial: Trial) -> str:
    """A digest of what was run and what came of it: evidence is of this very recipe."""
    parts = (to_data(trial.recipe), dict(trial.layout), trial.rows, trial.fingerprint)
    measured = (trial.seconds, trial.read_bytes)
    return hashlib.sha256(json_text([*parts, *measured]).encode()).hexdigest()[:32]


def cheapest(solver: Mapping[str, Any]) -> str:
    """How good the choice is.

    >>> cheapest({"status": "optimal"}), cheapest({"status": "feasible", "gap": 0.0123})
    ('the cheapest choice', 'a choice (a better one saves 1.23% of its cost at most)')
    """
    if solver["status"] == "optimal":
        return "the cheapest choice"
    return f"a choice (a better one saves {solver['gap']:.2%} of its cost at most)"


PART = "it may be a part of "


def kept_kind(entry: Mapping[str, Any]) -> str:
    """The reason of a plan's table; those that differ in numbers or names only are one."""
    reason = without_file(entry["reason"], entry.get("table", ""))
    if reason.endswith("rebuilt from it"):
        return "deleted tables are rebuilt from it"
    if reason.startswith("rebuilding takes"):
        return "rebuilding takes longer than its readers may wait"
    if reason.startswith(PART):
        return reason.partition(":")[0]
    if reason.endswith(PARENT_GOES):
        return "what it could be rebuilt from is deleted"
    if reason.startswith(f"{NO_RECIPE}:"):
        lost = f": another{ONLY_WITHOUT}a column that no recipe gives"
        return NO_RECIPE + lost * (ONLY_WITHOUT in reason)
    if reason.startswith(TOO_LITTLE) or reason.endswith(DEARER):
        return re.sub(f" {MONEY} a month,", "", reason, count=1)
    return reason


def headline(plan: Mapping[str, Any]) -> str:
    """The tables that can be deleted, their bytes and what they save, each of how much."""
    totals = plan["totals"]
    compared = [table for table in plan["tables"] if is_compared(table["must_keep"])]
    tables = counted(len(compared), len(plan["tables"]) - len(compared))
    size = human_bytes(sum(table["size_bytes"] for table in compared))
    keep = usd(sum(table["keep_usd_per_month"] for table in compared))
    if not compared:
        others = len(plan["tables"])
        told = f" ({pluralize(others, 'table')} left out)" if others else ""
        return f"no table could be compared{told}: nothing can be deleted, nothing saved"
    if not totals["deleted"]:
        stay = "it stays" if len(compared) == 1 else "they stay"
        return f"0 of {tables} can be deleted: {stay}, {size}, for {keep} a month"
    return (
        f"{totals['deleted']:,} of {tables} can be deleted:"
        f" {human_bytes(totals['freed_bytes'])} of {size},"
        f" {usd(totals['saving_usd_per_month'])} of {keep} a month saved"
    )


def pays_told(plan: Mapping[str, Any]) -> str:
    """The size from which on a deletion pays, where none does or some save too little.

    It is told with the minimum that a deletion must save, and by prices alone where that differs.
    """
    dear = any(table["reason"].endswith(DEARER) for table in plan["tables"])
    told = plan["totals"]["below_min_saving"] or dear or not plan["totals"]["deleted"]
    if not plan["solver"]["options"] or not told:
        return ""
    settings = plan_settings_of(plan["settings"])
    alone = replace(settings, plan=replace(settings.plan, min_saving_usd_per_month=0.0))
    least, by_prices = _sizes_told(settings), _sizes_told(alone)
    if least == by_prices:
        return f"at these prices a deletion pays {by_prices}"
    minimum = f"the minimum of {usd(settings.plan.min_saving_usd_per_month)} a month"
    return f"a deletion saves {minimum} {least}; by prices alone it pays {by_prices}"


def _sizes_told(settings: PlanSettings) -> str:
    """The size from which on a deletion saves what it must: unread, and at assumed reads."""
    reads = settings.usage.reads_per_month
    sizes = {"where nobody reads the table": pays_from_bytes(settings, 0.0)}
    if reads:
        at_reads = f"at {pluralize(f'{reads:g}', 'read')} a month"
        sizes[at_reads] = pays_from_bytes(settings, reads)
    return ", ".join(
        f"{'at no size' if s is None else f'from {human_bytes(s)} on' if s else 'at any size'} {at}"
        for at, s in sizes.items()
    )


def _totals(planned: SolvedPlan, tables: list[Data]) -> Data:
    deleted = [table for table in tables if table["choice"] == "delete"]
    saving_usd = sum(table["saving_usd_per_month"] for table in deleted)
    settings = planned.costing.settings
    work_usd = planned.known.seconds * settings.prices.vm_usd_per_hour / 3600
    return {
        "tables": len(tables),
        "deleted": len(deleted),
        "freed_bytes": sum(table["frees_bytes"] for table in deleted),
        "residual_bytes": sum(table["evidence"].get("residual_bytes", 0) for table in deleted),
        "bytes": sum(facts.size_bytes for facts in planned.known.facts.values()),
        "max_freed_bytes": planned.problem.max_deleted_bytes,
        "cost_usd_per_month": planned.solution.cost_usd_per_month,
        "keep_all_usd_per_month": sum(table["keep_usd_per_month"] for table in tables),
        "saving_usd_per_month": saving_usd,
        "saving_usd_per_year": 12 * saving_usd,
        "saving_at_least_usd_per_month": sum(t["saving_at_least_usd_per_month"] for t in deleted),
        "saving_at_most_usd_per_month": sum(t["saving_at_most_usd_per_month"] for t in deleted),
        "work_seconds": planned.known.seconds,
        "work_usd": work_usd,
        "payback_months": work_usd / saving_usd if saving_usd > 0 else None,
        "below_min_saving": sum(
            table["reason"].startswith((TOO_LITTLE, PLAN_TOO_LITTLE))
            for table in tables
            if table["choice"] == "keep" and table["must_keep"] is None
        ),
        "unread_pays_from_bytes": pays_from_bytes(settings, 0.0),
        "read_pays_from_bytes": pays_from_bytes(settings, settings.usage.reads_per_month),
        "reads_per_month": math.fsum(table["usage"]["reads_per_month"] for table in tables),
        "reads_assumed": sum(table["usage"]["assumed"] for table in tables),
        "deleted_reads_assumed": sum(table["usage"]["assumed"] for table in deleted),
        "consumers": sum(table["usage"]["consumers"] or 0 for table in tables),
        "edges_without_recipe": dict(planned.known.refused),
        "passes_over_parents": dict(planned.known.passes),
        "recipes_run": sum(c.trial is not None for c in planned.known.recipes),
        "recipes_that_failed": sum(
            c.trial is not None and c.trial.problem is not None for c in planned.known.recipes
        ),
    }


def _solver(planned: SolvedPlan) -> Data:
    solution = planned.solution
    return {
        "name": solution.solver.value,
        "version": solution.version,
        "status": solution.status.value,
        "bound_usd_per_month": solution.bound_usd_per_month,
        "gap": solution.gap,
        "options": len(planned.known.recipes),
        "views": len(planned.problem.options) - len(planned.known.recipes),
    }


def plain(value: Any) -> Any:
    """The value as JSON has it: days as text, tuples as lists."""
    match value:
        case date():
            return value.isoformat()
        case dict():
            return {key: plain(item) for key, item in value.items()}
        case list() | tuple():
            return [plain(item) for item in value]
    return value


def warnings(
    settings: PlanSettings, locations: Collection[str], elsewhere: Sequence[str]
) -> tuple[str, ...]:
    """A sentence for each rule that decides nothing, and one for usage of other tables.

    A pattern with a typo protects nothing: whoever wrote it must know.
    """
    told = list(settings.idle_rules(locations))
    if elsewhere:
        lines = pluralize(len(elsewhere), "line")
        told.append(f"usage: {lines} of tables that are not in the lake, such as {elsewhere[0]!r}")
    return tuple(told)
