"""Reading what is really there: one test for each line of design/semantics.md, on every engine."""

import gzip
import json
import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

import r2d2
from r2d2.errors import LakeError
from r2d2.settings.find import TextRule
from tests.support.oracle.asking import ask, find
from tests.support.oracle.files import (
    AtFirstScan,
    all_equal,
    both_ways,
    delta_log,
    edges,
    one,
    text,
    write,
)


def test_text_files_have_no_types(tmp_path: Path, engine: str) -> None:
    text(
        tmp_path,
        padded_csv="x\n00123\n",
        bare_csv="x\n123\n",
        decimal_csv="x\n123.0\n",
        nan_csv="x\nNaN\n",
        json_number_jsonl='{"x": 123}\n',
        json_text_jsonl='{"x": "123"}\n',
    )
    write(tmp_path, number=one([123]), not_a_number=one([float("nan")]))
    write(tmp_path, padded_text=one(["00123"]), nan_text=one(["NaN"]))
    equal = both_ways("padded", "padded_text") | both_ways("nan", "nan_text")
    equal |= all_equal("bare", "json_number", "json_text")
    assert edges(tmp_path, engine) == equal
    assert edges(tmp_path, engine, types="widened") == equal


def test_an_empty_csv_field_is_the_empty_text_quoted_or_not(tmp_path: Path, engine: str) -> None:
    text(tmp_path, bare_csv="x,y\n,1\n", quoted_csv='x,y\n"",1\n', spaced_csv="x,y\n ,1\n")
    write(tmp_path, empty={"x": [""], "y": ["1"]})
    write(tmp_path, null={"x": pa.array([None], pa.string()), "y": ["1"]})
    assert edges(tmp_path, engine) == all_equal("bare", "quoted", "empty")


def test_a_quoted_empty_field_alone_is_a_row_and_a_blank_line_is_none(
    tmp_path: Path, engine: str
) -> None:
    text(tmp_path, rows_csv='x\n""\na\n', blank_csv="x\n\na\n\n", one_csv="x\na\n")
    expected = both_ways("blank", "one") | {"blank in rows", "one in rows"}
    assert edges(tmp_path, engine) == expected


WORDS = ["NA", "NULL", "\\N", "null", "None", "N/A", "-"]


def test_no_word_in_a_csv_is_null_unless_a_marker_is_set(tmp_path: Path, engine: str) -> None:
    for number, word in enumerate(WORDS):
        text(tmp_path, **{f"csv{number}_csv": f"x,y\n{word},{number}\n"})
        write(tmp_path, **{f"text{number}": {"x": [word], "y": [str(number)]}})
        null = pa.array([None], pa.string())
        write(tmp_path, **{f"null{number}": {"x": null, "y": [str(number)]}})
    words = [both_ways(f"csv{n}", f"text{n}") for n in range(len(WORDS))]
    assert edges(tmp_path, engine) == set().union(*words)
    rules = (TextRule(f"csv{n}.csv", {"null_marker": word}) for n, word in enumerate(WORDS))
    nulls = [both_ways(f"csv{n}", f"null{n}") for n in range(len(WORDS))]
    marked = r2d2.Settings(text=tuple(rules))
    assert edges(tmp_path, engine, settings=marked) == set().union(*nulls)


def test_csv_fields_are_not_trimmed(tmp_path: Path, engine: str) -> None:
    text(
        tmp_path,
        bare_csv="x,y\na,b\n",
        after_csv="x,y\na ,b\n",
        before_csv="x,y\na, b\n",
        tab_csv="x,y\na\t,b\n",
        quoted_csv='x,y\n"a","b "\n',
    )
    assert edges(tmp_path, engine) == set()


