"""Partitioned tables come back in folders; what is there already is never touched."""

import json
from datetime import date
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest

from r2d2.errors import MisfitError, MissingDependencyError, NotWritableError, R2D2Error
from r2d2.formats import layout as sink
from r2d2.formats.layout import Layout
from r2d2.lake.inventory import layout_from, layout_of
from r2d2.recipes.run.write_table import write_table
from r2d2.storage.local import LocalStorage
from tests.support.recipes.lakes import come_back, put, rows, tables

SMALL = pa.table({"n": pa.array([1, None], pa.int32()), "t": ["x", None]})


def layout(lake: Path, location: str) -> Layout:
    return layout_from(layout_of(LocalStorage(str(lake)), tables(lake)[location]))


def everything_below(folder: Path) -> dict[str, bytes]:
    found = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


@pytest.mark.parametrize(
    "values",
    [
        pytest.param(["2024", "-7", "__HIVE_DEFAULT_PARTITION__"], id="numbers"),
        pytest.param(["99999999999", "1"], id="long numbers"),
        pytest.param(["2024-02-29", "0001-01-01"], id="dates"),
        pytest.param(["01", "1", "a%2Fb", "%5F_HIVE_DEFAULT_PARTITION__", "é =+%25"], id="texts"),
        pytest.param(["__HIVE_DEFAULT_PARTITION__"], id="nothing but NULL"),
        pytest.param(["", ".."], id="nothing and dots"),
    ],
)
def test_a_partitioned_table_comes_back_in_folders(tmp_path: Path, values: list[str]) -> None:
    for number, value in enumerate(values):
        put(tmp_path / "lake", f"t/k={value}/j%2E={number}/x.parquet", SMALL)
    again, written = come_back(tmp_path / "lake", tmp_path / "copy", "t")
    assert len(written.files) == len(values)
    assert {column.path[0] for column in again.columns} == {"n", "t", "k", "j."}


def test_a_column_that_some_files_lack_comes_back(tmp_path: Path) -> None:
    put(tmp_path / "lake", "t/k=1/x.parquet", SMALL.drop_columns("n"))
    put(tmp_path / "lake", "t/k=2/x.parquet", SMALL)
    come_back(tmp_path / "lake", tmp_path / "copy", "t")


def test_partitioned_text_comes_back(tmp_path: Path) -> None:
    for year in (2023, 2024):
        path = tmp_path / f"lake/t/year={year}/x.csv"
        path.parent.mkdir(parents=True)
        path.write_text(f'id;text\n{year};"a;b"\n1;c\n')
        twin = tmp_path / f"lake/j/year={year}/x.jsonl"
        twin.parent.mkdir(parents=True)
        twin.write_text(f'{{"id":{year},"s":{{"t":"x"}}}}\n')
    _, written = come_back(tmp_path / "lake", tmp_path / "copy", "t")
    assert written.files == ("t/year=2023/part-00000.csv", "t/year=2024/part-00000.csv")
    come_back(tmp_path / "lake", tmp_path / "copy", "j")


def test_more_folders_than_open_files_are_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sink, "FILES_AT_ONCE", 2)
    for key in "abcde":
        put(tmp_path / "lake", f"t/k={key}/x.parquet", SMALL)
    _, written = come_back(tmp_path / "lake", tmp_path / "copy", "t")
    assert {name.split("/")[1] for name in written.files} == {f"k={key}" for key in "abcde"}


def test_a_partitioned_root_and_one_beside_files_come_back(tmp_path: Path) -> None:
    put(tmp_path / "lake", "k=1/x.parquet", SMALL)
    put(tmp_path / "copy", "other.parquet", SMALL)
    come_back(tmp_path / "lake", tmp_path / "copy", ".")
    assert set(everything_below(tmp_path / "copy")) == {
        "other.parquet",
        "k=1/part-00000.parquet",
    }


@pytest.mark.parametrize("name", ["t.parquet", "a b/c'd\"e;`f$(x)%s.parquet", "é/漢\n.parquet"])
def test_a_file_comes_back_under_its_own_name(tmp_path: Path, name: str) -> None:
    put(tmp_path / "lake", name, SMALL)
    _, written = come_back(tmp_path / "lake", tmp_path / "copy", name)
    assert written.files == (name,)
    assert set(everything_below(tmp_path / "copy")) == {name}


