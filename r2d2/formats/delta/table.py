"""A Delta table's newest version as a table with splits, where r2d2 knows all that it needs."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from hashlib import blake2b

import pyarrow as pa

from r2d2.errors import UnreadableTableError
from r2d2.formats.bounds import union
from r2d2.formats.delta.deletion_vectors import locate
from r2d2.formats.delta.log import Places, below, log_at, newest_log
from r2d2.formats.delta.read import FileWithFooter, LiveFile, with_footer
from r2d2.formats.delta.replay import Add, DeltaMetadata, DeltaProtocol, Snapshot, replay
from r2d2.formats.delta.schema import DeltaField, constant, fields_of
from r2d2.formats.schema import flatten
from r2d2.model import Column, FileInfo, Format, Split, Table
from r2d2.storage.local import Storage
from r2d2.text_tables import pluralize

BIG_FILE_BYTES = 128 << 20
SPLIT_BYTES = 32 << 20
FOOTERS_AT_ONCE = 16
READER_FEATURES = frozenset(
    {
        "columnMapping",
        "deletionVectors",
        "timestampNtz",
        "typeWidening",
        "typeWidening-preview",
        "v2Checkpoint",
        "vacuumProtocolCheck",
    }
)
# A reader may ignore features for writers only, and some readers were wrong to: with
# `coordinatedCommits-preview` the newest commits are not in `_delta_log`, and with
# `redirectWriterOnly-preview` they are in another table. So these are listed too.
WRITER_FEATURES = READER_FEATURES | {
    "allowColumnDefaults",
    "appendOnly",
    "changeDataFeed",
    "checkConstraints",
    "checkpointProtection",
    "clustering",
    "domainMetadata",
    "generatedColumns",
    "icebergCompatV1",
    "icebergCompatV2",
    "icebergCompatV3",
    "identityColumns",
    "inCommitTimestamp",
    "invariants",
    "materializePartitionColumns",
    "rowTracking",
}
MAPPING_MODES = ("none", "name", "id")


def inspect(
    storage: Storage,
    location: str,
    files: Sequence[FileInfo],
    lake: Mapping[str, FileInfo] | None = None,
    version: int | None = None,
) -> Table:
    """The table's newest version, or that one, from its log and the footers of its live files.

    `files` are all files below `location`. `lake` holds every file of the lake by its path, for
    shallow clones, which name files elsewhere; without it the storage is listed where one does.

    Raises:
        TableError: the version is not known for certain, or r2d2 cannot read it for certain.
    """
    found = {file.path: file for file in files}
    log = _log_files(location, found)
    snapshot = replay(storage, newest_log(log) if version is None else log_at(log, version))
    check_protocol(snapshot.protocol, snapshot.metadata)
    mode = mapping_mode(snapshot.protocol, snapshot.metadata)
    columns = fields_of(snapshot.metadata.schema_json, mode)
    flat = flatten(pa.schema([(column.name, column.type) for column in columns]))
    places = Places(storage, location, found, cache(lambda: _whole_lake(storage, lake)))
    live = [_live_file(add, columns, snapshot, places) for add in snapshot.files]
    data = _with_footers(storage, [file for file in live if file.live_rows != 0], flat)
    return Table(
        location,
        Format.DELTA,
        flat,
        sum(part.file.live_rows or 0 for part in data),
        sum(file.info.size_bytes for file in live),
        tuple(_with_identity(file, mode) for file in live),
        f"delta:{snapshot.version}",
        tuple(split for part in data for split in _splits(part)),
        {column.name: union([part.bounds[column.name] for part in data]) for column in flat},
        _details(snapshot, mode),
    )


def _with_footers(
    storage: Storage, files: Sequence[LiveFile], columns: Sequence[Column]
) -> list[FileWithFooter]:
    """The files with their footers, many at once where each costs a request."""
    if len(files) == 1 or "://" not in storage.url:
        return [with_footer(storage, file, columns) for file in files]
    with ThreadPoolExecutor(FOOTERS_AT_ONCE) as pool:
        return list(pool.map(lambda file: with_footer(storage, file, columns), files))


def _log_files(location: str, found: Mapping[str, FileInfo]) -> dict[str, FileInfo]:
    folder = below(location, "_delta_log/")
    return {
        path.removeprefix(folder): file for path, file in found.items() if path.startswith(folder)
    }


def _whole_lake(storage: Storage, lake: Mapping[str, FileInfo] | None) -> Mapping[str, FileInfo]:
    return {file.path: file for file in storage.list().files} if lake is None else lake


def _live_file(
    add: Add, columns: tuple[DeltaField, ...], snapshot: Snapshot, places: Places
) -> LiveFile:
    info = places.find(add.path)
    if info.size_bytes != add.size_bytes:
        raise UnreadableTableError(
            f"{info.path} has {pluralize(str(info.size_bytes), 'byte')},"
            f" {add.size_bytes} by _delta_log"
        )
    partitions = [c for c in columns if c.name in snapshot.metadata.partition_columns]
    return LiveFile(
        info,
        columns,
        {column.name: constant(column, _text(add, column)) for column in partitions},
        add.rows,
        locate(add.deletion_vector, places) if add.deletion_vector else None,
    )


def _text(add: Add, column: DeltaField) -> str | None:
    try:
        return add.partition_values[column.physical_name]
    except KeyError as error:
        raise UnreadableTableError(
            f"{add.path}: no value for partition column {column.name}"
        ) from error


def _with_identity(file: LiveFile, mode: str) -> FileInfo:
    """The file as part of this table: equal in two tables only where both read the same rows.

    Under column mapping one file may be read as different columns.
    """
    parts = []
    if file.deletions:
        parts.append(file.deletions.identity)
    if mode != "none" or file.constants:
        meaning = repr((file.columns, sorted(file.constants.items(), key=lambda pair: pair[0])))
        parts.append(blake2b(meaning.encode(), digest_size=16).hexdigest())
    return FileInfo(file.info.path, file.info.size_bytes, "#".join([file.info.version, *parts]))


def _splits(part: FileWithFooter) -> Iterator[Split]:
    """One split per file; a big file's row groups are dealt out."""
    file, metadata = part.file, part.metadata
    if file.info.size_bytes < BIG_FILE_BYTES:
        yield _split(file, (), file.live_rows, file.info.size_bytes)
        return
    groups: list[int] = []
    rows = size = 0
    for index in range(metadata.num_row_groups):
        groups.append(index)
        rows += metadata.row_group(index).num_rows
        size += metadata.row_group(index).total_byte_size
        if size >= SPLIT_BYTES or index == metadata.num_row_groups - 1:
            yield _split(file, tuple(groups), rows, size)
            groups, rows, size = [], 0, 0


