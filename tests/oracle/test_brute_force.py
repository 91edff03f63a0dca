"""The judge judged: by hand-written examples, by DuckDB, and by lakes of known truth."""

import csv
import datetime as dt
import gzip
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from random import Random

import duckdb
import pyarrow as pa
import pytest

from tests.support.oracle.brute_force import degenerate, edges, equal, fraction, judge, judge_tables
from tests.support.oracle.derivations import derive
from tests.support.oracle.files import one, text, write
from tests.support.oracle.random_lakes import base
from tests.support.oracle.reading import of_arrow
from tests.support.oracle.sheets import Sheet


def _judged(**tables: pa.Table) -> set[str]:
    """The contained pairs, strict types, as `child in parent`."""
    lake = {name: of_arrow(table, widened=False) for name, table in tables.items()}
    return {f"{child} in {parent}" for child, parent in edges(judge_tables(lake))}


def _judged_widened(**tables: pa.Table) -> set[str]:
    lake = {name: of_arrow(table, widened=True) for name, table in tables.items()}
    return {f"{child} in {parent}" for child, parent in edges(judge_tables(lake))}


def test_distinct_rows_and_missing_ones_are_counted() -> None:
    child = of_arrow(pa.table({"x": [1, 1, 2, None], "y": ["a", "a", "b", None]}), widened=False)
    parent = of_arrow(pa.table({"Y": ["a", None], "X": [1, None], "z": [0, 0]}), widened=False)
    pairs = judge_tables({"child": child, "parent": parent})
    assert pairs == {("child", "parent"): (3, 1)}
    assert fraction(3, 1) == 2 / 3
    assert edges(pairs) == {}
    assert edges(pairs, 0.6) == pairs


def test_equal_and_degenerate_pairs_are_told() -> None:
    tables = {"one": one([1, 1]), "two": one([1]), "none": one([], pa.int64())}
    pairs = judge_tables({n: of_arrow(t, widened=False) for n, t in tables.items()})
    assert equal(pairs) == {("one", "two"), ("two", "one")}
    assert degenerate(pairs) == {("none", "one"), ("none", "two")}


def test_strict_types_are_layouts_and_units_forgotten() -> None:
    assert _judged(a=one(["a"]), b=one(["a"], pa.large_string())) == {"a in b", "b in a"}
    micros, nanos = one([1], pa.timestamp("us")), one([1000], pa.timestamp("ns"))
    assert _judged(a=micros, b=nanos) == {"a in b", "b in a"}
    assert _judged(a=micros, b=one([1], pa.timestamp("us", "UTC"))) == set()
    assert _judged(a=one([1], pa.int32()), b=one([1], pa.int64())) == set()
    scales = (pa.decimal128(5, 2), pa.decimal128(5, 1), pa.decimal128(6, 2))
    decimals = {f"t{n}": one([Decimal(1)], scale) for n, scale in enumerate(scales)}
    assert _judged(**decimals) == set()
    assert _judged(a=decimals["t0"], b=one([Decimal(1)], pa.decimal256(5, 2))) == {
        "a in b",
        "b in a",
    }


def test_widened_numbers_are_one_by_exact_value_and_nothing_else_is() -> None:
    whole, double = one([1, None]), one([1.0, None])
    assert _judged_widened(a=whole, b=double) == {"a in b", "b in a"}
    assert _judged_widened(a=one([2**53 + 1]), b=one([float(2**53)])) == set()
    assert _judged_widened(a=one([1.1]), b=one([Decimal("1.1")])) == set()
    assert _judged_widened(a=one([0.1], pa.float32()), b=one([0.1])) == set()
    nan, zero = float("nan"), one([-0.0])
    assert _judged_widened(a=one([nan], pa.float32()), b=one([nan])) == {"a in b", "b in a"}
    assert _judged_widened(a=zero, b=one([0])) == {"a in b", "b in a"}
    assert _judged_widened(a=one(["1"]), b=one([1])) == set()
    assert _judged_widened(a=one([dt.date(1970, 1, 2)]), b=one([1])) == set()
    assert _judged_widened(a=one([True]), b=one([1])) == set()


def test_nulls_at_every_depth_are_different() -> None:
    lists = pa.list_(pa.int64())
    values = {"null": None, "empty": [], "of_null": [None]}
    assert _judged(**{name: one([value], lists) for name, value in values.items()}) == set()
    deep = pa.struct([("a", pa.struct([("b", pa.int64())]))])
    structs = {"null": None, "of_null": {"a": None}, "of_of_null": {"a": {"b": None}}}
    assert _judged(**{name: one([value], deep) for name, value in structs.items()}) == set()
    listed = {name: one([[value]], pa.list_(deep)) for name, value in structs.items()}
    assert _judged(**listed) == set()


def test_maps_have_no_order_and_structs_are_flattened() -> None:
    maps = pa.map_(pa.string(), pa.int64())
    forward, backward = one([[("a", 1), ("b", None)]], maps), one([[("b", None), ("a", 1)]], maps)
    assert _judged(a=forward, b=backward) == {"a in b", "b in a"}
    few, many = pa.struct([("p", pa.int64())]), pa.struct([("q", pa.int64()), ("P", pa.int64())])
    assert _judged(a=one([{"p": 1}], few), b=one([{"q": 2, "P": 1}], many)) == {"a in b"}
    dotted = pa.table({"x.p": [1]})
    assert _judged(a=dotted, b=one([{"p": 1}], few)) == set()