def test_json_null_and_a_missing_key_are_null_and_empty_text_is_not(
    tmp_path: Path, engine: str
) -> None:
    text(
        tmp_path,
        null_jsonl='{"x": null, "y": "1"}\n{"x": "a", "y": "2"}\n',
        missing_jsonl='{"y": "1"}\n{"x": "a", "y": "2"}\n',
        empty_jsonl='{"x": "", "y": "1"}\n{"x": "a", "y": "2"}\n',
    )
    write(tmp_path, table={"x": [None, "a"], "y": ["1", "2"]})
    assert edges(tmp_path, engine) == all_equal("null", "missing", "table")


ROWS = "x{0}y{0}z\na{0}1.5{0}\u00e9\nb{0}2.5{0}\u00fc\nc{0}3.5{0}e\n"
DIALECTS = {
    "comma.csv": ROWS.format(",").encode(),
    "semicolon.csv": ROWS.format(";").encode(),
    "tab.tsv": ROWS.format("\t").encode(),
    "pipe.csv": ROWS.format("|").encode(),
    "bom.csv": ROWS.format(",").encode("utf-8-sig"),
    "utf16.csv": ROWS.format(",").encode("utf-16"),
    "latin1.csv": ROWS.format(",").encode("latin-1"),
    "crlf.csv": ROWS.format(",").replace("\n", "\r\n").encode(),
    "unfinished.csv": ROWS.format(",").encode().rstrip(),
    "quoted.csv": '"x","y","z"\n"a","1.5","\u00e9"\n"b","2.5","\u00fc"\n"c","3.5","e"\n'.encode(),
    "gzipped.csv.gz": gzip.compress(ROWS.format(",").encode()),
    "zstd.csv.zst": zstandard.compress(ROWS.format(",").encode()),
}


def test_a_csv_dialect_is_found_for_each_file_and_shown(tmp_path: Path, engine: str) -> None:
    for name, content in DIALECTS.items():
        (tmp_path / name).write_bytes(content)
    assert edges(tmp_path, engine) == all_equal(*(name.split(".")[0] for name in DIALECTS))
    shown = {
        table.location: " ".join(table.details.values()) for table in r2d2.tables(tmp_path).tables
    }
    assert "';'" in shown["semicolon.csv"]
    assert "'\\t'" in shown["tab.tsv"]
    assert "utf-16" in shown["utf16.csv"].lower().replace("utf_16", "utf-16")


def test_a_csv_dialect_can_be_set_instead(tmp_path: Path, engine: str) -> None:
    text(tmp_path / "odd", file_csv="title\n'a;b';c\n'1;2';3\n")
    write(tmp_path, table={"a;b": ["1;2"], "c": ["3"]})
    rule = TextRule("odd/*.csv", {"delimiter": ";", "quote": "'", "skip_rows": 1})
    settings = r2d2.Settings(text=(rule,))
    assert edges(tmp_path, engine, settings=settings) == both_ways("odd/file", "table")


def test_values_with_delimiters_quotes_and_line_ends_are_whole(tmp_path: Path, engine: str) -> None:
    text(tmp_path, file_csv='x,y\n"a,b","say ""hi"""\n"two\nlines","\r\n"\n')
    write(tmp_path, table={"x": ["a,b", "two\nlines"], "y": ['say "hi"', "\r\n"]})
    assert edges(tmp_path, engine) == both_ways("file", "table")


def test_a_folder_with_a_delta_log_is_one_table_of_its_live_files(
    tmp_path: Path, engine: str
) -> None:
    write(tmp_path / "delta", live=one([1, 2]), dead=one([9]))
    delta_log(tmp_path / "delta", [("x", "long")], [{"path": "live.parquet"}])
    write(tmp_path, same=one([1, 2]), dead_row=one([9]))
    assert edges(tmp_path, engine) == both_ways("delta", "same")


