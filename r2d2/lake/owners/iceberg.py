"""Iceberg: what the manifests of every snapshot in every metadata file name, dead or alive.

The table's spec is iceberg.apache.org/spec. A manifest list or manifest that only an older metadata
file names may be gone: its snapshots were expired. The newest one's must be there.
"""

import gzip
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

import msgspec

from r2d2.errors import TableError, UnreadableTableError
from r2d2.lake.owners.claims import (
    WHOLE_LAKE,
    Claims,
    LakeMetadata,
    Moved,
    Owner,
    avro_records,
    is_absolute,
    parent_of,
    reason_of,
)

KIND = "Iceberg table"
NEWEST_VERSION = 4
_MOST_BYTES = 1 << 30
_PATHS = frozenset({"write.data.path", "write.metadata.path", "write.object-storage.path"}) | {
    "write.folder-storage.path"
}
_NUMBERED = re.compile(r"(?:v?(\d+)|(\d+)-[0-9A-Fa-f-]{36})(?:\.gz)?\.metadata\.json(?:\.gz)?")
_OWN_KEYS = (b'"format-version"', b'"table-uuid"', b'"last-updated-ms"')
_NAMES = frozenset(
    {"file_path", "manifest_path", "referenced_data_file", "location", "path", "file_location"}
)


class _Snapshot(msgspec.Struct):
    manifest_list: str = msgspec.field(default="", name="manifest-list")
    manifests: list[str] = []


class _Statistics(msgspec.Struct):
    path: str = msgspec.field(default="", name="statistics-path")


class _Logged(msgspec.Struct):
    path: str = msgspec.field(default="", name="metadata-file")


class _Metadata(msgspec.Struct):
    """The parts of a metadata file that name files; all are optional, as views have none."""

    format_version: int = msgspec.field(default=1, name="format-version")
    table_uuid: str | None = msgspec.field(default=None, name="table-uuid")
    view_uuid: str | None = msgspec.field(default=None, name="view-uuid")
    location: str = ""
    updated: int = msgspec.field(default=0, name="last-updated-ms")
    properties: dict[str, Any] | None = None
    snapshots: list[_Snapshot] | None = None
    statistics: list[_Statistics] | None = None
    partition_statistics: list[_Statistics] | None = msgspec.field(
        default=None, name="partition-statistics"
    )
    log: list[_Logged] | None = msgspec.field(default=None, name="metadata-log")


@dataclass(slots=True)
class _Table:
    """A table's metadata files in one folder, and what they name."""

    owner: Owner
    metadata: str
    base: str
    moved: Moved | None
    files: set[str] = field(default_factory=set)
    folders: set[str] = field(default_factory=set)
    outside: set[str] = field(default_factory=set)
    lists: set[str] = field(default_factory=set)
    manifests: set[str] = field(default_factory=set)
    named: set[str] = field(default_factory=set)
    needed: set[str] = field(default_factory=set)
    unresolved: list[tuple[str, str]] = field(default_factory=list)
    is_remnant: bool = False

    @property
    def blocked(self) -> tuple[str, ...]:
        """The folders that may have more files of it: one, where all its manifests are left."""
        is_told = self.is_remnant and len(self.unresolved) == 1 and self.manifests
        return (self.base,) if is_told else (WHOLE_LAKE,)


def claims(lake: LakeMetadata, names: Sequence[str]) -> Iterator[Claims]:
    """The claims of each table that has metadata files among the names."""
    read: dict[str, _Metadata | TableError] = {}
    for path, found in lake.each((n for n in names if not _is_remnant(n)), _metadata):
        if found is None:  # bytes of any kind: only their name says what they were
            if _NUMBERED.fullmatch(path.rpartition("/")[2]):
                read[path] = UnreadableTableError("damaged: not JSON")
        elif isinstance(found, TableError) or _is_a_table(found, path):
            read[path] = found
    tables = [
        _table(lake, folder, versions) for folder, versions in sorted(_by_folder(read).items())
    ]
    _check_hints(lake, [name for name in names if _is_hint(name)], tables)
    known = {table.metadata for table in tables}
    lost = {parent_of(name) for name in filter(_is_remnant, names)} - known
    tables += map(_remnant, sorted(lost))
    loose = _loose_avro(lake, {table.metadata for table in tables})
    for table in tables:
        beside = loose.get(table.metadata, set())
        table.lists |= {path for path in beside if "/snap-" in f"/{path}"}
        table.manifests |= {path for path in beside if "/snap-" not in f"/{path}"}
        if table.is_remnant:
            table.needed |= beside
    _follow(lake, tables, "lists")
    _follow(lake, tables, "manifests")
    for table in tables:
        yield Claims(
            table.owner,
            frozenset(table.files | table.lists | table.manifests),
            tuple(sorted(table.folders)),
            tuple(sorted(table.outside)),
            tuple(table.unresolved),
            table.blocked,
        )


