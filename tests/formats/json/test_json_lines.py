"""JSON without types: texts by flattened key, or a refusal with its line."""

import gzip

import pytest

from r2d2.errors import IneligibleTableError, UnreadableTableError, UsageError
from r2d2.model import Column
from tests.support.oracle.files import both_ways, edges


def test_scalars_are_text_as_they_are_written(lake):
    content = '{"a":1,"b":1.0,"c":1e400,"d":true}\n{"a":-0,"b":"1.0","c":NaN,"d":"true"}\n'
    assert lake.rows("a.jsonl", content) == [
        ("1", "1.0", "1e400", "true"),
        ("-0", "1.0", "NaN", "true"),
    ]


def test_null_and_a_missing_key_are_null_and_the_empty_text_is_not(lake):
    content = '{"a":null,"b":""}\n{"b":"x","c":"null"}\n'
    table = lake.table("a.jsonl", content)
    assert [column.name for column in table.columns] == ["a", "b", "c"]
    assert lake.read(table) == [(None, "", None), (None, "x", "null")]
    assert table.rows == 2


def test_objects_are_flattened_and_a_dot_in_a_key_is_no_nesting(lake):
    table = lake.table("a.ndjson", '{"geo":{"lat":1,"at":{"x":2}},"geo.lat":3}\n')
    assert table.columns == (
        Column("geo.lat", "string", ("geo.lat",)),
        Column("geo.at.x", "string", ("geo.at.x",)),
        Column("`geo.lat`", "string", ("`geo.lat`",)),
    )
    assert lake.read(table) == [("1", "2", "3")]


def test_an_array_is_one_text_with_its_order_kept_and_keys_sorted(lake):
    content = '{"a":[1, 2.50,{"z":null,"y":"\\u00e9\\n"}, []]}\n{"a":[]}\n{"a":["1"]}\n'
    assert lake.rows("a.jsonl", content) == [
        ('[1,2.50,{"y":"é\\n","z":null},[]]',),
        ("[]",),
        ('["1"]',),
    ]


def test_a_key_may_be_object_text_and_null_by_turns(lake):
    table = lake.table("a.jsonl", '{"a":{"b":1}}\n{"a":null}\n{"a":{}}\n{"a":"x"}\n')
    assert [column.name for column in table.columns] == ["a.b", "a"]
    assert lake.read(table) == [("1", None), (None, None), (None, "{}"), (None, "x")]


def test_a_key_that_is_null_or_an_object_is_no_column_beside_the_objects(lake):
    assert lake.names("a.jsonl", '{"a":null}\n{"a":{"b":1}}\n') == ["a.b"]
    assert lake.names("a.jsonl", '{"a":null}\n') == ["a"]


def test_one_array_of_objects_is_a_table(lake):
    content = ' [ {"a":1} ,\n{"a":[2,{"b":"]"}],"c":3}\n]\n'
    assert lake.rows("a.json", content) == [("1", None), ('[2,{"b":"]"}]', "3")]


@pytest.mark.parametrize("ending", ["json", "jsonl"])
@pytest.mark.parametrize("separator", ["\n", "\r\n", "\n \n"])
def test_blank_lines_and_line_ends_make_no_rows(lake, ending, separator):
    assert lake.rows(f"a.{ending}", separator.join(['{"a":1}', '{"a":2}', ""])) == [("1",), ("2",)]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_the_encoding_is_told_by_the_mark(lake, encoding):
    assert lake.rows("a.jsonl", '{"ä":"ö"}\n'.encode(encoding)) == [("ö",)]


def test_an_encoding_can_be_named_and_other_settings_are_checked(lake):
    assert lake.rows("a.jsonl", '{"a":"ö"}\n'.encode("latin-1"), encoding="latin-1") == [("ö",)]
    with pytest.raises(UsageError, match="unknown text setting"):
        lake.table("a.jsonl", '{"a":1}\n', typo=1)


def test_compressed_json_is_read_in_pieces(lake):
    rows = [(str(number), f"{number}.0") for number in range(70_000)]
    lines = "\n".join(f'{{"a":{a},"b":{b}}}' for a, b in rows)
    assert lake.rows("A.JSONL.GZ", gzip.compress(lines.encode())) == rows
    array = "[" + lines.replace("\n", ",\n") + "]"
    assert lake.rows("a.json.gz", gzip.compress(array.encode())) == rows