def _split(file: LiveFile, groups: tuple[int, ...], rows: int | None, size_bytes: int) -> Split:
    return Split(Format.DELTA, file.info, groups, rows, size_bytes, file)


def _details(snapshot: Snapshot, mode: str) -> dict[str, str]:
    protocol = snapshot.protocol
    return {
        "protocol": f"{protocol.reader_version}/{protocol.writer_version}",
        "features": ", ".join(sorted(protocol.reader_features | protocol.writer_features)),
        "column mapping": mode,
        "partition columns": ", ".join(snapshot.metadata.partition_columns),
    }


def check_protocol(protocol: DeltaProtocol, metadata: DeltaMetadata) -> None:
    """Raises UnreadableTableError where the table needs more than r2d2 knows."""
    if not (1 <= protocol.reader_version <= 3 and 1 <= protocol.writer_version <= 7):
        raise UnreadableTableError(
            f"Delta protocol {protocol.reader_version}/{protocol.writer_version} is not known"
        )
    _check_features("reader", protocol.reader_features - READER_FEATURES)
    _check_features("writer", protocol.writer_features - WRITER_FEATURES)
    if metadata.provider != "parquet":
        raise UnreadableTableError(f"the Delta table's data files are {metadata.provider}")


def _check_features(kind: str, unknown: frozenset[str]) -> None:
    if unknown:
        names = ", ".join(sorted(unknown))
        raise UnreadableTableError(f"Delta {kind} feature not supported: {names}")


def mapping_mode(protocol: DeltaProtocol, metadata: DeltaMetadata) -> str:
    """The way to find columns in data files: "none" (by the table's names), "name" or "id"."""
    mode = (metadata.configuration.get("delta.columnMapping.mode") or "none").lower()
    if mode not in MAPPING_MODES:
        raise UnreadableTableError(f"Delta column mapping mode {mode!r} is not known")
    supported = protocol.reader_version == 2 or "columnMapping" in protocol.reader_features
    return mode if supported else "none"
