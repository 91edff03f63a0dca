"""Text exports of typed tables are found by their rendering, and near-misses are not."""

import csv
import random
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import r2d2
from r2d2.errors import UsageError
from r2d2.explain import explain_pair
from r2d2.hashing.renderings import Rendering
from r2d2.lake import questions
from r2d2.lake.inventory import take_inventory
from r2d2.model import Edge, Verdict
from r2d2.storage import storage_of
from tests.support.stages.export_oracle import (
    WRITERS,
    Write,
    by_pandas,
    is_contained,
    random_table,
    typed,
)

DAY = datetime(2024, 1, 1)


def edges(lake: Path) -> list[Edge]:
    return list(r2d2.find(lake, text_exports=True).edges)


def exported(lake: Path, table: pa.Table, write: Write) -> list[Edge]:
    """The edges of a lake that has the table as Parquet, and its export."""
    lake.mkdir(exist_ok=True)
    pq.write_table(table, lake / "parent.parquet")
    write(table, lake / "child.csv")
    return edges(lake)


@pytest.mark.parametrize("write", WRITERS.values(), ids=list(WRITERS))
def test_a_writers_csv_is_an_export(tmp_path: Path, write: Write) -> None:
    (edge,) = exported(tmp_path, typed(), write)
    assert (edge.child, edge.parent, edge.missing_rows) == ("child.csv", "parent.parquet", 0)
    assert {name for name, _ in edge.renderings} == set(typed().column_names)
    assert (edge.equal_after_cast, edge.same_rows) == (False, False)


def test_without_the_option_there_is_no_such_edge(tmp_path: Path) -> None:
    exported(tmp_path, typed(), by_pandas)
    assert r2d2.find(tmp_path).edges == ()


def lines(*rows: str) -> Write:
    """A writer of these lines, whatever the table is."""
    return lambda _, path: Path.write_text(path, "\n".join(rows) + "\n") and None


REALS = pa.array([1.0, 2.5, -0.125, None])
MOMENTS = pa.array([DAY, DAY + timedelta(hours=5), None], pa.timestamp("us"))
NEAR_MISSES = {
    "rounded": (pa.array([1.239, 2.5]), ["1.24", "2.50"]),
    "two floats of one text": (pa.array([1.239, 1.241]), ["1.24", "1.24"]),
    "two notations": (pa.array([1.5, 2.5]), ["1.5", "2.50"]),
    "two formats of a day": (pa.array([date(2024, 1, 2)] * 2), ["2024-01-02", "02/01/2024"]),
    "a day of an instant": (MOMENTS.slice(1), ["2024-01-01", ""]),
    "an instant in no zone": (MOMENTS.cast(pa.timestamp("us", "UTC")), ["2024-01-01 05:00:00"]),
    "a zone of no instant": (MOMENTS, ["2024-01-01 05:00:00Z"]),
    "another value": (pa.array([1, 2, 3]), ["1", "2", "4"]),
    "leading zeros": (pa.array([1, 2, 3]), ["01", "02", "03"]),
    "a number and its text": (pa.array([1.0, 2.0]), ["1e0", "2"]),
    "beyond a double": (pa.array([2**53 + 1]), [f"{2**53}.0"]),
    "two texts of NULL": (pa.array([1, None]), ["1", "NA", "NULL"]),
    "a decimal's digits cut": (pa.array([Decimal("1.25")]), ["1.3"]),
}


@pytest.mark.parametrize("case", NEAR_MISSES)
def test_a_near_miss_is_no_export(tmp_path: Path, case: str) -> None:
    column, texts = NEAR_MISSES[case]
    table = pa.table({"n": pa.array([None] * len(column), pa.int64()), "x": column})
    rows = lines("n,x", *(f",{t}" for t in texts))
    assert exported(tmp_path, table, rows) == []


HITS = {
    "fixed digits that lose nothing": (pa.array([1.5, 2.25]), ["1.50", "2.25"]),
    "floats of java": (pa.array([1e10, 0.25]), ["1.0E10", "0.25"]),
    "integers beside NULL": (pa.array([1, None, 3]), ["1.0", "", "3.0"]),
    "nothing but NULL": (pa.array([None, None], pa.int16()), ["", ""]),
    "NULL as NA": (pa.array([1, None]), ["1", "NA"]),
    "NULL as \\N": (pa.array([1.5, None]), ["1.5", "\\N"]),
    "truths as t and f": (pa.array([True, False, None]), ["t", "f", ""]),
    "days the American way": (pa.array([date(2024, 1, 31)]), ["01/31/2024"]),
    "days with a time": (pa.array([date(2024, 1, 31)]), ["2024-01-31 00:00:00"]),
    "instants with an offset": (
        MOMENTS.cast(pa.timestamp("us", "UTC")),
        ["2024-01-01T02:00:00+02:00", "2024-01-01T07:00:00+02:00"],
    ),
    "a decimal without zeros": (pa.array([Decimal("1.50"), Decimal("2.00")]), ["1.5", "2"]),
    "a float32": (pa.array([0.1, 2.5], pa.float32()), ["0.1", "2.5"]),
    "a float32 as a double": (pa.array([0.1], pa.float32()), ["0.10000000149011612"]),
}