def test_a_delta_table_is_read_at_the_version_that_the_run_began_with(
    tmp_path: Path, engine: str
) -> None:
    log = tmp_path / "delta" / "_delta_log"
    write(tmp_path / "delta", old=one([1, 2]), new=one([3]))
    write(tmp_path, then=one([1, 2]), now=one([1, 2, 3]))
    delta_log(tmp_path / "delta", [("x", "long")], [{"path": "old.parquet"}])
    size = (tmp_path / "delta" / "new.parquet").stat().st_size
    more = {"path": "new.parquet", "partitionValues": {}, "size": size, "dataChange": True}
    add = json.dumps({"add": more | {"modificationTime": 0}})
    commit = AtFirstScan(lambda: (log / f"{1:020}.json").write_text(add))
    graph = find(tmp_path, engine, progress=commit)
    found = {(edge.child, edge.parent) for edge in graph.edges}
    parents = {("delta", "now.parquet"), ("then.parquet", "now.parquet")}
    assert found == parents | {("delta", "then.parquet"), ("then.parquet", "delta")}
    assert edges(tmp_path, engine) == both_ways("delta", "now") | {"then in delta", "then in now"}


@pytest.mark.spark
def test_sparks_own_leave_to_skip_damaged_files_is_not_taken(tmp_path: Path, spark: Any) -> None:
    write(tmp_path, good=one([1]), copy=one([1]), bad=one([1]))
    (tmp_path / "bad.parquet").write_bytes((tmp_path / "bad.parquet").read_bytes()[:-9])
    for name in ("ignoreCorruptFiles", "ignoreMissingFiles"):
        spark.conf.set(f"spark.sql.files.{name}", "true")
    try:
        assert ask(tmp_path, "spark").unreadable == {"bad.parquet"}
    finally:
        for name in ("ignoreCorruptFiles", "ignoreMissingFiles"):
            spark.conf.unset(f"spark.sql.files.{name}")


def test_a_folder_with_iceberg_metadata_is_one_table(tmp_path: Path, engine: str) -> None:
    write(tmp_path / "iceberg" / "data", part=one([1]))
    metadata = tmp_path / "iceberg" / "metadata"
    metadata.mkdir()
    (metadata / "v1.metadata.json").write_text("{}")
    write(tmp_path, other=one([1]))
    answer = ask(tmp_path, engine)
    assert answer.edges == {}
    assert answer.problems.keys() == {"iceberg"}


def test_hive_folders_of_one_format_are_one_table(tmp_path: Path, engine: str) -> None:
    write(tmp_path / "hive" / "region=US" / "name=a%2Fb", part=one([1, 2]))
    write(tmp_path / "hive" / "region=__HIVE_DEFAULT_PARTITION__" / "name=c", part=one([3]))
    write(
        tmp_path,
        whole={"x": [1, 2, 3], "REGION": ["US", "US", None], "name": ["a/b", "a/b", "c"]},
        inner={"x": [1]},
    )
    expected = both_ways("hive", "whole") | {"inner in hive", "inner in whole"}
    assert edges(tmp_path, engine) == expected


def test_partition_names_and_values_are_unescaped(tmp_path: Path, engine: str) -> None:
    write(tmp_path / "hive" / "a%3Ab=c%2Fd%25", part=one([1]))
    write(tmp_path / "hive" / "a%3Ab=\u00e9 +", part=one([2]))
    write(tmp_path, whole={"x": [1, 2], "A:B": ["c/d%", "\u00e9 +"]})
    write(tmp_path / "dotted" / "a.b=c", part=one([1]))
    write(tmp_path, dots={"x": [1], "a.b": ["c"]})
    assert edges(tmp_path, engine) == both_ways("hive", "whole") | both_ways("dotted", "dots")


def test_partition_values_keep_their_zeros(tmp_path: Path, engine: str) -> None:
    for folder, values in (("padded", ("01", "2")), ("bare", ("1", "2"))):
        for value in values:
            write(tmp_path / folder / f"month={value}", part=one([7]))
    answer = ask(tmp_path, engine)
    assert answer.edges == {}
    assert answer.columns["padded"]["month"] == "string"


