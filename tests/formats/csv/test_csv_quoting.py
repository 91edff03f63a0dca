"""A copy of delimited text is read as the file was by the readers in use, or there is none.

polars takes an empty field for NULL, `""` for a text, and an empty line for a row.
"""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import duckdb
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from r2d2.errors import NotWritableError
from r2d2.formats.csv.quoting import MIXED_ENDS, NEEDLESS_QUOTES
from r2d2.lake.inventory import layout_from, layout_of
from r2d2.settings.find import Settings, TextRule
from r2d2.storage.local import LocalStorage
from tests.support.recipes.lakes import come_back, tables

ROWS = "1,x\n2,y\n3,x\n4,z\n"


def of_duckdb(path: Path) -> list[tuple[object, ...]]:
    return duckdb.sql(f"FROM read_csv('{path}')").fetchall()


def of_polars(path: Path) -> list[tuple[object, ...]]:
    return pl.read_csv(path).rows()


def of_pandas(path: Path) -> list[tuple[object, ...]]:
    return list(pd.read_csv(path).itertuples(index=False, name=None))


READERS: tuple[Callable[[Path], list[tuple[object, ...]]], ...] = (of_duckdb, of_polars, of_pandas)


def copied(tmp_path: Path, content: bytes, settings: Settings | None = None) -> bytes:
    """The copy's bytes, its rows the other way around."""
    lake, copy = tmp_path / "lake", tmp_path / "copy"
    lake.mkdir()
    (lake / "t.csv").write_bytes(content)
    come_back(lake, copy, "t.csv", settings)
    return (copy / "t.csv").read_bytes()


def data_of(tmp_path: Path, content: bytes, settings: Settings | None = None) -> dict[str, object]:
    (tmp_path / "t.csv").write_bytes(content)
    return layout_of(LocalStorage(str(tmp_path)), tables(tmp_path, settings)["t.csv"])


@pytest.mark.parametrize(
    "content",
    [
        pytest.param('id,b\n0,q\n1,""\n2,q\n3,""\n', id="quoted empty fields"),
        pytest.param("id,b\n0,q\n1,\n2,q\n3,\n", id="empty fields"),
        pytest.param('id,b,c\n0,"",\n1,"",x\n2,y,\n', id="a column of each"),
        pytest.param('"id","b"\n"0","q"\n"1",""\n', id="all quoted"),
        pytest.param('"id","b"\n0,"q"\n1,"w"\n2,""\n', id="texts quoted and numbers not"),
        pytest.param('id,b\n"007",true\n"008",false\n', id="quoted numbers"),
        pytest.param('id,b\n0,"a,b"\n1,c\n2,"say ""so"""\n', id="quotes where needed"),
        pytest.param('id,b\n0,"a,b"\n1,"c"\n2,"d\r\ne"\n', id="quotes where needed, and where not"),
        pytest.param("id,b\n0,q\n\n1,r\n\n\n2,s\n", id="empty lines"),
        pytest.param('id,b\n0,"q"\n\n1,"r"\n2,"s"\n\n', id="empty lines and quotes"),
        pytest.param("\nid,b\n\n0,q\n1,r\n", id="empty lines around the header"),
        pytest.param("id\n1\n\n2\n", id="an empty line in one column"),
        pytest.param('id\n1\n""\n2\n', id="an empty field in one column"),
        pytest.param('id,b\r\n0,"q\nr"\r\n1,\r\n', id="CR LF"),
        pytest.param('id,""\n0,q\n1,\n', id="an unnamed column"),
        pytest.param("id,b\n0,q\n1,", id="an empty field at the end"),
        pytest.param('id,b\n0,q\n1,""', id="a quoted empty field at the end"),
    ],
)
def test_a_copy_has_the_lines_that_the_file_had_and_is_read_alike(
    tmp_path: Path, content: str
) -> None:
    found = copied(tmp_path, content.encode())
    parted = content.splitlines(keepends=True)
    end = "\r\n" if "\r\n" in parted[0] else "\n"
    whole = content if content.endswith(end) else content + end
    assert sorted(found.decode().split(end)) == sorted(whole.split(end))
    for reader in READERS:
        one, other = (reader(tmp_path / place / "t.csv") for place in ("lake", "copy"))
        assert sorted(map(repr, one)) == sorted(map(repr, other)), reader.__name__


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        pytest.param('id,b\n0,q\n1,""\n2,\n', 'column b has both empty fields and ""', id="mixed"),
        pytest.param('id,b\n0,5" pipe\n1,q\n', "line 2: readers differ", id="a quote within"),
        pytest.param('id,b\n0,q\n1, "q"\n', "line 3: readers differ", id="a space and a quote"),
        pytest.param('id,b\n0,"q\\"r"\n1,\\"q\n', "line 3: readers differ", id="a bare escape"),
        pytest.param("id,b\n0,q\r1,r\n2,s\n", "end in CR alone", id="CR beside LF"),
    ],
)
def test_what_readers_would_take_otherwise_in_a_copy_is_refused(
    tmp_path: Path, content: str, reason: str
) -> None:
    with pytest.raises(NotWritableError, match=reason):
        data_of(tmp_path, content.encode())