def test_text_files_are_read_as_text(tmp_path: Path) -> None:
    text(
        tmp_path,
        a_csv='x,y\n01,""\n"a\nb",\n',
        b_jsonl='{"x": "01", "y": ""}\n{"y": "", "x": "a\\nb"}\n',
        c_jsonl='{"x": 1.0, "y": true}\n{"x": null}\n',
        d_tsv='X\tY\n1.0\ttrue\n"a, b"\t\n',
    )
    write(tmp_path / "hive" / "y=", part=one(["01", "a\nb"]))
    pairs = judge(tmp_path)
    same = {"a.csv", "b.jsonl", "hive"}
    assert edges(pairs).keys() == {(a, b) for a in same for b in same if a != b}
    assert pairs["c.jsonl", "d.tsv"] == (2, 1)


PLAIN = (pa.bool_(), pa.int8(), pa.int32(), pa.int64(), pa.uint8(), pa.uint64(), pa.string())


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(30))
def test_duckdb_counts_the_same_rows_on_plain_types(seed: int) -> None:
    chance = Random(seed)
    sheets = [_plain(base(chance, "A")) for _ in range(2)]
    sheets += [_plain(derive(chance, chance.choice(sheets))) for _ in range(8)]
    tables = {f"t{n}": sheet.arrow() for n, sheet in enumerate(sheets) if sheet.columns}
    lake = {name: of_arrow(table, widened=False) for name, table in tables.items()}
    with duckdb.connect() as connection:
        for name, table in tables.items():
            connection.register(name, table)
        for (child, parent), counts in judge_tables(lake).items():
            assert _counted(connection, child, parent, tables[child]) == counts, (child, parent)


def _plain(sheet: Sheet) -> Sheet:
    return sheet.with_columns([c for c in sheet.columns if c.type in PLAIN], "plain")


def _counted(
    connection: duckdb.DuckDBPyConnection, child: str, parent: str, table: pa.Table
) -> tuple[int, int]:
    names = ", ".join('"' + name.replace('"', '""') + '"' for name in table.column_names)
    rows = f"select distinct {names} from {child}"
    lacking = f"{rows} except select {names} from {parent}"
    counts = f"select (select count(*) from ({rows})), (select count(*) from ({lacking}))"
    ((distinct, missing),) = connection.sql(counts).fetchall()
    return distinct, missing


@pytest.mark.slow
def test_the_judge_does_not_know_r2d2() -> None:
    oracle = "tests.support.oracle.brute_force, tests.support.oracle.random_lakes"
    script = f"import sys, {oracle}\nprint(*sys.modules)"
    run = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert not [name for name in run.stdout.split() if name.partition(".")[0] == "r2d2"]


def _truth(file: Path) -> Iterator[dict[str, str]]:
    data = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
    yield from csv.DictReader(data.decode().splitlines())


def _teams(lake: Path, folder: Path, teams: int) -> None:
    """Links the first so many of the lake's twelve folders."""
    for team in sorted(lake.iterdir())[:teams]:
        (folder / team.name).mkdir()
        for file in team.iterdir():
            (folder / team.name / file.name).symlink_to(file)


@pytest.mark.shared
@pytest.mark.parametrize(
    ("kind", "mode", "teams"), [("csv", "raw", 12), ("parquet", "strict", 3), ("parquet", "num", 3)]
)
def test_the_dev_lake_has_the_edges_and_fractions_of_its_truth(
    shared: Path, tmp_path: Path, kind: str, mode: str, teams: int
) -> None:
    """Under `num` the truth also takes text for numbers, which semantics.md does not."""
    _teams(shared / "lakes" / "dev" / kind, tmp_path, teams)
    pairs = judge(tmp_path, widened=mode == "num")
    measure = "num" if mode == "strict" else mode
    names = {str(file.relative_to(tmp_path)) for file in tmp_path.rglob("*.*")}
    true = set()
    for row in _truth(shared / "lakes" / "truth" / f"truth_dev_derived_{kind}.csv.gz"):
        pair = row["child"], row["parent"]
        if row[f"exact_{mode}"] == "true" and names.issuperset(pair):
            true.add(pair)
        same_types = row.get("types_equal", "true") == "true" or mode == "num"
        if pair in pairs and same_types and row[f"fraction_{measure}"]:
            rows, missing = pairs[pair]
            assert rows == int(row[f"child_distinct_{measure}"])
            assert fraction(rows, missing) == pytest.approx(
                float(row[f"fraction_{measure}"]), abs=1e-9
            )
    found = edges(pairs).keys()
    assert found == {pair for pair in true if pair in pairs}
    assert mode == "num" or found == true
    assert len(found) > 100


@pytest.mark.shared
def test_the_traps_have_the_edges_of_their_truth(shared: Path, tmp_path: Path) -> None:
    """But for timestamp units and type null, which the truth keeps apart, and degenerate pairs."""
    traps = shared / "lakes" / "traps" / "parquet"
    for file in traps.glob("*.parquet"):
        if file.name not in ("empty.parquet", "truncated.parquet", "not_parquet.parquet"):
            (tmp_path / file.name).symlink_to(file)
    apart = {"ts_ns.parquet", "ts_ms.parquet", "null_type.parquet", "zero_rows.parquet"}
    found = {pair for pair in edges(judge(tmp_path)) if not apart & set(pair)}
    names = {file.name for file in tmp_path.iterdir()} - apart
    true = {
        (row["child"], row["parent"])
        for row in _truth(shared / "lakes" / "truth" / "truth_T_traps_parquet.csv")
        if row["exact_strict"] == "true"
    }
    assert found == {pair for pair in true if names.issuperset(pair)}
    assert len(found) > 50
