"""The check of a plan file: its rules, its figures, and the lake as it is now.

A plan is written again from its own settings and evidence, and each figure that comes out otherwise
is named. The evidence is that of the run, where its `graph.json` and `recipes.json` are at hand and
are those that the plan was made with; else it is the plan's own word. The rules are held by
`verify`, which shares no code with the solver.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from hashlib import sha256
from pathlib import Path

import msgspec

from r2d2.errors import R2D2Error, UsageError
from r2d2.lake.inventory import layout_from
from r2d2.model import UNNAMED, FileInfo
from r2d2.plan import load_recipes
from r2d2.plan.costs import Costing, TableRecipe
from r2d2.plan.diff import different_places, short_text
from r2d2.plan.graph_file import (
    CAME,
    GRAPH_NAME,
    RECIPES_NAME,
    GraphFile,
    TableFacts,
    find_settings,
    gone_since,
    load_graph,
    needed_by_plans,
)
from r2d2.plan.plan_file import plan_data, warnings
from r2d2.plan.plan_form import Data, check_form
from r2d2.plan.planner import REASONS, KnownRecipes, SolvedPlan
from r2d2.plan.program import Choice, Problem, Solution, Solver, Status, verify
from r2d2.plan.program.milp import PROVED
from r2d2.plan.program.verify import cheaper_changes
from r2d2.plan.usage import Usage
from r2d2.recipes.grammar import parents, residuals
from r2d2.recipes.json import from_data, to_data
from r2d2.recipes.run.residuals import ResidualFolder
from r2d2.recipes.run.trial import Trial
from r2d2.settings.find import Settings
from r2d2.settings.plan import PlanSettings, plan_settings_of
from r2d2.text_tables import duration

FREE_TEXT = (
    "settings.prices.as_of",
    "settings.prices.source",
    "settings.rates.source",
    "settings.rates.vm_type",
    "settings.rates.vm_count",
    "settings.plan.time_limit_s",
    "settings.plan.min_saving_usd_per_month",
    "settings.plan.min_plan_saving_usd_per_month",
    "settings.latency.unread_days",
    "settings.latency.unread_limit_s",
    "settings.usage.as_of",
    "solver.version",
    "tables[*].usage.last_read",
    "tables[*].usage.consumer_names",
    "warnings[usage: *]",
    "settings.prefer",
    "settings.limit (order)",
    "settings.prefer (order)",
    "settings.protect (order)",
    "settings.tenant (order)",
    "settings.view[*].limit_s",
    "settings.view (order)",
)
"""Places that no figure follows from: a person's word, held to its type and no more.

A threshold may be another as long as all tables stay on their side of it. Rules are in order: of
two that match a table, the last counts. Where none share a table, their order decides nothing.
"""
ON_THE_PLANS_WORD = (
    "find",
    "lake",
    "owners",
    "run",
    "snapshots",
    "tables[*].files_sha256",
    "tables[*].files",
    "tables[*].inside",
    "tables[*].copy_that_stays",
    "tables[*].reason",
    "totals.below_min_saving",
    "totals.edges_without_recipe",
    "totals.passes_over_parents",
    "totals.recipes_run",
    "totals.recipes_that_failed",
    "totals.work_seconds",
    "solver.options",
    "solver.views",
    "warnings[[[table]] *, [[text]] *]",
)
"""Places that only the run's own files can vouch for, and the lake for files and snapshots."""
Broken = tuple[str, str]
"""The name of a rule, and a sentence."""


def check_plan(plan: Data, run: Path | None = None) -> tuple[Broken, ...]:
    """Every rule that the plan breaks, and every figure that is not as it should be.

    With the folder of its `run`, evidence is held against what was found and measured there.

    Raises:
        UsageError: the file is no plan: a key is missing or unknown, or a value of another type.
    """
    check_form(plan)
    settings = plan_settings_of(plan["settings"])
    broken = list(_recipes(plan))
    if broken:
        return tuple(broken)
    known, graph, of_run = _known(plan), _graph(plan), False
    if run is not None:
        try:
            known, graph = evidence_of(plan, run)
            of_run = True
        except R2D2Error as error:
            broken.append(("run", str(error)))
        broken += _residuals(plan, run)
        paths = sorted(file.path for facts in known.facts.values() for file in facts.files)
        broken += needed_by_others(plan["tables"], needed_by_plans(run, known.facts, paths))
    broken += _ignored(plan, graph.ignored())
    try:
        broken += _rules(plan, settings, known, graph, of_run)
    except (R2D2Error, KeyError, OverflowError) as error:
        broken.append(("figure", f"no plan comes of its settings and evidence: {error}"))
    return tuple(broken)


def needed_by_others(entries: Iterable[Data], needed: Mapping[str, str]) -> Iterator[Broken]:
    """The deleted tables that another plan needs to rebuild what is gone, each with the reason."""
    for entry in entries:
        if entry["choice"] == "delete" and entry["table"] in needed:
            yield "earlier-plan", f"{entry['table']} must stay: {needed[entry['table']]}"


