"""The JSON Schemas that r2d2 ships, and a watch over all JSON that it writes while tests run."""

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match
from referencing import Registry, Resource

from r2d2.cli import terminal
from r2d2.deletion.place import LocalPlace
from r2d2.storage import output
from r2d2.storage.switch import NEW

FOLDER = Path(__file__).parents[2] / "r2d2" / "schemas"
MOST_ITEMS = 200
"""Of a longer list so many items are looked at, the first and others at equal distances."""
KEYS: Mapping[str, frozenset[str]] = {
    "find": frozenset({"hash_version", "funnel"}),
    "graph": frozenset({"hash_version", "edges"}),
    "plan": frozenset({"solver", "totals"}),
    "recipes": frozenset({"graph_sha256", "candidates"}),
    "profile": frozenset({"profile", "clusters"}),
    "report": frozenset({"version", "applications"}),
    "inventory": frozenset({"schemas", "tables"}),
    "marker": frozenset({"written_by"}),
    "tables": frozenset({"skipped", "owners", "tables"}),
    "explain": frozenset({"child", "parent", "verdict"}),
    "vmcost_diff": frozenset({"only_old", "only_new"}),
    "journal": frozenset({"number", "previous"}),
    "head": frozenset({"number", "sha256"}),
    "deletion": frozenset({"entry", "parents"}),
    "tombstone": frozenset({"deleted_by"}),
    "deletion_out": frozenset({"steps", "problem"}),
    "recipe": frozenset({"kind"}),
}
"""Keys by which an object is told, by the name of its schema; the first that fits counts."""
ITEM_KEYS: Mapping[str, frozenset[str]] = {
    "funnel": frozenset({"stage", "pairs"}),
    "vmcost": frozenset({"application_id"}),
    "check": frozenset({"rule", "told"}),
    "plan_diff": frozenset({"kind", "old", "new"}),
    "plan_show": frozenset({"table", "choice"}),
    "edges": frozenset({"child", "parent"}),
    "doctor": frozenset({"works"}),
    "deletion_steps": frozenset({"step"}),
    "status": frozenset({"id", "state"}),
    "audit": frozenset({"number", "previous"}),
}
"""The same of a list, by its first item."""


@cache
def schemas() -> Mapping[str, dict[str, Any]]:
    """All schemas by the names of their files."""
    return {path.stem: json.loads(path.read_text("utf-8")) for path in FOLDER.glob("*.json")}


@cache
def validator(name: str) -> Draft202012Validator:
    resources = ((each["$id"], Resource.from_contents(each)) for each in schemas().values())
    return Draft202012Validator(schemas()[name], registry=Registry().with_resources(resources))


def schema_of(data: object) -> str | None:
    """The name of the schema that data of this kind has; "" where it has no content to tell by."""
    if data == []:
        return ""
    told, keys = (data, KEYS) if isinstance(data, dict) else (None, ITEM_KEYS)
    if isinstance(data, list) and isinstance(data[0], dict):
        told = data[0]
    return next((name for name, known in keys.items() if told and known <= told.keys()), None)


def fault(name: str, data: object) -> str | None:
    """The worst way in which the data is not of its schema; None where it is."""
    error = best_match(validator(name).iter_errors(_sampled(data)))
    if error is None:
        return None
    return f"r2d2/schemas/{name}.json: {error.json_path}: {error.message[:500]}"


def check(data: object, what: str) -> None:
    """Fails the test where the data is not of its schema, or has none."""
    name = schema_of(data)
    if name is None:
        pytest.fail(f"{what}: no schema of r2d2/schemas describes it; see docs/outputs.md")
    if name and (told := fault(name, data)):
        pytest.fail(f"{what}: {told}")


def _sampled(data: Any) -> Any:
    """The data with long lists cut."""
    if isinstance(data, dict):
        return {key: _sampled(value) for key, value in data.items()}
    if isinstance(data, list):
        step = max(1, len(data) // MOST_ITEMS)
        return [_sampled(item) for item in data[::step]]
    return data


@contextmanager
def watching_what_is_written() -> Iterator[None]:
    """Checks every JSON file that a command brings to its place or a lake, and all on stdout.

    Tests of the writing itself, in `tests/storage`, write what they like.
    """
    bring: Callable[..., None] = output._bring
    for_terminal = terminal.json_for_terminal
    into_lake = LocalPlace._written

    def checked_bring(out: Path, scratch: Any, *rest: Any) -> None:
        for path in (scratch.path / NEW).glob("*.json") if _is_watched() else ():
            check(json.loads(path.read_bytes()), path.name)
        bring(out, scratch, *rest)

    def checked_into_lake(place: LocalPlace, target: Path, content: bytes) -> Path:
        own = target.name in ("head.json", "deletion.json") or target.parent.name == "journal"
        if own or target.name.endswith(".deleted-by-r2d2.json"):
            check(json.loads(content), target.name)
        return into_lake(place, target, content)

    def checked_text(text: str) -> str:
        if _is_watched():
            check(json.loads(text), "standard output")
        return for_terminal(text)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(output, "_bring", checked_bring)
        patch.setattr(LocalPlace, "_written", checked_into_lake)
        patch.setattr(terminal, "json_for_terminal", checked_text)
        yield


def _is_watched() -> bool:
    return not os.environ.get("PYTEST_CURRENT_TEST", "").startswith("tests/storage/")
