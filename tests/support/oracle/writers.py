"""Sheets as files, in every dress their writers know."""

import csv
import json
import math
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.types as pt

from tests.support.oracle.hive import NULL_PARTITION
from tests.support.oracle.sheets import Sheet, SheetColumn

CODECS = ("none", "snappy", "gzip", "zstd", "lz4", "brotli")


def write_parquet(chance: Random, sheet: Sheet, path: Path) -> str:
    """Writes one Parquet file; returns the settings that were used."""
    table = _with_chunks(chance, sheet.arrow())
    settings = _parquet_settings(chance, table)
    try:
        pq.write_table(table, path, **settings)
    except (pa.ArrowException, OSError):
        settings = {"version": "2.6"}
        pq.write_table(table, path)
    return ", ".join(f"{name}={value!r}" for name, value in settings.items())


def _parquet_settings(chance: Random, table: pa.Table) -> dict[str, Any]:
    names = [name for name in table.column_names if "." not in name]
    some = chance.sample(names, len(names) // 2)
    every: dict[str, Sequence[Any]] = {
        "compression": CODECS,
        "use_dictionary": (True, False, some),
        "write_statistics": (True, False, some),
        "data_page_version": ("1.0", "2.0"),
        "version": ("2.4", "2.6"),
        "row_group_size": (1, 2, 5, 17, 1000),
        "data_page_size": (1, 64, 1024),
        "write_batch_size": (1, 3, 1024),
        "store_schema": (True, False),
        "write_page_index": (True, False),
        "write_page_checksum": (True, False),
        "use_compliant_nested_type": (True, False),
        "dictionary_pagesize_limit": (1, 64, 1 << 20),
    }
    if _int96_holds(table):
        every["use_deprecated_int96_timestamps"] = (True, False)
    if any(_repeats(field.type) for field in table.schema):
        del every["data_page_size"]
    picked = chance.sample(sorted(every), chance.randint(0, len(every)))
    settings = {name: chance.choice(every[name]) for name in sorted(picked)}
    if settings.get("use_deprecated_int96_timestamps"):
        settings["store_schema"] = True  # without it, INT96 is a type of its own
    return settings


def _repeats(type_: pa.DataType) -> bool:
    """Whether the type holds lists: pyarrow 26 reads no row of a list in pages this small."""
    inner = [type_.field(position).type for position in range(type_.num_fields)]
    listed = pt.is_list(type_) or pt.is_large_list(type_) or pt.is_map(type_)
    return listed or any(map(_repeats, inner))


def _int96_holds(table: pa.Table) -> bool:
    """Whether INT96, which readers turn into nanoseconds, spoils no instant and loses no zone."""
    seen = [c for c in table.columns if pt.is_timestamp(c.type)]
    lost = any(pt.is_nested(c.type) or getattr(c.type, "tz", None) for c in table.columns)
    per_second = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
    return not lost and all(
        abs(value) < 9 * 10**9 * per_second[column.type.unit]
        for column in seen
        for value in column.cast(pa.int64()).to_pylist()
        if value is not None
    )


def _with_chunks(chance: Random, table: pa.Table) -> pa.Table:
    """The same table in one chunk or in two."""
    views = any("view" in str(field.type) for field in table.schema)
    if table.num_rows < 2 or views or chance.random() < 0.5:
        return table
    cut = chance.randrange(1, table.num_rows)
    return pa.concat_tables([table.slice(0, cut), table.slice(cut)])


def as_text(sheet: Sheet, null: str | None) -> Sheet:
    """The sheet with each column as text; `null` stands for NULL."""
    columns = [
        SheetColumn(c.name, pa.string(), tuple(_text(v, null) for v in c.values))
        for c in sheet.columns
    ]
    return sheet.with_columns(columns, "as text")


def _text(value: Any, null: str | None) -> str | None:
    if value is None:
        return null
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, list | dict):
        return repr(value)
    return value if isinstance(value, str) else str(value)


def write_csv(chance: Random, sheet: Sheet, path: Path) -> str:
    """Writes one CSV or, by the suffix, TSV file of text columns; returns how."""
    settings: dict[str, Any] = {
        "quoting": chance.choice((csv.QUOTE_MINIMAL, csv.QUOTE_ALL)),
        "lineterminator": chance.choice(("\n", "\r\n")),
        "delimiter": "\t" if path.suffix == ".tsv" else ",",
    }
    with path.open("w", encoding="utf-8", newline="") as lines:
        writer = csv.writer(lines, **settings)
        writer.writerow([column.name for column in sheet.columns])
        writer.writerows(_rows(sheet))
    return ", ".join(f"{name}={value!r}" for name, value in settings.items())


def write_json_lines(chance: Random, sheet: Sheet, path: Path) -> str:
    """Writes one object a line; NULL is `null` or a key left out, which must read alike."""
    names = [column.name for column in sheet.columns]
    ascii_only = chance.random() < 0.5
    with path.open("w", encoding="utf-8", newline="\n") as lines:
        for row in _rows(sheet):
            kept = [(n, v) for n, v in zip(names, row, strict=True) if v is not None]
            kept += [(n, v) for n, v in zip(names, row, strict=True) if v is None][::2]
            lines.write(json.dumps(dict(kept), ensure_ascii=ascii_only) + "\n")
    return f"ensure_ascii={ascii_only}"


def as_json(sheet: Sheet) -> Sheet:
    """The sheet with values that JSON has; its column types are not for Arrow any more.

    A struct with a NULL at any depth becomes text: JSON columns do not tell the depth of a NULL.
    """
    columns = []
    for column in sheet.columns:
        struct = pt.is_struct(column.type)
        hidden = struct and any(map(_holds_null, column.values))
        change = (lambda value: _text(value, None)) if hidden else _jsonable
        columns.append(replace(column, values=tuple(map(change, column.values))))
    return sheet.with_columns(columns, "as JSON")


def _holds_null(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_holds_null, value.values()))
    return value is None or (isinstance(value, float) and not math.isfinite(value))


def _jsonable(value: Any) -> Any:
    """JSON's own number, object or array where it has one, else text; NULL for what is no JSON."""
    if isinstance(value, dict):
        return {key: _jsonable(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_jsonable(inner) for inner in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return _text(value, None) if isinstance(value, bytes | Decimal) else value


def write_hive(chance: Random, sheet: Sheet, folder: Path) -> str | None:
    """Writes a folder of Parquet files partitioned by a text column, if there is one that fits."""
    for column in sheet.columns:
        if len(sheet.columns) > 1 and sheet.rows and _partitions(column):
            others = sheet.with_columns([c for c in sheet.columns if c is not column], "hive")
            for text in dict.fromkeys(column.values):
                name = NULL_PARTITION if text is None else quote(text, safe=" ")
                part = folder / f"{quote(column.name, safe='')}={name}"
                part.mkdir(parents=True)
                rows = [row for row, value in enumerate(column.values) if value == text]
                write_parquet(chance, others.take(rows, "part"), part / "part-0.parquet")
            return f"by {column.name!r}"
    return None


def _partitions(column: SheetColumn) -> bool:
    """Whether the column is text whose values can be folder names."""
    if column.type not in (pa.string(), pa.large_string()) or len({*column.values}) > 6:
        return False
    texts = [value for value in column.values if value is not None]
    return all(text and "\0" not in text and len(quote(text)) < 200 for text in texts)


def _rows(sheet: Sheet) -> list[tuple[Any, ...]]:
    return list(zip(*(column.values for column in sheet.columns), strict=True))