@pytest.mark.parametrize("case", HITS)
def test_a_usual_rendering_is_found(tmp_path: Path, case: str) -> None:
    column, texts = HITS[case]
    table = pa.table({"k": pa.array([7] * len(column)), "x": column})
    (edge,) = exported(tmp_path, table, lines("k,x", *(f"7,{text}" for text in texts)))
    assert edge.whole


def test_renamed_and_text_exports_are_not_asked_for_together() -> None:
    with pytest.raises(UsageError, match="run `r2d2 find` once with each"):
        r2d2.Settings(renamed=True, text_exports=True)


@pytest.mark.parametrize("null", ["", "NA"])
def test_a_missing_name_is_an_empty_field(tmp_path: Path, null: str) -> None:
    names = pa.table({"name": pa.array(["a", None, "b"]), "other": ["x", "y", "z"]})
    write = lines("name,other", "a,x", f"{null},y", "b,z")
    (edge,) = exported(tmp_path, names, write)
    assert edge.whole
    assert dict(edge.renderings)["name"] == f"string:plain | null={null}"


def test_an_empty_name_is_one_where_no_name_is_missing(tmp_path: Path) -> None:
    table = pa.table({"name": ["a", "", "b"], "count": [1, 2, 3]})
    (edge,) = exported(tmp_path, table, lines("name,count", "a,1", ",2", "b,3"))
    assert edge.whole


def test_where_names_are_missing_and_empty_the_empty_field_is_no_name(tmp_path: Path) -> None:
    table = pa.table({"name": ["a", "", None], "count": [1, 2, 3]})
    assert exported(tmp_path, table, lines("name,count", "a,1", ",2", ",3")) == []


def test_the_text_of_a_missing_name_is_no_name(tmp_path: Path) -> None:
    table = pa.table({"count": [1, 1, 2], "name": pa.array(["NA", "b", None])})
    assert exported(tmp_path, table, lines("count,name", "1,NA", "1,b")) == []


def test_a_pair_that_needs_no_rendering_has_one_edge_and_none(tmp_path: Path) -> None:
    table = pa.table({"name": ["a", None, "b"]})
    (edge,) = exported(tmp_path, table, lines("name", "a", "b"))
    assert edge.renderings == ()


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 10**9), rows=st.sampled_from([1, 5, 60, 400]))
def test_random_tables_are_found_in_the_exports_of_each_writer(
    tmp_path_factory: pytest.TempPathFactory, seed: int, rows: int
) -> None:
    lake, table = tmp_path_factory.mktemp("lake"), random_table(seed, rows)
    pq.write_table(table, lake / "parent.parquet")
    for name, write in WRITERS.items():
        write(table, lake / f"{name}.csv")
    found = {edge.child: edge for edge in edges(lake) if edge.parent == "parent.parquet"}
    # DuckDB writes some 32-bit floats with more digits than they need, and others not.
    missed = {"by_duckdb.csv"} if "float32" in table.column_names else set()
    assert {f"{name}.csv" for name in WRITERS} - missed <= found.keys()
    for child, edge in found.items():
        assert is_contained(lake / child, table, nulls_of(edge, table.column_names))


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**9), writer=st.sampled_from(sorted(WRITERS)))
def test_an_edge_of_a_changed_export_is_one_that_a_parser_finds(
    tmp_path_factory: pytest.TempPathFactory, seed: int, writer: str
) -> None:
    lake, table = tmp_path_factory.mktemp("lake"), random_table(seed, 5)
    pq.write_table(table, lake / "parent.parquet")
    WRITERS[writer](table, lake / "child.csv")
    change_a_field(lake / "child.csv", random.Random(seed))
    for edge in edges(lake):
        assert is_contained(lake / "child.csv", table, nulls_of(edge, table.column_names))


