"""Random tables come back as they were written; random text is read as the grammar says."""

import csv
import io
from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from r2d2.errors import TableError, UnreadableTableError
from r2d2.formats.csv.fast_path import body
from r2d2.formats.csv.read import CsvContext, Parser
from r2d2.formats.csv.records import CsvDialect

relaxed = settings(
    max_examples=150,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
SPECIAL = ",;\t|\"'\\\r\n \0\ufeff#é😀NA0"
CELLS = st.text(st.sampled_from(SPECIAL) | st.characters(codec="utf-8"), max_size=8)


def tables(width: st.SearchStrategy[int]) -> st.SearchStrategy[list[tuple[str, ...]]]:
    return width.flatmap(lambda n: st.lists(st.tuples(*[CELLS] * n), min_size=1, max_size=8))


def written(rows: list[tuple[str, ...]], **dialect: object) -> bytes:
    out = io.StringIO(newline="")
    header = [f"name_{'abcdef'[number]}" for number in range(len(rows[0]))]
    csv.writer(out, **dialect).writerows([header, *rows])
    return out.getvalue().encode()


@relaxed
@given(
    tables(st.integers(2, 5)),
    st.sampled_from(",;\t|"),
    st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL, csv.QUOTE_NONNUMERIC]),
)
def test_a_table_with_a_plain_header_reads_back_without_any_setting(lake, rows, delimiter, quoting):
    content = written(rows, delimiter=delimiter, quoting=quoting, lineterminator="\r\n")
    assert lake.rows("a.csv", content) == rows


@relaxed
@given(tables(st.integers(1, 4)), st.sampled_from(["\n", "\r", "\r\n"]), st.sampled_from("\"'~"))
def test_any_line_end_and_quote_read_back(lake, rows, end, quote):
    content = written(rows, quoting=csv.QUOTE_ALL, lineterminator=end, quotechar=quote)
    assert lake.rows("a.csv", content, quote=quote, delimiter=",", header=True) == rows


@relaxed
@given(tables(st.integers(2, 4)), st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_NONE]))
def test_escapes_read_back(lake, rows, quoting):
    content = written(rows, quoting=quoting, escapechar="\\", doublequote=False)
    fixed = {"escape": "\\", "delimiter": ",", "skip_rows": 0, "header": True}
    assert lake.rows("a.csv", content, **fixed) == rows


@relaxed
@given(tables(st.integers(1, 3)), st.sampled_from(["utf-8-sig", "utf-16", "utf-32"]))
def test_any_marked_encoding_reads_back(lake, rows, encoding):
    content = written(rows, quoting=csv.QUOTE_ALL).decode().encode(encoding)
    assert lake.rows("a.csv", content, delimiter=",") == rows


def brute_force(text: str, dialect: CsvDialect, width: int) -> list[tuple[str, ...]] | None:
    """The rows by the grammar of `records`, one character at a time; None where it refuses."""
    quote, escape, breaks = dialect.quote or "", dialect.escape or "", ("\r", "\n")
    rows: list[tuple[str, ...]] = []
    at = 0
    while at < len(text):
        if text[at] in breaks:
            at += 1
            continue
        fields: list[str] = []
        while not fields or text[at : at + 1] == dialect.delimiter:
            at += bool(fields)
            field = ""
            inside = bool(quote) and text[at : at + 1] == quote
            at += inside
            special = {quote, escape} if inside else {quote, escape, dialect.delimiter, *breaks}
            while at < len(text):
                here, pair = text[at], text[at + 1 : at + 2]
                if (here == escape and pair and pair in special) or (
                    inside and here == quote == pair
                ):
                    field, at = field + pair, at + 2
                elif here == quote if inside else here in (dialect.delimiter, *breaks):
                    break
                else:
                    field, at = field + here, at + 1
            if inside and at == len(text):
                return None
            at += inside
            fields.append(field)
            if text[at : at + 1] not in ("", dialect.delimiter, *breaks):
                return None
        rows.append(tuple(fields))
    return rows if all(len(row) == width for row in rows) else None


def parsed(
    text: str, dialect: CsvDialect, width: int, cuts: list[int]
) -> list[tuple[str, ...]] | None:
    names = tuple(f"c{number}" for number in range(width))
    parser = Parser(CsvContext(dialect, names), names, "a.csv")
    try:
        return [
            row
            for block in body(_cut(text, cuts), dialect, "a.csv")
            for batch in parser.batches(block)
            for row in zip(*(column.to_pylist() for column in batch.columns), strict=True)
        ]
    except UnreadableTableError:
        return None


def _cut(text: str, cuts: list[int]) -> Iterator[bytes]:
    edges = [0, *sorted(cut % (len(text) + 1) for cut in cuts), len(text)]
    for start, end in pairwise(edges):
        if start < end:
            yield text[start:end].encode()


@pytest.mark.slow
@pytest.mark.parametrize(
    "dialect",
    [
        CsvDialect(header=False),
        CsvDialect(header=False, quote=None),
        CsvDialect(header=False, escape="\\"),
        CsvDialect(header=False, quote=None, escape="\\"),
        CsvDialect(header=False, delimiter=";", quote="'"),
    ],
    ids=CsvDialect.describe,
)
@settings(max_examples=400)
@given(
    text=st.text(st.sampled_from(",,;;\"\"''\n\n\r\\ a\ufeffé\0"), max_size=16),
    width=st.integers(1, 3),
    cuts=st.lists(st.integers(0, 16), max_size=3),
)
def test_any_text_cut_anywhere_reads_as_the_grammar_says(dialect, text, width, cuts):
    assert parsed(text, dialect, width, cuts) == brute_force(text, dialect, width)


@relaxed
@given(st.binary(max_size=60) | CELLS.map(str.encode), st.sampled_from(["csv", "tsv", "json"]))
def test_no_bytes_whatever_bring_down_more_than_their_table(lake, content, ending):
    with suppress(TableError):
        first = lake.rows(f"a.{ending}", content)
        assert lake.rows(f"a.{ending}", content) == first