@pytest.mark.parametrize(
    "change",
    [
        {"file_name": "/../x"},
        {"format": "xls"},
        {"schema": "AAAA"},
        {"options": {}},
        {"options": 1},
    ],
)
def test_data_that_describe_no_layout_are_refused(
    tmp_path: Path, change: dict[str, object]
) -> None:
    put(tmp_path, "t.parquet", SMALL)
    data = layout(tmp_path, "t.parquet").data()
    assert layout_from(json.loads(json.dumps(data))).data() == data
    for broken in (data | change, {key: data[key] for key in data if key not in change}):
        with pytest.raises(NotWritableError, match="no layout of a table"):
            layout_from(broken)


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    put(tmp_path, "t.parquet", SMALL)
    put(tmp_path, "p/k=1/x.parquet", SMALL)
    before = everything_below(tmp_path)
    for location in ("t.parquet", "p"):
        own = rows(tmp_path, tables(tmp_path)[location])
        with pytest.raises(NotWritableError, match="is there already"):
            write_table(layout(tmp_path, location), own, tmp_path, location)
    assert everything_below(tmp_path) == before


@pytest.mark.parametrize(
    "location", ["/etc/x.parquet", "../x.parquet", "a/../../x", "", "l/x", "a\0"]
)
def test_a_location_outside_of_the_lake_is_refused(tmp_path: Path, location: str) -> None:
    put(tmp_path / "lake", "t.parquet", SMALL)
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy/l").symlink_to(tmp_path)
    with pytest.raises(NotWritableError):
        write_table(
            layout(tmp_path / "lake", "t.parquet"),
            SMALL.to_batches(),
            tmp_path / "copy",
            location,
        )
    assert everything_below(tmp_path / "copy") == {}


def test_rows_that_fail_midway_leave_nothing(tmp_path: Path) -> None:
    put(tmp_path / "lake", "t.parquet", SMALL)
    put(tmp_path / "lake", "p/k=1/x.parquet", SMALL)

    def failing():  # type: ignore[no-untyped-def]
        yield from SMALL.to_batches()
        raise R2D2Error("the parent is gone")

    with pytest.raises(R2D2Error, match="the parent is gone"):
        write_table(
            layout(tmp_path / "lake", "t.parquet"), failing(), tmp_path / "copy", "t.parquet"
        )
    assert list((tmp_path / "copy").iterdir()) == []


def test_rows_of_another_table_are_refused(tmp_path: Path) -> None:
    put(tmp_path / "lake", "t.parquet", SMALL)
    for other in (SMALL.select(["t", "n"]), SMALL.set_column(0, "n", pa.array(["x", "y"]))):
        with pytest.raises(MisfitError):
            write_table(
                layout(tmp_path / "lake", "t.parquet"),
                other.to_batches(),
                tmp_path / "copy",
                "t.parquet",
            )
    assert list((tmp_path / "copy").iterdir()) == []


def test_a_key_that_would_be_read_as_another_type_is_refused(tmp_path: Path) -> None:
    put(tmp_path / "lake", "t/k=1/x.parquet", SMALL)
    put(tmp_path / "lake", "t/k=a/x.parquet", SMALL.slice(0, 0))
    own = rows(tmp_path / "lake", tables(tmp_path / "lake")["t"])
    with pytest.raises(NotWritableError, match="read with columns"):
        write_table(layout(tmp_path / "lake", "t"), own, tmp_path / "copy", "t")


def test_delta_without_its_writer_names_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    import deltalake

    deltalake.write_deltalake(str(tmp_path / "d"), SMALL)
    monkeypatch.setitem(sys.modules, "deltalake", None)
    with pytest.raises(MissingDependencyError, match=r"-m pip install .*\[delta\]"):
        write_table(layout(tmp_path, "d"), SMALL.to_batches(), tmp_path / "copy", "d")


def folders(root: Path) -> set[str]:
    """The folders of keys below a table's own."""
    return {path.parent.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}


