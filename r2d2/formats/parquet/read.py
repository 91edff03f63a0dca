"""Parquet files read: the footer describes the table, its row groups are the splits."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import lru_cache, partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow._parquet import ParquetReader

from r2d2.arrays import decimals_of
from r2d2.errors import UnreadableTableError
from r2d2.formats.errors import translated
from r2d2.formats.parquet import small_files
from r2d2.formats.parquet.annotations import (
    is_sparks,
    storage_batch,
    storage_schema,
    types_of,
)
from r2d2.formats.parquet.footer import (
    RowGroups,
    bounds_of,
    calendar_is_doubtful,
    check_calendar,
    check_int96,
    leaf_count,
    may_be_julian,
)
from r2d2.formats.parquet.small_files import SMALL_FILE_ROWS, SmallFile
from r2d2.formats.parquet.tail import (
    SMALL_FILE_BYTES,
    KnownFooter,
    sound_file,
    tail_of,
    without_logical_types,
)
from r2d2.model import FileInfo, Format, Split, Table
from r2d2.storage.local import Storage, snapshot_of
from r2d2.text_tables import by_number, pluralize

SPLIT_BYTES = 32 << 20
BATCH_ROWS = 1 << 16
CACHED_ROWS = SMALL_FILE_ROWS
# Honest pages of one repeated value shrink by about a thousand; what declares more is a bomb.
BOMB_BYTES = 1 << 30
BOMB_RATIO = 2000
# A dictionary is worth keeping where a chunk's rows are many and its distinct values few.
DICTIONARY_ROWS = 4096
DICTIONARY_BYTES = 64 << 10
DECIMAL_ROWS = 1 << 14


def inspect(storage: Storage, location: str, file: FileInfo) -> Table:
    """The table of one Parquet file, from its footer.

    Of a small file no more than names, types and counts are looked at. Its bytes are kept where
    somebody will ask on: its rows are its bounds (see `small_files`).

    Raises:
        TableError: the file is damaged, or its columns have no identity.
    """
    tail = tail_of(storage, file)
    with translated(UnreadableTableError, file.path):
        is_whole = len(tail) == file.size_bytes <= SMALL_FILE_BYTES
        if is_whole and (recalled := _recalled(storage, location, file, tail)) is not None:
            return recalled
        opened = _reader(tail) if is_whole else sound_file(tail, file.size_bytes)
        metadata = opened.metadata
        splits = tuple(_splits(file, metadata))
        is_small = is_whole and len(splits) == 1 and 0 < metadata.num_rows <= CACHED_ROWS
        is_doubtful = calendar_is_doubtful(metadata)
        if is_whole and (not is_small or is_doubtful):
            sound_file(tail, file.size_bytes)
        types = types_of(opened)
        check_calendar(file, metadata)
        if is_small and small_files.CACHE.is_held:
            names = tuple(types.leaves or types.storage.names)
            decode = partial(_rows_of, tail, splits[0], types.leaves, None)
            if not is_doubtful:
                small_files.CACHE.footers.learn(tail, metadata, types)
            reader = opened if types.leaves else None
            kept = SmallFile(names, decode, file.size_bytes, reader)
            small_files.CACHE.add(storage.url, file, kept)
        return Table(
            location,
            Format.PARQUET,
            types.columns,
            metadata.num_rows,
            file.size_bytes,
            (file,),
            snapshot_of([file]),
            splits,
            bounds={} if is_small else bounds_of(metadata, types.storage),
        )


def _recalled(storage: Storage, location: str, file: FileInfo, content: bytes) -> Table | None:
    """The table of a small file whose footer is known but for its rows; for those who ask on."""
    cache = small_files.CACHE
    if not cache.is_held or (recalled := cache.footers.recall(content)) is None:
        return None
    known, rows, size = recalled
    if not (0 < rows <= CACHED_ROWS and 0 <= size <= BOMB_BYTES):
        return None
    types, split = known.types, Split(Format.PARQUET, file, (0,), rows, size)
    names = tuple(types.leaves or types.storage.names)
    decode = partial(_rows_of, content, split, types.leaves, known)
    if not cache.add(storage.url, file, SmallFile(names, decode, file.size_bytes)):
        return None
    return Table(
        *(location, Format.PARQUET, types.columns, rows, file.size_bytes, (file,)),
        *(snapshot_of([file]), (split,)),
    )


def _rows_of(
    source: bytes,
    split: Split,
    leaves: Mapping[str, range] | None,
    known: KnownFooter | None,
    columns: frozenset[str],
    reader: ParquetReader | None,
) -> list[pa.RecordBatch]:
    """The rows of all of the file's row groups; `leaves` where they are read as they are.

    A file of which no more was read than a `known` footer told is compared with it.
    """
    with translated(UnreadableTableError, split.file.path):
        if not leaves:
            return list(_decoded(_open(pa.BufferReader(source)), source, split, columns))
        # Never none, to have rows.
        wanted = sorted(leaf for name in columns for leaf in leaves.get(name, ())) or [0]
        groups = list(split.row_groups)
        reader = reader or _reader(source)
        table = reader.read_row_groups(groups, column_indices=wanted, use_threads=False)
        if known is not None:
            known.check(split, reader.metadata, wanted, table.schema)
        _check_count(split, table.num_rows, reader.metadata.num_rows)
        batches: list[pa.RecordBatch] = table.to_batches()
        return batches if len(batches) == 1 else table.combine_chunks().to_batches()


def _check_count(split: Split, rows: int, declared: int) -> None:
    if rows != declared:
        raise UnreadableTableError(
            f"{split.file.path}: {pluralize(str(rows), 'row')}"
            f" {by_number(rows, 'was', 'were')} read where the footer declares {declared}"
        )


def _splits(file: FileInfo, metadata: pq.FileMetaData) -> Iterator[Split]:
    groups: list[int] = []
    rows = size = declared = total = 0
    for index in range(metadata.num_row_groups):
        group = metadata.row_group(index)
        groups.append(index)
        rows += group.num_rows
        total += group.num_rows
        size += group.total_byte_size
        declared += group.total_byte_size
        if size >= SPLIT_BYTES:
            yield Split(Format.PARQUET, file, tuple(groups), rows, size)
            groups, rows, size = [], 0, 0
    if groups:
        yield Split(Format.PARQUET, file, tuple(groups), rows, size)
    if total != metadata.num_rows:
        raise UnreadableTableError(
            f"{file.path}: its row groups hold {pluralize(str(total), 'row')},"
            f" its footer says {metadata.num_rows}"
        )
    if declared > max(BOMB_BYTES, BOMB_RATIO * file.size_bytes):
        raise UnreadableTableError(
            f"{file.path}: {file.size_bytes} bytes declare to hold {declared}: refused as a bomb"
        )


def read(storage: Storage, split: Split, columns: Collection[str]) -> Iterator[pa.RecordBatch]:
    """The split's rows with the top-level columns asked for, in batches of bounded size.

    Raises:
        UnreadableTableError: bytes are damaged, or are not those that were listed.
    """
    opened = small_files.CACHE.take(storage.url, split.file)
    if opened is not None:
        yield from opened.rows(columns)
        return
    source = storage.open(split.file)
    with translated(UnreadableTableError, split.file.path):
        yield from _decoded(_open(source), source, split, columns)
    storage.read(split.file, length=0)


def row_groups_of(storage: Storage, file: FileInfo) -> RowGroups:
    """The file's row groups, by its footer.

    Raises:
        UnreadableTableError: the file is damaged, or not as it was listed.
    """
    with translated(UnreadableTableError, file.path):
        opened = sound_file(tail_of(storage, file), file.size_bytes)
        return RowGroups.of(opened.metadata, storage_schema(opened.schema_arrow))


def rows_for_bounds(
    storage: Storage, split: Split, columns: Collection[str]
) -> list[pa.RecordBatch]:
    """The rows of a small file's columns; they are there for the scan, too, where there is room.

    Raises:
        UnreadableTableError: bytes are damaged, or are not those that were listed.
    """
    rows = small_files.CACHE.rows(storage.url, split.file, columns)
    return list(read(storage, split, columns)) if rows is None else rows


def _decoded(
    file: pq.ParquetFile, source: Any, split: Split, columns: Collection[str]
) -> Iterator[pa.RecordBatch]:
    wanted, has_extensions = _leaves(file.schema_arrow, frozenset(columns))
    encoded = _dictionary_columns(file, split, wanted)
    decimals = _decimal_columns(file, split, wanted)
    if encoded or decimals:
        metadata = without_logical_types(file.metadata, decimals) if decimals else file.metadata
        file = _open(source, metadata=metadata, read_dictionary=encoded)
    batches = _batches(file, split, wanted)
    if _has_int96(file.schema, wanted):
        source = pa.BufferReader(source) if isinstance(source, bytes) else source
        seconds = _open(source, metadata=file.metadata, coerce_int96_timestamp_unit="s")
        zone = "UTC" if is_sparks(file.metadata) else None
        mend = partial(_mend_int96, doubtful=may_be_julian(file.metadata), zone=zone)
        batches = map(mend, batches, _batches(seconds, split, wanted))
    if has_extensions:
        batches = map(storage_batch, batches)
    if decimals:
        batches = map(partial(_with_decimals, types=decimals), batches)
    rows = 0
    for batch in batches:
        rows += batch.num_rows
        yield batch
    declared = sum(file.metadata.row_group(group).num_rows for group in split.row_groups)
    _check_count(split, rows, declared)


def _has_int96(schema: pq.ParquetSchema, wanted: Sequence[int]) -> bool:
    column = schema.column
    return "INT96" in [column(index).physical_type for index in wanted]


def _open(source: Any, **options: Any) -> pq.ParquetFile:
    return pq.ParquetFile(source, page_checksum_verification=True, pre_buffer=False, **options)


def _reader(source: bytes) -> ParquetReader:
    """What `_open` makes of a file's bytes, without its index of names: a sixth of the time."""
    reader = ParquetReader()
    reader.open(
        pa.BufferReader(source),
        pre_buffer=False,
        page_checksum_verification=True,
        arrow_extensions_enabled=True,
    )
    return reader


