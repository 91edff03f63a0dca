"""Delimited text and JSON lines come back field for field."""

import gzip
import json
from pathlib import Path

import duckdb
import pytest
import zstandard

from r2d2.errors import NotWritableError
from r2d2.lake.inventory import layout_from, layout_of
from r2d2.settings.find import Settings, TextRule
from r2d2.storage.local import LocalStorage
from tests.support.recipes.lakes import come_back, tables

HOSTILE = [
    ["id", "a b", 'q"uote', "comma,name"],
    ["1", "", 'say "hi"', "x,y"],
    ["00123", " padded ", "line\nbreak", "cr\r\nlf"],
    ["NaN", "NULL", "é漢", "\\"],
    ["1", "'", "#", ";\t|"],
]


def text_of(records: list[list[str]], newline: str = "\n", delimiter: str = ",") -> str:
    quoted = ((f.replace('"', '""') for f in record) for record in records)
    return "".join(delimiter.join(f'"{f}"' for f in record) + newline for record in quoted)


def lake_of(tmp_path: Path, name: str, content: bytes) -> tuple[Path, Path]:
    lake = tmp_path / "lake"
    (lake / name).parent.mkdir(parents=True, exist_ok=True)
    (lake / name).write_bytes(content)
    return lake, tmp_path / "copy"


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize(("name", "delimiter"), [("t.csv", ","), ("t.csv", ";"), ("t.tsv", "\t")])
def test_delimited_text_comes_back_in_its_dialect(
    tmp_path: Path, newline: str, name: str, delimiter: str
) -> None:
    text = text_of(HOSTILE, newline, delimiter)
    lake, copy = lake_of(tmp_path, name, text.encode())
    again, _ = come_back(lake, copy, name)
    assert again.details == tables(lake)[name].details
    turned = text_of([HOSTILE[0], *reversed(HOSTILE[1:])], newline, delimiter)
    assert (copy / name).read_bytes() == turned.encode()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1", "utf-16", "utf-32"])
def test_text_comes_back_in_its_encoding(tmp_path: Path, encoding: str) -> None:
    text = "name;count\r\ncafé;1\r\nnaïve;2\r\n"
    lake, copy = lake_of(tmp_path, "t.csv", text.encode(encoding))
    come_back(lake, copy, "t.csv")
    lines = text.splitlines(keepends=True)
    turned = "".join([lines[0], *reversed(lines[1:])])
    assert (copy / "t.csv").read_bytes() == turned.encode(encoding)


def test_an_encoding_that_only_the_end_of_a_file_tells_is_kept(tmp_path: Path) -> None:
    text = "name,count\n" + "plain,1\n" * 20_000 + "café,2\n"
    lake, copy = lake_of(tmp_path, "t.csv", text.encode("latin-1"))
    come_back(lake, copy, "t.csv")
    assert "café".encode("latin-1") in (copy / "t.csv").read_bytes()


def test_compressed_text_comes_back_compressed(tmp_path: Path) -> None:
    content = text_of(HOSTILE).encode()
    lake, copy = lake_of(tmp_path, "t.csv.gz", gzip.compress(content))
    lake_of(tmp_path, "t.jsonl.zst", zstandard.compress(b'{"a": 1}\n{"a": 2.50}\n'))
    come_back(lake, copy, "t.csv.gz")
    come_back(lake, copy, "t.jsonl.zst")
    assert gzip.decompress((copy / "t.csv.gz").read_bytes()).startswith(b'"id","a b","q""uote"')
    packed = (copy / "t.jsonl.zst").read_bytes()
    plain = zstandard.ZstdDecompressor().decompressobj().decompress(packed)
    assert plain == b'{"a":2.50}\n{"a":1}\n'


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"sep=;\na;b\n1;2\n", id="a separator line"),
        pytest.param(b"A title\n\nid,name,n\n1,x,2\n2,y,3\n", id="a title"),
        pytest.param(b'a,b\n"say \\"hi\\"",1\n"back\\\\slash",2\n', id="escapes"),
        pytest.param(b'a\n1\n""\n2\n', id="an empty field alone"),
        pytest.param(b"1.5,x\n2.5,x\n3.5,x\n", id="no header"),
        pytest.param(b"a,b\n", id="no rows"),
    ],
)
def test_what_stands_around_the_records_comes_back(tmp_path: Path, content: bytes) -> None:
    lake, copy = lake_of(tmp_path, "t.csv", content)
    if content == b"a,b\n":
        from r2d2.recipes.run.write_table import write_table

        data = layout_of(LocalStorage(str(lake)), tables(lake)["t.csv"])
        write_table(layout_from(data), [], copy, "t.csv")
        assert (copy / "t.csv").read_bytes() == content
    else:
        come_back(lake, copy, "t.csv")


