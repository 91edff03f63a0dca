"""Decimals that are decoded from their bytes are those that Arrow decodes."""

from decimal import Decimal
from pathlib import Path
from random import Random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from r2d2.formats.parquet import read as reading
from r2d2.formats.parquet.read import read
from r2d2.formats.parquet.tail import without_logical_types
from r2d2.pipeline import tables
from r2d2.storage import storage_of

ROWS = 3_000
NEVER = 1 << 60
PRECISIONS = range(1, 28)


def numbers(precision: int, scale: int, distinct: int) -> pa.Array:
    """Decimals of both signs, the greatest and the least among them, and NULLs."""
    random = Random(precision)
    most = 10**precision - 1
    some = [most, -most, 0, -1, *(random.randint(-most, most) for _ in range(distinct))]
    unscaled = [None, *some, *random.choices([None, *some], k=ROWS - len(some) - 1)]
    values = [None if n is None else Decimal(n).scaleb(-scale) for n in unscaled]
    return pa.array(values, pa.decimal128(precision, scale))


def all_types() -> pa.Table:
    """Decimals of every precision, and what else a schema may hold beside them."""
    columns = {f"p{p}": numbers(p, p // 3, 2_000 if p % 2 else 20) for p in PRECISIONS}
    nested = numbers(9, 2, 50)
    columns |= {
        "größe": numbers(7, 0, 5),
        "a.b": numbers(7, 1, 5),
        "in a struct": pa.StructArray.from_arrays([nested, columns["p3"]], ["p1", "p3"]),
        "in a list": pa.ListArray.from_arrays(pa.array(range(ROWS + 1), pa.int32()), nested),
        "id": pa.array([bytes(16)] * ROWS, pa.uuid()),
        "bytes": pa.array([b"1234567"] * ROWS, pa.binary(7)),
        "text": pa.array(["a", "b", None] * (ROWS // 3)),
        "at": pa.array(range(ROWS), pa.timestamp("us", "UTC")),
        "wide": nested.cast(pa.decimal256(40, 2)),
        "none": pa.nulls(ROWS, pa.decimal128(5, 2)),
    }
    field = pa.field(
        "strict", pa.decimal128(6, 1), nullable=False, metadata={"PARQUET:field_id": "99"}
    )
    strict = numbers(6, 1, 9).fill_null(Decimal(0))
    return pa.table(columns).append_column(field, strict)


def batches(file: Path, names: list[str], monkeypatch: pytest.MonkeyPatch, least: int) -> pa.Table:
    """The rows of some columns, where decimals of that many rows are decoded from their bytes."""
    monkeypatch.setattr(reading, "DECIMAL_ROWS", least)
    storage = storage_of(str(file.parent))
    (own,) = tables(file.parent).tables
    rows = read(storage, own.splits[0], names)
    return pa.Table.from_batches(rows)


OPTIONS: list[dict[str, object]] = [
    {},
    {"use_dictionary": False, "store_schema": False},
    {"compression": "zstd", "row_group_size": 700, "write_page_checksum": True},
    {"store_decimal_as_integer": True},
    {"use_deprecated_int96_timestamps": True, "version": "1.0"},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_decimals_from_bytes_are_those_that_arrow_decodes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, object]
) -> None:
    whole = all_types()
    pq.write_table(whole, tmp_path / "t.parquet", **options)
    every = whole.column_names
    for names in (every, every[3:9], ["p7", "in a struct"], ["größe", "strict", "text"]):
        plain = batches(tmp_path / "t.parquet", names, monkeypatch, NEVER)
        mended = batches(tmp_path / "t.parquet", names, monkeypatch, 1)
        assert mended.schema.equals(plain.schema, check_metadata=True)
        assert mended.equals(plain)
        mended.validate(full=True)


def test_only_the_leaves_that_are_named_lose_their_meaning(tmp_path: Path) -> None:
    pq.write_table(all_types(), tmp_path / "t.parquet")
    before = pq.read_metadata(tmp_path / "t.parquet")
    after = without_logical_types(before, ["p5", "größe", "p1"])
    told = [
        (leaf.path, str(leaf.logical_type))
        for leaf, other in zip(after.schema, before.schema, strict=True)
        if not leaf.equals(other)
    ]
    assert told == [("p1", "None"), ("p5", "None"), ("größe", "None")]
    assert after.metadata == before.metadata
    assert after.row_group(0).to_dict()["columns"][2] == before.row_group(0).to_dict()["columns"][2]