def test_files_of_one_table_that_differ_in_empty_fields_or_form_are_refused(
    tmp_path: Path,
) -> None:
    forms = {
        'id,b\n0,""\n': 'has both empty fields and ""',
        '"id",b\n0,\n': "another header, title, mark or dialect",
        "id;b\n0;\n": "another header, title, mark or dialect",
        "A title\nid,b\n0,\n1,\n2,\n": "another header, title, mark or dialect",
        "id,b\n\n0,\n": "it has empty lines",
    }
    for number, (content, reason) in enumerate(forms.items()):
        lake = tmp_path / str(number)
        (lake / "t").mkdir(parents=True)
        (lake / "t/part-00000.csv").write_text("id,b\n5,\n")
        (lake / "t/part-00001.csv").write_text(content)
        with pytest.raises(NotWritableError, match=reason):
            layout_of(LocalStorage(str(lake)), tables(lake)["t"])


def test_files_of_one_table_in_two_encodings_are_refused(tmp_path: Path) -> None:
    (tmp_path / "t").mkdir()
    (tmp_path / "t/part-00000.csv").write_bytes("id,b\n0,é\n".encode("latin-1"))
    (tmp_path / "t/part-00001.csv").write_bytes("id,b\n0,é\n".encode())
    with pytest.raises(NotWritableError, match="of several encodings"):
        layout_of(LocalStorage(str(tmp_path)), tables(tmp_path)["t"])


@pytest.mark.parametrize("end", ["\n", ""])
@pytest.mark.parametrize("rows", ["1.5,x\n2.5,x\n3.5,x", '1.5,"x"\n2.5,"x"\n1.5,"x"\n3.5,""'])
def test_the_first_row_of_a_file_without_a_header_stays_the_first(
    tmp_path: Path, rows: str, end: str
) -> None:
    found = copied(tmp_path, (rows + end).encode()).decode()
    assert found.splitlines()[0] == rows.splitlines()[0]
    assert sorted(found.splitlines()) == sorted(rows.splitlines())
    for reader in READERS:
        one, other = (reader(tmp_path / place / "t.csv") for place in ("lake", "copy"))
        assert sorted(map(repr, one)) == sorted(map(repr, other)), reader.__name__


def test_what_no_reader_takes_notice_of_is_told_and_not_refused(tmp_path: Path) -> None:
    quotes = data_of(tmp_path, b'id,b\n0,"q"\n1,q\n2,NA\n')
    assert quotes["not_restored"] == [NEEDLESS_QUOTES]
    ends = data_of(tmp_path, b"id,b\r\n0,q\n1,r\r\n2,s\n")
    assert ends["not_restored"] == [MIXED_ENDS]


def test_a_marked_null_is_quoted_as_its_column_is(tmp_path: Path) -> None:
    settings = Settings(text=(TextRule("*", {"null_marker": "NA"}),))
    lake, copy = tmp_path / "lake", tmp_path / "copy"
    lake.mkdir()
    (lake / "t.csv").write_text('id,a,b\n0,"NA",NA\n1,"q",r\n')
    come_back(lake, copy, "t.csv", settings)
    assert (copy / "t.csv").read_text() == 'id,a,b\n1,"q",r\n0,"NA",NA\n'


def test_a_long_file_whose_only_quotes_are_at_its_end_comes_back(tmp_path: Path) -> None:
    rows = "".join(f"{number},{number % 7},\n" for number in range(300_000))
    content = f'id,a,b\n{rows}300000,"",\n'.encode()
    assert sorted(copied(tmp_path, content).split(b"\n")) == sorted(content.split(b"\n"))


def test_a_plan_of_old_without_quoting_is_written_as_it_was(tmp_path: Path) -> None:
    from r2d2.recipes.run.write_table import write_table
    from tests.support.recipes.lakes import rows

    data = data_of(tmp_path, b'"id","b"\n"0","q"\n')
    options = {"dialect", "encoding", "above", "newline", "mark", "is_detected"}
    found = json.loads(json.dumps(data["options"]))
    old = data | {"options": {key: found[key] for key in options}}
    own = rows(tmp_path, tables(tmp_path)["t.csv"])
    write_table(layout_from(old), own, tmp_path / "copy", "t.csv")
    assert (tmp_path / "copy/t.csv").read_text() == "id,b\n0,q\n"


FIELDS = st.sampled_from(["", "a", 7, "a,b", 'say "so"', "two\nlines", "two\r\nlines", " é ", ";"])


@given(
    st.integers(1, 4).flatmap(
        lambda width: st.lists(
            st.lists(FIELDS, min_size=width, max_size=width), min_size=1, max_size=8
        )
    ),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from(",;"),
)
def test_by_whatever_rule_a_writer_quotes_its_lines_come_back(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[list[object]],
    quoting: int,
    newline: str,
    delimiter: str,
) -> None:
    def text(records: list[list[object]]) -> bytes:
        out = io.StringIO(newline="")
        writer = csv.writer(out, delimiter=delimiter, quoting=quoting, lineterminator=newline)  # type: ignore[arg-type]
        writer.writerows([[f"name{number}" for number in range(len(rows[0]))], *records])
        return out.getvalue().encode()

    overrides = {"delimiter": delimiter, "quote": '"', "header": True, "skip_rows": 0}
    folder = tmp_path_factory.mktemp("quoting")
    found = copied(folder, text(rows), Settings(text=(TextRule("*", overrides),)))
    assert found == text(rows[::-1])
