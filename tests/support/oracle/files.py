"""Small files for tests that say with one table a line what they are about."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tests.support.oracle.asking import ask


def write(lake: Path, settings: Mapping[str, Any] | None = None, /, **tables: Any) -> None:
    """Writes `name.parquet` for each table given as columns or as an Arrow table."""
    lake.mkdir(parents=True, exist_ok=True)
    for name, columns in tables.items():
        table = columns if isinstance(columns, pa.Table) else pa.table(columns)
        pq.write_table(table, lake / f"{name}.parquet", **(settings or {}))


def one(values: Any, type_: pa.DataType | None = None) -> pa.Table:
    """A table of one column `x`."""
    return pa.table({"x": pa.array(values, type_)})


def text(lake: Path, **files: str | bytes) -> None:
    """Writes files whose names have their last `_` for the dot: `a_csv` is `a.csv`."""
    lake.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        stem, _, ending = name.rpartition("_")
        data = content.encode() if isinstance(content, str) else content
        (lake / f"{stem}.{ending}").write_bytes(data)


def edges(lake: Path, engine: str, **settings: Any) -> set[str]:
    """The edges as `child in parent`, without the files' endings."""
    return {f"{_stem(c)} in {_stem(p)}" for c, p in ask(lake, engine, **settings).edges}


def both_ways(one_table: str, other: str) -> set[str]:
    """The two edges of equal tables."""
    return {f"{one_table} in {other}", f"{other} in {one_table}"}


def all_equal(*tables: str) -> set[str]:
    """Every edge of a class of equal tables."""
    return {f"{a} in {b}" for a in tables for b in tables if a != b}


def _stem(location: str) -> str:
    folder, _, name = location.rpartition("/")
    return f"{folder}/{name.split('.')[0]}".removeprefix("/")


def patched_footer(file: Path, changes: Mapping[bytes, bytes]) -> None:
    """Replaces bytes of a Parquet footer by others of the same length, as a foreign writer might.

    Raises:
        ValueError: what is to be replaced is not there.
    """
    data = file.read_bytes()
    start = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    body, footer = data[:start], data[start:]
    for old, new in changes.items():
        if old not in footer or len(old) != len(new):
            raise ValueError(f"{old!r} is not in the footer, or {new!r} is of another length")
        footer = footer.replace(old, new)
    file.write_bytes(body + footer)


def delta_log(
    table: Path,
    schema: Sequence[tuple[str, object]],
    adds: Sequence[Mapping[str, Any]],
    *,
    partitions: Sequence[str] = (),
    protocol: Mapping[str, Any] | None = None,
    field_metadata: Mapping[str, Any] | None = None,
) -> None:
    """Writes version 0 of a Delta table by hand; its data files are the caller's."""
    fields = [
        {"name": name, "type": type_, "nullable": True, "metadata": dict(field_metadata or {})}
        for name, type_ in schema
    ]
    actions: list[dict[str, Any]] = [
        {"protocol": protocol or {"minReaderVersion": 1, "minWriterVersion": 2}},
        {
            "metaData": {
                "id": "00000000-0000-0000-0000-000000000000",
                "format": {"provider": "parquet", "options": {}},
                "schemaString": json.dumps({"type": "struct", "fields": fields}),
                "partitionColumns": list(partitions),
                "configuration": {},
                "createdTime": 0,
            }
        },
        *({"add": _added(table, add)} for add in adds),
    ]
    log = table / "_delta_log"
    log.mkdir(parents=True)
    lines = "".join(json.dumps(action) + "\n" for action in actions)
    (log / f"{0:020}.json").write_text(lines)


def _added(table: Path, add: Mapping[str, Any]) -> dict[str, Any]:
    size = (table / add["path"].removeprefix("file://")).stat().st_size
    return {
        "partitionValues": {},
        "size": size,
        "modificationTime": 0,
        "dataChange": True,
        **add,
    }


class AtFirstScan:
    """Progress that does something when the first data is about to be read."""

    def __init__(self, action: Callable[[], object]) -> None:
        self.action: Callable[[], object] | None = action

    def begin(self, what: str, total_bytes: int) -> None:
        """Acts, once."""
        if self.action:
            self.action()
            self.action = None

    def advance(self, size_bytes: int, rows: int) -> None:
        """Says nothing."""

    def end(self) -> None:
        """Says nothing."""