def test_hive_folders_of_text_files_are_one_table(tmp_path: Path, engine: str) -> None:
    text(tmp_path / "hive" / "p=a", part_csv="x\n1\n")
    text(tmp_path / "hive" / "p=b", part_csv="x\n2\n")
    text(tmp_path, whole_csv="p,x\na,1\nb,2\n")
    assert edges(tmp_path, engine) == both_ways("hive", "whole")


def test_hive_folders_of_two_formats_are_not_one_table(tmp_path: Path, engine: str) -> None:
    write(tmp_path / "mixed" / "p=a", part=one(["1"]))
    text(tmp_path / "mixed" / "p=b", part_csv="x\n1\n")
    found = {table.location for table in r2d2.tables(tmp_path).tables}
    assert found == {"mixed/p=a/part.parquet", "mixed/p=b/part.csv"}
    assert ask(tmp_path, engine).among(*found) == {tuple(found), tuple(found)[::-1]}


def test_any_other_folder_is_a_folder_of_tables(tmp_path: Path, engine: str) -> None:
    write(tmp_path / "parts", a=one([1]), b=one([1, 2]))
    write(tmp_path / "a.parquet", inner=one([1]))
    assert {table.location for table in r2d2.tables(tmp_path).tables} == {
        "parts/a.parquet",
        "parts/b.parquet",
        "a.parquet/inner.parquet",
    }
    expected = both_ways("parts/a", "a.parquet/inner")
    expected |= {"parts/a in parts/b", "a.parquet/inner in parts/b"}
    assert edges(tmp_path, engine) == expected


NAMES = [
    *("t[12]", "t*", "t?", "{a,b}", "a b", "it's", 'say "hi"', "\u00e9", "e\u0301", "%2F", "a%20b"),
    *(
        "-rf",
        "--out",
        "a\nb",
        "<script>",
        "$HOME",
        "~",
        "a\\b",
        "a#b",
        "a?b&c",
        "a;b",
        "a,b",
        "a:b",
    ),
    *("CON", "a..", "\U0001f600", "a\tb", "\u202ebackwards", "s3:", "file:", "=x", "T1", "\u212a"),
]


def test_a_name_is_only_a_name(tmp_path: Path, engine: str) -> None:
    expected = set()
    for number, name in enumerate(NAMES):
        write(tmp_path / name, x=one([number, -1]))
        write(tmp_path, **{f"{name}file": one([number, -1])})
        folder, file = f"{name}/x.parquet", f"{name}file.parquet"
        expected |= {(folder, file), (file, folder)}
    write(tmp_path / "t1", x=one([-2]))
    answer = ask(tmp_path, engine)
    assert answer.edges.keys() == expected
    assert answer.columns.keys() == {name for pair in expected for name in pair} | {"t1/x.parquet"}
    assert not answer.problems


def test_a_name_of_255_bytes_is_only_a_name(tmp_path: Path, engine: str) -> None:
    name = "\u00e9" * 123 + "n"
    write(tmp_path, **{name: one([1])}, copy=one([1]))
    assert edges(tmp_path, engine) == both_ways(name, "copy")


def test_hidden_names_are_skipped_and_counted(tmp_path: Path, engine: str) -> None:
    for name in ("_hidden", ".hidden"):
        write(tmp_path, **{name: one([1])})
        write(tmp_path / name, inner=one([1]))
    text(tmp_path, **{"_SUCCESS": b""})
    (tmp_path / ".x.crc").write_bytes(b"1")
    write(tmp_path, shown=one([1]))
    graph = find(tmp_path, engine=engine)
    assert [table.location for table in graph.tables] == ["shown.parquet"]
    assert sum(graph.skipped.values()) >= 5
    assert any("_" in reason for reason in graph.skipped)


