"""The lake as it is now, held against a plan: what changed, went, came since; no rows are read."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from r2d2.errors import NoSuchLakeError, R2D2Error
from r2d2.lake.deletions import HOME, JOURNAL, Deletion, JournalState, journal_state
from r2d2.lake.inventory import Inventory, take_inventory
from r2d2.model import FileInfo, Table
from r2d2.plan.check import Broken, evidence_of, needed_by_others, settings_of_find
from r2d2.plan.graph_file import CAME, CHANGED, files_inside, inventory_now, needed_by_plans
from r2d2.plan.plan_file import files_digest
from r2d2.plan.plan_form import Data
from r2d2.storage import storage_of
from r2d2.storage.local import LocalStorage, Storage
from r2d2.text_tables import by_number, pluralize, shell_word

NAMED = 5
TOUCHED = " (in time, not in size: it was touched, or has other rows; a check reads none)"
WHERE_NOW = "bring it back there, or give the folder where it is now by --lake"
PLAN_AGAIN = "run `r2d2 find` and `plan` again"


@dataclass(frozen=True, slots=True)
class ChangesSince:
    """What stands against the plan by now, and changes that it does not rest on.

    `by_table` are all changes by the table that changed, each with what to do; `now` is the lake's
    inventory.
    """

    broken: tuple[Broken, ...]
    notes: tuple[str, ...]
    by_table: Mapping[str, tuple[Broken, ...]]
    now: Inventory


def applied_since(plan: Mapping[str, Any]) -> str:
    """A sentence on the plan's tables that are deleted by now; "" where none is, or in a bucket.

    Of the lake nothing but its journal is read, and only where it is a folder here.
    """
    root = str(plan["lake"])
    if not Path(root, JOURNAL).is_dir():
        return ""
    try:
        storage = LocalStorage(root)
        state = journal_state(storage, storage.list_below(HOME))
    except R2D2Error as error:
        return f"what was deleted since is not known: {error}"
    going = [entry["table"] for entry in plan["tables"] if entry["choice"] == "delete"]
    found = (_deletion_by(plan, state, name) for name in going)
    by_state = Counter(deletion.state for deletion in found if deletion is not None)
    if not by_state:
        return ""
    told = ", ".join(f"{count:,} {state.value}" for state, count in sorted(by_state.items()))
    tables = pluralize(len(going), "table")
    remedy = f"`r2d2 status {shell_word(root)}` has each"
    return f"this plan was applied: of the {tables} that it deletes, {told} by now; {remedy}"


def _deletion_by(plan: Mapping[str, Any], state: JournalState, table: str) -> Deletion | None:
    """The deletion of the table by this very plan."""
    deletion = state.of_table(table)
    is_by_it = deletion is not None and deletion.record["plan_sha256"] == plan["sha256"]
    return deletion if is_by_it else None


def compare_lake(plan: Data, run: Path | None = None) -> ChangesSince:
    """The changes of the lake since the plan was made; the lake is listed once, and where something
    changed again with its journal, which tells what this very plan deleted.

    A change refuses the plan where a table that goes, or one that it is rebuilt from, is touched.

    Raises:
        LakeError: the lake cannot be listed.
    """
    storage, settings = (
        storage_of_plan(plan, f"bring it back there, or {PLAN_AGAIN} where it is"),
        settings_of_find(plan),
    )
    if run is None:
        now = take_inventory(storage, settings)
    else:
        now = inventory_now(run, settings, storage)
    deleted = [table for table in plan["tables"] if table["choice"] == "delete"]
    rested_on = {name for table in deleted for name in (table["table"], *table["parents"])}
    tables, paths = {table.location: table for table in now.tables}, _paths(now)
    files_before = cache(lambda: files_of_run(plan, run))
    deletions = cache(lambda: journal_state(storage, storage.list()))
    broken: list[Broken] = []
    notes: list[str] = []
    applied: list[str] = []
    by_table: dict[str, tuple[Broken, ...]] = {}
    for entry in plan["tables"]:
        name = entry["table"]
        changes = list(_changes(plan, entry, tables.get(name), paths, files_before))
        by_table[name] = tuple((rule, f"{sentence}: {PLAN_AGAIN}") for rule, sentence in changes)
        if changes and _deletion_by(plan, deletions(), name) is not None:
            applied.append(name)
        elif name in rested_on:
            broken += changes
        else:
            notes += [sentence for _, sentence in changes]
    if run is not None:
        broken += needed_by_others(deleted, needed_by_plans(run, tables, paths))
    if broken:
        notes.append(f"the lake is another than the plan saw: {PLAN_AGAIN}")
    if applied:
        count, be = pluralize(len(applied), "table"), by_number(len(applied), "is", "are")
        told = f"{count}, such as {applied[0]}, {be} deleted by this very plan"
        broken.append(("lake-missing", f"{told}: `r2d2 status` lists what is deleted"))
    return ChangesSince(tuple(broken), (*notes, *_others(plan, now)), by_table, now)


def storage_of_plan(plan: Data, remedy: str) -> Storage:
    """The plan's lake; the remedy is told where it was moved, and no folder beside it.

    Raises:
        NoSuchLakeError: it is not where it was.
    """
    try:
        return storage_of(plan["lake"])
    except NoSuchLakeError as error:
        told = f"{plan['lake']}: the plan's lake is no folder any more"
        raise NoSuchLakeError(f"{told}; {remedy}") from error


def files_of_run(plan: Data, run: Path | None) -> dict[str, Sequence[FileInfo]]:
    """The files that each table had when the plan was made, if the run's files are at hand."""
    if run is not None:
        with suppress(R2D2Error):  # the check of the plan has told it
            known, _ = evidence_of(plan, run)
            return {name: facts.files for name, facts in known.facts.items()}
    return {}


