"""Lists of files without a table format: manifests, logs and markers beside plain files.

Of Hive's and Presto's `_symlink_format_manifest`, Parquet's `_metadata`, Spark's streaming sinks,
Databricks' transactions, and r2d2's own output.

Spark alone reads a sink's log, and Databricks alone its markers; others read every file of the
folder. So a sink is no plain folder, and a file that the two would judge differently is disputed.
r2d2's own output is what a marker beside it names, or what only r2d2 can have written.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from io import BytesIO
from urllib.parse import unquote

import msgspec
import pyarrow.parquet as pq

from r2d2.errors import TableError
from r2d2.lake.owners.claims import (
    WHOLE_LAKE,
    Claims,
    LakeMetadata,
    Moved,
    Owner,
    above_keys,
    canonical,
    is_absolute,
    parent_of,
    reason_of,
)
from r2d2.storage.local import is_hidden
from r2d2.storage.output import Marker
from r2d2.storage.switch import MARKER

SYMLINK, PARQUET = "symlink manifest table", "Parquet dataset"
SINK, MARKERS = "Spark streaming sink", "Databricks markers in"
_BATCH = re.compile(r"/_spark_metadata/(\d+)(\.compact)?$")
_TRANSACTION = re.compile(r"-tid-([^-]+)-")
_SETTLE = "VACUUM the folder in Databricks, or take such files and all markers out of it"
_FOLDER = "/_symlink_format_manifest/"
_PARQUET_MAGIC = b"PAR1", b"PARE"
OWN_OUTPUT = "r2d2's own output in"
_RUN = (
    *("edges.csv", "degenerate.csv", "tables.csv", "graph.json", "funnel.json"),
    *("inventory.json", "plan.json", "recipes.json"),
)
_RESIDUALS = "residuals"


class _Graph(msgspec.Struct):
    """The keys that no other program writes into a file of the name graph.json together."""

    hash_version: int | str
    lake: str
    settings: dict[str, msgspec.Raw]
    tables: list[msgspec.Raw]
    edges: list[msgspec.Raw]
    open_pairs: int
    degenerate: list[msgspec.Raw]


def symlinks(lake: LakeMetadata, names: Sequence[str]) -> Iterator[Claims]:
    """The claims of each `_symlink_format_manifest`: the files that its manifests list."""
    roots: dict[str, list[str]] = defaultdict(list)
    for name in names:
        last = name.rpartition("/")[2]
        if not last.startswith((".", "_")):
            roots[f"/{name}".partition(_FOLDER)[0][1:]].append(name)
    for root, manifests in sorted(roots.items()):
        yield _claims(lake, Owner(SYMLINK, root), manifests, root, _lines)


def _lines(content: bytes) -> list[str]:
    return [line.strip() for line in content.decode().splitlines() if line.strip()]


def parquet_metadata(lake: LakeMetadata, names: Sequence[str]) -> Iterator[Claims]:
    """The claims of each `_metadata`: the files that its row groups are in.

    One that is damaged may name those in its folder. Others call files so that are not Parquet's:
    Flink the states that it saves.
    """
    for name in names:
        folder = parent_of(name)
        claims = _claims(lake, Owner(PARQUET, folder), [name], folder, _row_group_files)
        if claims.files or claims.outside or claims.unresolved:
            yield replace(claims, blocked=(folder,))


def _row_group_files(content: bytes) -> set[str]:
    if content and not content.startswith(_PARQUET_MAGIC):
        return set()
    footer = pq.read_metadata(BytesIO(content))
    groups = (footer.row_group(index) for index in range(footer.num_row_groups))
    names = {group.column(0).file_path for group in groups if group.num_columns}
    return {name for name in names if name}


def _claims(
    lake: LakeMetadata,
    owner: Owner,
    manifests: Sequence[str],
    base: str,
    parse: Callable[[bytes], Collection[str]],
) -> Claims:
    files: set[str] = set()
    outside: list[str] = []
    unresolved: list[tuple[str, str]] = []
    for path, names in lake.each(manifests, parse):
        if isinstance(names, TableError):
            unresolved.append((path, reason_of(names)))
            continue
        for name in names:
            place = lake.place(name, base)
            if place is None:
                outside.append(name)
            else:
                files.add(place)
    return Claims(owner, frozenset(files), (), tuple(outside), tuple(unresolved))


class _SinkFile(msgspec.Struct):
    """A line of a sink's log."""

    path: str


