"""An inventory kept in a file: a later one is the same, and opens only what changed since."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import fastavro
import pyarrow as pa
import pyarrow.orc
import pyarrow.parquet as pq
import pytest
from deltalake import write_deltalake

import r2d2
from r2d2.errors import UnreadableTableError
from r2d2.formats.avro import read as avro
from r2d2.formats.orc import read as orc
from r2d2.formats.parquet import read as parquet
from r2d2.formats.parquet import small_files
from r2d2.lake.inventory import (
    INVENTORY_FILE,
    Inventory,
    inventory_json,
    load_inventory,
    read_split,
    take_inventory,
    unchanged,
)
from r2d2.model import FileGroup, Format, Table
from r2d2.plan.graph_file import load_graph, tables_now
from r2d2.report import write_find
from r2d2.settings.find import Settings
from r2d2.storage import local, storage_of

NESTED = pa.table(
    {
        "id": [1, 2, 3, 4, None],
        "place": [{"name": "é", "at.x": 1.5}, None, {"name": None, "at.x": 2.5}, None, None],
        "tags": [["a"], [], None, ["b", "c"], [None]],
    }
)
AVRO = {
    "type": "record",
    "name": "row",
    "fields": [
        {"name": "id", "type": ["null", "long"]},
        {"name": "tags", "type": {"type": "array", "items": "string"}},
    ],
}
KNOWN = {"empty.avro", "nested.orc", "nested.parquet", "plain.parquet"}
RUN = """{"schemas":[[{"name":"a","type":"int64","path":["a"]}]],"tables":[[{"path":"t.parquet",\
"size_bytes":9,"version":"7"},"parquet",0,1,"files:0",[[[0],1,9]],{}]]}"""


@pytest.fixture(autouse=True)
def _small_splits_and_no_rows_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    for reader in (avro, orc, parquet):
        monkeypatch.setattr(reader, "SPLIT_BYTES", 1)
    monkeypatch.setattr(small_files, "CACHE", small_files.SmallFileCache())


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    """Tables of one file that can be known again: of several splits, with nested columns."""
    lake = tmp_path / "lake"
    lake.mkdir()
    pq.write_table(NESTED, lake / "nested.parquet", row_group_size=2)
    pq.write_table(pa.table({"id": [1, 2]}), lake / "plain.parquet")
    many = pa.concat_tables([NESTED] * 2000)
    pyarrow.orc.write_table(many, lake / "nested.orc", stripe_size=1024, batch_size=1000)
    write_avro(lake / "empty.avro", 0)
    return lake


def write_avro(path: Path, rows: int) -> None:
    with path.open("wb") as file:
        fastavro.writer(file, AVRO, [{"id": n, "tags": ["a"]} for n in range(rows)], "deflate")


def write_others(lake: Path) -> None:
    """Tables that must be opened each time: what tells of them is not in one footer."""
    write_avro(lake / "rows.avro", 9)
    (lake / "t.csv").write_text("id\n1\n")
    (lake / "t.jsonl").write_text('{"id": 1}\n')
    write_deltalake(str(lake / "delta"), pa.table({"id": [1, 2]}))
    (lake / "hive" / "k=1").mkdir(parents=True)
    pq.write_table(pa.table({"id": [1, 2]}), lake / "hive" / "k=1" / "part.parquet")
    (lake / "rowless" / "k=1").mkdir(parents=True)
    write_avro(lake / "rowless" / "k=1" / "part.avro", 0)
    pq.write_table(pa.table({"a": [1], "A": [2]}), lake / "ineligible.parquet")
    (lake / "damaged.parquet").write_bytes(b"PAR1 and nothing else")


def inventory(lake: Path, known: dict[str, Table] | None = None) -> Inventory:
    return take_inventory(storage_of(str(lake)), Settings(), known)


@pytest.fixture(autouse=True)
def by_mtime(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are told apart by size and mtime alone, so that a test can change one unseen."""
    monkeypatch.setattr(local, "version_of", lambda status: str(status.st_mtime_ns))


def seen(lake: Path) -> dict[str, Table]:
    """What an inventory that is taken now knows later."""
    return load_inventory(inventory_json(inventory(lake).tables))


