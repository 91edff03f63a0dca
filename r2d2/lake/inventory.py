"""The tables of a lake at their snapshots, or why they are not eligible; from metadata only.

An inventory is also kept in a file, so that a later one opens only what changed since. The file has
the tables of one data file whose splits need nothing beside it: what opening them again would show
is in their footers. A table is unchanged by its file's name, size and version.

The tables' formats are called here alone: to inspect a table, to read its splits, and for the
layout, which a plan keeps so that the table can come back.
"""

import base64
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import count
from time import perf_counter, thread_time
from typing import Annotated, Any

import msgspec
import pyarrow as pa

from r2d2.errors import IneligibleTableError, NotWritableError, UnreadableTableError
from r2d2.formats import format_named, hive
from r2d2.formats.errors import table_problem, translated
from r2d2.formats.layout import Layout, is_key_folder
from r2d2.formats.parquet import small_files
from r2d2.formats.parquet.read import rows_for_bounds
from r2d2.formats.parquet.small_files import Asked
from r2d2.formats.schema import check_names
from r2d2.lake.deletions import without_home
from r2d2.lake.exports import with_uncertain_kept
from r2d2.lake.grouping import Grouping
from r2d2.lake.groups import grouped
from r2d2.lake.selection import selected
from r2d2.model import Bounds, Column, FileGroup, FileInfo, Format, Split, Table
from r2d2.settings.find import Settings
from r2d2.storage.local import REMOTE_THREADS, Listing, Storage, snapshot_of

ONE_TABLE = "one table by"
"""The detail of a table that says why several files, or a folder, are one table."""
FOOTERS_A_TASK = 64
# A disk far away waits, too: such a part of the time is more than other processes take.
MOSTLY_WAITING, DISK_THREADS = 4, 16
NAMED_INSIDE = 5


@dataclass(frozen=True, slots=True)
class Inventory:
    """All tables of a lake in order of location, and how many files were left out by reason.

    `owners` tells, as plain data, which owners of files were looked at; `listing` is all of it.
    """

    tables: tuple[Table, ...]
    skipped: Mapping[str, int]
    owners: Mapping[str, Any] = field(default_factory=dict)
    listing: Listing = field(default=Listing(()), compare=False, repr=False)


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
    grouping = grouped(storage, listing, settings.tables)
    return inventory_of(storage, settings, listing, grouping, known)


def inventory_of(
    storage: Storage,
    settings: Settings,
    listing: Listing,
    grouping: Grouping,
    known: Mapping[str, Table] | None = None,
) -> Inventory:
    """The tables of the grouping of a lake's listing."""
    files = {file.path: file for file in listing.files}
    selection = selected(grouping.groups, settings)
    same = {
        group.location: table
        for group in selection.groups
        if (table := unchanged(group, known or {}))
    }
    new = [group for group in selection.groups if group.location not in same]
    tables = [*same.values(), *described(storage, settings, new, files), *selection.left_out]
    tables = [table for table in tables if table.files or table.location not in grouping.emptied]
    tables = with_uncertain_kept([*tables, *unlisted(grouping)], grouping.groups)
    tables.sort(key=lambda table: table.location)
    return Inventory(tuple(tables), grouping.skipped, grouping.owners.data(), without_home(listing))