def _batches(file: pq.ParquetFile, split: Split, wanted: Sequence[int]) -> Iterator[pa.RecordBatch]:
    """Batches by leaf index, because a leaf's dotted name may be another column's name."""
    if split.rows is not None and split.rows <= BATCH_ROWS:
        table = file.reader.read_row_groups(
            list(split.row_groups), column_indices=list(wanted), use_threads=False
        )
        whole = all(column.num_chunks == 1 for column in table.columns)
        yield from (table if whole else table.combine_chunks()).to_batches()
    else:
        yield from file.reader.iter_batches(
            BATCH_ROWS,
            row_groups=list(split.row_groups),
            column_indices=list(wanted),
            use_threads=False,
        )


def leaf_indices(schema: pa.Schema, columns: frozenset[str]) -> tuple[int, ...]:
    """The indices of the Parquet leaves under the top-level columns; never none, to have rows."""
    return _leaves(schema, columns)[0]


def _leaves(schema: pa.Schema, columns: frozenset[str]) -> tuple[tuple[int, ...], bool]:
    """The same, and whether some column is of an extension type."""
    try:
        return _known_leaves(schema, columns)
    except TypeError:  # an extension type defined in Python may have no hash
        return _known_leaves(storage_schema(schema), columns)[0], True


@lru_cache(maxsize=4096)
def _known_leaves(schema: pa.Schema, columns: frozenset[str]) -> tuple[tuple[int, ...], bool]:
    indices: list[int] = []
    start = 0
    for field in schema:
        width = leaf_count(field.type)
        if field.name in columns:
            indices.extend(range(start, start + width))
        start += width
    return tuple(indices) or (0,), not schema.equals(storage_schema(schema))