SPELLED = [
    *(("01", "1"), ("1.0", "1e3"), ("2020-1-1", "2020-01-01"), ("TRUE", "False")),
    *(("2020-01-01 00%3A00%3A00", "x"), ("2020-01-01 00:00:00", "x"), ("a b", "a%20c")),
    *(("", "%5F_HIVE_DEFAULT_PARTITION__"), ("%c3%a9", "%C3%A8"), ("é", "ü"), ("x%2fy", "x%2Fz")),
    *(
        ("a=b", "a%3Dc"),
        ("NULL", "null"),
        ("-0", "+1"),
        ("a+b", "a%2Bc"),
        ("%", "%zz"),
        ("..", "."),
    ),
]


@pytest.mark.parametrize("values", SPELLED)
@pytest.mark.parametrize("key", ["k", "my key", "a%3Ab"])
def test_folders_come_back_as_they_were_called(
    tmp_path: Path, values: tuple[str, ...], key: str
) -> None:
    for value in (*values, "__HIVE_DEFAULT_PARTITION__"):
        put(tmp_path / "lake", f"t/{key}={value}/y=2024/x.parquet", SMALL)
    come_back(tmp_path / "lake", tmp_path / "copy", "t")
    assert folders(tmp_path / "copy/t") == folders(tmp_path / "lake/t")


INSIDE = [
    (pa.bool_(), {"true": True, "false": False}),
    (pa.bool_(), {"TRUE": True, "False": False}),
    (pa.float64(), {"1.0": 1.0, "1e3": 1000.0, "-0.0": -0.0, "nan": float("nan"), "inf": 1e999}),
    (pa.float64(), {"-0": -0.0, "NaN": float("nan"), "1": 1.0}),
    (pa.float32(), {"1.1": 1.1, "100000000": 1e8}),
    (pa.int64(), {"01": 1, "002": 2}),
    (pa.decimal128(9, 2), {"1.5": Decimal("1.5"), "2": Decimal(2)}),
    (pa.timestamp("us"), {"2020-01-01 00%3A00%3A00": 0, "2020-01-01 00%3A00%3A00.5": 500_000}),
    (pa.timestamp("ns"), {"2020-01-01T00:00:00": 0, "2020-01-01 00:00:01.000000": 10**9}),
    (pa.timestamp("us", "UTC"), {"2020-01-01 00%3A00%3A00Z": 0, "2020-01-01 00:00:01+00": 10**6}),
    (pa.date32(), {"2020-01-01": date(2020, 1, 1)}),
    (pa.string(), {"a b": "a b", "a%20c": "a c", "é": "é"}),
]


@pytest.mark.parametrize(("type_", "values"), INSIDE)
@pytest.mark.parametrize("name", ["k", "K"])
def test_folders_of_keys_that_stand_in_files_come_back_as_they_were_called(
    tmp_path: Path, type_: pa.DataType, values: dict[str, object], name: str
) -> None:
    start = 1577836800 * {"us": 10**6, "ns": 10**9}.get(getattr(type_, "unit", ""), 0)
    for text, value in (values | {"__HIVE_DEFAULT_PARTITION__": None}).items():
        value = value if not start or not isinstance(value, int) else start + value
        key = pa.array([value, value], type_)
        put(tmp_path / "lake", f"t/k={text}/x.parquet", SMALL.append_column(name, key))
    come_back(tmp_path / "lake", tmp_path / "copy", "t")
    assert folders(tmp_path / "copy/t") == folders(tmp_path / "lake/t")


@pytest.mark.parametrize("values", [("a b", "a%20b"), ("x%2fy", "x%2Fy"), ("a", "%61")])
def test_two_folders_of_one_value_do_not_come_back(tmp_path: Path, values: tuple[str, ...]) -> None:
    for value in values:
        put(tmp_path, f"t/k={value}/x.parquet", SMALL)
    with pytest.raises(NotWritableError, match=r"are of one value of k.*move the files into one"):
        layout(tmp_path, "t")


@pytest.mark.parametrize("name", ["k=1/../..", "../x", "k", "=x"])
def test_a_layout_whose_folders_lead_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    put(tmp_path, "t/k=a b/x.parquet", SMALL)
    data = layout(tmp_path, "t").data()
    assert data["folders"] == {"k=a%20b": "k=a b"}
    with pytest.raises(NotWritableError, match="no layout of a table"):
        layout_from(data | {"folders": {"k=a%20b": name}})
