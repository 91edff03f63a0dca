"""Titles above a table of any delimiter are skipped; what may be a title or a table is told."""

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import r2d2
from r2d2.cli.find_text import table_lines
from r2d2.formats.csv.detect import detect
from r2d2.formats.csv.records import CsvDialect
from r2d2.report import inventory_data
from r2d2.settings.find import DOUBT, LEFT_OUT, Settings, TextRule
from tests.support.oracle.files import all_equal, edges, text

DELIMITERS = ",;\t|"
ROWS = "id,name,city\n1,Ann,Rome\n2,Bob,Oslo\n3,Cid,Lima\n"
PEOPLE = "name,city,land\nAnn,Rome,Italy\nBob,Oslo,Norway\n"
WORDS = st.text(st.characters(categories=["Lu", "Ll", "Nd"]), min_size=1, max_size=6)


def of(delimiter: str, rows: str) -> bytes:
    return rows.replace(",", delimiter).encode()


def test_a_title_above_a_table_of_any_delimiter_is_no_row(tmp_path: Path, engine: str) -> None:
    title = "Extract of 2025-01-06\n"
    text(tmp_path, clean_csv=ROWS + "4,Dan,Kiev\n", near_csv=title + "id;name;city\n1;Ann;Pisa\n")
    names = {"comma": ",", "semi": ";", "tab": "\t", "bar": "|"}
    for name, delimiter in names.items():
        (tmp_path / f"{name}.csv").write_bytes(title.encode() + of(delimiter, ROWS))
    assert edges(tmp_path, engine) == all_equal(*names) | {f"{name} in clean" for name in names}


@pytest.mark.parametrize("delimiter", DELIMITERS)
@pytest.mark.parametrize(
    ("above", "lines", "rows"),
    [
        ("A report of May\n", 1, PEOPLE),
        ("A report\n\nof May\n", 3, PEOPLE),
        ('"A report\nof two lines"\n', 2, PEOPLE),
        ("#made by export\n", 1, PEOPLE),
        ("Title\n", 1, "name,count\nAnn,1\nBob,2\n"),
        ("Title\n", 1, "day,name\n2024-01-01,Ann\n"),
        ("Title,,\n", 1, ROWS),
        ("Title,,\n,,\n", 2, ROWS),
        (",,\n", 1, ROWS),
        (",Title,\n,,\n", 2, ROWS),
        ("A title of words,,,\n", 1, "id,name,,\n1,Ann,,\n2,Bob,,\n"),
        ("Made by,Ann\nOn,2024-01-01\n\n", 3, ROWS),
        ("Sales, by city, in May, and more\n", 1, ROWS),
        ("Title\n", 1, "id,name,name\n1,Ann,Ann\n2,Bob,Cid\n"),
        ("One\nTwo\nThree\nFour\n", 4, "id,name,city\n1,Ann,Rome\n"),
    ],
)
def test_lines_above_a_header_are_skipped(delimiter, above, lines, rows):
    found = detect(of(delimiter, above + rows), "a.csv")
    assert found.dialect == CsvDialect(delimiter, skip_rows=lines)
    assert found.doubt is None or rows == PEOPLE or above.startswith(("Made by", "Sales"))


def test_a_title_may_stand_below_the_line_that_names_the_separator(lake):
    table = lake.table("a.csv", "sep=;\nA title\nid;name;city\n1;Ann;Rome\n")
    assert [column.name for column in table.columns] == ["id", "name", "city"]
    assert lake.read(table) == [("1", "Ann", "Rome")]


@pytest.mark.parametrize("delimiter", DELIMITERS)
@pytest.mark.parametrize(
    "content",
    [
        "k,,\nx,,y\n4,5,6\n1,2,3\n",
        "x,y\nr1,1,2\nr2,3,4\n",
        "name,city\nr1,Ann,Rome\nr2,Bob,Oslo\n",
        "id,\nx,y\n1,2\n3,4\n",
        "total,,\n1,2,3\n4,5,6\n",
    ],
)
def test_a_short_header_is_no_title(delimiter, content):
    assert detect(of(delimiter, content), "a.csv").dialect.skip_rows == 0


