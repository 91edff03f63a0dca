"""A folder's tables as columns of canonical values. Simple, well-formed files only."""

import csv
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.types as pt

from tests.support.oracle import json_text
from tests.support.oracle.canonical import STRING, Kind, Name, NoIdentityError, kind, values
from tests.support.oracle.hive import Partition, partitions

DELIMITERS = {".csv": ",", ".tsv": "\t"}
SUFFIXES = (".parquet", ".jsonl", *DELIMITERS)


@dataclass(frozen=True, slots=True)
class Rows:
    """One table: a kind and canonical values for each flattened, lower-cased column."""

    kinds: Mapping[Name, Kind]
    columns: Mapping[Name, tuple[Hashable, ...]]
    count: int

    def distinct(self, names: tuple[Name, ...]) -> frozenset[tuple[Hashable, ...]]:
        """The different rows of the columns named; none at all where no column is named."""
        if not names:
            return frozenset()
        return frozenset(zip(*(self.columns[name] for name in names), strict=True))


def read_lake(folder: Path, *, widened: bool) -> dict[str, Rows]:
    """Each eligible table by its path below `folder`, with `/`."""
    lake = {}
    for location, files in sorted(_tables(folder).items()):
        try:
            parts = [_read(folder / file, widened) for file in files]
            lake[location] = _joined(parts, partitions(location, files, widened=widened))
        except NoIdentityError:
            continue
    return lake


def _tables(folder: Path) -> dict[str, list[PurePosixPath]]:
    tables: dict[str, list[PurePosixPath]] = {}
    for path in sorted(folder.rglob("*")):
        relative = PurePosixPath(path.relative_to(folder).as_posix())
        hidden = any(part[0] in "._" for part in relative.parts)
        if path.is_file() and path.suffix in SUFFIXES and not hidden:
            tables.setdefault(_location(relative), []).append(relative)
    return tables


def _location(file: PurePosixPath) -> str:
    """The folder above the first `key=value` folder, else the file itself."""
    for position, part in enumerate(file.parts[:-1]):
        if "=" in part:
            return "/".join(file.parts[:position])
    return str(file)


def _read(path: Path, widened: bool) -> Rows:
    if path.suffix == ".parquet":
        return _parquet(path, widened)
    if path.suffix in DELIMITERS:
        return _of_text(*_csv(path))
    return _of_text(*_json_lines(path))


def _parquet(path: Path, widened: bool) -> Rows:
    """The file's rows; pyarrow 26 drops rows of lists in tiny pages without a word, so count."""
    with pq.ParquetFile(path) as file:
        rows = of_arrow(file.read(), widened=widened)
        if any(len(column) != file.metadata.num_rows for column in rows.columns.values()):
            raise ValueError(f"{path}: not all {file.metadata.num_rows} rows were read")
        return rows


def of_arrow(table: pa.Table, *, widened: bool) -> Rows:
    """The Arrow table's rows, structs flattened."""
    kinds: dict[Name, Kind] = {}
    columns: dict[Name, tuple[Hashable, ...]] = {}
    for field, column in zip(table.schema, table.columns, strict=True):
        for name, type_, found in _leaves((field.name.lower(),), _one_chunk(column), None):
            if name in kinds:
                raise NoIdentityError(f"{name} twice")
            kinds[name] = kind(type_, widened=widened)
            columns[name] = tuple(found)
    return Rows(kinds, columns, table.num_rows)


def _one_chunk(column: pa.ChunkedArray) -> pa.Array:
    if pt.is_dictionary(column.type):
        column = pa.chunked_array(
            [chunk.dictionary_decode() for chunk in column.chunks], column.type.value_type
        )
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)


def _leaves(
    name: Name, array: pa.Array, absent: list[Hashable] | None
) -> Iterator[tuple[Name, pa.DataType, list[Hashable]]]:
    """The leaves below `name`; `absent` says for each row which struct above is NULL, if any."""
    absent = absent or [None] * len(array)
    if not pt.is_struct(array.type):
        found = values(array)
        yield name, array.type, [gone or here for gone, here in zip(absent, found, strict=True)]
        return
    missing = ("NULL struct", len(name))
    valid = array.is_valid().to_pylist()
    absent = [gone or (None if v else missing) for gone, v in zip(absent, valid, strict=True)]
    for position, field in enumerate(array.type):
        yield from _leaves((*name, field.name.lower()), array.field(position), absent)


def _csv(path: Path) -> tuple[list[Name], list[list[str | None]]]:
    with path.open(encoding="utf-8", newline="") as lines:
        header, *records = (
            r for r in csv.reader(lines, delimiter=DELIMITERS[path.suffix], strict=True) if r
        )
    return [(name,) for name in header], [list(record) for record in records]


def _json_lines(path: Path) -> tuple[list[Name], list[list[str | None]]]:
    with path.open(encoding="utf-8", newline="\n") as lines:
        return json_text.read(lines)


def _of_text(names: list[Name], records: list[list[str | None]]) -> Rows:
    folded = [tuple(part.lower() for part in name) for name in names]
    if len({*folded}) < len(folded):
        raise NoIdentityError(f"{names} twice")
    columns: dict[Name, tuple[Hashable, ...]] = {}
    for position, name in enumerate(folded):
        column = [record[position] for record in records]
        columns[name] = tuple(None if v is None else v.encode() for v in column)
    return Rows(dict.fromkeys(columns, STRING), columns, len(records))


def _joined(parts: list[Rows], folders: list[Partition]) -> Rows:
    first = parts[0]
    if any(part.kinds != first.kinds for part in parts):
        raise NoIdentityError("parts of different types")
    kinds = dict(first.kinds)
    columns = {name: tuple(v for part in parts for v in part.columns[name]) for name in kinds}
    for name, kind_, found in folders:
        if name in kinds:
            raise NoIdentityError(f"{name} twice")
        kinds[name] = kind_
        columns[name] = tuple(
            value for part, value in zip(parts, found, strict=True) for _ in range(part.count)
        )
    return Rows(kinds, columns, sum(part.count for part in parts))