def by_location(found: Inventory) -> dict[str, Table]:
    return {table.location: table for table in found.tables}


def unbounded(found: Inventory) -> Inventory:
    return replace(found, tables=tuple(replace(table, bounds={}) for table in found.tables))


def rewrite(path: Path, content: bytes, mtime_ns: int | None = None) -> None:
    """Puts the content there and keeps the time of the last change, or sets it."""
    before = path.stat().st_mtime_ns
    path.write_bytes(content)
    os.utime(path, ns=(before, before if mtime_ns is None else mtime_ns))


def blind(lake: Path) -> None:
    """Makes the files unreadable; their sizes and times stay."""
    for name in KNOWN:
        rewrite(lake / name, bytes((lake / name).stat().st_size))


def test_tables_come_back_equal_but_for_bounds(lake: Path, bounds_from: str) -> None:
    found = unbounded(inventory(lake))
    assert load_inventory(inventory_json(found.tables)) == by_location(found)
    assert by_location(found).keys() == KNOWN
    splits = {table.location: len(table.splits) for table in found.tables}
    assert splits == {"empty.avro": 0, "nested.orc": 10, "nested.parquet": 3, "plain.parquet": 1}


def test_what_was_found_with_bounds_or_without_is_kept_as_the_same_text(lake: Path) -> None:
    first = inventory(lake)
    assert any(table.bounds for table in first.tables)
    text = inventory_json(first.tables)
    again = inventory(lake, load_inventory(text))
    assert not any(table.bounds for table in again.tables)
    assert inventory_json(again.tables) == text


def test_an_inventory_with_known_tables_is_the_one_without(lake: Path) -> None:
    write_others(lake)
    assert unbounded(inventory(lake, seen(lake))) == unbounded(inventory(lake))


def test_what_one_footer_does_not_tell_is_never_known(lake: Path) -> None:
    write_others(lake)
    every = by_location(inventory(lake)).keys()
    others = {"rows.avro", "t.csv", "t.jsonl", "delta", "hive", "rowless"}
    assert every == KNOWN | others | {"ineligible.parquet", "damaged.parquet"}
    assert seen(lake).keys() == KNOWN


def test_what_is_unchanged_is_not_opened_and_never_read_wrong(lake: Path) -> None:
    before, known = unbounded(inventory(lake)), seen(lake)
    small_files.CACHE = small_files.SmallFileCache()
    blind(lake)
    found = inventory(lake, known)
    assert found == before
    for table in found.tables:
        for split in table.splits:
            with pytest.raises(UnreadableTableError, match=f"^{table.location}: "):
                list(read_split(storage_of(str(lake)), split, [table.columns[0].name]))
    assert all(table.unreadable for table in inventory(lake).tables)


def test_known_tables_are_read_as_they_were(lake: Path) -> None:
    known, storage = seen(lake), storage_of(str(lake))
    small_files.CACHE = small_files.SmallFileCache()
    batches = [
        batch
        for split in inventory(lake, known).tables[2].splits
        for batch in read_split(storage, split, NESTED.column_names)
    ]
    assert pa.Table.from_batches(batches).to_pylist() == NESTED.to_pylist()


@pytest.mark.parametrize("name", sorted(KNOWN))
def test_another_time_or_size_opens_a_table_anew(lake: Path, name: str) -> None:
    known, path = seen(lake), lake / name
    content = path.read_bytes()
    rewrite(path, bytes(len(content)), path.stat().st_mtime_ns + 1)
    assert by_location(inventory(lake, known))[name].unreadable
    rewrite(path, content, int(known[name].files[0].version))
    assert by_location(inventory(lake, known))[name] == known[name]
    rewrite(path, content + b"\0")
    assert by_location(inventory(lake, known))[name].unreadable


def test_a_table_written_anew_is_told_as_it_is_now(lake: Path) -> None:
    known = seen(lake)
    pq.write_table(pa.table({"other": ["x"] * 9}), lake / "plain.parquet")
    table = by_location(inventory(lake, known))["plain.parquet"]
    assert ([column.name for column in table.columns], table.rows) == (["other"], 9)
    assert table.snapshot != known["plain.parquet"].snapshot


