"""A plan for the lake of a run's folder: with the lake at hand, or (what-if) without.

What is learnt of the lake is stored as `recipes.json` in the folder, so that what-if reads no data.

A plan that is replaced goes into the folder's `earlier`, with its recipes and residuals and beside
a link to the graph: it can still be run from there. A table that it deleted may be gone: what that
one is rebuilt from stays in every later plan.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import asdict, fields, replace
from functools import partial
from hashlib import sha256
from math import inf
from pathlib import Path
from typing import Any

from r2d2.engines.local.recipes import LocalRecipes
from r2d2.errors import UsageError
from r2d2.lake.inventory import INVENTORY_FILE, Inventory
from r2d2.model import FileInfo, Table
from r2d2.plan.costs import TableRecipe
from r2d2.plan.diff import DifferenceKind, differences
from r2d2.plan.graph_file import (
    GRAPH_NAME,
    PLAN_NAME,
    RECIPES_NAME,
    GraphFile,
    TableFacts,
    files_inside,
    gone_since,
    inventory_now,
    load_graph,
    needed_by_plans,
)
from r2d2.plan.plan_file import is_plan, load_plan, plan_data, warnings
from r2d2.plan.plan_form import Data
from r2d2.plan.planner import KnownRecipes, Recipes, SolvedPlan, choose, learn
from r2d2.plan.usage import JoinedUsage, Usage, joined
from r2d2.progress import Progress, Silence
from r2d2.recipes.grammar import Recipe, parents
from r2d2.recipes.json import from_data, to_data
from r2d2.recipes.run.trial import Trial
from r2d2.settings import is_among
from r2d2.settings.plan import Latency, PlanSettings, Protection
from r2d2.storage import storage_of
from r2d2.storage.local import Listing
from r2d2.storage.output import (
    RESIDUAL_FILES,
    Recognisers,
    earlier_place,
    json_text,
    json_with,
    new_files,
    prepare,
    settle,
)
from r2d2.storage.switch import MARKER, files_of, link

RESIDUALS = "residuals"
HARD_LINKS = "its files have other names too (hard links): deleting it frees nothing"
PLAN_FILES: Recognisers = {
    PLAN_NAME: is_plan,
    RECIPES_NAME: json_with("graph_sha256", "candidates"),
    RESIDUALS: RESIDUAL_FILES,
}
"""The files that a plan adds to its run, and how each is known as r2d2's."""


def make_plan(
    run: Path,
    settings: PlanSettings,
    usages: Sequence[Usage] = (),
    *,
    engine: str = "local",
    session: Any = None,
    master: str | None = None,
    threads: int | None = None,
    memory_bytes: int | None = None,
    progress: Progress | None = None,
) -> Data:
    """The plan for the graph in the folder; every recipe in it was run on the lake.

    The plan and what was learnt for `what_if` are stored in the folder, with the residuals, at one
    switch, and what they replace goes into `earlier`; not where another run wrote another graph
    there meanwhile. A plan there that differs in measured seconds alone stays, and is returned.

    On the local engine so many `threads` take part, each in its own process; None is as many as
    cores. They share `memory_bytes`, on Spark each task has them; None is 1 GiB.

    Raises:
        UsageError: the folder has no graph, a line of usage means no table, or a limit is none.
        LakeError: the lake cannot be listed.
    """
    prepare(run, PLAN_FILES)
    graph = load_graph(run)
    given: dict[str, Any] = {"threads": threads, "memory_bytes": memory_bytes}
    limits = replace(graph.settings, **{k: v for k, v in given.items() if v is not None})
    storage = storage_of(graph.lake)
    now = inventory_now(run, graph.settings, storage)
    tables = _with_needed(run, now)
    watched = progress or Silence()

    def check(fresh: Path) -> dict[str, str]:
        if _sha256(run) != graph.sha256:
            raise UsageError(f"{run}: another run wrote a graph there meanwhile; plan again")
        return _aside(run, fresh)

    def solved(recipes: Recipes, folder: Path) -> tuple[SolvedPlan, JoinedUsage]:
        linked = now.listing.linked
        known = learn(graph, tables, recipes, watched, settings.tenant_of, linked)
        known = _with_folders(known, now.listing)
        usage = _joined(known, usages)
        run_all = partial(_run_all, recipes, tables, folder, watched)
        return choose(known, settings, usage.by_location, run_all), usage

    with suppress(_SamePlanError), new_files(run, check, files=PLAN_FILES) as folder:
        if engine == "spark":
            from r2d2.engines.spark.recipes import SparkRecipes
            from r2d2.engines.spark.session import session_of

            with nullcontext(session) if session is not None else session_of(master) as spark:
                plan, usage = solved(SparkRecipes(storage, limits, spark), folder)
        else:
            plan, usage = solved(LocalRecipes(storage, limits), folder)
        recipes = recipes_text(plan.known, graph.sha256)
        made = _data(plan, graph, usage, sha256(recipes.encode()).hexdigest())
        before = _plan_there(run, folder)
        if before is not None and _says_the_same(before, made):
            made = before
            raise _SamePlanError
        (folder / RECIPES_NAME).write_text(recipes, "utf-8")
        (folder / PLAN_NAME).write_text(json_text(made), "utf-8")
    return made


