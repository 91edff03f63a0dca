"""Writes cases as a lake of Parquet, Delta and CSV, and tells what is in a table of one."""

import csv
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import count
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable, write_deltalake

from r2d2.settings.find import TextRule
from tests.support.plan.kinds_cases import Case, Salts, cases

NULL_MARKER = "NA"
TEXT = (TextRule("*.csv", {"null_marker": NULL_MARKER}),)
SUFFIX = {"parquet": ".parquet", "delta": "", "csv": ".csv"}


def write_lake(
    lake: Path, salts: Salts | None = None, cases: Callable[[Salts], Iterable[Case]] = cases
) -> dict[str, Case]:
    """Every case in each of its formats; the cases by their child's location."""
    salts = salts or count(101)
    written: dict[str, Case] = {}
    for format_ in SUFFIX:
        for case in cases(salts):
            if format_ in case.formats:
                written[write_case(lake, format_, case)] = case
    return written


def write_case(lake: Path, format_: str, case: Case) -> str:
    """Writes the case's tables into a folder of their own; the child's location."""
    for name, table in {**case.parents, "child": case.child}.items():
        path = lake / format_ / case.name / f"{name}{SUFFIX[format_]}"
        path.parent.mkdir(parents=True, exist_ok=True)
        _WRITERS[format_](path, table, by_city=name == "parent")
    return (Path(format_) / case.name / f"child{SUFFIX[format_]}").as_posix()


def _write_parquet(path: Path, table: pa.Table, by_city: bool) -> None:
    pq.write_table(table, path)


def _write_delta(path: Path, table: pa.Table, by_city: bool) -> None:
    write_deltalake(str(path), table, partition_by=["city"] if by_city else None)


def _write_csv(path: Path, table: pa.Table, by_city: bool) -> None:
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(table.column_names)
        for row in table.to_pylist():
            writer.writerow([NULL_MARKER if value is None else value for value in row.values()])


_WRITERS = {"parquet": _write_parquet, "delta": _write_delta, "csv": _write_csv}


def contents(path: Path) -> tuple[list[str], Counter[tuple[str, ...]]]:
    """The table's columns with their types in order, and how often it has each row.

    Read by what has no code of r2d2's; values are told apart by `repr`, NaN and -0.0 too.
    """
    if path.suffix == ".csv":
        with open(path, newline="", encoding="utf-8") as file:
            header, *rows = csv.reader(file)
        return header, Counter(map(tuple, rows))
    is_delta = (path / "_delta_log").is_dir()
    table = pa.table(DeltaTable(str(path)).to_pyarrow_table()) if is_delta else pq.read_table(path)
    columns = [f"{field.name} {field.type}" for field in table.schema]
    return columns, Counter(_rows(table))


def _rows(table: pa.Table) -> Iterator[tuple[str, ...]]:
    columns: Sequence[list[str]] = [list(map(repr, c.to_pylist())) for c in table.columns]
    yield from zip(*columns, strict=True)
