"""Small files stay open for those who ask on, by what they take in memory; no column twice."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import r2d2
from r2d2.formats.parquet import read, small_files
from r2d2.lake.inventory import bounds_of, take_inventory
from r2d2.model import Column
from r2d2.settings.find import Settings
from r2d2.storage import storage_of


@pytest.fixture(autouse=True)
def _fresh_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(small_files, "CACHE", small_files.SmallFileCache())


def test_a_small_file_of_many_long_texts_is_kept_by_its_size_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(small_files, "CACHE_BYTES", 1 << 20)
    pq.write_table(pa.table({"x": ["a" * 5000] * 2000}), tmp_path / "large.parquet")
    pq.write_table(pa.table({"x": ["a"] * 2000}), tmp_path / "small.parquet")
    assert (tmp_path / "large.parquet").stat().st_size < 64 << 10
    storage = storage_of(str(tmp_path))
    with small_files.CACHE.held():
        tables = take_inventory(storage, Settings()).tables
        found = dict(bounds_of(storage, [(n, t, t.columns) for n, t in enumerate(tables)]))
        large, small = (small_files.CACHE.take(storage.url, t.files[0]) for t in tables)
    assert large is None
    assert small is not None
    assert small.arrays().keys() == {"x"}
    assert found[0].keys() == found[1].keys() == {"x"}  # type: ignore[union-attr]


def test_nothing_stays_open_for_an_inventory_alone(tmp_path: Path) -> None:
    pq.write_table(pa.table({"x": [1]}), tmp_path / "t.parquet")
    storage = storage_of(str(tmp_path))
    (table,) = take_inventory(storage, Settings()).tables
    assert small_files.CACHE.take(storage.url, table.files[0]) is None


def test_a_column_is_decoded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pq.write_table(pa.table({"x": [1], "y": ["a"], "z": [2.0]}), tmp_path / "t.parquet")
    decoded: list[str] = []
    decode = read._rows_of

    def counting(*arguments: object) -> list[pa.RecordBatch]:
        batches = decode(*arguments)  # type: ignore[arg-type]
        decoded.extend(batches[0].schema.names)
        return batches

    monkeypatch.setattr(read, "_rows_of", counting)
    storage = storage_of(str(tmp_path))
    with small_files.CACHE.held():
        (table,) = take_inventory(storage, Settings()).tables
        for names in ({"y"}, {"y", "x"}, {"x"}):
            asked = tuple(column for column in table.columns if column.name in names)
            ((_, bounds),) = bounds_of(storage, [(0, table, asked)])
            assert bounds.keys() == names  # type: ignore[union-attr]
        (batch,) = read.read(storage, table.splits[0], ["z", "x"])
    assert sorted(decoded) == ["x", "y", "z"]
    assert batch.to_pydict() == {"x": [1], "z": [2.0]}


def damage(path: Path) -> None:
    """Flips a bit in the first page, which has a checksum."""
    content = bytearray(path.read_bytes())
    content[60] ^= 1
    path.write_bytes(content)


def test_a_damaged_page_is_named_where_a_pair_asks_for_it(tmp_path: Path) -> None:
    paired = pa.table({"x": np.arange(90)})
    for name, table in {"a": paired, "b": paired, "alone": pa.table({"y": paired["x"]})}.items():
        path = tmp_path / f"{name}.parquet"
        pq.write_table(table, path, write_page_checksum=True, compression=None)
        if name != "a":
            damage(path)
    graph = r2d2.find(tmp_path)
    problems = {table.location: table.problem for table in graph.tables}
    assert problems["a.parquet"] is problems["alone.parquet"] is None
    assert problems["b.parquet"].startswith("b.parquet: ")  # type: ignore[union-attr]
    assert not graph.edges


def test_bounds_of_no_column_are_none(tmp_path: Path) -> None:
    pq.write_table(pa.table({"x": [[1]]}), tmp_path / "t.parquet")
    storage = storage_of(str(tmp_path))
    (table,) = take_inventory(storage, Settings()).tables
    assert table.columns == (Column("x", "list<int64>", ("x",)),)
    assert list(bounds_of(storage, [(0, table, table.columns)])) == [(0, {})]