def nulls_of(edge: Edge, names: list[str]) -> dict[str, str | None]:
    """The text of NULL by column."""
    known = {name: Rendering.of(written).null for name, written in edge.renderings}
    return {name: known.get(name) for name in names}


def change_a_field(path: Path, source: random.Random) -> None:
    """A digit more, less or other; or the field of another row."""
    with path.open(newline="", encoding="utf-8") as file:
        head, *rows = csv.reader(file)
    row, place = source.choice(rows), source.randrange(len(head))
    text = row[place]
    cut = source.randrange(len(text) + 1)
    row[place] = source.choice(
        [text + "0", text[:-1], text[:cut] + "1" + text[cut + 1 :], source.choice(rows)[place]]
    )
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([head, *rows])


def test_explain_tells_the_renderings_of_an_export(tmp_path: Path) -> None:
    exported(tmp_path, pa.table({"x": [1.5, 2.25]}), lines("x", "1.50", "2.25"))
    settings = r2d2.Settings(text_exports=True)
    told = explain_pair(str(tmp_path), "child.csv", "parent.parquet", settings, 0)
    assert list(told.lines()) == [
        "child.csv in parent.parquet: proved by exact",
        "  schema: plausible: types differ: x (string against float64);"
        " as an export's text it may be there",
        "  exports: plausible: equal after parsing: x as float:fixed 2 | null=",
        "  sketch: plausible: nothing speaks against it",
        "  exact: proved: 2 of 2 distinct child rows found, equal after parsing",
    ]


def test_explain_names_the_column_whose_texts_no_rendering_gives(tmp_path: Path) -> None:
    exported(
        tmp_path,
        pa.table({"Net": [1.5, 1234.5], "n": [1, 2]}),
        lines("Net,n", '"1,50",1', '"1.234,50",2'),
    )
    settings = r2d2.Settings(text_exports=True)
    told = explain_pair(str(tmp_path), "child.csv", "parent.parquet", settings, 0)
    assert told.evidence[-1].reason == (
        "no rendering of float64 gives the texts of Net, such as '9,99'"
        " (its digits shown as 9, its letters as a)"
    )
    exported(tmp_path, pa.table({"x": [0.123456]}), lines("x", "0.1000", "0.20"))
    told = explain_pair(str(tmp_path), "child.csv", "parent.parquet", settings, 0)
    assert "gives the texts of x, such as '9.9" in told.evidence[-1].reason


def test_explain_says_that_text_may_be_there_only_of_text_whose_columns_are(tmp_path: Path) -> None:
    exported(tmp_path, pa.table({"x": [1, 2]}), lines(",x", "0,1", "1,2"))
    pq.write_table(pa.table({"x": ["1"], "y": [1]}), tmp_path / "typed.parquet")
    pq.write_table(pa.table({"x": [[1]]}), tmp_path / "list.parquet")
    lines("x", "1")(typed(), tmp_path / "few.csv")
    settings = r2d2.Settings(text_exports=True)

    def last(child: str, parent: str) -> tuple[str, str]:
        told = explain_pair(str(tmp_path), child, parent, settings, 0).evidence[-1]
        assert told.verdict is Verdict.REFUTED
        return told.stage, told.reason

    lacks = "the parent lacks the column"
    assert last("child.csv", "parent.parquet") == ("schema", f"{lacks} (unnamed)")
    assert last("typed.parquet", "parent.parquet") == ("schema", f"{lacks} y")
    types = "types differ: x (int64 against string)"
    assert last("parent.parquet", "typed.parquet") == ("schema", types)
    assert last("few.csv", "list.parquet") == (
        "exports",
        "the parent has a column that exports are not compared in, or only texts",
    )


def test_explain_shows_the_rows_of_an_export_that_are_missing(tmp_path: Path) -> None:
    exported(tmp_path, pa.table({"x": [1, 2]}), lines("x", "1", "3"))
    settings = r2d2.Settings(text_exports=True)
    told = explain_pair(str(tmp_path), "child.csv", "parent.parquet", settings, 5)
    assert told.samples == ('x = "3"',)


def test_of_large_rows_fewer_are_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(questions, "HEAD_BYTES", 1 << 20)
    (tmp_path / "large.csv").write_text("x\n" + "".join(f"{n:01000}\n" for n in range(20_000)))
    storage = storage_of(str(tmp_path))
    (table,) = take_inventory(storage, r2d2.Settings()).tables
    (batches,) = questions.heads_of(storage, [table], [0]).found.values()
    assert 1 << 20 <= sum(batch.nbytes for batch in batches) < 8 << 20
