"""Reads the sample lake's tables into Python values, by other means than r2d2's."""

import csv
import gzip
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote

import fastavro
import pyarrow as pa
import pyarrow.orc
import pyarrow.parquet as pq

DELIMITERS = {"exports/planes_jets.tsv": "\t", "exports/planes_new.csv.zst": ";"}
AVRO = {"long": "int64", "double": "float64", "string": "string"}


class Rows(NamedTuple):
    """A table: types and values by lower-case column name; values have equal lengths."""

    types: Mapping[str, str]
    values: Mapping[str, Sequence[object]]

    def empty(self) -> bool:
        """Whether there is no row."""
        return not next(iter(self.values.values()))

    def distinct(self, names: Sequence[str]) -> set[tuple[object, ...]]:
        """The different rows of some columns."""
        return set(zip(*(self.values[name] for name in names), strict=True))


def read_lake(lake: Path) -> Iterator[tuple[str, Rows]]:
    """Each table with its path, in order."""
    for folder in sorted(path for path in lake.iterdir() if path.is_dir()):
        yield from read_folder(lake, folder)


def read_folder(lake: Path, folder: Path) -> Iterator[tuple[str, Rows]]:
    """The tables in one folder, which may be one table itself."""
    entries = sorted(path for path in folder.iterdir() if path.name[0] not in "_.")
    if (folder / "_delta_log").is_dir():
        yield folder.relative_to(lake).as_posix(), delta(folder)
    elif all("=" in path.name for path in entries):
        yield folder.relative_to(lake).as_posix(), hive(entries)
    else:
        for path in entries:
            if path.is_dir():
                yield from read_folder(lake, path)
            else:
                location = path.relative_to(lake).as_posix()
                yield location, READERS[path.name.split(".")[1]](location, path)


def hive(folders: Sequence[Path]) -> Rows:
    """A table of Hive partitions, one level deep; partition values are text."""
    parts = []
    for folder in folders:
        name, value = folder.name.split("=")
        for path in sorted(folder.glob("*.parquet")):
            table = pq.ParquetFile(path).read()
            parts.append(table.append_column(name, pa.array([unquote(value)] * len(table))))
    return from_arrow(pa.concat_tables(parts))


def delta(folder: Path) -> Rows:
    """The last version of a Delta table: the files added and not removed, in any order."""
    files: dict[str, Mapping[str, str | None]] = {}
    for commit in sorted((folder / "_delta_log").glob("*.json")):
        for line in commit.read_text().splitlines():
            action = json.loads(line)
            if "add" in action:
                files[action["add"]["path"]] = action["add"]["partitionValues"]
            if "remove" in action:
                del files[action["remove"]["path"]]
    parts = []
    for path, partition in files.items():
        table = pq.ParquetFile(folder / unquote(path)).read()
        for name, value in partition.items():
            table = table.append_column(name, pa.array([value] * len(table), pa.string()))
        parts.append(table)
    return from_arrow(pa.concat_tables(part.select(parts[0].column_names) for part in parts))


def from_arrow(table: pa.Table) -> Rows:
    """Arrow's columns as Python's; structs become one column a field; timestamps microseconds."""
    types: dict[str, str] = {}
    values: dict[str, Sequence[object]] = {}
    while any(pa.types.is_struct(field.type) for field in table.schema):
        table = table.flatten()
    for name, column in zip(table.column_names, table.columns, strict=True):
        types[name.lower()] = type_name(column.type)
        if pa.types.is_timestamp(column.type):
            column = column.cast(pa.timestamp("us", column.type.tz)).cast(pa.int64())
        values[name.lower()] = column.to_pylist()
    return Rows(types, values)


def type_name(found: pa.DataType) -> str:
    """One name for types that differ in layout or unit alone."""
    if pa.types.is_timestamp(found):
        return "timestamptz" if found.tz else "timestamp"
    names = {"large_string": "string", "string_view": "string"}
    names |= {"double": "float64", "float": "float32"}
    return names.get(str(found), str(found))


def text_rows(rows: Sequence[Mapping[str, object]]) -> Rows:
    """Rows of text, or NULL."""
    names = list(rows[0])
    values = {name.lower(): [row[name] for row in rows] for name in names}
    return Rows({name.lower(): "string" for name in names}, values)


def csv_file(location: str, path: Path) -> Rows:
    """A CSV or TSV file, plain or packed."""
    text = unpacked(path).decode()
    reader = csv.DictReader(io.StringIO(text), delimiter=DELIMITERS.get(location, ","))
    return text_rows(list(reader))


def json_file(location: str, path: Path) -> Rows:
    """A file of JSON lines; numbers are the text they are written as."""
    lines = path.read_text().splitlines()
    return text_rows([json.loads(line, parse_float=str, parse_int=str) for line in lines])


def avro_file(location: str, path: Path) -> Rows:
    """An Avro file whose fields are a primitive or null."""
    with path.open("rb") as file:
        reader: Any = fastavro.reader(file)
        rows = list(reader)
    fields = reader.writer_schema["fields"]
    types = {field["name"]: AVRO[field["type"][1]] for field in fields}
    return Rows(types, {name: [row[name] for row in rows] for name in types})


def unpacked(path: Path) -> bytes:
    """A file's bytes, decompressed by its suffix."""
    if path.suffix == ".gz":
        return gzip.decompress(path.read_bytes())
    packing = "zstd" if path.suffix == ".zst" else None
    with pa.input_stream(str(path), compression=packing) as file:
        return bytes(file.read())


READERS: Mapping[str, Callable[[str, Path], Rows]] = {
    "parquet": lambda _, path: from_arrow(pq.ParquetFile(path).read()),
    "orc": lambda _, path: from_arrow(pa.orc.read_table(str(path))),
    "avro": avro_file,
    "jsonl": json_file,
    "csv": csv_file,
    "tsv": csv_file,
}
