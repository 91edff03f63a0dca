"""A Delta lake of a test's own, written by Spark or by hand, and what r2d2 reads of it."""

import json
import pickle
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from r2d2.formats.delta import read as delta_read
from r2d2.formats.delta import table as delta_table
from r2d2.formats.schema import flatten
from r2d2.model import FileInfo, Table
from r2d2.storage import storage_of

Row = tuple[str, ...]


@dataclass(frozen=True)
class Lake:
    """A folder of Delta tables."""

    root: Path

    def path(self, table: str) -> str:
        """The table's folder, as SQL and Spark name it."""
        return str(self.root / table)

    def inspect(self, table: str) -> Table:
        """What r2d2 tells of the table."""
        storage = storage_of(str(self.root))
        files = [f for f in storage.list().files if f.path.startswith(f"{table}/" if table else "")]
        return delta_table.inspect(storage, table, files)

    def read(self, table: str, columns: Sequence[str] | None = None) -> pa.Table:
        """All rows as r2d2 reads them."""
        storage, found = storage_of(str(self.root)), self.inspect(table)
        names = {column.path[0] for column in found.columns} if columns is None else set(columns)
        splits = pickle.loads(pickle.dumps(found.splits))  # as an executor gets them
        batches = [batch for split in splits for batch in delta_read.read(storage, split, names)]
        read = pa.Table.from_batches(batches)
        assert found.rows in (None, read.num_rows)
        assert columns is not None or flatten(read.schema) == found.columns
        return read

    def log(self, table: str, name: str) -> Path:
        """A file of the table's log, by name or version."""
        return self.root / table / "_delta_log" / name

    def commit(self, table: str, version: int) -> Path:
        """The commit's file."""
        return self.log(table, f"{version:020}.json")

    def actions(self, table: str, kind: str) -> list[dict[str, Any]]:
        """All actions of one kind in the commits that are there, in order."""
        lines = [
            json.loads(line)
            for path in sorted((self.root / table / "_delta_log").glob("*[0-9].json"))
            for line in path.read_text().splitlines()
        ]
        return [line[kind] for line in lines if kind in line]

    def files(self) -> dict[str, FileInfo]:
        """All files of the lake as listed."""
        return {file.path: file for file in storage_of(str(self.root)).list().files}

    def create(
        self, table: str, data: pa.Table, *, schema: str = "", **configuration: str
    ) -> dict[str, Any]:
        """Version 0 of a table of one file, written by hand; returns its add action.

        `schema` is Delta's, in words: "a long, s string"; by default it follows the data.
        """
        words = schema or ", ".join(f"{f.name} {_DELTA[str(f.type)]}" for f in data.schema)
        fields = [part.strip().split(" ", 1) for part in words.split(", ")]
        metadata = {
            "id": table,
            "format": {"provider": "parquet", "options": {}},
            "schemaString": schema_json(*fields),
            "partitionColumns": [],
            "configuration": configuration,
        }
        add = self.add_file(table, "f.parquet", data)
        self.write_commit(table, 0, PROTOCOL, {"metaData": metadata}, add)
        return add

    def add_file(self, table: str, name: str, data: pa.Table, **extra: Any) -> dict[str, Any]:
        """Writes a data file and returns the action that adds it."""
        path = self.root / table / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(data, path)
        return {
            "add": {
                "path": name,
                "partitionValues": {},
                "size": path.stat().st_size,
                "modificationTime": 0,
                "dataChange": True,
                "stats": json.dumps({"numRecords": data.num_rows}),
                **extra,
            }
        }

    def rewrite(self, table: str, change: Callable[[dict[str, Any]], None]) -> None:
        """Changes the actions of version 0 by hand."""
        lines = [json.loads(line) for line in self.commit(table, 0).read_text().splitlines()]
        for line in lines:
            change(line)
        self.write_commit(table, 0, *lines)

    def write_commit(self, table: str, version: int, *actions: Mapping[str, Any]) -> None:
        """A commit by hand; drops the checksum file, which would tell on it."""
        path = self.commit(table, version)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(json.dumps(action) + "\n" for action in actions))
        path.with_suffix(".crc").unlink(missing_ok=True)


PROTOCOL = {"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}}
_DELTA = {"int64": "long", "int32": "integer", "string": "string", "double": "double"}


def schema_json(*fields: Sequence[Any], **metadata: Any) -> str:
    """Delta's schema of (name, type) pairs; every field has the metadata."""
    return json.dumps(
        {
            "type": "struct",
            "fields": [
                {"name": name, "type": type_, "nullable": True, "metadata": metadata}
                for name, type_ in fields
            ],
        }
    )


def rows(table: pa.Table) -> Counter[Row]:
    """The rows as a multiset; a value's text keeps apart NULL, "", -0.0, NaN and all types."""
    columns = [[repr(value) for value in column.to_pylist()] for column in table.columns]
    return Counter(zip(*columns, strict=True))


def assert_same(found: pa.Table, expected: pa.Table) -> None:
    """Names, types and the multiset of rows are equal."""
    types = [(field.name, str(_plain(field.type))) for field in found.schema]
    assert types == [(field.name, str(_plain(field.type))) for field in expected.schema]
    assert rows(found) == rows(expected)


def _plain(type_: pa.DataType) -> pa.DataType:
    """The type without what Spark's Arrow and ours name or declare differently."""
    if pa.types.is_struct(type_):
        return pa.struct([(field.name, _plain(field.type)) for field in type_])
    if pa.types.is_list(type_):
        return pa.list_(_plain(type_.value_type))
    if pa.types.is_map(type_):
        return pa.map_(_plain(type_.key_type), _plain(type_.item_type))
    return type_


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


@pytest.fixture
def same() -> Callable[[pa.Table, pa.Table], None]:
    return assert_same


@pytest.fixture
def sql(spark: Any, lake: Lake) -> Callable[[str], Any]:
    """Runs a statement in which `{name}` is the lake's table of that name."""

    def run(statement: str) -> Any:
        return spark.sql(re.sub(r"\{(\w+)\}", lambda m: f"delta.`{lake.path(m[1])}`", statement))

    return run


@pytest.fixture
def setting(spark: Any) -> Iterator[Callable[[str, str], None]]:
    """Changes one of Spark's settings for the test."""
    before: dict[str, str | None] = {}

    def change(key: str, value: str) -> None:
        before.setdefault(key, spark.conf.get(key, None))
        spark.conf.set(key, value)

    yield change
    for key, value in before.items():
        spark.conf.unset(key) if value is None else spark.conf.set(key, value)


@pytest.fixture
def check(spark: Any, lake: Lake) -> Callable[[str], pa.Table]:
    """Reads a table by Spark and by r2d2, asserts that they agree, and gives the rows."""

    def compare(table: str) -> pa.Table:
        expected = spark.read.format("delta").load(lake.path(table)).toArrow()
        found = lake.read(table)
        assert_same(found, expected)
        return found

    return compare