def _is_hint(name: str) -> bool:
    return name.endswith("version-hint.text")


def _is_remnant(name: str) -> bool:
    """Whether it is a table's that may have lost its metadata files: a hint, a manifest, a list."""
    return name.endswith((".avro", "version-hint.text"))


def _remnant(folder: str) -> _Table:
    """A table of which no metadata file is left in its folder."""
    base = parent_of(folder)
    lost = [(folder, "no metadata file of it is left")]
    return _Table(
        *(Owner(KIND, base), folder, base, None), folders={base}, unresolved=lost, is_remnant=True
    )


def _move_of(names: Iterable[str], base: str) -> Moved | None:
    """The move of a table by the names in its manifests, which lie below its old location."""
    for name in sorted(filter(is_absolute, names)):
        for folder in ("/metadata/", "/data/"):
            if folder in name:
                return Moved.of(name.rpartition(folder)[0], base)
    return None


def _metadata(content: bytes) -> _Metadata | None:
    """What a metadata file names; None where nothing in it is of Iceberg.

    Raises:
        UnreadableTableError: it is Iceberg's, and damaged.
    """
    if content[:2] == b"\x1f\x8b":
        with gzip.GzipFile(fileobj=BytesIO(content)) as stream:
            content = stream.read(_MOST_BYTES)
    try:
        return msgspec.json.decode(content, type=_Metadata)
    except msgspec.DecodeError as error:
        if any(key in content for key in _OWN_KEYS):
            raise UnreadableTableError(f"damaged: {error}") from error
        return None


def _is_a_table(found: _Metadata, path: str) -> bool:
    """Whether the JSON is of a table: others may well end in `.metadata.json`."""
    if found.view_uuid is not None:
        return False
    named = bool(found.location and (found.table_uuid or found.snapshots is not None))
    return named or parent_of(path).rpartition("/")[2] == "metadata"


def _by_folder(
    read: Mapping[str, _Metadata | TableError],
) -> dict[str, dict[str, _Metadata | TableError]]:
    folders: dict[str, dict[str, _Metadata | TableError]] = defaultdict(dict)
    for path, found in read.items():
        folders[parent_of(path)][path] = found
    return folders


def _version(path: str) -> int:
    match = _NUMBERED.fullmatch(path.rpartition("/")[2])
    return int(match[1] or match[2]) if match else 0


def _table(
    lake: LakeMetadata, folder: str, versions: Mapping[str, _Metadata | TableError]
) -> _Table:
    """The table, or tables, of a folder's metadata files: what these name themselves."""
    good = {path: found for path, found in versions.items() if isinstance(found, _Metadata)}
    home = parent_of(folder) if folder.rpartition("/")[2] == "metadata" else folder
    newest = max(good, key=lambda path: (good[path].updated, _version(path)), default=None)
    location = good[newest].location if newest is not None else ""
    moved = None
    if folder.rpartition("/")[2] == "metadata" and location:
        stated = lake.place(location, home)
        moved = None if stated == home else Moved.of(location, home)
        base = home
    else:
        placed = lake.place(location, home) if location else None
        base = home if placed is None else placed
    table = _Table(Owner(KIND, base), folder, base, moved, files=set(versions))
    for path, found in versions.items():
        if isinstance(found, TableError):
            if newest is None or _version(path) >= _version(newest):
                table.unresolved.append((path, reason_of(found)))
            continue
        if not 1 <= found.format_version <= NEWEST_VERSION:
            reason = f"Iceberg format version {found.format_version} is not known"
            table.unresolved.append((path, reason))
        is_newest = newest is not None and found.updated == good[newest].updated
        _name_of_metadata(lake, table, found, is_newest)
    return table


