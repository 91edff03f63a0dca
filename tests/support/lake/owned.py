"""Tables of foreign formats as their writers leave them, small: metadata that names data files."""

import gzip
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import UUID

import fastavro
import pyarrow as pa
import pyarrow.parquet as pq


def put(path: Path, content: bytes | str) -> Path:
    """Writes a file and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def avro(record: str, fields: Sequence[dict[str, Any]], rows: Sequence[dict[str, Any]]) -> bytes:
    """An Avro file of these records."""
    stream = BytesIO()
    schema = {"type": "record", "name": record, "fields": list(fields)}
    fastavro.writer(stream, fastavro.parse_schema(schema), rows, codec="deflate")
    return stream.getvalue()


def manifest(names: Sequence[str], content: int = 0) -> bytes:
    """An Iceberg manifest of data files (0), or of delete files (1)."""
    file = {
        "type": "record",
        "name": "r2",
        "fields": [
            {"name": "content", "type": "int"},
            {"name": "file_path", "type": "string"},
            {"name": "day", "type": {"type": "int", "logicalType": "date"}},
            {"name": "record_count", "type": "long"},
        ],
    }
    fields = [{"name": "status", "type": "int"}, {"name": "data_file", "type": file}]
    day = 10_000_000  # beyond Python's calendar
    rows = [
        {
            "status": 1,
            "data_file": {"content": content, "file_path": n, "day": day, "record_count": 1},
        }
        for n in names
    ]
    return avro("manifest_entry", fields, rows)


def manifest_list(names: Sequence[str]) -> bytes:
    """An Iceberg manifest list."""
    fields = [{"name": "manifest_path", "type": "string"}, {"name": "content", "type": "int"}]
    return avro("manifest_file", fields, [{"manifest_path": name, "content": 0} for name in names])


@dataclass
class IcebergTable:
    """An Iceberg table in a lake, at `location`; `url` makes a lake's path a name in metadata."""

    lake: Path
    location: str
    url: Callable[[str], str]
    metadata: str = ""
    properties: dict[str, str] = field(default_factory=dict)
    version: int = 2
    compressed: bool = False
    snapshots: list[dict[str, Any]] = field(default_factory=list)
    commits: int = 0
    more: dict[str, Any] = field(default_factory=dict)

    @property
    def folder(self) -> str:
        """The folder of its metadata files."""
        return self.metadata or f"{self.location}/metadata"

    def commit(self, files: Sequence[str], deletes: Sequence[str] = ()) -> str:
        """A snapshot of these files of the lake, a manifest a kind; its metadata file's path."""
        self.commits += 1
        number = self.commits
        made = []
        for content, names in enumerate((files, deletes)):
            if names or not content:
                made.append(self.url(f"{self.folder}/{number:08}-m{content}.avro"))
                entries = manifest([self.url(name) for name in names], content)
                put(self.lake / f"{self.folder}/{number:08}-m{content}.avro", entries)
        snapshot: dict[str, Any] = {"snapshot-id": number, "timestamp-ms": 1000 * number}
        if self.version == 1 and number % 2:
            snapshot["manifests"] = made
        else:
            listed = f"{self.folder}/snap-{number}-1-{UUID(int=number)}.avro"
            put(self.lake / listed, manifest_list(made))
            snapshot["manifest-list"] = self.url(listed)
        self.snapshots.append(snapshot)
        return self.write()

    def write(self) -> str:
        """Writes a metadata file of the snapshots that are left."""
        data = {
            "format-version": self.version,
            "table-uuid": str(UUID(int=7)),
            "location": self.url(self.location),
            "last-updated-ms": 1000 * self.commits,
            "properties": self.properties,
            "snapshots": self.snapshots,
            **self.more,
        }
        text = json.dumps(data).encode()
        ending = ".gz.metadata.json" if self.compressed else ".metadata.json"
        name = f"{self.folder}/{self.commits:05}-{UUID(int=self.commits)}{ending}"
        put(self.lake / name, gzip.compress(text) if self.compressed else text)
        return name


def parquet(path: Path, rows: pa.Table) -> Path:
    """Writes the rows as a Parquet file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(rows, path)
    return path