@pytest.mark.parametrize(
    ("content", "columns", "doubt"),
    [
        ("tags\na;b\nc;d\n", 1, "delimiter ';' would give 2 columns, too"),
        ("tags\na;b;c\nd;e;f\n", 1, "delimiter ';' would give 3 columns, too"),
        ("Where to\nVia Roma; Rome; Italy\nA street; Oslo; Norway\n", 1, "would give 3 columns"),
        ("Title\nid;name;city\n", 1, "delimiter ';' would give 3 columns, too"),
        ("T\na;b;c\n1;2;3\n4;5;6\nSource: us\n", 1, "delimiter ';' would give 3 columns, too"),
        ("a;x,b\n1;2,3\n", 2, "delimiter ';' would give 2 columns, too"),
        ("k,v\nA,1\n\nid,name,city\n1,Ann,Rome\n2,B,C\n3,B,C\n", 3, "taken for no rows"),
        ("names\nAnn,Rome,Italy\nBob,Oslo,Norway\n", 3, "1 line above its header taken for"),
        ("name,,\nAnn,Rome,Rome\nBob,Oslo,\n", 3, "its first line may be a title"),
        ("1.5,x\n2.5,x\n3.5,x\n", 2, "its first record is taken for a row, not for names"),
        ("id,name\n1,Ann\n2,Bob\n", 2, None),
        ("note\na; b\nplain\n", 1, None),
        ("id,name,,\n1,Ann,,\n", 4, None),
    ],
)
def test_a_guess_that_was_close_is_told(lake, content, columns, doubt):
    table = lake.table("a.csv", content)
    assert len(table.columns) == columns
    assert (doubt is None) == (DOUBT not in table.details)
    assert doubt is None or doubt in table.details[DOUBT]


def test_a_rule_settles_what_was_close_and_the_list_of_tables_tells_it(tmp_path: Path) -> None:
    text(tmp_path, a_csv="tags\na;b;c\nd;e;f\n")
    line = next(line for line in table_lines(r2d2.tables(tmp_path)) if line.startswith("a.csv"))
    assert line.endswith("delimiter ';' would give 3 columns, too; a rule [[text]] settles it")
    for overrides in ({"delimiter": ","}, {"delimiter": ";", "skip_rows": 1}):
        settings = Settings(text=(TextRule("*", overrides),))
        assert DOUBT not in r2d2.tables(tmp_path, settings).tables[0].details


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("Of 2020\n\nid,name,n\n1,x,2\n2,y,3\n", "2 lines above its header: 'Of 2020'"),
        ("Sales,,\nof May,,\n" + ROWS, "2 lines above its header: 'Sales,, ⏎ of May,,'"),
        ("# made by export\n" + ROWS, "1 line above its header: '# made by export'"),
        ("sep=;\r\nid;name\r\n1;x\r\n", "1 line above its header: 'sep=;'"),
        ("sep=;\n1.5;x\n2.5;x\n3.5;x\n", "1 line above its rows: 'sep=;'"),
        (f"{'long ' * 40}\n{ROWS}", f"1 line above its header: '{'long ' * 16}…'"),
        (ROWS, None),
    ],
)
def test_lines_that_are_left_out_are_told(tmp_path: Path, content: str, told: str | None) -> None:
    (tmp_path / "a.csv").write_bytes(content.encode())
    inventory = r2d2.tables(tmp_path)
    line = next(line for line in table_lines(inventory) if line.startswith("a.csv"))
    assert (f"left out: {told}" if told else "left out") in line if told else "left" not in line
    assert inventory_data(inventory)["tables"][0]["details"].get(LEFT_OUT) == told