def test_what_is_no_data_file_is_skipped_and_counted(tmp_path: Path, engine: str) -> None:
    for name in ("base.csv~", "BASE.CSV.bak", "notes.md", "a.parquet.crc", "noending"):
        (tmp_path / name).write_text("x\n1\n")
    text(tmp_path, upper_CSV="x\n1\n", lower_csv="x\n1\n")
    graph = find(tmp_path, engine=engine)
    assert {table.location for table in graph.tables} == {"upper.CSV", "lower.csv"}
    assert sum(graph.skipped.values()) == 5


def test_a_link_out_of_the_lake_is_refused(tmp_path: Path, engine: str) -> None:
    lake, outside = tmp_path / "lake", tmp_path / "outside"
    write(outside, secret=one([1]))
    write(lake, inside=one([1]), copy=one([1]))
    (lake / "file.parquet").symlink_to(outside / "secret.parquet")
    (lake / "folder").symlink_to(outside)
    (lake / "up").symlink_to("..")
    (lake / "absolute").symlink_to("/etc")
    answer = ask(lake, engine)
    assert answer.edges.keys() == {
        ("inside.parquet", "copy.parquet"),
        ("copy.parquet", "inside.parquet"),
    }
    assert answer.problems.keys() == {"file.parquet", "folder", "up", "absolute"}
    assert all("leaves the lake" in problem for problem in answer.problems.values())


def test_a_link_within_the_lake_is_no_second_table(tmp_path: Path, engine: str) -> None:
    write(tmp_path / "a", x=one([1]))
    write(tmp_path, other=one([1]))
    (tmp_path / "link.parquet").symlink_to("a/x.parquet")
    (tmp_path / "b").symlink_to("a")
    answer = ask(tmp_path, engine)
    assert answer.columns.keys() == {"a/x.parquet", "other.parquet"}
    assert not answer.problems


def test_the_lake_itself_may_be_a_link(tmp_path: Path, engine: str) -> None:
    write(tmp_path / "real", a=one([1]), b=one([1]))
    (tmp_path / "lake").symlink_to("real")
    assert edges(tmp_path / "lake", engine) == both_ways("a", "b")
    assert edges(tmp_path / "real" / ".." / "lake", engine) == both_ways("a", "b")


def test_loops_of_links_end_and_broken_ones_are_named(tmp_path: Path, engine: str) -> None:
    write(tmp_path / "folder", a=one([1]), b=one([1]))
    (tmp_path / "folder" / "again").symlink_to(".")
    (tmp_path / "folder" / "top").symlink_to("..")
    (tmp_path / "self").symlink_to("self")
    (tmp_path / "one").symlink_to("two")
    (tmp_path / "two").symlink_to("one")
    (tmp_path / "gone.parquet").symlink_to("nowhere.parquet")
    answer = ask(tmp_path, engine)
    assert answer.edges.keys() == {
        ("folder/a.parquet", "folder/b.parquet"),
        ("folder/b.parquet", "folder/a.parquet"),
    }
    assert answer.problems.keys() == {"self", "one", "two", "gone.parquet"}


@pytest.mark.parametrize("path", ["../outside/part.parquet", "%2E%2E/outside/part.parquet"])
def test_a_delta_log_does_not_lead_out_of_the_lake(tmp_path: Path, engine: str, path: str) -> None:
    lake = tmp_path / "lake"
    write(tmp_path / "outside", part=one([1]))
    write(lake, same=one([1]))
    (lake / "delta").mkdir()
    adds = [{"path": "../../outside/part.parquet"}]
    delta_log(lake / "delta", [("x", "long")], adds)
    log = lake / "delta" / "_delta_log" / f"{0:020}.json"
    log.write_text(log.read_text().replace("../../outside/part.parquet", f"../{path}"))
    answer = ask(lake, engine)
    assert answer.edges == {}
    assert answer.problems.keys() == {"delta"}


