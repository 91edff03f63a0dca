"""A plan for a run's folder: with the lake at hand, or (what-if) from what is stored of it.

`recipes.json` in a run's folder: what was learnt of a lake, so that what-if reads no data.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from r2d2.engines.local.recipes import LocalRecipes
from r2d2.errors import UsageError
from r2d2.model import Table
from r2d2.plan.graph_file import load_graph, tables_now
from r2d2.plan.plan_file import Data, plan_data, warnings
from r2d2.plan.planner import KnownRecipes, Recipes, SolvedPlan, choose, learn
from r2d2.plan.usage import JoinedUsage, Usage, joined
from r2d2.progress import Progress, Silence
from r2d2.recipes.grammar import Recipe
from r2d2.recipes.run.trial import Trial
from r2d2.settings.plan import Latency, PlanSettings, Protection
from r2d2.storage import storage_of
import json
from dataclasses import asdict
from r2d2.plan.costs import TableFacts, TableRecipe
from r2d2.plan.planner import KnownRecipes
from r2d2.recipes.json import from_data, to_data
from r2d2.storage.output import json_text, write_files



def make_plan(
    run: Path,
    settings: PlanSettings,
    usages: Sequence[Usage] = (),
    *,
    engine: str = "local",
    session: Any = None,
    master: str | None = None,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Data:
    """The plan for the graph in the folder; every recipe in it was run on the lake.

    What is learnt is kept in the folder, for `what_if`. On the local engine so many `threads`
    take part, each in a process of its own; None is as many as cores.

    Raises:
        UsageError: the folder has no graph, a line of usage means no table, or `threads` is none.
        LakeError: the lake cannot be listed.
    """
    graph = load_graph(run)
    storage = storage_of(graph.lake)
    tables = tables_now(run, graph, storage)
    watched = progress or Silence()

    def planned(recipes: Recipes) -> tuple[SolvedPlan, JoinedUsage]:
        known = learn(graph, tables, recipes, watched, settings.tenant_of)
        usage = _joined(known, usages)
        run_all = partial(_run_all, recipes, tables, run, watched)
        return choose(known, settings, usage.by_location, run_all), usage

    if engine == "spark":
        from r2d2.engines.spark.recipes import SparkRecipes
        from r2d2.engines.spark.session import session_of

        with nullcontext(session) if session is not None else session_of(master) as spark:
            made, usage = planned(SparkRecipes(storage, graph.settings, spark))
    else:
        own = graph.settings if threads is None else replace(graph.settings, threads=threads)
        made, usage = planned(LocalRecipes(storage, own))
    store_recipes(run, made.known, _sha256(run))
    return _data(made, run, usage.elsewhere)


def _run_all(
    recipes: Recipes,
    tables: Mapping[str, Table],
    folder: Path,
    progress: Progress,
    work: Sequence[tuple[str, Recipe]],
) -> Iterator[Trial]:
    progress.begin("running recipes", sum(tables[child].size_bytes for child, _ in work))
    for (child, _), trial in zip(work, recipes.try_out(tables, work, folder), strict=True):
        progress.advance(tables[child].size_bytes, trial.rows)
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
    """The plan under other settings, from what an earlier one learnt; reads nothing of the lake.

    Recipes were looked for with that one's tenants: others may want a plan that looks again.

    Raises:
        UsageError: no plan was made in the folder yet.
    """
    known = load_recipes(run, _sha256(run))
    if max_latency_s is not None:
        settings = replace(settings, latency=Latency(max_latency_s), limit=())
    more = tuple(Protection(pattern, "asked for") for pattern in protect)
    settings = replace(settings, protect=(*settings.protect, *more))
    usage = _joined(known, usages)
    return _data(choose(known, settings, usage.by_location, None), run, usage.elsewhere)


def _data(planned: SolvedPlan, run: Path, elsewhere: Sequence[str]) -> Data:
    told = warnings(planned.costing.settings, planned.known.facts, elsewhere)
    return plan_data(planned, load_graph(run), told)


def _joined(known: KnownRecipes, usages: Sequence[Usage]) -> JoinedUsage:
    found = joined(usages, known.facts)
    if found.left_out:
        raise UsageError("usage: " + "; ".join(found.left_out[:5]))
    return found


def _sha256(run: Path) -> str:
    return hashlib.sha256((run / "graph.json").read_bytes()).hexdigest()


NAME = "recipes.json"


def store_recipes(run: Path, known: KnownRecipes, graph_sha256: str) -> None:
    """Writes what is known beside the graph that it was learnt for."""
    data = {
        "graph_sha256": graph_sha256,
        "tables": {location: asdict(facts) for location, facts in known.facts.items()},
        "candidates": [_candidate_data(candidate) for candidate in known.candidates],
        "refused": dict(known.refused),
    }
    write_files(run, {NAME: json_text(data)})


def load_recipes(run: Path, graph_sha256: str) -> KnownRecipes:
    """What was learnt for the run's graph.

    Raises:
        UsageError: nothing was, or for another graph.
    """
    path = run / NAME
    remedy = "run `r2d2 plan` once without what-if flags"
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: {error}; {remedy}") from error
    if data.get("graph_sha256") != graph_sha256:
        raise UsageError(f"{path}: of another graph; {remedy}")
    return KnownRecipes(
        {location: TableFacts(**facts) for location, facts in data["tables"].items()},
        tuple(_candidate(found) for found in data["candidates"]),
        data["refused"],
    )


def _candidate_data(candidate: TableRecipe) -> dict[str, Any]:
    data: dict[str, Any] = {"table": candidate.child, "recipe": to_data(candidate.recipe)}
    if candidate.trial is not None:
        trial = candidate.trial
        data["trial"] = asdict(trial) | {"recipe": to_data(trial.recipe)}
    return data


def _candidate(data: dict[str, Any]) -> TableRecipe:
    told = data.get("trial")
    trial = None if told is None else Trial(**(told | {"recipe": from_data(told["recipe"])}))
    return TableRecipe(data["table"], from_data(data["recipe"]), trial)
