"""Hive-style folders: what a key's column is, and what files may differ in."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import r2d2
from r2d2.model import Table


def table(root: Path) -> Table:
    (found,) = r2d2.tables(root).tables
    return found


def write(root: Path, **columns: object) -> None:
    root.mkdir(parents=True)
    pq.write_table(pa.table(columns), root / "part.parquet")


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["1", "12"], "int32"),
        (["1", "3000000000"], "int64"),
        (["01", "12"], "string"),
        (["2024-01-31", "2024-02-29"], "date"),
        (["2024-01-31", "2024-02-30"], "string"),
        (["1", "x"], "string"),
        (["7", "__HIVE_DEFAULT_PARTITION__"], "int32"),
        (["__HIVE_DEFAULT_PARTITION__"], "string"),
    ],
)
def test_a_key_is_typed_only_where_every_value_is_written_so(
    tmp_path: Path, values: list[str], kind: str
) -> None:
    for value in values:
        write(tmp_path / "t" / f"k={value}", x=[1])
    assert [(c.name, c.type) for c in table(tmp_path).columns] == [("x", "int64"), ("k", kind)]


def test_a_partitioned_table_equals_its_flat_copy(tmp_path: Path) -> None:
    write(tmp_path / "t" / "k=1", x=[1, 2])
    write(tmp_path / "t" / "k=__HIVE_DEFAULT_PARTITION__", x=[3])
    write(tmp_path / "flat", x=[1, 2, 3], k=pa.array([1, 1, None], pa.int32()))
    (group,) = r2d2.find(tmp_path).classes()
    assert group == ("flat/part.parquet", "t")


def test_a_column_that_a_file_lacks_is_null_there(tmp_path: Path) -> None:
    write(tmp_path / "t" / "k=1", x=[1], y=["a"])
    write(tmp_path / "t" / "k=2", x=[2])
    write(tmp_path / "flat", x=[1, 2], y=["a", None], k=pa.array([1, 2], pa.int32()))
    (group,) = r2d2.find(tmp_path).classes()
    assert group == ("flat/part.parquet", "t")


def test_files_that_disagree_on_a_type_make_the_table_ineligible(tmp_path: Path) -> None:
    write(tmp_path / "t" / "k=1", x=[1])
    write(tmp_path / "t" / "k=2", x=["1"])
    assert "column x is int64" in (table(tmp_path).problem or "")


def test_files_that_disagree_on_a_structs_fields_make_the_table_ineligible(tmp_path: Path) -> None:
    write(tmp_path / "t" / "k=1", x=[{"a": 1}])
    write(tmp_path / "t" / "k=2", x=[{"a": 1, "b": 2}])
    assert "struct" in (table(tmp_path).problem or "")


def test_a_key_that_is_also_a_files_column_makes_the_table_ineligible(tmp_path: Path) -> None:
    write(tmp_path / "t" / "k=1", x=[1], K=[1])
    assert "same name" in (table(tmp_path).problem or "")