def test_page_checksums_are_verified(tmp_path: Path, engine: str) -> None:
    options = {"write_page_checksum": True, "compression": "none", "use_dictionary": False}
    write(tmp_path, options, good=one([1, 2, 3]), copy=one([1, 2, 3]), bad=one([1, 2, 3]))
    bad = tmp_path / "bad.parquet"
    data = bad.read_bytes()
    assert data.count(b"\2\0\0\0\0\0\0\0") == 1
    bad.write_bytes(data.replace(b"\2\0\0\0\0\0\0\0", b"\3\0\0\0\0\0\0\0"))
    answer = ask(tmp_path, engine)
    assert answer.edges.keys() == {
        ("good.parquet", "copy.parquet"),
        ("copy.parquet", "good.parquet"),
    }
    assert answer.unreadable == {"bad.parquet"}


@pytest.mark.parametrize("min_fraction", [1.0, 0.5])
def test_rows_that_a_reader_drops_do_not_go_unnoticed(
    tmp_path: Path, engine: str, min_fraction: float
) -> None:
    lists = pa.list_(pa.string())
    write(tmp_path, {"data_page_size": 1}, tiny=one([["a"]], lists))
    write(tmp_path, {"data_page_size": 1, "row_group_size": 1}, groups=one([["a"], ["b"]], lists))
    write(tmp_path, plain=one([["a"]], lists), other=one([["c"]], lists))
    assert pq.read_metadata(tmp_path / "tiny.parquet").num_rows == 1
    answer = ask(tmp_path, engine, min_fraction=min_fraction)
    assert not answer.degenerate
    if not answer.problems:
        assert ("tiny.parquet", "plain.parquet") in answer.edges
        assert ("tiny.parquet", "groups.parquet") in answer.edges
    assert not any("other.parquet" in pair for pair in answer.edges)
    assert answer.problems.keys() <= {"tiny.parquet", "groups.parquet"}
    assert answer.problems.keys() == answer.unreadable


def test_an_empty_lake_and_a_missing_one(tmp_path: Path, engine: str) -> None:
    assert ask(tmp_path, engine).edges == {}
    with pytest.raises(LakeError, match="nowhere"):
        find(tmp_path / "nowhere", engine=engine)


def test_the_inventory_is_the_tables_that_find_looks_at(tmp_path: Path, engine: str) -> None:
    write(tmp_path / "hive" / "p=1", part=one([1]))
    text(tmp_path, file_csv="x\n1\n", lines_jsonl=json.dumps({"x": "1"}) + "\n")
    (tmp_path / "bad.parquet").write_bytes(b"no")
    os.mkdir(tmp_path / "nothing")
    listed = {table.location: table.problem for table in r2d2.tables(tmp_path).tables}
    found = {t.location: t.problem for t in find(tmp_path, engine=engine).tables}
    assert listed == found
    assert listed.keys() == {"hive", "file.csv", "lines.jsonl", "bad.parquet"}


@pytest.mark.spark
def test_one_frame_as_delta_as_micros_and_as_int96_is_one_class(
    tmp_path: Path, engine: str, spark: Any
) -> None:
    instants = "timestamp_micros(id * 997000001 - 600000000000000)"
    frame = spark.sql(f"SELECT id, IF(id % 9 = 0, NULL, {instants}) t FROM range(100)").coalesce(1)
    frame.write.format("delta").save(str(tmp_path / "delta"))
    setting = "spark.sql.parquet.outputTimestampType"
    before = spark.conf.get(setting)
    for kind in ("INT96", "TIMESTAMP_MICROS", "TIMESTAMP_MILLIS"):
        spark.conf.set(setting, kind)
        frame.write.parquet(str(tmp_path / kind.lower()))
    spark.conf.set(setting, before)
    (part,) = (tmp_path / "int96").glob("*.parquet")
    assert pq.ParquetFile(part).schema.column(1).physical_type == "INT96"
    names = ("delta", "int96", "timestamp_micros")
    found = edges(tmp_path, engine)
    assert all_equal(*names) == {pair for pair in found if "timestamp_millis" not in pair}
