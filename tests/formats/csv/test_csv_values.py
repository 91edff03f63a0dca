"""Fields are text, verbatim; what has no certain reading is refused with its line."""

import pytest

from r2d2.errors import UnreadableTableError
from r2d2.model import Column


def test_every_field_is_text_and_none_is_trimmed_or_typed(lake):
    table = lake.table("a.csv", "id,x\n00123, 1.0 \nNaN,\ttrue\n")
    assert table.columns == (Column("id", "string", ("id",)), Column("x", "string", ("x",)))
    assert lake.read(table) == [("00123", " 1.0 "), ("NaN", "\ttrue")]


def test_an_empty_field_is_the_empty_text_quoted_or_not(lake):
    assert lake.rows("a.csv", 'a,b\n,""\n"",\n') == [("", ""), ("", "")]


def test_words_for_null_are_text_unless_a_marker_is_set(lake):
    content = 'a,b\nNA,NULL\n\\N,null\n"NA",\n'
    assert lake.rows("a.csv", content) == [("NA", "NULL"), ("\\N", "null"), ("NA", "")]
    marked = [(None, "NULL"), ("\\N", "null"), (None, "")]
    assert lake.rows("a.csv", content, null_marker="NA") == marked


def test_the_null_marker_may_be_the_empty_text(lake):
    assert lake.rows("a.csv", 'a,b\n,x\n"",y\n', null_marker="") == [(None, "x"), (None, "y")]


def test_a_null_marker_holds_beside_a_quote_in_mid_field(lake):
    content = 'a,b\n5" pipe,NA\n'
    assert lake.rows("a.csv", content, null_marker="NA") == [('5" pipe', None)]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_any_line_end_ends_a_record_and_stays_itself_inside_quotes(lake, end):
    content = end.join(["a,b", '1,"x\r\ny\rz\n"', "2,", ""])
    assert lake.rows("a.csv", content) == [("1", "x\r\ny\rz\n"), ("2", "")]


def test_blank_lines_are_no_rows_but_a_quoted_empty_field_is_one(lake):
    assert lake.rows("a.csv", '\n\na\n\n1\n\n""\n\n\n') == [("1",), ("",)]


def test_a_last_line_without_its_end_is_a_row(lake):
    assert lake.rows("a.csv", "a,b\n1,2\n3,") == [("1", "2"), ("3", "")]


def test_a_quote_in_the_middle_of_a_bare_field_is_an_ordinary_character(lake):
    content = 'a,b\n5" pipe,6"\n"x ""y""",z\n'
    assert lake.rows("a.csv", content) == [('5" pipe', '6"'), ('x "y"', "z")]


def test_text_after_a_closing_quote_makes_the_file_unreadable(lake):
    table = lake.table("a.csv", 'a,b\n1,2\n"x" ,y\n"p","q"\n')
    with pytest.raises(UnreadableTableError, match=r"a\.csv: line 3: text follows a closing quote"):
        lake.read(table)


def test_a_quote_never_closed_makes_the_file_unreadable_with_the_line_of_the_quote(lake):
    table = lake.table("a.csv", 'a,b\n1,"2"\n3,"4\n5,6\n')
    with pytest.raises(UnreadableTableError, match="line 3: a quote is never closed"):
        lake.read(table)


@pytest.mark.parametrize(("line", "count"), [("4", 1), ("4,5,6", 3), ("4,5,", 3), ("  ", 1)])
def test_a_record_of_another_length_makes_the_file_unreadable(lake, line, count):
    table = lake.table("a.csv", f'a,b\n1,"2\n2"\n{line}\n6,7\n')
    with pytest.raises(UnreadableTableError, match=f"line 4: {count} fields? where"):
        lake.read(table)


def test_names_are_kept_verbatim(lake):
    assert lake.names("a.csv", 'id , x,"a ""b""\n",\n1,2,3,4\n') == ["id ", " x", 'a "b"\n', ""]


def test_a_dot_in_a_name_is_no_nesting(lake):
    table = lake.table("a.csv", "geo.lat,x\n1,2\n")
    assert table.columns[0] == Column("`geo.lat`", "string", ("geo.lat",))
    assert lake.read(table, ["geo.lat"]) == [("1",)]


@pytest.mark.parametrize("content", [b"", b"\n\r\n\n", b"\xef\xbb\xbf"])
def test_a_file_without_a_header_is_no_table(lake, content):
    with pytest.raises(UnreadableTableError, match="no header, no table"):
        lake.table("a.csv", content)


@pytest.mark.parametrize("content", ["a,b", "a,b\n", "a,b\r\n\r\n"])
def test_a_header_alone_is_a_table_of_no_rows(lake, content):
    table = lake.table("a.csv", content)
    assert (table.rows, [column.name for column in table.columns]) == (0, ["a", "b"])
    assert lake.read(table) == []


def test_only_the_columns_asked_for_are_read(lake):
    table = lake.table("a.csv", "a,b,c\n1,2,3\n")
    assert lake.read(table, ["c", "a"]) == [("1", "3")]
    assert lake.read(table, []) == [("1",)], "rows are counted by the first column"


def test_columns_asked_for_are_read_from_the_careful_way_too(lake):
    table = lake.table("a.csv", 'a,b,c\n1,2",3\n')
    assert lake.read(table, ["c", "a"]) == [("1", "3")]


def test_a_nul_is_a_character_of_text(lake):
    assert lake.rows("a.csv", b"a,b\n\0,x\0y\n") == [("\0", "x\0y")]


def test_a_mark_within_the_text_is_a_character_of_it(lake):
    content = "a,b\n\ufeffx,1\n\ufeff,\ufeff\n"
    assert lake.rows("a.csv", content) == [("\ufeffx", "1"), ("\ufeff", "\ufeff")]


def test_a_header_wider_than_the_head_is_read_whole(lake):
    names = [f"column_{number:06}" for number in range(9000)]
    table = lake.table("a.csv", ",".join(names) + "\n" + ",".join(["x"] * 9000) + "\n")
    assert [column.name for column in table.columns] == names
    assert lake.read(table) == [("x",) * 9000]


def test_details_show_the_dialect(lake):
    table = lake.table("a.csv", "# by hand\na;b\n1;é\n".encode())
    assert dict(table.details) == {
        "dialect": "delimiter ';', quote '\"', header below 1 line, utf-8",
        "encoding": "utf-8",
        "compression": "none",
        "left out": "1 line above its header: '# by hand'",
    }
