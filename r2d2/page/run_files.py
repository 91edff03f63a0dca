"""The files of a run's folder, as the page reads them: graph, funnel, plan, earlier plans.

Of the graph only what is shown is decoded. A run of `find` may have no plan yet.

Of a lake in a local folder, permissions tell who may read a table. Equal tables that not the same
people may read are no plain copies: whoever loses one may lose the rows, and whoever is sent to
another may see more than before. Permissions of object stores and catalogues are not asked.
"""

import grp
import os
import pwd
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec

from r2d2.errors import UsageError
from r2d2.hashing.finaliser import HASH_VERSION
from r2d2.model import UnmatchedColumn
from r2d2.plan.graph_file import GRAPH_NAME, PLAN_NAME, earlier_runs, no_graph
from r2d2.plan.plan_file import load_plan
from r2d2.storage.output import settle
from r2d2.text_tables import printable

FUNNEL_NAME = "funnel.json"


class PageTable(msgspec.Struct):
    """A table of `graph.json`."""

    location: str
    format: str
    columns: list[tuple[str, str]]
    rows: int | None
    size_bytes: int
    files: int
    snapshot: str
    problem: str | None = None
    unreadable: bool = False
    must_keep: str | None = None
    details: dict[str, str] = {}


class PageEdge(msgspec.Struct):
    """An edge of `graph.json`, with its evidence."""

    child: str
    parent: str
    fraction: float
    missing_rows: int
    equal: bool
    stage: str
    columns: dict[str, str]
    evidence: list[tuple[str, str, str]]
    equal_after_cast: bool = False
    unmatched: tuple[UnmatchedColumn, ...] = ()
    equal_after_parsing: dict[str, str] = {}

    @property
    def plain(self) -> bool:
        """Whether all rows are contained, in all of the child's columns."""
        return not self.missing_rows and not self.unmatched

    @property
    def ignores(self) -> bool:
        """Whether it rests on a column that no recipe gives."""
        return not all(column.is_given for column in self.unmatched)


class PageGraph(msgspec.Struct):
    """`graph.json`, but for what the page does not show."""

    hash_version: int | str
    lake: str
    settings: dict[str, Any]
    tables: list[PageTable]
    edges: list[PageEdge]
    equal: list[list[str]] = []
    degenerate: list[tuple[str, str]] = []
    open_pairs: int = 0
    skipped: dict[str, int] = {}
    owners: dict[str, Any] = {}
    warnings: list[str] = []


@dataclass(frozen=True, slots=True)
class RunFiles:
    """A run: `name` is its folder as it was typed, "" for one that has none.

    `plan` is None where no plan was made of this graph; `made` when the newest of its files was.
    `applied` tells what of the plan is deleted by now.
    """

    name: str
    graph: PageGraph
    funnel: Sequence[Mapping[str, Any]] = ()
    plan: Mapping[str, Any] | None = None
    made: datetime | None = None
    notes: tuple[str, ...] = ()
    applied: str = ""


def run_files(run: Path, plan: Mapping[str, Any] | None = None) -> RunFiles:
    """The run in the folder; `plan` takes the place of its own, as a what-if does.

    Raises:
        UsageError: the folder has no graph of this version of r2d2.
    """
    settle(run)
    path = run / GRAPH_NAME
    try:
        content = path.read_bytes()
        changed = path.stat().st_mtime
        graph = msgspec.json.decode(content, type=PageGraph)
    except OSError as error:
        raise no_graph(run, error) from error
    except msgspec.DecodeError as error:
        raise UsageError(f"{path}: not a graph of r2d2's: {error}; run `r2d2 find`") from error
    if graph.hash_version != HASH_VERSION:
        raise UsageError(f"{path}: of another version of r2d2; run `r2d2 find` again")
    notes = []
    if plan is None and (run / PLAN_NAME).is_file():
        try:
            plan = load_plan(run / PLAN_NAME)
            changed = max(changed, (run / PLAN_NAME).stat().st_mtime)
        except UsageError as error:
            notes.append(f"the plan is not shown: {error}")
    if plan is not None and plan["run"]["graph_sha256"] != sha256(content).hexdigest():
        notes.append(f"the plan is not shown: it was made of another graph than {path}")
        plan = None
    made = datetime.fromtimestamp(changed, UTC)
    return RunFiles(str(run), graph, _funnel(run), plan, made, tuple(notes))


def run_of_data(
    graph: Mapping[str, Any], funnel: Sequence[Mapping[str, Any]], name: str = ""
) -> RunFiles:
    """The run of a graph that is in memory, as plain data."""
    return RunFiles(name, msgspec.convert(graph, PageGraph), funnel)


def earlier(run: Path) -> tuple[RunFiles, ...]:
    """The runs in the folder's `earlier` that can be read, the last first."""
    found = []
    for folder in earlier_runs(run):
        with suppress(UsageError):
            found.append(run_files(folder))
    return tuple(found)


def _funnel(run: Path) -> list[dict[str, Any]]:
    """The funnel; empty where there is none, as in the folder of an earlier plan."""
    with suppress(OSError, msgspec.DecodeError):
        return msgspec.json.decode((run / FUNNEL_NAME).read_bytes(), type=list[dict[str, Any]])
    return []


@dataclass(frozen=True, slots=True)
class Access:
    """The owner of a file or folder, and who may read it: users and groups by name, or everyone."""

    owner: str
    readers: tuple[str, ...]


def access_of(lake: str, locations: Iterable[str]) -> dict[str, Access]:
    """The access to each of these tables; nothing of a lake that is no local folder any more."""
    root = Path(lake)
    if not root.is_absolute() or not root.is_dir():
        return {}
    found = {location: _access(root / location) for location in locations}
    return {location: access for location, access in found.items() if access}


def _access(path: Path) -> Access | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    owner, group = _user(status.st_uid), f"group {_group(status.st_gid)}"
    if status.st_mode & 0o004:
        return Access(owner, ("everyone",))
    may = ((owner, 0o400), (group, 0o040))
    return Access(owner, tuple(name for name, bit in may if status.st_mode & bit) or ("nobody",))


@cache
def _user(number: int) -> str:
    return _named(number, lambda n: pwd.getpwuid(n).pw_name)


@cache
def _group(number: int) -> str:
    return _named(number, lambda n: grp.getgrgid(n).gr_name)


def _named(number: int, name: Callable[[int], str]) -> str:
    """The name of a user or group, or its number where it has none."""
    try:
        return printable(name(number))
    except KeyError:
        return str(number)


def different(groups: Iterable[Iterable[str]], access: Mapping[str, Access]) -> list[list[str]]:
    """The groups of equal tables whose readers are known and not the same."""
    known = ([name for name in group if name in access] for group in groups)
    return [names for names in known if len({access[name].readers for name in names}) > 1]