def unlisted(grouping: Grouping) -> list[Table]:
    """What was not listed and is below no table, as unreadable tables."""
    return [
        Table(path, Format.OTHER, problem=reason, unreadable=True)
        for path, reason in grouping.left_out
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
    Threads open footers where that is mostly waiting; else they would wait for each other.
    """

    def described_all(places: Sequence[int]) -> list[Table]:
        return [_described(storage, settings, groups[place], lake) for place in places]

    is_remote = "://" in storage.url
    size = 1 if is_remote else FOOTERS_A_TASK
    # Text would be in memory twice.
    footers = [group.format == Format.PARQUET and not group.partitioned for group in groups]
    together = [place for place, is_footer in enumerate(footers) if is_remote or is_footer]
    tasks = (together[start : start + size] for start in range(0, len(together), size))
    found: dict[int, Table] = {}
    for task in () if is_remote else tasks:
        start, cpu_start = perf_counter(), thread_time()
        found |= zip(task, described_all(task), strict=True)
        if perf_counter() - start > MOSTLY_WAITING * (thread_time() - cpu_start):
            break
    left = list(tasks)
    with ThreadPoolExecutor(remote_threads if is_remote else DISK_THREADS) as pool:
        for task, tables in zip(left, pool.map(described_all, left), strict=True):
            found |= zip(task, tables, strict=True)
    rest = [place for place in range(len(groups)) if place not in found]
    found |= zip(rest, described_all(rest), strict=True)
    return [found[place] for place in range(len(groups))]


def bounds_of(storage: Storage, asked: Asked) -> Iterator[tuple[int, Mapping[str, Bounds] | str]]:
    """The bounds of tables that the inventory left without, or why one cannot be read."""
    small = (one for one in asked if small_files.is_small(one[1]))
    return small_files.bounds_of_small(small, partial(rows_for_bounds, storage))


def _described(
    storage: Storage, settings: Settings, group: FileGroup, lake: Mapping[str, FileInfo] | None
) -> Table:
    location = group.location or "."
    size = sum(file.size_bytes for file in group.files)
    try:
        if group.problem is not None:
            raise UnreadableTableError(group.problem)
        table = _inspect(storage, settings, group, lake)
        check_names([column.name for column in table.columns], settings.case_sensitive)
    except Exception as error:  # noqa: BLE001 - one table's trouble is that table's
        problem = table_problem(error)
        unreadable = not isinstance(error, IneligibleTableError)
        return Table(
            location,
            group.format,
            size_bytes=size,
            files=group.files,
            snapshot=snapshot_of(group.files),
            problem=problem,
            unreadable=unreadable,
        )
    snapshot = table.snapshot or snapshot_of(table.files)
    must_keep = table.must_keep or group.must_keep
    if group.because:
        table = replace(table, details={**table.details, ONE_TABLE: group.because})
    if group.inside:
        named = ", ".join(group.inside[:NAMED_INSIDE])
        more = len(group.inside) - NAMED_INSIDE
        told = f"{named} and {more} more" if more > 0 else named
        table = replace(table, details={**table.details, "not its own": told})
    if (table.location, table.snapshot, table.must_keep) == (location, snapshot, must_keep):
        return table
    return replace(table, location=location, snapshot=snapshot, must_keep=must_keep)


def _inspect(
    storage: Storage, settings: Settings, group: FileGroup, lake: Mapping[str, FileInfo] | None
) -> Table:
    known = format_named(group.format)
    if not group.partitioned:
        return known.inspect(storage, group.location, group.files, settings, lake)

    def parts(storage: Storage, files: Sequence[FileInfo]) -> Sequence[Table]:
        with small_files.CACHE.held():
            found = [known.inspect(storage, f.path, [f], settings, lake) for f in files]
            return small_files.with_bounds(found, partial(rows_for_bounds, storage))

    table = hive.inspect(
        storage,
        group.location,
        group.files,
        parts,
        settings.case_sensitive,
    )
    if group.format == Format.CSV:
        _check_headers(table)
    return table


def _check_headers(table: Table) -> None:
    """Passes where all files have the same columns: a file that lacks some may lack its header.

    Raises:
        IneligibleTableError: a file has other columns.
    """
    for split in table.splits:
        part = split.context
        if isinstance(part, hive.Partition) and part.absent and not part.keys:
            lacking = ", ".join(map(repr, part.absent[:3]))
            raise IneligibleTableError(
                f"{table.location}: {split.file.path} has no column {lacking}, which others have;"
                " where only the first file has a header, the files are no table by themselves"
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


def layout_of(storage: Storage, table: Table) -> dict[str, Any]:
    """The table's layout as plain JSON data; reads the heads of its files, of JSON all of it.

    Raises:
        TableError: a file cannot be read.
        NotWritableError: what is there could not be written back.
    """
    if not table.eligible or not table.files or not table.splits:
        reason = table.problem or "it has no rows"
        raise NotWritableError(f"{table.location}: its layout is not known: {reason}")
    layout = hive.layout(storage, table, format_named(table.format).layout)
    names = layout.schema.names
    ordered = list(dict.fromkeys(column.path[0] for column in table.columns))
    if sorted(names) != sorted(ordered):
        raise NotWritableError(f"{table.location}: its files hold columns {names}, not {ordered}")
    schema = pa.schema([layout.schema.field(name) for name in ordered], layout.schema.metadata)
    return replace(layout, schema=schema).data()


def layout_from(data: Mapping[str, Any]) -> Layout:
    """The layout of plain JSON data.

    Raises:
        NotWritableError: the data describe no layout.
    """
    with translated(NotWritableError, "no layout of a table"):
        known = format_named(data["format"])
        layout = Layout(
            known.name,
            pa.ipc.read_schema(pa.py_buffer(base64.b64decode(data["schema"]))),
            str(data["file_name"]),
            bool(data["is_folder"]),
            tuple(map(str, data["partition_columns"])),
            str(data["compression"]),
            dict(data["options"]),
            tuple(map(str, data["not_restored"])),
            tuple(map(str, data.get("keys_in_files", ()))),
            {str(key): str(name) for key, name in dict(data.get("folders", {})).items()},
        )
        wanting = known.layout_options - layout.options.keys()
        unknown = set(layout.partition_columns) - set(layout.schema.names)
        unknown |= set(layout.keys_in_files) - set(layout.partition_columns)
        unknown |= {name for name in layout.folders.values() if not is_key_folder(name)}
        if wanting or unknown or set(layout.file_name) & {"/", "\0"}:
            raise ValueError(f"{sorted(wanting | unknown)} in {layout.file_name!r}")
        return layout


INVENTORY_FILE = "inventory.json"


class _Split(msgspec.Struct, array_like=True):
    row_groups: tuple[int, ...]
    rows: int | None
    size_bytes: int


class _Table(msgspec.Struct, array_like=True):
    """`schema` is the place of the columns in the inventory's list."""

    file: FileInfo
    format: str
    schema: Annotated[int, msgspec.Meta(ge=0)]
    rows: int | None
    snapshot: str
    splits: tuple[_Split, ...]
    details: dict[str, str]


class _Inventory(msgspec.Struct):
    schemas: list[tuple[Column, ...]] = []
    tables: list[_Table] = []


def inventory_json(tables: Iterable[Table]) -> str:
    """The tables whose change can be seen by their files alone, as JSON for `load_inventory`."""
    number = count()
    schemas: dict[tuple[Column, ...], int] = {}
    found = []
    for table in tables:
        if _is_plain(table):
            schema = schemas.setdefault(table.columns, -1)
            if schema < 0:
                schema = schemas[table.columns] = next(number)
            splits = tuple(_Split(s.row_groups, s.rows, s.size_bytes) for s in table.splits)
            details = dict(sorted(table.details.items()))
            found.append(
                _Table(
                    *(table.files[0], table.format, schema, table.rows, table.snapshot),
                    *(splits, details),
                )
            )
    return msgspec.json.encode(_Inventory(list(schemas), found)).decode() + "\n"


def _is_plain(table: Table) -> bool:
    plain = all(s.context is None and s.file == table.files[0] for s in table.splits)
    named = [file.path for file in table.files] == [table.location]
    return table.eligible and table.must_keep is None and named and plain


def load_inventory(text: bytes | str) -> dict[str, Table]:
    """The tables by location; none where the text is not from `inventory_json`.

    They are without bounds: who knows a lake's graph prunes nothing any more.
    """
    try:
        inventory = msgspec.json.decode(text, type=_Inventory)
        return {table.file.path: _table(table, inventory.schemas) for table in inventory.tables}
    except (ValueError, IndexError, RecursionError):
        return {}


def _table(table: _Table, schemas: list[tuple[Column, ...]]) -> Table:
    file, format_ = table.file, format_named(table.format).name
    return Table(
        file.path,
        format_,
        schemas[table.schema],
        table.rows,
        file.size_bytes,
        (file,),
        table.snapshot,
        tuple(Split(format_, file, s.row_groups, s.rows, s.size_bytes) for s in table.splits),
        details=table.details,
    )


def unchanged(group: FileGroup, known: Mapping[str, Table]) -> Table | None:
    """The table that the group was, if it is the same files still."""
    table = known.get(group.location)
    if table is None or group.partitioned or group.problem or group.must_keep:
        return None
    return table if (table.format, table.files) == (group.format, group.files) else None
