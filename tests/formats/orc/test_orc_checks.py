"""ORC: what pyarrow would not read as it was meant, or would end the process at, is refused."""

from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pytest

import r2d2
from tests.support.formats.one_table import batches, the_table
from tests.support.formats.orc_files import field, java, orc_bytes, rows, varint, with_footer, write


def test_old_dates_of_the_hybrid_calendar_make_the_table_ineligible(tmp_path: Path) -> None:
    found = java(tmp_path, "date_hybrid")
    assert "Julian calendar" in str(found.problem)
    assert not found.unreadable


def test_old_dates_of_the_proleptic_calendar_are_read(tmp_path: Path) -> None:
    assert [str(row["d"]) for row in rows(tmp_path, java(tmp_path, "date_proleptic"))] == [
        "1422-05-25",
        "1970-01-01",
        "1970-01-02",
    ]


def test_old_timestamps_written_outside_utc_make_the_table_ineligible(tmp_path: Path) -> None:
    found = java(tmp_path, "timestamp_new_york")
    assert "America/New_York" in str(found.problem)
    assert not found.unreadable


def test_timestamps_written_in_utc_are_read_as_java_reads_them(tmp_path: Path) -> None:
    found = java(tmp_path, "timestamp_utc")
    assert [column.type for column in found.columns] == ["timestamp"]
    assert [str(row["t"]) for row in rows(tmp_path, found)] == [
        "1970-01-01 00:00:00",
        "2020-09-13 12:26:40.123456789",
        "1970-01-01 00:00:00.500000",
        "1969-12-31 23:59:58.500000",
        "1890-01-19 23:59:59.999000",
        "1899-01-18 00:00:00",
    ]


def test_timestamps_that_arrow_cannot_hold_make_the_table_unreadable(tmp_path: Path) -> None:
    found = write(tmp_path, pa.table({"t": pa.array([datetime(9999, 12, 31)])}))
    assert found.unreadable
    assert "1677–2262" in str(found.problem)


def test_a_union_makes_the_table_ineligible(tmp_path: Path) -> None:
    found = java(tmp_path, "union")
    assert (found.unreadable, found.problem) == (False, "t.orc: column u: its type is a union")


@pytest.mark.parametrize(
    ("type_", "reason"),
    [
        (b"\x08\x04\x3a\x27\x0a\x17spark.sql.catalyst.type\x12\x0cinterval day", "interval day"),
        (b"\x08\x0e", "Hive 0.11"),
        (b"\x08\x13", "number 19"),
    ],
)
def test_a_number_that_stands_for_something_else_makes_the_table_ineligible(
    tmp_path: Path, type_: bytes, reason: str
) -> None:
    data = orc_bytes(pa.table({"x": [1]}))
    long = field(4, b"\x08\x04\x20\x00\x28\x00\x30\x00")
    assert data.count(long) == 1
    made = with_footer(data, lambda footer: footer.replace(long, field(4, type_)))
    (tmp_path / "t.orc").write_bytes(made)
    found = the_table(tmp_path)
    assert reason in str(found.problem)
    assert not found.unreadable


def test_encrypted_columns_make_the_table_ineligible(tmp_path: Path) -> None:
    data = orc_bytes(pa.table({"x": [1]}))
    (tmp_path / "t.orc").write_bytes(with_footer(data, lambda old: old + field(10, b"")))
    assert the_table(tmp_path).problem == "t.orc: columns are encrypted"


def test_a_null_as_a_maps_key_makes_the_table_unreadable_and_ends_no_process(
    tmp_path: Path,
) -> None:
    keys = pa.table({"m": pa.array([[("a", 1), ("b", 2)]], pa.map_(pa.string(), pa.int64()))})
    data = orc_bytes(keys)
    # The keys' DATA stream (kind 1 of column 2) is declared to be PRESENT (kind 0).
    assert data.count(b"\x08\x01\x10\x02\x18") == 1
    (tmp_path / "t.orc").write_bytes(data.replace(b"\x08\x01\x10\x02\x18", b"\x08\x00\x10\x02\x18"))
    with pytest.raises(r2d2.R2D2Error, match="a map's key is NULL"):
        batches(tmp_path, the_table(tmp_path))


@pytest.mark.parametrize("kind", [b"\x0a", b"\x0c"])
def test_types_nested_ten_thousandfold_end_no_process(tmp_path: Path, kind: bytes) -> None:
    name = b"\x1a\x01a" if kind == b"\x0c" else b""
    chain = [field(4, b"\x08" + kind + field(2, varint(n + 2)) + name) for n in range(10_000)]
    root = field(4, b"\x08\x0c\x12\x01\x01\x1a\x01a")
    footer = b"\x08\x03" + root + b"".join(chain) + field(4, b"\x08\x04") + b"\x30\x00"
    data = with_footer(orc_bytes(pa.table({"x": [1]})), lambda _: footer)
    (tmp_path / "t.orc").write_bytes(data)
    assert "nested too deep" in str(the_table(tmp_path).problem)


def test_a_file_that_declares_a_trillion_rows_is_refused_as_a_bomb(tmp_path: Path) -> None:
    data = orc_bytes(pa.table({"x": [1]}))

    def declare(footer: bytes) -> bytes:
        many = varint(10**12)
        stripe = footer.index(b"\x1a") + 1
        old = footer[stripe + 1 : stripe + 1 + footer[stripe]]
        assert old.endswith(b"\x28\x01")
        return footer.replace(b"\x1a" + bytes([len(old)]) + old, field(3, old[:-1] + many)).replace(
            b"\x30\x01", b"\x30" + many
        )

    (tmp_path / "t.orc").write_bytes(with_footer(data, declare))
    found = the_table(tmp_path)
    assert found.unreadable
    assert "bomb" in str(found.problem)
