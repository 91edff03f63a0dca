"""Names as cells of CSV files: read alike by every reader, and run by no spreadsheet."""

import csv
import io
from pathlib import Path

import duckdb
import pandas
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

import r2d2
from r2d2.cli import main
from r2d2.report import edges_csv
from r2d2.text_tables import csv_text

FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
BREAKS = ("a\rb", "c\nd", "e\r\nf", "\tx", "\rx", "'x", '"q"', "a,b", " x ")
NAMES = (*BREAKS, "=1+1", "+1", "-1", "@sum")
HOSTILE = ("\x1b[2J", "\x9b31m", "\u202egnp", "a\x07b", "\x7f")


def value(cell: str) -> str:
    """The documented way back."""
    return cell.removeprefix("'")


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=2, max_size=2))
def test_every_text_comes_back_and_none_begins_a_formula(row: list[str]) -> None:
    text = csv_text(["one", "two"], [row])
    header, cells = csv.reader(io.StringIO(text, newline=""))
    assert header == ["one", "two"]
    assert list(map(value, cells)) == row
    assert not any(cell.lstrip(" ").startswith(FORMULAS) for cell in cells)


def test_three_readers_see_the_edges_of_hostile_names_alike(tmp_path: Path) -> None:
    lake, file = tmp_path / "lake", tmp_path / "edges.csv"
    lake.mkdir()
    names = [f"{name}.parquet" for name in (*NAMES, *HOSTILE)]
    for name in names:
        pq.write_table(pa.table({"x": [1, 2, 3]}), lake / name)
    edges = r2d2.find(lake).edges
    text = edges_csv(edges)
    file.write_text(text, newline="")
    right = {(edge.child, edge.parent) for edge in edges}
    assert len(right) == len(names) * (len(names) - 1)
    with file.open(newline="") as lines:
        by_module = [row[:2] for row in csv.reader(lines)][1:]
    by_pandas = pandas.read_csv(file)[["child", "parent"]].to_numpy().tolist()
    by_duckdb = duckdb.execute("SELECT child, parent FROM read_csv(?)", [str(file)]).fetchall()
    for rows in (by_module, by_pandas, by_duckdb):
        assert len(rows) == len(right)
        assert {(value(child), value(parent)) for child, parent in rows} == right


@pytest.mark.parametrize("name", ["=1+1", "'x"])
def test_duckdb_takes_no_apostrophe_for_a_quote(tmp_path: Path, name: str) -> None:
    file = tmp_path / "cells.csv"
    file.write_text(csv_text(["child", "parent"], [[name, f"{name}2"], [f"{name}2", name]]))
    rows = duckdb.execute("SELECT * FROM read_csv(?)", [str(file)]).fetchall()
    assert rows == [("'" + name, f"'{name}2"), (f"'{name}2", "'" + name)]


@pytest.mark.parametrize("flags", [[], ["--json"]])
@pytest.mark.parametrize("command", ["find", "tables"])
def test_no_name_steers_the_terminal(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes], command: str, flags: list[str]
) -> None:
    for number, name in enumerate(HOSTILE):
        table = pa.table({name: range(3)})
        pq.write_table(table, tmp_path / f"{name}.parquet")
        pq.write_table(table, tmp_path / f"{number}.parquet")
    (tmp_path / "\x1b[8m.parquet").write_bytes(b"no Parquet")
    main([command, str(tmp_path), *flags])
    written = capfdbinary.readouterr()
    for output in (written.out.decode(), written.err.decode()):
        assert all(line.isprintable() for line in output.split("\n"))