class _Commit(msgspec.Struct):
    """A `_committed_…`: the names of files that count since, and of those that count no more."""

    added: list[str] = []
    removed: list[str] = []


def spark_sinks(lake: LakeMetadata, names: Sequence[str]) -> Iterator[Claims]:
    """The claims of each folder with a `_spark_metadata`: all below it, and the files of its log.

    Batches before the newest compacted one tell nothing more.
    """
    logs: dict[str, dict[int, str]] = defaultdict(dict)
    compacted: dict[str, int] = {}
    for name in sorted(names):
        root = f"/{name}".partition("/_spark_metadata/")[0][1:]
        batches = logs[root]
        if match := _BATCH.search(f"/{name}"):
            number = int(match[1])
            batches[number] = name  # the compacted one comes after the plain one
            if match[2]:
                compacted[root] = max(number, compacted.get(root, 0))
    for root, batches in sorted(logs.items()):
        first = compacted.get(root, 0)
        yield _sink(lake, root, {number: batches[number] for number in batches if number >= first})


def _sink(lake: LakeMetadata, root: str, batches: Mapping[int, str]) -> Claims:
    said: list[str] = []
    unresolved: list[tuple[str, str]] = []
    for path, names in lake.each(batches.values(), _sink_files):
        if isinstance(names, TableError):
            unresolved.append((path, reason_of(names)))
        else:
            said += names
    if batches and len(batches) <= max(batches) - min(batches):
        unresolved.append((f"{root}/_spark_metadata".lstrip("/"), "a batch of its log is missing"))
    moved = _move_of(said, root)
    files, outside = set(), []
    for name in said:
        place = lake.place(name, root, moved)
        if place is not None and place in lake.files:
            files.add(place)
        elif lake.place(name, root) is None:
            outside.append(name)
    blocked = tuple(sorted({root, *map(parent_of, files)})) if said else (WHOLE_LAKE,)
    return Claims(
        *(Owner(SINK, root), frozenset(files), (root,), tuple(outside), tuple(unresolved)), blocked
    )


def _sink_files(content: bytes) -> list[str]:
    """The names in a batch, which are URLs: as they are, and without escapes."""
    version, _, lines = content.partition(b"\n")
    if version.strip() != b"v1":
        raise ValueError("its first line is not v1")
    decode = msgspec.json.Decoder(_SinkFile).decode
    names = [decode(line).path for line in lines.split(b"\n") if line.strip()]
    return [some for name in names for some in {name, unquote(name)}]


def _move_of(names: Sequence[str], root: str) -> Moved | None:
    """The move of a sink whose files, below folders of keys, are all of one other folder."""
    homes = {above_keys(parent_of(canonical(name))) for name in names if is_absolute(name)}
    return Moved.of(homes.pop(), root) if len(homes) == 1 else None