def evidence_of(plan: Data, run: Path) -> tuple[KnownRecipes, GraphFile]:
    """What the plan's run found and measured.

    Raises:
        UsageError: its files are missing, or are not those that the plan was made with.
    """
    graph = load_graph(run)
    for name, digest in ((GRAPH_NAME, "graph_sha256"), (RECIPES_NAME, "recipes_sha256")):
        path = run / name
        if not path.is_file():
            raise UsageError(f"{path} is missing: the plan was made with it")
        if sha256(path.read_bytes()).hexdigest() != plan["run"][digest]:
            remedy = "give --run the folder of its own run"
            told = f"run.{digest}: {path} is not the file that the plan was made with"
            raise UsageError(f"{told}, and no earlier plan there has it; {remedy}")
    return load_recipes(run, graph.sha256), graph


def _recipes(plan: Data) -> Iterator[Broken]:
    for table in plan["tables"]:
        if table["choice"] != "delete":
            continue
        name = table["table"]
        if not table["evidence"]["run"]:
            yield "recipe-run", f"{name} is rebuilt by a recipe that was not run"
        try:
            read = list(parents(from_data(table["recipe"], f"{name}: recipe")))
            if table["evidence"]["run"]:
                layout_from(table["layout"])
        except R2D2Error as error:
            yield "recipe-parents", f"{name} has a recipe or layout that r2d2 cannot read: {error}"
            continue
        if read != table["parents"]:
            stated = ", ".join(table["parents"])
            yield "recipe-parents", f"{name} is rebuilt from {', '.join(read)}, not from {stated}"


def _ignored(plan: Data, ignored: Mapping[tuple[str, str], list[str]]) -> Iterator[Broken]:
    for table in plan["tables"]:
        if table["choice"] == "delete" and table["recipe"]["kind"] != "union":
            for parent in table["parents"]:
                for column in ignored.get((table["table"], parent), ()):
                    yield (
                        "ignored-column",
                        f"{table['table']}: no recipe gives its column {column or UNNAMED}",
                    )


def _residuals(plan: Data, run: Path) -> Iterator[Broken]:
    """Files kept aside in the run's folder that are gone or changed."""
    folder = ResidualFolder(run)
    for table in plan["tables"]:
        run_too = table["choice"] == "delete" and table["evidence"]["run"]
        for file in residuals(from_data(table["recipe"])) if run_too else ():
            try:
                size_bytes = len(folder.content(file))
            except R2D2Error as error:
                yield "residual", f"{table['table']}: {error}"
                continue
            if size_bytes != file.size_bytes:
                yield "residual", f"{table['table']}: {file.location} has {size_bytes} bytes"


def _known(plan: Data) -> KnownRecipes:
    """The evidence as the plan states it."""
    deleted = [table for table in plan["tables"] if table["choice"] == "delete"]
    return KnownRecipes(
        {table["table"]: _facts(table) for table in plan["tables"]},
        tuple(_table_recipe(table) for table in deleted),
        plan["totals"]["edges_without_recipe"],
        plan["totals"]["work_seconds"],
        plan["totals"]["passes_over_parents"],
    )


def _facts(table: Data) -> TableFacts:
    protected = (table["must_keep"] or "").startswith("protected: ")
    return TableFacts(
        table["size_bytes"],
        table["frees_bytes"],
        None if protected else table["must_keep"],
        tuple(FileInfo(*file) for file in table.get("files", ())),
        tuple(table.get("inside", ())),
    )


def _table_recipe(table: Data) -> TableRecipe:
    recipe, evidence = from_data(table["recipe"]), table["evidence"]
    if not evidence["run"]:
        return TableRecipe(table["table"], recipe)
    measured = (evidence["seconds"], evidence["rows"], evidence["fingerprint"])
    run = Trial(recipe, None, *measured, table["layout"], evidence["read_bytes"])
    return TableRecipe(table["table"], recipe, run)


def settings_of_find(plan: Data) -> Settings:
    """The settings that the plan's tables were found with.

    Raises:
        UsageError: they are none.
    """
    try:
        msgspec.convert(plan["find"], Settings, strict=True)
        return find_settings(plan["find"])
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UsageError(f"find: not the settings of `r2d2 find`: {error!r}") from error


def _graph(plan: Data) -> GraphFile:
    return GraphFile(
        plan["lake"],
        settings_of_find(plan),
        tuple(plan["snapshots"].items()),
        frozenset(),
        (),
        plan["owners"],
        plan["find"],
        plan["run"]["graph_sha256"],
        tuple(text for text in plan["warnings"] if text.startswith(("[[table]]", "[[text]]"))),
    )