class _SamePlanError(Exception):
    """The new plan says what the one in the folder does: nothing is written."""


def _says_the_same(before: Data, made: Data) -> bool:
    """Whether the plans differ in measured seconds, and what follows from these, alone."""
    found = differences(before, json.loads(json_text(made)))
    return all(each.kind is DifferenceKind.MEASURED for each in found)


def _plan_there(run: Path, fresh: Path) -> Data | None:
    """The plan in the folder; None where its recipes, a residual or the marker was changed."""
    residuals = files_of(fresh / RESIDUALS)
    try:
        plan = load_plan(run / PLAN_NAME)
        known = (run / MARKER).is_file()
        whole = _digest(run / RECIPES_NAME) == plan["run"]["recipes_sha256"] and all(
            _digest(run / RESIDUALS / path) == _digest(fresh / RESIDUALS / path)
            for path in residuals
        )
    except (OSError, UsageError):
        return None
    return plan if known and whole else None


def _digest(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()


def _aside(run: Path, fresh: Path) -> dict[str, str]:
    """The files of the plan that is replaced, each with its new name.

    The run's own files stay, and are linked beside these, among the `fresh` ones; so are residuals,
    whose paths are in views that may be in use.
    """
    names = [name for name in (PLAN_NAME, RECIPES_NAME) if (run / name).is_file()]
    if not names:
        return {}
    place = earlier_place(run, (run / names[0]).read_bytes())
    kept = [Path(RESIDUALS, path) for path in files_of(run / RESIDUALS)]
    for path in (Path(GRAPH_NAME), Path(INVENTORY_FILE), *kept):
        if (run / path).is_file():
            link(run / path, fresh / place / path)
    return {name: f"{place}/{name}" for name in names}


def _with_needed(run: Path, now: Inventory) -> dict[str, Table]:
    """The lake's tables; those stay that plans of the run need to rebuild what is gone.

    So do those all of whose files have other names: their deletion would free nothing.
    """
    names = {table.location for table in now.tables}
    needed = needed_by_plans(run, names, [file.path for file in now.listing.files])
    linked = now.listing.linked
    tables = {}
    for table in now.tables:
        must_keep = table.must_keep or needed.get(table.location)
        if must_keep is None and all(file.path in linked for file in table.files):
            must_keep = HARD_LINKS if table.files else None
        tables[table.location] = replace(table, must_keep=must_keep)
    return tables


def _with_folders(known: KnownRecipes, listing: Listing) -> KnownRecipes:
    """The same, with the files of others in the folders of tables that a recipe rebuilds."""
    paths = [file.path for file in listing.files]
    facts = dict(known.facts)
    for child in {recipe.child for recipe in known.recipes}:
        inside = files_inside(child, facts[child].files, paths)
        facts[child] = replace(facts[child], inside=inside)
    return replace(known, facts=facts)


def _run_all(
    recipes: Recipes,
    tables: Mapping[str, Table],
    folder: Path,
    progress: Progress,
    work: Sequence[tuple[str, Recipe]],
) -> Iterator[Trial]:
    read = [parents(recipe) for _, recipe in work]
    scans = Counter(read)  # recipes of the same parents share one
    shares = [sum(tables[name].size_bytes for name in names) // scans[names] for names in read]
    sizes = [tables[c].size_bytes + share for (c, _), share in zip(work, shares, strict=True)]
    progress.begin("running recipes", sum(sizes))
    for size, trial in zip(sizes, recipes.try_out(tables, work, folder), strict=True):
        progress.advance(size, trial.rows)
        yield trial
    progress.end()


def what_if(
    run: Path,
    settings: PlanSettings,
    usages: Sequence[Usage] = (),
    *,
    max_latency_s: float | None = None,
    protect: Sequence[str] = (),
) -> Data:
    """The plan under other settings, from what an earlier plan learnt; reads nothing of the lake.

    Recipes were searched with that plan's tenants: with others, make a plan that searches again.

    Raises:
        UsageError: no plan was made in the folder yet, a pattern to protect matches no table, or
            nobody can wait so many seconds.
    """
    if max_latency_s is not None and not 0 <= max_latency_s < inf:
        raise UsageError(f"--max-latency {max_latency_s:g}: give a number of seconds, 0 or more")
    settle(run)
    graph = load_graph(run)
    known = load_recipes(run, graph.sha256)
    if max_latency_s is not None:
        latency = Latency(max_latency_s, settings.latency.unread_days, max_latency_s)
        settings = replace(settings, latency=latency, limit=())
    for pattern in protect:
        if not any(is_among(location, pattern) for location in known.facts):
            remedy = "give a location as in tables.csv of the run, a folder, or a pattern of these"
            raise UsageError(f"--protect {pattern!r} matches no table of the lake; {remedy}")
    more = tuple(Protection(pattern, "asked for") for pattern in protect)
    settings = replace(settings, protect=(*settings.protect, *more))
    usage = _joined(known, usages)
    plan = choose(known, settings, usage.by_location, None)
    return _data(plan, graph, usage, sha256((run / RECIPES_NAME).read_bytes()).hexdigest())


def _data(plan: SolvedPlan, graph: GraphFile, usage: JoinedUsage, recipes_sha256: str) -> Data:
    facts = plan.known.facts
    unmatched = warnings(plan.costing.settings, facts, usage.elsewhere)
    return plan_data(plan, graph, (*gone_since(graph, facts), *unmatched), recipes_sha256)


def _joined(known: KnownRecipes, usages: Sequence[Usage]) -> JoinedUsage:
    usage = joined(usages, known.facts)
    if usage.left_out:
        raise UsageError("usage: " + "; ".join(usage.left_out[:5]))
    return usage


def _sha256(run: Path) -> str:
    try:
        return _digest(run / GRAPH_NAME)
    except OSError as error:
        remedy = "give the folder that `r2d2 find --out` wrote"
        raise UsageError(f"{run / GRAPH_NAME}: {error.strerror}; {remedy}") from error


def recipes_text(known: KnownRecipes, graph_sha256: str) -> str:
    """What is known of the graph, as JSON for `RECIPES_NAME`."""
    data = {
        "graph_sha256": graph_sha256,
        "tables": {location: _facts_data(facts) for location, facts in known.facts.items()},
        "candidates": [_recipe_data(recipe) for recipe in known.recipes],
        "refused": dict(known.refused),
        "seconds": known.seconds,
        "passes": dict(known.passes),
        "why": dict(known.why),
    }
    return json_text(data)


def load_recipes(run: Path, graph_sha256: str) -> KnownRecipes:
    """The recipes that were learnt for the run's graph.

    Raises:
        UsageError: there are none, or they are for another graph.
    """
    path = run / RECIPES_NAME
    remedy = "run `r2d2 plan` once without what-if flags"
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: {error}; {remedy}") from error
    if data.get("graph_sha256") != graph_sha256:
        raise UsageError(f"{path}: of another graph; {remedy}")
    return KnownRecipes(
        {location: _facts(facts) for location, facts in data["tables"].items()},
        tuple(map(_table_recipe, data["candidates"])),
        data["refused"],
        data["seconds"],
        data.get("passes", {}),
        data.get("why", {}),
    )


def _facts(data: Mapping[str, Any]) -> TableFacts:
    files = tuple(FileInfo(*file) for file in data["files"])
    return TableFacts(**{**data, "files": files, "inside": tuple(data["inside"])})


def _facts_data(facts: TableFacts) -> dict[str, Any]:
    files = [[file.path, file.size_bytes, file.version] for file in facts.files]
    plain = {f.name: getattr(facts, f.name) for f in fields(facts)}
    return plain | {"files": files}


def _recipe_data(recipe: TableRecipe) -> dict[str, Any]:
    data: dict[str, Any] = {"table": recipe.child, "recipe": to_data(recipe.recipe)}
    if recipe.trial is not None:
        data["trial"] = asdict(recipe.trial) | {"recipe": to_data(recipe.trial.recipe)}
    return data


def _table_recipe(data: Mapping[str, Any]) -> TableRecipe:
    trial = data.get("trial")
    if trial is not None:
        trial = Trial(**(trial | {"recipe": from_data(trial["recipe"])}))
    return TableRecipe(data["table"], from_data(data["recipe"]), trial)
