"""Database files that catalogue a lake: DuckLake's, and the SQL catalogues of Iceberg.

One in SQLite is read. One in DuckDB's own format is not: what it names may be any file. DuckLake's
catalogue may be a server's, so its data files are known by their names as well: live ones, dead
ones and lists of deleted rows lie in one folder, which nobody can read without the catalogue.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import accumulate
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from r2d2.errors import TableError, UnreadableTableError
from r2d2.lake.owners.claims import (
    Claims,
    LakeMetadata,
    Owner,
    is_absolute,
    is_below,
    parent_of,
    reason_of,
)

if TYPE_CHECKING:
    from sqlite3 import Connection

DUCKLAKE, ICEBERG = "DuckLake catalogue", "Iceberg SQL catalogue"
DUCKLAKE_FILES = "DuckLake, by the names of the files in"
HEAD_BYTES = 16
_MOST_BYTES = 1 << 30
_SQLITE, _DUCKDB = b"SQLite format 3\0", b"DUCK"
_SIGNS = (b"ducklake_data_file", b"iceberg_tables")
_ENCRYPTED = "a DuckDB file that is encrypted or larger than 1 GiB"
_UNREAD = "a catalogue in DuckDB's own format is not read; keep it in SQLite or out of the lake"


def ducklake_files(lake: LakeMetadata, names: Sequence[str]) -> Iterator[Claims]:
    """The claims of DuckLake catalogues that may be elsewhere, one for each folder of files."""
    folders: dict[str, set[str]] = defaultdict(set)
    for name in names:
        folders[parent_of(name)].add(name)
    for folder, files in sorted(folders.items()):
        yield Claims(Owner(DUCKLAKE_FILES, f"{folder}/"), frozenset(files))


def claims(lake: LakeMetadata, names: Sequence[str]) -> Iterator[Claims]:
    """The claims of each database file that is a catalogue; others claim nothing."""
    for name in sorted(names):
        file = lake.files[name]
        log = lake.files.get(f"{name}-wal") or lake.files.get(f"{name}.wal")
        try:
            head = lake.storage.read(file, 0, HEAD_BYTES)
            if head == _SQLITE:
                yield from _sqlite(lake, name)
            elif head[8:12] == _DUCKDB and (log or _has_signs(lake, name)):
                yield _unresolved(name, _UNREAD)
        except TableError as error:
            yield _unresolved(name, reason_of(error))


def _has_signs(lake: LakeMetadata, name: str) -> bool:
    """Whether a DuckDB file has the tables of a catalogue: their names stand in it as text."""
    if lake.files[name].size_bytes > _MOST_BYTES:
        raise UnreadableTableError(_ENCRYPTED)
    content = lake.read(name)
    if content[12:20] > b"\x43" + bytes(7) and not content.find(b"main") >= 0:
        raise UnreadableTableError(_ENCRYPTED)
    return any(sign in content for sign in _SIGNS)


def _unresolved(name: str, reason: str) -> Claims:
    folders = tuple(sorted({f"{name}.files", f"{name.rpartition('.')[0]}.files"}))
    return Claims(Owner(DUCKLAKE, name), frozenset(), folders, (), ((name, reason),))


def _sqlite(lake: LakeMetadata, name: str) -> Iterator[Claims]:
    """The claims of a SQLite file, read from a copy with its write-ahead log."""
    if lake.files[name].size_bytes > _MOST_BYTES:
        raise UnreadableTableError("a SQLite file larger than 1 GiB is not read")
    content = lake.read(name)
    log = lake.read(f"{name}-wal") if f"{name}-wal" in lake.files else b""
    if not any(sign in content or sign in log for sign in _SIGNS):
        return
    import sqlite3

    with TemporaryDirectory(prefix="r2d2-") as folder:
        copy = Path(folder, "catalogue")
        copy.write_bytes(content)
        if log:
            Path(folder, "catalogue-wal").write_bytes(log)
        try:
            with closing(sqlite3.connect(copy)) as database:
                yield from _ducklake(lake, name, database)
                yield from _iceberg(lake, name, database)
        except sqlite3.Error as error:
            raise UnreadableTableError(f"damaged: {error}") from error


def _rows(database: "Connection", table: str, columns: str) -> list[tuple[object, ...]]:
    known = database.execute("SELECT 1 FROM sqlite_master WHERE name = ?", [table]).fetchone()
    return database.execute(f"SELECT {columns} FROM {table}").fetchall() if known else []


def _ducklake(lake: LakeMetadata, name: str, database: "Connection") -> Iterator[Claims]:
    """The files of all versions, those scheduled for deletion, and the data path."""
    options = _rows(database, "ducklake_metadata", "key, value")
    if not options:
        return
    data_path = next((str(value) for key, value in options if key == "data_path"), "")
    schemas = {
        key: _joined(data_path, path, relative)
        for key, path, relative in _rows(
            database, "ducklake_schema", "schema_id, path, path_is_relative"
        )
    }
    tables = {
        key: _joined(schemas.get(schema, data_path), path, relative)
        for key, schema, path, relative in _rows(
            database, "ducklake_table", "table_id, schema_id, path, path_is_relative"
        )
    }
    names = [
        _joined(tables.get(table, data_path), path, relative)
        for kind in ("ducklake_data_file", "ducklake_delete_file")
        for table, path, relative in _rows(database, kind, "table_id, path, path_is_relative")
    ]
    names += [
        _joined(data_path, path, relative)
        for path, relative in _rows(
            database, "ducklake_files_scheduled_for_deletion", "path, path_is_relative"
        )
    ]
    files, folders, outside = set(), set(), []
    for file in names:
        places = _places(lake, parent_of(name), file)
        files |= places
        if not places & lake.files.keys():
            outside.append(file)
    for path in [data_path, *tables.values()]:
        places = _places(lake, parent_of(name), path)
        folders |= places
        if outside or not places:
            outside.append(path)
    inside = tuple(sorted(folder for folder in folders if folder and not is_below(name, folder)))
    yield Claims(Owner(DUCKLAKE, name), frozenset(files), inside, tuple(outside))


def _places(lake: LakeMetadata, home: str, path: str) -> set[str]:
    """The places in the lake that a catalogue's path may mean.

    DuckLake reads a relative data path from the working directory, which may be any folder that the
    catalogue lies in, in the lake or above it.
    """
    if is_absolute(path):
        place = lake.place(path, "")
        return set() if place is None else {place}
    parts = [part for part in path.split("/") if part not in ("", ".")]
    up = sum(part == ".." for part in parts)
    rest = parts[up:]
    above = lake.storage.absolute("").rstrip("/").split("/")
    tails = [rest[n:] for n in range(len(rest)) if not n or above[-n:] == rest[:n]]
    starts = ["", *accumulate(home.split("/"), "{}/{}".format)] if home else [""]
    return {
        place
        for start in starts
        for tail in (tails if not start else tails[:1])
        if (place := lake.place("/".join([*([".."] * up), *tail]), start)) is not None
    }


def _joined(folder: str, path: object, is_relative: object) -> str:
    text = "" if path is None else str(path)
    return f"{folder.rstrip('/')}/{text}" if is_relative and folder else text


def _iceberg(lake: LakeMetadata, name: str, database: "Connection") -> Iterator[Claims]:
    """A table whose metadata is not in the lake may own any of its files."""
    stated = _rows(database, "iceberg_tables", "metadata_location")
    locations = [str(location) for (location,) in stated if location]
    if not locations:
        return
    lacking = [
        (location, "lies outside the lake" if place is None else "missing")
        for location in locations
        if (place := lake.place(location, "")) not in lake.files
    ]
    yield Claims(Owner(ICEBERG, name), frozenset({name}), unresolved=tuple(lacking))
