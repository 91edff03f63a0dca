"""A footer that is told by another's bytes gives the table that parsing it gives, or a refusal."""

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

import r2d2
from r2d2.formats.parquet import small_files
from r2d2.formats.parquet.tail import KnownFooters
from r2d2.graph import Graph
from r2d2.lake.inventory import take_inventory
from r2d2.model import Table
from r2d2.settings.find import Settings
from r2d2.storage import storage_of

VALUES = {
    "number": st.integers(-5, 5),
    "word": st.sampled_from(["", "a", "ARROW:schema", None]),
    "truth": st.booleans(),
}


@contextmanager
def no_footer_known() -> Iterator[None]:
    """Every footer is parsed."""
    with patch.object(KnownFooters, "recall", lambda *_: None):
        yield


def day(number: int, rows: int = 3) -> pa.Table:
    """One day's rows of a feed."""
    return pa.table({"day_of_the_feed": [number] * rows, "measured_value": [0.5] * rows})


def held_tables(folder: Path) -> tuple[Table, ...]:
    """The tables as one sees them who will ask for rows."""
    with small_files.CACHE.held():
        return take_inventory(storage_of(str(folder)), Settings(threads=1)).tables


def told(graph: Graph) -> tuple[object, ...]:
    """What a run says of its edges, and of the tables that are left out."""
    edges = sorted((e.child, e.parent, e.missing_rows, e.fraction) for e in graph.edges)
    return edges, {table.location for table in graph.tables if not table.eligible}


@given(data=st.data())
def test_known_footers_give_the_tables_that_parsing_gives(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("lake")
    names = data.draw(st.lists(st.sampled_from(sorted(VALUES)), min_size=1, unique=True))
    for number in range(4):
        rows = data.draw(st.integers(0, 200))
        column = {n: data.draw(st.lists(VALUES[n], min_size=rows, max_size=rows)) for n in names}
        types = {"number": pa.int64(), "word": pa.string(), "truth": pa.bool_()}
        table = pa.table({f"{n}_of_the_feed": pa.array(column[n], types[n]) for n in names})
        keys = data.draw(st.sampled_from([None, {"a": "b"}, {"a": "b", "c": "d"}]))
        size = data.draw(st.sampled_from([50, 1000]))
        stores = data.draw(st.booleans())
        path = folder / f"{number}.parquet"
        writer = pq.ParquetWriter(
            path, table.schema.with_metadata(keys), store_schema=stores, use_dictionary=stores
        )
        with writer:
            writer.write_table(table.replace_schema_metadata(keys), row_group_size=size)
    found = held_tables(folder)
    with no_footer_known():
        assert found == held_tables(folder)


def test_footers_of_one_schema_are_parsed_once(tmp_path: Path) -> None:
    for number in range(5):
        pq.write_table(day(number, 3 + number), tmp_path / f"{number}.parquet")
    recalled = []
    recall = KnownFooters.recall

    def counting(known: KnownFooters, content: bytes) -> object:
        recalled.append(recall(known, content))
        return recalled[-1]

    with patch.object(KnownFooters, "recall", counting):
        tables = held_tables(tmp_path)
    assert [one is None for one in recalled] == [True, False, False, False, False]
    assert [table.rows for table in tables] == [3, 4, 5, 6, 7]
    assert len({id(table.columns) for table in tables}) == 1


def test_old_dates_are_looked_for_in_each_file_of_a_doubtful_writer(tmp_path: Path) -> None:
    keys = {"org.apache.spark.version": "2.4.8"}
    for name, date in ("a", "2020-01-01"), ("b", "2021-01-01"), ("c", "1500-01-01"):
        column = pa.array([dt.date.fromisoformat(date)])
        table = pa.table({"day_of_the_feed": column, "measured_value_of_it": column})
        pq.write_table(table.replace_schema_metadata(keys), tmp_path / f"{name}.parquet")
    found = held_tables(tmp_path)
    assert [table.eligible for table in found] == [True, True, False]
    assert "Julian" in str(found[2].problem)


def test_a_bit_flipped_in_a_known_footer_makes_no_edge_that_parsing_does_not(
    tmp_path: Path,
) -> None:
    pq.write_table(day(7, 4), tmp_path / "a.parquet")
    path = tmp_path / "b.parquet"
    pq.write_table(day(7), path)
    whole = path.read_bytes()
    start = len(whole) - 8 - int.from_bytes(whole[-8:-4], "little")
    for place in range(start, len(whole) - 8, 5):
        forged = bytearray(whole)
        forged[place] ^= 1 << place % 7
        path.write_bytes(forged)
        found = r2d2.find(tmp_path, threads=1)
        with no_footer_known():
            assert told(found) == told(r2d2.find(tmp_path, threads=1))


def footer_of(path: Path) -> bytes:
    """The bytes of the file's footer."""
    content = path.read_bytes()
    return content[-8 - int.from_bytes(content[-8:-4], "little") : -8]


def test_a_known_footer_with_a_second_schema_is_refused(tmp_path: Path) -> None:
    path, other = tmp_path / "b.parquet", tmp_path / "o.parquet"
    pq.write_table(day(7, 4), tmp_path / "a.parquet")
    pq.write_table(day(7), path)
    pq.write_table(pa.table({"day_of_the_feed": [7], "measured_other": [0.5]}), other)
    footer, theirs = footer_of(path), footer_of(other)
    other.unlink()
    schema = theirs[theirs.index(b"\x19") + 1 : theirs.index(b"\x16\x02\x19\x1c")]
    groups = footer.index(b"\x16\x06\x19\x1c") + 3
    end = footer.index(b"\x19\x1c\x18\x0cARROW:schema")
    # Fields 2 and 4 once more, under their numbers in full: the last of each is read.
    own = footer[:end] + b"\x09\x04" + schema + b"\x09\x08" + footer[groups:]
    length = len(own).to_bytes(4, "little")
    path.write_bytes(path.read_bytes()[: -8 - len(footer)] + own + length + b"PAR1")
    assert pq.read_schema(path).names == ["day_of_the_feed", "measured_other"]
    graph = r2d2.find(tmp_path, threads=1)
    problems = {table.location: table.problem for table in graph.tables}
    assert problems["a.parquet"] is None
    assert "contradicts itself" in str(problems["b.parquet"])
    assert not graph.edges