def test_batches_stay_small_where_keys_are_many(lake, monkeypatch):
    monkeypatch.setattr("r2d2.formats.json.read.BATCH_VALUES", 6)
    content = "".join(f'{{"k{number % 3}":{number}}}\n' for number in range(9))
    assert len(lake.rows("a.jsonl", content)) == 9


DEEP = b"[" * 10_000 + b"]" * 10_000


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b'{"a":1}\n{"a":1} x\n', "line 2: no JSON: Extra data"),
        (b'{"a":1}\n{"a":1,"a":1}\n', "line 2: key 'a' twice in one object"),
        (b'{"a":1}\n{"b":{"a":1,"a":2}}\n', "line 2: key 'a' twice in one object"),
        (b'{"a":1}\n\n{"a":', "line 3: no JSON: Expecting value"),
        (b'{"a":1}\n{"a":"\xe9"}\n', "line 2: byte 0xe9 is not utf-8"),
        (b'{"a":1}\n{"a":"\\ud800"}\n', "line 2: half a surrogate pair"),
        (b'{"a":1}\n{"\\udfff":1}\n', "line 2: half a surrogate pair"),
        (b'{"a":1}\n{"a":["\\ud800"]}\n', "line 2: half a surrogate pair"),
        (b'{"a":1}\n{"a":' + DEEP + b"}\n", "line 2: nested deeper than 100 levels"),
        (b'{"a":' * 10_000, "line 1: nested deeper than 100 levels"),
        (b'{"a":' * 101 + b"1" + b"}" * 101, "line 1: nested deeper than 100 levels"),
        (b'{"a":"\t"}\n', "line 1: no JSON: Invalid control character"),
        (b"\n\n", "an empty file"),
        (b"", "an empty file"),
        (b'[{"a":1},\n{"a":1}', "line 2: no JSON: Expecting ',' delimiter"),
        (b'[{"a":1},\n]', "line 2: no JSON: Expecting value"),
        (b'[\n{"a":1}] []', "line 2: no JSON: Extra data"),
        (b'[{"a":1}\n{"a":2}]', "line 2: no JSON: Expecting ',' delimiter"),
        (b'[\n{"a":1,\n"a":2}]', "line 2: key 'a' twice"),
        (b"[\n" + DEEP + b"]", "line 2: nested deeper"),
    ],
)
def test_what_is_no_json_makes_the_file_unreadable_with_its_line(lake, content, reason):
    with pytest.raises(UnreadableTableError, match=reason):
        lake.table("a.json", content)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("3\n4\n", "line 1: a number where an object is expected"),
        ('{"a":1}\n[1]\n', "line 2: an array where an object"),
        ('["x"]\n', "line 1: text where an object"),
        ("[null]\n", "line 1: null where an object"),
        ('{\n "a": 1\n}\n', "line 1: one JSON value over several lines"),
        ("{}\n{}\n", "2 objects without any key"),
    ],
)
def test_json_that_is_no_table_is_ineligible(lake, content, reason):
    with pytest.raises(IneligibleTableError, match=reason):
        lake.table("a.json", content)


def test_keys_without_end_are_taken_for_data(lake):
    lines = (f'{{"user {number}":1}}' for number in range(10_001))
    with pytest.raises(IneligibleTableError, match="more than 10000 keys"):
        lake.table("a.jsonl", "\n".join(lines))


def test_a_value_without_end_is_refused_in_bounded_memory(lake, monkeypatch):
    monkeypatch.setattr("r2d2.formats.json.read.RECORD_BYTES", 1 << 16)
    with pytest.raises(UnreadableTableError, match="line 2: a value longer than"):
        lake.table("a.jsonl", b'{"a":1}\n{"a":"' + b"x" * (4 << 20))


def test_keys_that_differ_by_case_are_columns_where_case_is_told_apart(tmp_path):
    for name in ("one", "two"):
        (tmp_path / f"{name}.jsonl").write_text('{"a":1,"A":2}\n')
    (tmp_path / "child.jsonl").write_text('{"A":2}\n')
    expected = both_ways("one", "two") | {"child in one", "child in two"}
    assert edges(tmp_path, "local", case_sensitive=True) == expected
    assert edges(tmp_path, "local") == set()