@pytest.mark.parametrize(
    "content",
    [
        "1,2,3\n4,5,6\n7,8,9\n",
        "1;2;3\n4;5;6\n",
        "0,1,2\n5,6,7\n",
        "2024,5\n",
        "5\n6\n7\n",
        "1,Ann,Rome\n2,Bob,Oslo\n",
        "Ann,7\nBob,8\n",
        "2024-01-01,x\n2024-01-02,y\n",
        "12:30,x\n12:31,y\n",
        "A-1,x\nA-2,y\n",
        'ann1@b.com,"a,b"\nbob2@c.com,x\n',
        "6f2b8c1e,x\n7f2b8c1d,y\n",
        "1,2,\n4,5,6\n7,8,9\n",
    ],
)
def test_a_header_that_looks_like_the_rows_below_it_is_told(lake, content):
    table = lake.table("a.csv", content)
    first = content.split("\n")[0].replace('"', "")
    told = f"its header ({first}) may be a row: [[text]] header = false reads it as one"
    assert table.details.get(DOUBT) == told
    for header in (True, False):
        assert DOUBT not in lake.table("a.csv", content, header=header).details


@pytest.mark.parametrize(
    "content",
    [
        "id,name\n1,Ann\n2,Bob\n",
        "country,2019,2020\nDE,1,2\nFR,3,4\n",
        ",a,b\n0,1,2\n1,5,6\n",
        ",0,1\n0,5,6\n1,7,8\n",
        "x1,x2\n1,2\n3,4\n",
        "name,city\nAnn,Rome\nBob,Oslo\n",
        "q1,day\na,2024-01-01\nb,2024-01-02\n",
        "Title 1\nid,name,n\n1,x,2\n2,y,3\n",
    ],
)
def test_a_header_of_names_is_not_doubted(lake, content):
    assert DOUBT not in lake.table("a.csv", content).details


def test_what_is_told_of_any_file_of_a_folder_is_told_of_the_table(tmp_path: Path) -> None:
    for name, content in {
        "t/part-00000.csv": "a,b\nx,y\n",
        "t/part-00001.csv": "# made on Monday\na,b\nx,y\n",
        "t/part-00002.csv": "# made on Tuesday\na,b\nx,y\n",
        "u/part-00000.csv": "a;b\n1;2\n",
        "u/part-00001.csv": "a;b\n1,5;2,5\n3,5;4,5\n",
        "v/part-00000.csv": "1,x\n2,y\n",
        "v/part-00001.csv": "1,x\n3,z\n",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    told = {table.location: table.details for table in r2d2.tables(tmp_path).tables}
    assert told["t"][LEFT_OUT] == (
        "in t/part-00001.csv: 1 line above its header: '# made on Monday'; and 1 more file alike"
    )
    assert told["u"][DOUBT].startswith("in u/part-00001.csv: delimiter ',' would give 3 columns")
    assert told["v"][DOUBT].startswith("its header (1,x) may be a row")


@given(
    st.lists(WORDS, min_size=3, max_size=6, unique_by=str.lower),
    st.lists(st.tuples(st.integers(-999, 999), WORDS), min_size=1, max_size=8),
    st.lists(st.lists(WORDS, min_size=1, max_size=4).map(" ".join), max_size=4),
    st.sampled_from(DELIMITERS),
    st.sampled_from(["\n", "\r\n"]),
)
def test_titles_above_names_of_numbers_are_skipped_whatever_they_say(
    names, values, titles, delimiter, end
):
    names = [f"n{name}" for name in names]
    rows = [[number, *[word] * (len(names) - 1)] for number, word in values]
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=delimiter, lineterminator=end).writerows([names, *rows])
    content = "".join(title + end for title in titles) + out.getvalue()
    found = detect(content.encode(), "a.csv").dialect
    assert (found.delimiter, found.skip_rows) == (delimiter, len(titles))
