"""`recipes.json` in a run's folder: what was learnt of a lake, so that what-if reads no data."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from r2d2.errors import UsageError
from r2d2.plan.costs import TableFacts, TableRecipe
from r2d2.plan.planner import KnownRecipes
from r2d2.recipes.json import from_data, to_data
from r2d2.recipes.run.trial import Trial
from r2d2.storage.output import json_text, write_files

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