def _name_of_metadata(lake: LakeMetadata, table: _Table, found: _Metadata, is_newest: bool) -> None:
    """Adds what one metadata file names."""
    snapshots = found.snapshots or []
    lists = [s.manifest_list for s in snapshots if s.manifest_list]
    manifests = [path for snapshot in snapshots for path in snapshot.manifests]
    for names, into in ((lists, table.lists), (manifests, table.manifests)):
        for name in names:
            path = lake.place(name, table.base, table.moved)
            if path is not None and path in lake.files:
                into.add(path)
                table.named.add(path)
                if is_newest:
                    table.needed.add(path)
            elif is_newest:
                reason = "missing" if path is not None else "lies outside the lake"
                table.unresolved.append((name, reason))
    statistics = [*(found.statistics or []), *(found.partition_statistics or [])]
    _add(lake, table, (part.path for part in statistics if part.path))
    _add(lake, table, (part.path for part in found.log or [] if part.path))
    folders = [found.location, *(str((found.properties or {}).get(key, "")) for key in _PATHS)]
    for name in filter(None, folders):
        path = lake.place(name, table.base, table.moved)
        if path:
            table.folders.add(path)
        elif path is None:
            table.outside.add(name)
    if table.base:
        table.folders.add(table.base)


def _add(lake: LakeMetadata, table: _Table, names: Iterable[str]) -> None:
    for name in names:
        path = lake.place(name, table.base, table.moved)
        if path is not None:
            table.files.add(path)
        if path is None or (table.is_remnant and path not in lake.files):
            table.outside.add(name)


def _check_hints(lake: LakeMetadata, hints: Sequence[str], tables: Sequence[_Table]) -> None:
    """A version that a table's hint names must be there, or a newer one."""
    by_folder = {table.metadata: table for table in tables}
    for path, found in lake.each(hints, lambda content: int(content.strip() or b"0")):
        table = by_folder.get(parent_of(path))
        if table is None or isinstance(found, TableError):
            continue
        known = [_version(name) for name in table.files if ".metadata.json" in name]
        if found > max(known, default=0):
            table.unresolved.append((path, f"the metadata of version {found} is missing"))


def _loose_avro(lake: LakeMetadata, folders: set[str]) -> dict[str, set[str]]:
    """The Avro files in the metadata folders, named by a metadata file that is left or not."""
    found: dict[str, set[str]] = defaultdict(set)
    if folders:
        for path in lake.files:
            if path.endswith(".avro") and parent_of(path) in folders:
                found[parent_of(path)].add(path)
    return found


def _follow(lake: LakeMetadata, tables: Sequence[_Table], kind: str) -> None:
    """Reads all manifest lists, or all manifests, once each, for the tables that name them."""
    readers: dict[str, list[_Table]] = defaultdict(list)
    for table in tables:
        for path in getattr(table, kind):
            readers[path].append(table)
    for path, names in lake.each(readers, _names_in_avro):
        for table in readers[path]:
            if isinstance(names, TableError):
                if path in table.named or table.unresolved:
                    table.unresolved.append((path, reason_of(names)))
                continue
            if table.is_remnant and table.moved is None:
                table.moved = _move_of(names, table.base)
            if kind == "lists":
                _add_manifests(lake, table, names, path)
            else:
                _add(lake, table, names)


def _add_manifests(lake: LakeMetadata, table: _Table, names: Iterable[str], source: str) -> None:
    for name in names:
        path = lake.place(name, table.base, table.moved)
        if path is not None and path in lake.files:
            table.manifests.add(path)
            if source in table.named:
                table.named.add(path)
        elif source in table.needed:
            table.unresolved.append((name, "missing" if path else "lies outside the lake"))


def _names_in_avro(content: bytes) -> set[str]:
    """The files that the records of a manifest list or a manifest name."""
    names: set[str] = set()
    for record in avro_records(content):
        _collect(record, names)
    return names


def _collect(record: Mapping[str, Any], names: set[str]) -> None:
    for key, value in record.items():
        if isinstance(value, dict):
            _collect(value, names)
        elif key in _NAMES and isinstance(value, str):
            names.add(value)