def _paths(now: Inventory) -> list[str]:
    return [file.path for file in now.listing.files]


def _changes(
    plan: Data,
    entry: Data,
    now: Table | None,
    paths: Sequence[str],
    files_before: Callable[[], Mapping[str, Sequence[FileInfo]]],
) -> Iterator[Broken]:
    name = entry["table"]
    if now is None:
        yield "lake-missing", f"{name} is gone, or is no table by itself any more"
        return
    same = files_digest(now.files) == entry["files_sha256"]
    if not same:
        yield from _file_changes(entry, now, files_before)
    if now.problem is not None and entry["must_keep"] is None:
        yield "lake-unreadable", f"{name} cannot be judged any more: {now.problem}"
        return
    if same and entry["must_keep"] not in (CAME, CHANGED):
        before = plan["snapshots"].get(name)
        if before != now.snapshot:
            yield "lake-changed", f"{name} is at {now.snapshot}, the plan saw {before}"
    goes = entry["choice"] == "delete"
    if goes and now.must_keep is not None and entry["must_keep"] is None:
        yield "lake-must-keep", f"{name} must stay by now: {now.must_keep}"
    if goes:
        known = {*entry["inside"], *(path for path, *_ in entry["files"])}
        new = [path for path in files_inside(name, now.files, paths) if path not in known]
        yield from _named(name, "lake-foreign", new, "came, in its folder and not of it,")


def _file_changes(
    entry: Data, now: Table, files_before: Callable[[], Mapping[str, Sequence[FileInfo]]]
) -> Iterator[Broken]:
    name = entry["table"]
    if entry["choice"] == "delete":
        files: Sequence[FileInfo] = [FileInfo(*file) for file in entry["files"]]
    elif name in files_before():
        files = files_before()[name]
    else:
        yield "lake-changed", f"{name} has other files than when the plan was made"
        return
    before, after = _by_path(files), _by_path(now.files)
    gone = sorted(before.keys() - after.keys())
    new = sorted(after.keys() - before.keys()) if now.problem is None else []
    other = sorted(path for path in before.keys() & after.keys() if before[path] != after[path])
    as_large = [path for path in other if before[path].size_bytes == after[path].size_bytes]
    changed = [path for path in other if path not in as_large]
    yield from _named(name, "lake-missing", gone, "is gone")
    yield from _named(name, "lake-changed", changed, "changed")
    yield from _named(name, "lake-changed", as_large, "changed", TOUCHED)
    yield from _named(name, "lake-foreign", new, "came")


def _named(
    name: str, rule: str, paths: Sequence[str], told: str, why: str = ""
) -> Iterator[Broken]:
    for path in paths[:NAMED]:
        what = name if path == name else f"{name}: the file {path}"
        yield rule, f"{what} {told} since the plan was made{why}"
    if len(paths) > NAMED:
        yield rule, f"{name}: and {pluralize(len(paths) - NAMED, 'more file')} of this kind"


def _by_path(files: Sequence[FileInfo]) -> Mapping[str, FileInfo]:
    return {file.path: file for file in files}


def _others(plan: Data, now: Inventory) -> Iterator[str]:
    """Tables that came since, and owners of files that are others by now."""
    known = {table["table"] for table in plan["tables"]}
    new = [table.location for table in now.tables if table.location not in known]
    if new:
        yield f"{pluralize(len(new), 'table')} came since the plan was made, such as {new[0]}"
    yield from _owners(plan["owners"], now.owners)


def _owners(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    """Kinds of owners of which there are more or fewer, and metadata that cannot be resolved."""
    seen = before.get("looked_at")
    counts = seen if isinstance(seen, Mapping) else {}
    for kind, count in now["looked_at"].items():
        if count != counts.get(kind):
            told = f"{counts.get(kind)} by {kind} when the plan was made, {count} now"
            yield f"owners of files: {told}"
    known = before.get("unresolved")
    for entry in now["unresolved"]:
        if not isinstance(known, list) or entry not in known:
            yield f"owners of files: {entry['metadata']} is not resolved: {entry['reason']}"
    listed = before.get("not_listed")
    for folder in now["not_listed"]:
        if not isinstance(listed, list) or folder not in listed:
            yield f"owners of files: {folder} cannot be listed: what is owned in it is not known"