def test_a_null_marker_of_the_settings_comes_back(tmp_path: Path) -> None:
    settings = Settings(text=(TextRule("*", {"null_marker": "NA", "delimiter": "|"}),))
    lake, copy = lake_of(tmp_path, "t.csv", b"a|b\nNA|1\n|x,y\n")
    come_back(lake, copy, "t.csv", settings)
    assert (copy / "t.csv").read_bytes() == b"a|b\n|x,y\nNA|1\n"


def test_duckdb_reads_the_same_from_text_that_came_back(tmp_path: Path) -> None:
    lake, copy = lake_of(tmp_path, "t.csv", text_of(HOSTILE).encode())
    come_back(lake, copy, "t.csv")
    read = "SELECT * FROM read_csv('{}/t.csv', all_varchar=true, header=true, quote='\"')"
    one, other = (duckdb.sql(read.format(place)).fetchall() for place in (lake, copy))
    assert sorted(map(repr, one)) == sorted(map(repr, other))
    assert len(one) == len(HOSTILE) - 1


OBJECTS = [
    {"n": 1.50, "text": "12a", "deep": {"a.b": True, "`": [1, {"z": None, "a": "é"}]}},
    {"n": 2, "text": None, "deep": {"a.b": False}, "none": {}},
    {"n": 10**30, "text": "", "deep": {"a.b": None, "`": []}, "late": {"x": {"y": "\\"}}},
    {"text": "\"'\n", "deep": {}},
]


@pytest.mark.parametrize("is_array", [False, True])
def test_json_comes_back_with_its_nesting_and_types(tmp_path: Path, is_array: bool) -> None:
    lines = "\n".join(map(json.dumps, OBJECTS[:3]))
    content = json.dumps(OBJECTS[:3]) if is_array else lines
    lake, copy = lake_of(tmp_path, "t.json", content.encode())
    come_back(lake, copy, "t.json")
    found = (copy / "t.json").read_text()
    objects = json.loads(found) if is_array else [json.loads(line) for line in found.splitlines()]
    assert [o["n"] for o in objects] == [10**30, 2, 1.5]
    assert objects[2]["deep"] == OBJECTS[0]["deep"]
    assert objects[0]["late"] == {"x": {"y": "\\"}}


def test_duckdb_reads_the_same_from_json_that_came_back(tmp_path: Path) -> None:
    content = b'{"a":1,"s":{"t":"x","u":[1,2]}}\n{"a":2.5,"s":{"t":null}}\n{"a":null,"s":null}\n'
    lake, copy = lake_of(tmp_path, "t.jsonl", content)
    come_back(lake, copy, "t.jsonl")
    read = "SELECT a, s.t, s.u FROM read_json('{}/t.jsonl') ORDER BY ALL"
    one, other = (duckdb.sql(read.format(place)) for place in (lake, copy))
    assert one.types == other.types
    assert one.fetchall() == other.fetchall()


def test_a_key_that_holds_a_number_and_the_text_of_one_is_refused(tmp_path: Path) -> None:
    lake, _ = lake_of(tmp_path, "t.jsonl", b'{"a":1}\n{"a":"1"}\n')
    with pytest.raises(NotWritableError, match="a holds numbers, truths or arrays, and text like"):
        layout_of(LocalStorage(str(lake)), tables(lake)["t.jsonl"])


def test_an_empty_object_where_others_have_keys_is_refused_if_its_place_changes(
    tmp_path: Path,
) -> None:
    lake, copy = lake_of(tmp_path, "t.jsonl", b'{"a":{}}\n{"a":{"b":1}}\n')
    with pytest.raises(NotWritableError, match="read with columns"):
        come_back(lake, copy, "t.jsonl")


def test_text_that_is_like_a_number_stays_text(tmp_path: Path) -> None:
    lake, copy = lake_of(tmp_path, "t.jsonl", b'{"a":"1","b":1}\n{"a":"true","b":"x"}\n')
    come_back(lake, copy, "t.jsonl")
    assert (copy / "t.jsonl").read_bytes() == b'{"a":"true","b":"x"}\n{"a":"1","b":1}\n'


def test_a_key_that_is_text_here_and_an_object_there_comes_back(tmp_path: Path) -> None:
    content = b'{"a":"x"}\n{"a":{"b":1}}\n{"a":"y"}\n'
    lake, copy = lake_of(tmp_path, "t.jsonl", content)
    come_back(lake, copy, "t.jsonl")
    assert (copy / "t.jsonl").read_bytes() == b'{"a":"y"}\n{"a":{"b":1}}\n{"a":"x"}\n'


@pytest.mark.parametrize("second", ['{"b":2}', '{"a":null,"b":2}'])
def test_missing_keys_of_json_are_told(tmp_path: Path, second: str) -> None:
    lake, _ = lake_of(tmp_path, "t.jsonl", f'{{"a":"x","b":1}}\n{second}\n'.encode())
    told = layout_of(LocalStorage(str(lake)), tables(lake)["t.jsonl"])["not_restored"]
    assert ("which keys are missing where others have null" in told) == (second == '{"b":2}')