def _dictionary_columns(file: pq.ParquetFile, split: Split, wanted: Sequence[int]) -> list[str]:
    """Top-level strings whose chunks hold small dictionaries: hashed once per distinct value."""
    if not split.row_groups or (split.rows or 0) < DICTIONARY_ROWS:
        return []
    group = file.metadata.row_group(split.row_groups[0])
    found = []
    for index in wanted:
        chunk = group.column(index)
        if chunk.physical_type == "BYTE_ARRAY" and chunk.has_dictionary_page:
            size = chunk.data_page_offset - chunk.dictionary_page_offset
            name = file.schema.column(index).path
            if 0 < size <= DICTIONARY_BYTES and "." not in name:
                found.append(name)
    return found


def _decimal_columns(
    file: pq.ParquetFile, split: Split, wanted: Sequence[int]
) -> Mapping[str, pa.DataType]:
    """Top-level decimals of up to eight bytes, which NumPy decodes in half of Arrow's time."""
    found: dict[str, pa.DataType] = {}
    for index in wanted if (split.rows or 0) >= DECIMAL_ROWS else ():
        leaf = file.schema.column(index)
        if leaf.physical_type == "FIXED_LEN_BYTE_ARRAY" and 0 < leaf.length <= 8:
            place = file.schema_arrow.get_field_index(leaf.path)
            if place >= 0 and pa.types.is_decimal128(file.schema_arrow.field(place).type):
                found[leaf.path] = file.schema_arrow.field(place).type
    return found


