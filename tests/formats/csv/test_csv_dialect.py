"""What is found in a file's head, what is not, and what the user fixes."""

import pytest

from r2d2.errors import UnreadableTableError, UsageError
from r2d2.formats.csv.detect import detect as guess
from r2d2.formats.csv.records import CsvDialect, overridden


def detect(head: bytes, path: str) -> CsvDialect:
    return guess(head, path).dialect


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "A.CSV.GZ"])
def test_the_delimiter_is_found_whatever_the_name_says(delimiter, name):
    lines = ["id,x;y", "1,a|b", "2,c\td"]
    head = "\n".join(f"n{delimiter}m{delimiter}o\n1{delimiter}2{delimiter}3" for _ in lines)
    assert detect(head.encode(), name).delimiter == delimiter


def test_decimal_commas_do_not_hide_the_semicolon():
    assert detect(b"a;b\n1,5;2,5\n3,5;4,5\n", "a.csv").delimiter == ";"


def test_commas_within_one_column_of_text_make_no_columns(lake):
    table = lake.table("a.csv", 'note\n"a, b"\nplain\n')
    assert lake.read(table) == [("a, b",), ("plain",)]


def test_semicolons_in_the_only_columns_values_do_not_split_it():
    assert detect(b"tags\na;b\nc;d\ne;f\n", "a.csv") == CsvDialect()


def test_a_line_that_names_the_separator_is_believed_and_is_no_row(lake):
    assert lake.rows("a.csv", "sep=;\r\na;b\r\n1,5;2\r\n") == [("1,5", "2")]


@pytest.mark.parametrize(
    ("top", "lines"),
    [
        ("# made by export\n", 1),
        ("# made\n#by export, today, at noon, or later\n\n", 3),
        ("Daily report,,\n", 1),
        ("Daily report\n\nof May\n\n", 4),
        ('# x\n"A title\nof two lines"\n', 3),
    ],
)
def test_comments_and_titles_above_the_header_are_skipped(top, lines):
    head = f"{top}id,name,city\n1,Ann,Rome\n2,Bob,Oslo\n"
    assert detect(head.encode(), "a.csv") == CsvDialect(skip_rows=lines)


@pytest.mark.parametrize(
    "head",
    [
        "#chrom,start,end\n1,2,3\n",
        "total,,\n1,2,3\n4,5,6\n",
        "id,\nAnn,Rome\nBob,Oslo\n",
        "name,,\nAnn,Rome,Rome\nBob,Oslo,\n",
        "#id\n1\n2\n",
        "note\n# not a comment\n",
    ],
)
def test_a_line_that_may_be_the_header_is_not_skipped(head):
    assert detect(head.encode(), "a.csv").skip_rows == 0


@pytest.mark.parametrize(
    "head",
    [
        "5.1,3.5,setosa\n4.9,3.0,setosa\n6.1,2.9,virginica\n",
        "2020-01-01,7\n2020-01-02,7\n2020-01-03,9\n",
        "4,-1\n2,-5\n3,6\n",
        "1,1\n2,3\n4,5\n",
    ],
)
def test_a_first_record_of_the_bodys_kind_is_a_row(head, lake):
    width = head.split("\n")[0].count(",") + 1
    assert lake.names("a.csv", head) == [f"col_{n + 1}" for n in range(width)]
    assert len(lake.rows("a.csv", head)) == 3


@pytest.mark.parametrize(
    "head",
    [
        "country,2019,2020\nDE,1,2\nFR,3,4\n",
        "0.025,0.5,0.975\n1.5,2.5,3.5\n1.1,2.2,3.3\n",
        "0,1,2\n5,6,7\n8,9,9\n",
        "name,city\nAnn,Rome\nBob,Rome\n",
        "1/22/20,1/23/20\n4,5\n6,7\n",
        "a,1.5\n",
        "x,-1\ny,-2\nz,-3\n",
    ],
)
def test_numbers_in_the_first_record_may_be_names(head):
    assert detect(head.encode(), "a.csv").header


def test_escaped_quotes_are_found_only_where_doubled_ones_do_not_explain_them(lake):
    content = 'a,b\n"say \\"hi\\", now",x\n"back \\\\ slash",C:\\new\n'
    assert lake.rows("a.csv", content) == [('say "hi", now', "x"), ("back \\ slash", "C:\\new")]
    assert detect(b'a,b\n"C:\\",x\n"D:\\",y\n', "a.csv").escape is None


def test_quotes_are_ordinary_where_no_field_is_rightly_quoted():
    head = b'a\tb\n"Odd" title\tx\n"So" it is\ty\n'
    assert detect(head, "a.tsv") == CsvDialect("\t", quote=None)
    assert detect(head + b'"q"\tz\n', "a.tsv").quote == '"'


def test_overrides_win_over_what_is_found(lake):
    content = "x|y;z\n1|2;3\n"
    assert lake.names("a.csv", content, delimiter=";") == ["x|y", "z"]
    assert lake.rows("a.csv", content, delimiter=";", header=False) == [
        ("x|y", "z"),
        ("1|2", "3"),
    ]
    assert lake.rows("a.csv", content, delimiter=";", skip_rows=1) == []
    assert lake.rows("a.csv", "a,b\n'x,y',\"\n", quote="'") == [("x,y", '"')]
    assert lake.rows("a.csv", 'a,b\n"x,y"\n', quote="") == [('"x', 'y"')]


def test_more_lines_to_skip_than_there_are_leave_no_table(lake):
    with pytest.raises(UnreadableTableError, match="no header"):
        lake.table("a.csv", "a\n1\n", skip_rows=7)


def test_an_unknown_override_names_the_known_ones(lake):
    with pytest.raises(UsageError, match="unknown text setting 'delim': known are delimiter, enc"):
        lake.table("a.csv", "a\n", delim=";")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("delimiter", ";;"),
        ("delimiter", ""),
        ("delimiter", "\n"),
        ("delimiter", '"'),
        ("quote", 1),
        ("encoding", "klingon"),
        ("encoding", "base64"),
        ("header", "yes"),
        ("skip_rows", -1),
        ("skip_rows", True),
        ("null_marker", 0),
    ],
)
def test_an_override_with_a_value_it_cannot_have_is_refused(key, value):
    with pytest.raises(UsageError):
        overridden(CsvDialect(), {key: value, "quote": value if key == "quote" else '"'})
