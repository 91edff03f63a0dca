"""Rows of small files are kept while there is room, by what they take in memory."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from r2d2.formats.parquet import small_files
from r2d2.lake.inventory import take_inventory
from r2d2.settings.find import Settings
from r2d2.storage import storage_of


def test_a_small_file_of_many_long_texts_is_kept_by_its_size_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(small_files, "CACHE", small_files.SmallFileCache())
    monkeypatch.setattr(small_files, "CACHE_BYTES", 1 << 20)
    pq.write_table(pa.table({"x": ["a" * 5000] * 2000}), tmp_path / "large.parquet")
    pq.write_table(pa.table({"x": ["a"] * 2000}), tmp_path / "small.parquet")
    assert (tmp_path / "large.parquet").stat().st_size < 64 << 10
    storage = storage_of(str(tmp_path))
    large, small = take_inventory(storage, Settings()).tables
    assert small_files.CACHE.take(storage, large.files[0]) is None
    assert small_files.CACHE.take(storage, small.files[0]) is not None
    assert large.bounds.keys() == small.bounds.keys() == {"x"}