def _with_decimals(batch: pa.RecordBatch, types: Mapping[str, pa.DataType]) -> pa.RecordBatch:
    for place, field in enumerate(batch.schema):
        if field.name in types and pa.types.is_fixed_size_binary(field.type):
            column = decimals_of(batch.column(place), types[field.name])
            batch = batch.set_column(place, field.with_type(column.type), column)
    return batch


def _mend_int96(
    nanos: pa.RecordBatch, seconds: pa.RecordBatch, doubtful: bool, zone: str | None
) -> pa.RecordBatch:
    """The batch with INT96 instants right in every year, where int64 nanoseconds wrap around.

    Raises:
        ValueError: an instant of a doubtful writer may be of the Julian calendar.
    """
    columns = []
    for field, column, other in zip(nanos.schema, nanos.columns, seconds.columns, strict=True):
        if column.type == other.type:
            columns.append(column)
        else:
            columns.append(_instants(column, other, zone))
            if doubtful:
                check_int96(field.name, columns[-1], other.type)
    return pa.RecordBatch.from_arrays(columns, names=nanos.schema.names)


def _instants(nanos: pa.Array, seconds: pa.Array, zone: str | None) -> pa.Array:
    if not pa.types.is_timestamp(nanos.type):
        raise UnreadableTableError("INT96 timestamps inside nested columns are not supported")
    whole = pc.fill_null(seconds.cast(pa.int64()), 0).to_numpy()
    wrapped = pc.fill_null(nanos.cast(pa.int64()), 0).to_numpy()
    with np.errstate(over="ignore"):
        fraction = wrapped - whole * np.int64(1_000_000_000)
    if (fraction % 1000).any():
        if (np.abs(whole) > 9_000_000_000).any():
            raise UnreadableTableError("INT96 timestamps mix nanoseconds with years beyond 2255")
        return nanos.cast(pa.timestamp("ns", zone))
    micros = whole * 1_000_000 + fraction // 1000
    return pa.array(micros, pa.timestamp("us", zone), mask=nanos.is_null().to_numpy(False))
