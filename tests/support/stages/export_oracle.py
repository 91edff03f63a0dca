"""Random typed tables, their exports by usual writers, and a parser that knows no renderings.

The parser reads a field under a type in the most lenient way; so an edge whose fields it does not
find among the parent's values is a wrong one.
"""

import csv
import math
import random
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.csv as arrow_csv

Write = Callable[[pa.Table, Path], None]
EPOCH, START = datetime(1970, 1, 1), datetime(2024, 1, 1)
TYPES: dict[str, pa.DataType] = {
    "int": pa.int64(),
    "small": pa.int16(),
    "unsigned": pa.uint64(),
    "decimal": pa.decimal128(18, 4),
    "fine": pa.decimal128(30, 12),
    "float": pa.float64(),
    "float32": pa.float32(),
    "truth": pa.bool_(),
    "day": pa.date32(),
    "at": pa.timestamp("us"),
    "at_ms": pa.timestamp("ms"),
    "at_ns": pa.timestamp("ns"),
    "instant": pa.timestamp("us", "UTC"),
    "time": pa.time64("us"),
    "text": pa.string(),
}


def typed(rows: int = 300) -> pa.Table:
    """Numbers, days, instants, truths and names; one in ten is NULL where that is usual."""
    random = np.random.default_rng(rows)

    def with_nulls(values: list[Any]) -> list[Any]:
        return [None if n % 10 == 7 else value for n, value in enumerate(values)]

    seconds = random.integers(0, 10**7, rows).tolist()
    return pa.table(
        {
            "id": pa.array(range(rows), pa.int64()),
            "count": pa.array(with_nulls(random.integers(0, 9, rows).tolist()), pa.int32()),
            "price": random.normal(size=rows) * 10.0 ** random.integers(-3, 8, rows),
            "amount": pa.array(
                [Decimal(n).scaleb(-2) for n in random.integers(0, 9999, rows).tolist()],
                pa.decimal128(10, 2),
            ),
            "day": pa.array(with_nulls([date(2024, 1, 1) + timedelta(s % 400) for s in seconds])),
            "at": pa.array(
                [START + timedelta(seconds=s, milliseconds=s % 1000) for s in seconds],
                pa.timestamp("us"),
            ),
            "is_new": pa.array(with_nulls((random.integers(0, 2, rows) == 1).tolist())),
            "name": pa.array(with_nulls([f"name {n % 40}" for n in range(rows)])),
        }
    )


def random_table(seed: int, rows: int) -> pa.Table:
    """A key, and three to five columns of random types; some are NULL in one row of five."""
    source = random.Random(seed)
    names = source.sample(sorted(TYPES), source.randint(3, 5))
    columns: dict[str, pa.Array] = {"key": pa.array(range(rows), pa.int32())}
    for name in names:
        has_nulls = source.random() < 0.5
        whole = source.random() < 0.3
        made = [_value(name, source, whole) for _ in range(rows)]
        values = [None if has_nulls and source.random() < 0.2 else value for value in made]
        columns[name] = pa.array(values, TYPES[name])
    return pa.table(columns)


def _value(kind: str, source: random.Random, whole: bool) -> Any:
    """A value; a `whole` column's are round ones: whole numbers, seconds, days."""
    if kind in ("int", "small", "unsigned"):
        bits = source.choice([3, 8, 15] if kind == "small" else [3, 8, 31, 50])
        return source.randrange(2**bits) * (1 if kind == "unsigned" else source.choice([1, -1]))
    if kind in ("decimal", "fine"):
        digits = 4 if kind == "decimal" else 12
        number = Decimal(source.randrange(10 ** source.randint(1, 14))).scaleb(-digits)
        return round(number, 0) if whole else number
    if kind in ("float", "float32"):
        number = source.gauss(0, 1) * 10.0 ** source.randint(-9 * (not whole), 20)
        number = source.choice([number, round(number, 2), float(round(number)), 0.0, -0.0])
        return float(np.float32(number)) if kind == "float32" else number
    if kind == "truth":
        return source.random() < 0.5
    if kind == "text":
        return source.choice("abcde") + source.choice(["", " x", ",y", '"q"', "\n", "é"])
    moment = EPOCH + timedelta(seconds=source.randrange(-(10**9), 2 * 10**9))
    if kind == "day":
        return moment.date()
    if kind == "time":
        micros = 0 if whole else source.randrange(10**6)
        return moment.time().replace(microsecond=micros)
    if not whole:
        step = 1000 if kind == "at_ms" else source.choice([1, 1000])
        moment += timedelta(microseconds=source.randrange(10**6) // step * step)
    return moment.replace(tzinfo=UTC) if kind == "instant" else moment


def by_pandas(table: pa.Table, path: Path) -> None:
    table.to_pandas().to_csv(path, index=False)


def by_arrow(table: pa.Table, path: Path) -> None:
    arrow_csv.write_csv(table, path, arrow_csv.WriteOptions(quoting_style="needed"))


def by_polars(table: pa.Table, path: Path) -> None:
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    frame.write_csv(path)


def by_duckdb(table: pa.Table, path: Path) -> None:
    import duckdb

    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("rows", table)
        connection.sql("SELECT * FROM rows").write_csv(str(path))


def by_python(table: pa.Table, path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(table.column_names)
        writer.writerows(row.values() for row in table.to_pylist())


WRITERS: dict[str, Write] = {
    write.__name__: write for write in (by_pandas, by_arrow, by_polars, by_duckdb, by_python)
}


def is_contained(child: Path, parent: pa.Table, nulls: dict[str, str | None]) -> bool:
    """Whether the fields of a CSV file, read under the parent's types, are rows of the parent."""
    with child.open(newline="", encoding="utf-8") as file:
        reader = csv.reader(file)
        names = next(reader)
        types = [parent.schema.field(name).type for name in names]
        held = {tuple(map(_known, row.values())) for row in parent.select(names).to_pylist()}
        return all(
            tuple(
                None if text == nulls[name] else _known(_parsed(text, type_))
                for name, text, type_ in zip(names, row, types, strict=True)
            )
            in held
            for row in reader
        )


def _known(value: Any) -> Any:
    """The value as one that equals itself."""
    if isinstance(value, float) and math.isnan(value):
        return "NaN"
    return value.value if hasattr(value, "nanosecond") else value


def _parsed(text: str, type_: pa.DataType) -> Any:
    try:
        return _read(text, type_)
    except (ValueError, ArithmeticError):
        return f"no value: {text}"


def _read(text: str, type_: pa.DataType) -> Any:
    if pa.types.is_integer(type_) or pa.types.is_decimal(type_):
        number = Decimal(text)
        return int(number) if pa.types.is_integer(type_) and number == int(number) else number
    if pa.types.is_floating(type_):
        with np.errstate(over="ignore"):
            return float(np.float32(text)) if type_ == pa.float32() else float(text)
    if pa.types.is_boolean(type_):
        return {"true": True, "1": True, "t": True}.get(text.lower(), False)
    if pa.types.is_date(type_):
        return date.fromisoformat(text[:10])
    if pa.types.is_time(type_):
        return time.fromisoformat(text[:15])
    if not pa.types.is_timestamp(type_):
        return text
    if type_.unit == "ns":
        return int(np.datetime64(text.replace(" ", "T"), "ns").astype(int))
    zone = text[-6:] if text[-3:-2] == ":" else text[-5:]
    moment = datetime.fromisoformat(text)
    assert type_.tz is None or zone
    return moment
