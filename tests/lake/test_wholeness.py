"""A table is whole or it is unreadable: what is left out below its folder refuses it."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import write_deltalake

from r2d2.explain import explain_pair
from r2d2.lake.grouping import Grouping, group_files
from r2d2.lake.wholeness import APART
from r2d2.model import FileGroup, FileInfo, Format
from r2d2.settings.find import Settings
from r2d2.storage.local import Listing
from tests.support.oracle.asking import ask, find

ROWS = pa.table({"id": list(range(20)), "v": [f"v{n}" for n in range(20)]})
ONE_MORE = pa.table({"id": [5000], "v": ["only here"]})


def grouped(
    paths: Sequence[str],
    left_out: Sequence[str] = (),
    links: dict[str, str] | None = None,
) -> Grouping:
    files = tuple(FileInfo(path, 1, "1") for path in sorted(paths))
    return group_files(Listing(files, {}, tuple((p, "a FIFO") for p in left_out), links or {}))


def by_location(found: Grouping) -> dict[str, FileGroup]:
    groups = {group.location: group for group in found.groups}
    assert len(groups) == len(found.groups)
    return groups


HIVE = ("p/k=1/a.parquet", "p/k=3/c.parquet", "other.parquet")


@pytest.mark.parametrize(
    "path", ["p/k=2", "p/k=2/b.parquet", "p/k=2/b.csv", "p/k=1/j=1/b.parquet", "p/b", "p/k=2/b"]
)
def test_what_is_left_out_below_a_partitioned_folder_makes_it_unreadable(path: str) -> None:
    found = grouped(HIVE, [path])
    groups = by_location(found)
    assert groups.keys() == {"p", "other.parquet"}
    problem = groups["p"].problem
    assert problem is not None
    assert path in problem
    assert "a FIFO" in problem
    assert groups["other.parquet"].problem is None
    assert [file.path for file in groups["p"].files] == list(HIVE[:2])
    assert not found.left_out


@pytest.mark.parametrize("path", ["p/_temporary", "p/k=1/.a.crc", "p/_temporary/0/b.parquet"])
def test_a_hidden_name_is_no_data_of_a_partitioned_folder(path: str) -> None:
    found = grouped(HIVE, [path])
    assert by_location(found)["p"].problem is None
    assert found.skipped == {"name starts with _ or .": 1}


def test_a_link_below_a_table_makes_it_unreadable_and_keeps_what_it_leads_to() -> None:
    found = grouped((*HIVE, "store/b.parquet"), links={"p/k=2/b.parquet": "store/b.parquet"})
    groups = by_location(found)
    assert groups["p"].problem
    assert "p/k=2/b.parquet" in (groups["store/b.parquet"].must_keep or "")
    assert groups["store/b.parquet"].problem is None
    assert groups["other.parquet"].must_keep is None


def test_a_link_beside_tables_is_counted_and_a_loop_keeps_nothing() -> None:
    found = grouped(("a/x.parquet", "y.parquet"), links={"b": "a", "a/again": "a", "a/top": ""})
    groups = by_location(found)
    assert found.skipped == {"symbolic link to what is listed itself": 3}
    assert groups["a/x.parquet"].must_keep == "the symbolic link b leads to it"
    assert groups["y.parquet"].must_keep is None


def test_a_link_to_a_part_keeps_the_table() -> None:
    groups = by_location(grouped(HIVE, links={"x.parquet": "p/k=1/a.parquet"}))
    assert groups["p"].must_keep == "the symbolic link x.parquet leads to it"


@pytest.mark.parametrize("path", ["t/_delta_log", "t/_delta_log/01.json", "t/_x/y", "t/.part.crc"])
def test_any_name_left_out_matters_in_the_folder_of_a_format(path: str) -> None:
    files = ["t/part.parquet", "u.parquet"]
    files += [] if path == "t/_delta_log" else ["t/_delta_log/00.json"]
    groups = by_location(grouped(files, [path]))
    assert groups.keys() == {"t", "u.parquet"}
    assert groups["t"].format is Format.DELTA
    assert path in (groups["t"].problem or "")


@pytest.mark.parametrize("path", ["t/metadata", "t/metadata/v3.metadata.json", "t/.hoodie"])
@pytest.mark.parametrize("data", ["t/data/a.parquet", "t/a.parquet"])
def test_metadata_left_out_lets_no_data_file_become_a_table(path: str, data: str) -> None:
    groups = by_location(grouped([data, "u.parquet"], [path]))
    assert {name: group.problem is None for name, group in groups.items()} == {
        "t": False,
        "u.parquet": True,
    }


def test_a_folder_called_metadata_beside_the_lake_s_tables_says_nothing() -> None:
    found = grouped(["a.parquet", "b/c.parquet"], ["metadata"])
    assert by_location(found).keys() == {"a.parquet", "b/c.parquet"}
    assert found.left_out == (("metadata", "a FIFO"),)


def test_a_file_left_out_may_be_all_that_shows_partitions() -> None:
    groups = by_location(grouped(["other.parquet"], ["p/k=2/b.parquet", "p/k=3/b.csv"]))
    assert groups.keys() == {"p", "other.parquet"}
    assert groups["p"].problem
    assert groups["p"].files == ()


def test_files_that_may_be_partitions_of_one_table_are_kept() -> None:
    groups = by_location(grouped(["t/y=1/a.parquet", "t/y=2/b.csv", "u.csv"]))
    assert {name for name, group in groups.items() if group.must_keep} == {
        "t/y=1/a.parquet",
        "t/y=2/b.csv",
    }


@pytest.mark.parametrize(
    ("path", "may_be_part"),
    [
        ("p/k=2/000000_0", True),
        ("p/k=2/sub/b.parquet", True),
        ("p/b.parquet", True),
        ("p/b.csv", False),
        ("p/docs/b.parquet", False),
        ("q/b.parquet", None),
        ("p/README", None),
        ("p0.parquet", None),
    ],
)
def test_what_is_inside_a_table_s_folder_and_not_its_own_is_named(
    path: str, may_be_part: bool | None
) -> None:
    groups = by_location(grouped([*HIVE, path]))
    assert groups["p"].inside == (() if may_be_part is None else (path,))
    assert (groups["p"].must_keep is not None) is bool(may_be_part)
    if path in groups:
        assert (groups[path].must_keep is not None) is bool(may_be_part)
    assert groups["other.parquet"].must_keep is None


@pytest.mark.parametrize(
    "marker", ["_delta_log/0.json", ".hoodie/hoodie.properties", "metadata/v1.metadata.json"]
)
@pytest.mark.parametrize("deeper", ["", "/j=1"])
def test_a_table_in_the_place_of_a_partition_keeps_both(marker: str, deeper: str) -> None:
    paths = (f"t/k=1{deeper}/{marker}", f"t/k=1{deeper}/a.parquet", f"t/k=2{deeper}/b.parquet")
    found = group_files(Listing(tuple(FileInfo(path, 1, "1") for path in paths)))
    kept = {group.location: group.must_keep for group in found.groups}
    inside = f"t/k=1{deeper}"
    assert kept == {
        "t": f"{inside} in its folder may be a part of it{APART}",
        inside: f"it lies in t and may be a part of it{APART}",
    }


def test_a_delta_table_inside_another_is_named() -> None:
    files = ["t/_delta_log/0.json", "t/a.parquet", "t/u/_delta_log/0.json", "t/u/b.parquet"]
    groups = by_location(grouped(files))
    assert groups.keys() == {"t"}
    assert groups["t"].inside == ("t/u",)


def hive(lake: Path) -> Path:
    """The file of the partition whose row is nowhere else."""
    for key in (1, 2):
        (lake / f"p/k={key}").mkdir(parents=True)
    pq.write_table(ROWS, lake / "p/k=1/a.parquet")
    pq.write_table(ONE_MORE, lake / "p/k=2/b.parquet")
    pq.write_table(
        ROWS.append_column("k", pa.array([1] * 20, pa.int32())), lake / "archive.parquet"
    )
    return lake / "p/k=2/b.parquet"


def delta(lake: Path) -> Path:
    """The newest commit, whose row is nowhere else."""
    write_deltalake(str(lake / "p"), ROWS)
    write_deltalake(str(lake / "p"), ONE_MORE, mode="append")
    pq.write_table(ROWS, lake / "archive.parquet")
    return lake / "p/_delta_log" / f"{1:020}.json"


def link_to(target: str) -> Callable[[Path, Path], None]:
    def link(path: Path, lake: Path) -> None:
        (lake / target).parent.mkdir(exist_ok=True)
        path.rename(lake / target)
        path.symlink_to(lake / target)

    return link


def fifo(path: Path, lake: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def broken(path: Path, lake: Path) -> None:
    path.unlink()
    path.symlink_to("nowhere")


def no_utf8(path: Path, lake: Path) -> None:
    os.rename(path, os.fsencode(path.parent) + b"/b\xe9.parquet")


OBSTACLES = {
    "a link into the lake": link_to("store/blob.bin"),
    "a link to a hidden name": link_to(".store/blob.bin"),
    "a link out of the lake": link_to("../outside"),
    "a broken link": broken,
    "a FIFO": fifo,
    "a name that is not UTF-8": no_utf8,
}


@pytest.mark.parametrize("obstacle", OBSTACLES)
@pytest.mark.parametrize("table", [hive, delta])
def test_no_part_of_a_table_is_taken_for_the_whole(
    tmp_path: Path, engine: str, table: Callable[[Path], Path], obstacle: str
) -> None:
    lake = tmp_path / "lake"
    lake.mkdir()
    OBSTACLES[obstacle](table(lake), lake)
    answer = ask(lake, engine)
    assert answer.unreadable == {"p"}
    assert answer.columns.keys() == {"p", "archive.parquet"}
    assert not answer.edges


@pytest.mark.parametrize("place", ["p/k=2", "p/_delta_log"])
def test_a_folder_that_is_a_link_refuses_its_table(tmp_path: Path, place: str) -> None:
    (delta if "log" in place else hive)(tmp_path)
    link_to("store/folder")(tmp_path / place, tmp_path)
    graph = find(tmp_path)
    tables = {table.location: table for table in graph.tables}
    assert tables["p"].unreadable
    assert not [name for name in tables if name.startswith("p/")]


@pytest.mark.parametrize("place", ["p/k=2", "p/_delta_log"])
def test_a_folder_whose_listing_breaks_off_refuses_its_table(
    tmp_path: Path, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (delta if "log" in place else hive)(tmp_path)
    scandir = os.scandir

    @contextmanager
    def breaking(path: str) -> Iterator[Iterator["os.DirEntry[str]"]]:
        with scandir(path) as entries:
            yield _broken_off(entries) if path.endswith(place) else entries

    monkeypatch.setattr(os, "scandir", breaking)
    answer = ask(tmp_path)
    assert answer.unreadable == {"p"}
    assert answer.columns.keys() == {"p", "archive.parquet"}


def _broken_off(entries: "Iterator[os.DirEntry[str]]") -> "Iterator[os.DirEntry[str]]":
    yield next(entries)
    raise OSError(5, "Input/output error")


def test_executors_are_told_what_is_not_whole(
    tmp_path: Path, engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("r2d2.engines.spark.lake.DRIVER_TABLES", 1)
    fifo(hive(tmp_path), tmp_path)
    os.mkfifo(tmp_path / "alone.parquet")
    answer = ask(tmp_path, engine)
    assert answer.unreadable == {"p", "alone.parquet"}
    assert not answer.edges


def test_explain_tells_that_a_table_is_not_whole(tmp_path: Path) -> None:
    fifo(hive(tmp_path), tmp_path)
    found = explain_pair(str(tmp_path), "archive.parquet", "p", Settings(), 0)
    assert "not whole without p/k=2/b.parquet" in found.evidence[-1].reason


@pytest.mark.parametrize("name", ["data", "x.bak", "b.pqt", "x.parquet.1", "x.parquet.tmp"])
@pytest.mark.parametrize("folder", ["t", "t/k=1"])
def test_a_part_whose_name_tells_no_format_refuses_its_table(
    tmp_path: Path, folder: str, name: str
) -> None:
    (tmp_path / folder).mkdir(parents=True)
    pq.write_table(ROWS, tmp_path / folder / "part-00000-c000.parquet")
    pq.write_table(ROWS, tmp_path / "all.parquet")
    pq.write_table(ONE_MORE, tmp_path / folder / name)
    answer = ask(tmp_path)
    assert answer.edges == {}
    assert answer.problems.keys() == {"t"}
    assert f"not whole without {folder}/{name}" in answer.problems["t"]


@pytest.mark.parametrize("content", [b"how this was made", b"", b"{}"])
def test_what_is_of_another_format_is_no_part(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "t").mkdir()
    pq.write_table(ROWS, tmp_path / "t/part-00000-c000.parquet")
    (tmp_path / "t/README").write_bytes(content)
    assert ask(tmp_path).problems == {}


def test_any_text_in_a_folder_of_text_may_be_rows_of_it(tmp_path: Path) -> None:
    (tmp_path / "t").mkdir()
    (tmp_path / "t/part-00000.csv").write_text("a,b\n1,2\n")
    (tmp_path / "t/more").write_text("a,b\n3,4\n")
    (tmp_path / "t/parquet").write_bytes(b"PAR1 and so on")
    assert "not whole without t/more, " in ask(tmp_path).problems["t"]