@dataclass(slots=True)
class _Marks:
    """The markers of a folder: transactions begun and ended, and what the ended ones name."""

    started: set[str] = field(default_factory=set)
    ended: set[str] = field(default_factory=set)
    added: set[str] = field(default_factory=set)
    removed_by: dict[str, str] = field(default_factory=dict)
    unread: list[tuple[str, str]] = field(default_factory=list)

    def take(self, transaction: str, commit: _Commit) -> None:
        """Adds what a transaction's marker names, which may be with a URL's escapes."""
        self.ended.add(transaction)
        self.added |= {some for name in commit.added for some in (name, unquote(name))}
        for name in commit.removed:
            self.removed_by |= dict.fromkeys((name, unquote(name)), transaction)

    def dispute(self, file: str) -> str | None:
        """Why Databricks leaves a file of the folder out, or may do so; None where it counts it."""
        name = file.rpartition("/")[2]
        if self.unread:
            return "the marker {} cannot be read: {}".format(*self.unread[0])
        remover = self.removed_by.get(name) or self.removed_by.get(file)
        if remover is not None:
            return f"the marker _committed_{remover} says that it was removed"
        found = _TRANSACTION.search(name)
        if found is None or name in self.added or file in self.added:
            return None
        if found[1] in self.ended:
            return f"the marker _committed_{found[1]} does not name it"
        if found[1] in self.started:
            return f"_started_{found[1]} is there and _committed_{found[1]} is not"
        return f"other files' transactions have markers and its own, {found[1]}, has none"


def databricks(lake: LakeMetadata, names: Sequence[str]) -> Iterator[Claims]:
    """The claims of each folder with `_started_…` or `_committed_…`: the files in dispute.

    Markers hold for their folder, and for folders of keys below it that have none.
    """
    marks: dict[str, _Marks] = defaultdict(_Marks)
    commits = []
    for name in names:
        kind, _, transaction = name.rpartition("/")[2][1:].partition("_")
        if kind == "committed":
            commits.append(name)
        else:
            marks[parent_of(name)].started.add(transaction)
    for path, found in lake.each(commits, _commit):
        folder, _, name = path.rpartition("/")
        if isinstance(found, TableError):
            marks[folder].unread.append((name, reason_of(found)))
        else:
            marks[folder].take(name.removeprefix("_committed_"), found)
    disputed: dict[str, dict[str, str]] = defaultdict(dict)
    for path in lake.files:
        folder, _, name = path.rpartition("/")
        while folder not in marks and folder.rpartition("/")[2].find("=") > 0:
            folder = parent_of(folder)
        if folder in marks and not is_hidden(name):
            why = marks[folder].dispute(path[len(folder) :].lstrip("/"))
            if why is not None:
                disputed[folder][path] = (
                    f"Databricks does not count {path}, others do: {why}; {_SETTLE}"
                )
    for folder in sorted(marks):
        yield Claims(Owner(MARKERS, folder), disputed=disputed.get(folder, {}))


def _commit(content: bytes) -> _Commit:
    return msgspec.json.decode(content, type=_Commit)


def own_output(lake: LakeMetadata, names: Sequence[str]) -> Iterator[Claims]:
    """The claims of each folder that r2d2 wrote into: its own files there, and no others."""
    files: dict[str, set[str]] = {}
    folders: dict[str, set[str]] = {}
    for path, found in lake.each([n for n in names if n.endswith(MARKER)], _marked):
        if isinstance(found, Marker):
            folder = parent_of(path)
            files[folder] = {_in(folder, name) for name in found.files if "/" not in name}
            folders[folder] = {_in(folder, name) for name in found.folders if _is_plain(name)}
    graphs = [name for name in names if not name.endswith(MARKER)]
    unmarked = [name for name in graphs if name not in files.get(parent_of(name), ())]
    for path, is_run in lake.each(unmarked, _is_graph):
        if is_run and not isinstance(is_run, TableError):
            folder = parent_of(path)
            files.setdefault(folder, set()).update(_in(folder, name) for name in _RUN)
            folders.setdefault(folder, set()).add(_in(folder, _RESIDUALS))
    for folder, named in sorted(files.items()):
        inside = tuple(sorted(folders[folder]))
        yield Claims(Owner(OWN_OUTPUT, folder), frozenset(named), inside)


def _in(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name


def _is_plain(name: str) -> bool:
    return name not in ("", ".", "..") and "/" not in name


def _marked(content: bytes) -> Marker | None:
    try:
        return msgspec.json.decode(content, type=Marker)
    except msgspec.DecodeError:
        return None


def _is_graph(content: bytes) -> bool:
    try:
        msgspec.json.decode(content, type=_Graph)
    except msgspec.DecodeError:
        return False
    return True