def _rules(
    plan: Data, settings: PlanSettings, known: KnownRecipes, graph: GraphFile, of_run: bool
) -> Iterator[Broken]:
    for table in plan["tables"]:
        count, names = table["usage"]["consumers"], table["usage"]["consumer_names"]
        if names and count != len(names):
            place = f"tables[{table['table']}].usage.consumers"
            yield "figure", f"{place}: the plan says {count}, it names {len(names)}"
    costing = Costing(settings, known.facts, {t["table"]: _usage(t) for t in plan["tables"]})
    problem = costing.problem(known.recipes)
    choices, unknown = _choices(plan, known, problem)
    yield from unknown
    stated_usd = plan["totals"]["cost_usd_per_month"]
    rules = [(v.rule.value, v.sentence) for v in verify(problem, choices, stated_usd)]
    yield from rules
    if unknown or {rule for rule, _ in rules} & {"one-choice", "known-table"}:
        return
    if plan["solver"]["status"] == Status.OPTIMAL.value:
        yield from (("optimal", told) for told in cheaper_changes(problem, choices))
    solved = SolvedPlan(known, costing, problem, _solution(plan, settings, problem, choices))
    told = (*gone_since(graph, known.facts), *warnings(settings, known.facts, ()))
    again = plan_data(solved, graph, told, plan["run"]["recipes_sha256"])
    taken = _taken(plan, again, of_run)
    for place, stated, derived in different_places(plan, again):
        if place not in taken and place != "sha256":
            yield (
                "figure",
                f"{place}: the plan says {short_text(stated)}, it is {short_text(derived)}",
            )


def _usage(table: Data) -> Usage:
    usage, day = table["usage"], table["usage"]["last_read"]
    return Usage(
        0,
        table["table"],
        None if usage["assumed"] else usage["reads_per_month"],
        None if day is None else date.fromisoformat(day),
        usage["consumers"],
        tuple(usage["consumer_names"]),
    )


def _choices(
    plan: Data, known: KnownRecipes, problem: Problem
) -> tuple[list[Choice], list[Broken]]:
    """The plan's choices in numbers, and those that nothing is known of."""
    numbers = {location: number for number, location in enumerate(known.facts)}
    options: dict[str, list[int]] = {}
    for number, recipe in enumerate(known.recipes):
        options.setdefault(recipe.child, []).append(number)
    views = {option.view_of: number for number, option in enumerate(problem.options)}
    choices, broken = [], []
    for table in plan["tables"]:
        name, option = table["table"], None
        if name not in plan["snapshots"] and table["must_keep"] != CAME:
            broken.append(("known-table", f"snapshots: {name} is not among them"))
        if name not in numbers:
            broken.append(("known-table", f"{name} is no table of the plan's run"))
            continue
        if table["choice"] == "delete":
            alike = [
                number
                for number in options.get(name, ())
                if to_data(known.recipes[number].current) == table["recipe"]
            ]
            if not alike:
                told = f"tables[{name}].recipe is none that the plan's run found"
                broken.append(("known-recipe", told))
                continue
            option = alike[0] if table["way"] == "rebuild" else views.get(alike[0])
            if option is None:
                broken.append(("known-recipe", f"tables[{name}].way: it can be no view"))
                continue
        choices.append(Choice(numbers[name], option))
    return choices, broken


def _solution(
    plan: Data, settings: PlanSettings, problem: Problem, choices: Sequence[Choice]
) -> Solution:
    """The plan's choices, and what its solver claims of them as far as these can be right."""
    cost_usd = math.fsum(
        problem.tables[choice.table].keep_usd_per_month
        if choice.option is None
        else problem.options[choice.option].usd_per_month
        for choice in choices
    )
    bound_usd = min(plan["solver"]["bound_usd_per_month"], cost_usd)
    gap = max(0.0, cost_usd - bound_usd) / cost_usd if cost_usd else 0.0
    return Solution(
        tuple(sorted(choices, key=lambda choice: choice.table)),
        cost_usd,
        bound_usd,
        gap,
        Status.OPTIMAL if gap <= PROVED else Status.FEASIBLE,
        Solver(settings.plan.solver),
        plan["solver"]["version"],
        0,
        0,
    )


def _taken(plan: Data, again: Data, of_run: bool) -> frozenset[str]:
    """The places that are taken on the plan's word; and warnings of other lakes' tables."""
    taken: set[str] = set()
    again["warnings"] += [text for text in plan["warnings"] if text.startswith("usage: ")][:1]
    if of_run:
        return frozenset(taken)
    taken |= {place for place in ON_THE_PLANS_WORD if place.startswith(("totals.", "solver."))}
    for stated, derived in zip(plan["tables"], again["tables"], strict=True):
        place = f"tables[{stated['table']}]"
        taken |= _copy_on_its_word(plan, stated, place)
        if stated["choice"] == "delete" or stated["table"] != derived["table"]:
            continue
        taken.add(f"{place}.files_sha256")
        like = REASONS.fullmatch(stated["reason"])
        limit = like and (like[1] is None or like[1] == duration(derived["latency_limit_s"]))
        if limit and REASONS.fullmatch(derived["reason"]):
            taken.add(f"{place}.reason")
    return frozenset(taken)


def _copy_on_its_word(plan: Data, entry: Data, place: str) -> set[str]:
    """The place of the copy that stays, where that is a table which stays."""
    told = entry.get("copy_that_stays")
    if not told or told.keys() != {"table", "because"}:
        return set()
    stays = {table["table"] for table in plan["tables"] if table["choice"] == "keep"}
    return {f"{place}.copy_that_stays"} if told["table"] in stays else set()