def test_what_vanished_is_gone_and_what_is_new_is_there(lake: Path) -> None:
    known = seen(lake)
    (lake / "plain.parquet").rename(lake / "new.parquet")
    (lake / "nested.orc").unlink()
    found = inventory(lake, known)
    locations = ["empty.avro", "nested.parquet", "new.parquet"]
    assert [table.location for table in found.tables] == locations
    assert found.tables[2].rows == 2
    assert unbounded(found) == unbounded(inventory(lake))


def to_hive(path: Path) -> None:
    (path / "k=1").mkdir(parents=True)
    pq.write_table(pa.table({"id": [1, 2, 3]}), path / "k=1" / "part.parquet")


def to_delta(path: Path) -> None:
    write_deltalake(str(path), pa.table({"id": [1, 2, 3]}))


@pytest.mark.parametrize("become", [to_hive, to_delta])
def test_a_file_that_became_a_folder_is_opened_anew(
    lake: Path, become: Callable[[Path], None]
) -> None:
    known = seen(lake)
    (lake / "plain.parquet").unlink()
    become(lake / "plain.parquet")
    assert by_location(inventory(lake, known))["plain.parquet"].rows == 3
    assert unbounded(inventory(lake, known)) == unbounded(inventory(lake))


def test_only_the_same_files_of_the_same_format_are_the_same_table(lake: Path) -> None:
    known = seen(lake)
    table = known["plain.parquet"]
    group = FileGroup(table.location, table.format, table.files)
    assert unchanged(group, known) == table
    assert unchanged(group, {}) is None
    assert unchanged(replace(group, partitioned=True), known) is None
    assert unchanged(replace(group, format=Format.ORC), known) is None
    assert unchanged(replace(group, files=group.files * 2), known) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        RUN[:-1],
        RUN + RUN,
        RUN.replace("7", "\x07"),
        RUN.replace('"int64"', "64"),
        RUN.replace("parquet", "parquets"),
        RUN.replace("schemas", "schemes"),
        RUN.replace('"parquet",0', '"parquet",1'),
        RUN.replace('"parquet",0', '"parquet",null'),
        RUN.replace('"parquet",0', '"parquet",-1'),
        RUN.encode().replace(b"t.parquet", b"\xff.parquet", 1),
        '{"x":' + "[" * 100_000,
        RUN.replace('"path"', '"way"'),
        RUN.replace(",{}]]", "]]"),
        b"\xff" + RUN.encode(),
        b"\0" * 64,
    ],
)
def test_text_that_is_damaged_or_of_another_shape_knows_nothing(text: str | bytes) -> None:
    assert [*load_inventory(RUN), *load_inventory(RUN.encode())] == ["t.parquet"] * 2
    assert load_inventory(text) == {}


def test_a_plan_opens_only_what_changed_since_find(lake: Path, tmp_path: Path) -> None:
    write_others(lake)
    run, storage = tmp_path / "run", storage_of(str(lake))
    write_find(run, r2d2.find(lake), Settings(), str(lake))
    expected, graph = by_location(unbounded(inventory(lake))), load_graph(run)
    pq.write_table(pa.table({"other": [1, 2, 3]}), lake / "new.parquet")
    blind(lake)
    found = tables_now(run, graph, storage)
    assert found.pop("new.parquet").rows == 3
    assert {name: replace(table, bounds={}) for name, table in found.items()} == expected


def test_a_plan_of_a_run_without_an_inventory_or_with_a_damaged_one_opens_all(
    lake: Path, tmp_path: Path
) -> None:
    run, storage = tmp_path / "run", storage_of(str(lake))
    write_find(run, r2d2.find(lake), Settings(), str(lake))
    graph = load_graph(run)
    blind(lake)
    assert not any(table.unreadable for table in tables_now(run, graph, storage).values())
    (run / INVENTORY_FILE).write_bytes((run / INVENTORY_FILE).read_bytes()[:-9])
    assert all(table.unreadable for table in tables_now(run, graph, storage).values())
    (run / INVENTORY_FILE).unlink()
    assert all(table.unreadable for table in tables_now(run, graph, storage).values())
