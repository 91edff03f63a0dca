"""Text is decoded strictly; a guess never makes two different texts one."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from r2d2.errors import UnreadableTableError
from r2d2.formats import compression
from r2d2.formats.csv.encoding import encoding_of, utf_8

TEXT = "naïve;größe\nçà;Ångström\n"


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "latin-1", "utf-16-be"]
)
def test_the_same_text_in_any_encoding_is_the_same_table(lake, encoding):
    mark = b"\xfe\xff" if encoding == "utf-16-be" else b""
    table = lake.table("a.csv", mark + TEXT.encode(encoding))
    assert [column.name for column in table.columns] == ["naïve", "größe"]
    assert lake.read(table) == [("çà", "Ångström")]


def test_an_encoding_can_be_named(lake):
    content = "имя;город\nАнна;Москва\n".encode("cp1251")
    assert lake.rows("a.csv", content, encoding="cp1251") == [("Анна", "Москва")]
    assert lake.rows("a.csv", "a\n€\n".encode("cp1252"), encoding="windows-1252") == [("€",)]


@pytest.mark.parametrize("encoding", ["cp1251", "gbk", "euc_jp", "koi8_r"])
def test_text_that_is_not_western_is_not_guessed_at(lake, encoding):
    words = {"gbk": "姓名,城市\n安娜,莫斯科\n", "euc_jp": "名前,都市\n山田,東京\n"}
    content = words.get(encoding, "имя,город\nАнна,Москва\n").encode(encoding)
    with pytest.raises(UnreadableTableError, match=r"neither UTF-8 .* Set `encoding`"):
        lake.table("a.csv", content)


def test_bytes_that_encodings_disagree_on_equal_no_real_text(lake):
    smart, plain = "a\nit’s\n".encode("cp1252"), "a\nit’s\n".encode()
    assert lake.rows("a.csv", smart) == [("it\x92s",)]
    assert lake.rows("a.csv", plain) == [("it’s",)]


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_the_encoding_may_show_late(lake, encoding):
    rows = [("plain", str(number)) for number in range(40_000)] + [("é", "è")] * 2
    content = "\n".join(["a,b", *map(",".join, rows)]).encode(encoding)
    table = lake.table("a.csv", content)
    assert table.details["encoding"] == "ascii"
    assert lake.read(table) == rows


def test_bytes_that_the_encoding_does_not_have_make_the_file_unreadable(lake):
    content = b"a,b\n\xc3\xa9,1\n" + b"x,y\n" * 20_000 + b"\xe9t\xe9,2\n"
    table = lake.table("a.csv", content)
    with pytest.raises(UnreadableTableError, match=r"line 20003.*0xe9.* is not utf-8"):
        lake.read(table)


def test_a_character_cut_off_at_the_end_makes_the_file_unreadable(lake):
    with pytest.raises(
        UnreadableTableError, match=r"a\.csv: line 3: .* is not utf-8: unexpected end"
    ):
        lake.rows("a.csv", b"a\n\xc3\xa9\n\xc3")


def test_damaged_utf_8_is_not_taken_for_latin_1(lake):
    with pytest.raises(UnreadableTableError, match="line 3: byte 0xe9 is not utf-8"):
        lake.rows("a.csv", b"a\n\xc3\xa9\n\xe9\n\xc3\xa8\n")


def test_a_mark_after_a_long_plain_start_is_a_character(lake, monkeypatch):
    monkeypatch.setattr("r2d2.formats.compression.SMALL_FILE_BYTES", 0)
    piece = compression.PIECE_BYTES
    content = b"a\n" + b"x" * (piece - 3) + b"\n" + "\ufeffy\n".encode()
    assert lake.rows("a.csv", content)[1:] == [("\ufeffy",)]


def test_bytes_of_a_column_not_asked_for_are_checked_too(lake):
    table = lake.table("a.csv", b"a,b\n1,\xc3\xa9\n" + b"1,2\n" * 20_000 + b"2,\xe9\n")
    with pytest.raises(UnreadableTableError):
        lake.read(table, ["a"])


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"PK\x03\x04....", "zip archive or Excel"),
        (b"PAR1....", "Parquet"),
        (b"\x1f\x8b\x08\x00", "gzip"),
        (b"a\0,\0b\0\n\0", "UTF-16 without its mark"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "neither UTF-8"),
    ],
)
def test_what_is_no_text_is_named(lake, content, what):
    with pytest.raises(UnreadableTableError, match=what):
        lake.table("a.csv", content)


@settings(max_examples=300)
@given(
    text=st.text(st.sampled_from("ab,\n\r\ufeff") | st.characters(codec="utf-8"), max_size=12),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32"]),
    cuts=st.lists(st.integers(0, 40), max_size=4),
)
def test_text_cut_between_any_bytes_is_the_text(text, encoding, cuts):
    content = ("a" + text).encode(encoding)
    edges = [0, *sorted(min(cut, len(content)) for cut in cuts), len(content)]
    pieces = [content[start:end] for start, end in pairwise(edges) if start < end]
    decoded = b"".join(utf_8(pieces, encoding_of(content), "a.csv"))
    assert decoded.decode() == "a" + text


@settings(max_examples=200)
@given(late=st.binary(max_size=8), cuts=st.lists(st.integers(0, 30), max_size=4))
def test_what_bytes_mean_does_not_depend_on_how_they_are_cut(late, cuts):
    content = b"plain " + late
    edges = [0, *sorted(min(cut, len(content)) for cut in cuts), len(content)]
    pieces = [content[start:end] for start, end in pairwise(edges) if start < end]
    assert outcome(pieces) == outcome([content])


def outcome(pieces):
    try:
        return b"".join(utf_8(pieces, "ascii", "a.csv"))
    except UnreadableTableError as error:
        return str(error)
