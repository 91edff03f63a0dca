"""The tables of a lake at their snapshots, or why they are not eligible; from metadata only."""

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import lru_cache

import pyarrow as pa

from r2d2.errors import TableError, UnreadableTableError
from r2d2.formats import format_named, hive
from r2d2.formats.parquet import small_files
from r2d2.formats.schema import check_names
from r2d2.lake.cached_inventory import unchanged
from r2d2.lake.grouping import FileGroup, group_files
from r2d2.model import Column, FileInfo, Format, Split, Table
from r2d2.settings.find import Settings
from r2d2.storage.local import Listing, Storage

# A remote read mostly waits; a local one mostly computes, and threads would take turns.
REMOTE_THREADS = 64


@dataclass(frozen=True, slots=True)
class Inventory:
    """All tables of a lake in order of location, and how many files were left out by reason."""

    tables: tuple[Table, ...]
    skipped: Mapping[str, int]


def take_inventory(
    storage: Storage, settings: Settings, known: Mapping[str, Table] | None = None
) -> Inventory:
    """The lake's tables at their present snapshots.

    Those of an earlier inventory that are `known` are not opened again where their files are the
    same still.

    Raises:
        LakeError: the lake itself cannot be listed.
    """
    listing = storage.list()
    grouping = group_files(listing)
    files = {file.path: file for file in listing.files}
    same = {
        group.location: table
        for group in grouping.groups
        if (table := unchanged(group, known or {}))
    }
    new = [group for group in grouping.groups if group.location not in same]
    tables = [*same.values(), *described(storage, settings, new, files)]
    tables += unlisted(listing)
    return Inventory(tuple(sorted(tables, key=lambda table: table.location)), grouping.skipped)


def unlisted(listing: Listing) -> list[Table]:
    """The files and folders that could not be listed, as unreadable tables."""
    return [
        Table(path, Format.OTHER, problem=reason, unreadable=True)
        for path, reason in listing.problems
    ]


def described(
    storage: Storage,
    settings: Settings,
    groups: Sequence[FileGroup],
    lake: Mapping[str, FileInfo] | None = None,
    remote_threads: int = REMOTE_THREADS,
) -> list[Table]:
    """The groups' tables; one that cannot be read, or is not eligible, says why.

    `lake` holds every file of the lake by its path; without it, shallow clones list it again.
    """
    if "://" in storage.url:
        with ThreadPoolExecutor(remote_threads) as pool:
            tables = list(
                pool.map(lambda group: _described(storage, settings, group, lake), groups)
            )
    else:
        tables = [_described(storage, settings, group, lake) for group in groups]
    return small_files.CACHE.bounded(storage, tables)


def _described(
    storage: Storage, settings: Settings, group: FileGroup, lake: Mapping[str, FileInfo] | None
) -> Table:
    location = group.location or "."
    size = sum(file.size_bytes for file in group.files)
    try:
        table = _inspect(storage, settings, group, lake)
        _check_names(table.columns, settings.case_sensitive)
    except TableError as error:
        unreadable = isinstance(error, UnreadableTableError)
        return Table(
            location,
            group.format,
            size_bytes=size,
            files=group.files,
            snapshot=_snapshot(group.files),
            problem=str(error),
            unreadable=unreadable,
        )
    return replace(table, location=location, snapshot=table.snapshot or _snapshot(table.files))


@lru_cache(maxsize=4096)
def _check_names(columns: tuple[Column, ...], case_sensitive: bool) -> None:
    check_names([column.name for column in columns], case_sensitive)


def _inspect(
    storage: Storage, settings: Settings, group: FileGroup, lake: Mapping[str, FileInfo] | None
) -> Table:
    known = format_named(group.format)
    if not group.partitioned:
        return known.inspect(storage, group.location, group.files, settings, lake)
    return hive.inspect(
        storage,
        group.location,
        group.files,
        lambda store, path, files: known.inspect(store, path, files, settings, lake),
    )


def read_split(
    storage: Storage, split: Split, columns: Collection[str]
) -> Iterator[pa.RecordBatch]:
    """The split's rows with the top-level columns asked for.

    Raises:
        UnreadableTableError: the split cannot be read in full, or changed since the inventory.
    """
    known = format_named(split.format)
    if isinstance(split.context, hive.Partition):
        return hive.read(storage, split, columns, known.read)
    return known.read(storage, split, columns)


def _snapshot(files: Sequence[FileInfo]) -> str:
    digest = hashlib.sha256()
    for file in files:
        digest.update(f"{file.path}\0{file.size_bytes}\0{file.version}\n".encode())
    return "files:" + digest.hexdigest()[:16]
