"""Columns without a name, and of one name, are told apart and come back as they were."""

import csv
import io
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from r2d2.errors import IneligibleTableError, NotWritableError
from r2d2.formats.schema import check_names, is_told_apart, matched_name, told_apart
from r2d2.recipes.literals import UnrenderableRecipeError
from r2d2.recipes.sql import SqlDialect
from r2d2.recipes.sql_names import identifier
from r2d2.settings.find import TextRule
from tests.support.oracle.files import all_equal, both_ways, edges, text
from tests.support.recipes.lakes import come_back

NAMES = st.lists(
    st.sampled_from(["", "a", "A", "b", "a.b", "`", "`a`#2", "`a`#1=", "`a`#2'", "ß", "İ", "i̇"])
    | st.text(max_size=3),
    min_size=1,
    max_size=9,
)


@pytest.mark.parametrize("header", ["id,x,id", "id,x,ID", ",x,", ",,", "id,ID,id"])
def test_columns_of_one_name_are_each_read(lake, header):
    table = lake.table("a.csv", f"{header}\n1,2,3\n")
    assert lake.read(table) == [("1", "2", "3")]
    assert [lake.read(table, [column.path[0]]) for column in table.columns] == [
        [(value,)] for value in "123"
    ]


@given(NAMES)
def test_all_names_and_fields_of_a_table_differ(names):
    columns = told_apart(names)
    assert len({field for _, field in columns}) == len(names)
    for case_sensitive in (True, False):
        check_names([name for name, _ in columns], case_sensitive)


@given(NAMES, NAMES)
def test_columns_match_by_name_occurrence_and_spelling(names, others):
    def meant(names: list[str], place: int) -> tuple[str, int, bool]:
        name = names[place]
        spellings = {other for other in names if other.lower() == name.lower()}
        is_exact = len(spellings) > 1
        number = names[: place + 1].count(name)
        return (name if is_exact else name.lower(), number, is_exact)

    for place, (name, _) in enumerate(told_apart(names)):
        for at, (other, _) in enumerate(told_apart(others)):
            same = matched_name(name, False) == matched_name(other, False)
            assert same == (meant(names, place) == meant(others, at))
            same = matched_name(name, True) == matched_name(other, True)
            spelled = names[place], names[: place + 1].count(names[place])
            assert same == (spelled == (others[at], others[: at + 1].count(others[at])))


def test_names_that_differ_by_case_are_one_elsewhere_and_the_remedy_is_told():
    with pytest.raises(IneligibleTableError, match="case_sensitive = true"):
        check_names(["a", "A"])
    check_names(["a", "A"], case_sensitive=True)


def test_a_table_with_unnamed_columns_has_edges(tmp_path: Path, engine: str) -> None:
    text(
        tmp_path,
        beach_csv="date,count,,\n2024-01-01,5,,\n2024-01-02,7,x,\n",
        copy_csv="date,count,,\n2024-01-02,7,x,\n2024-01-01,5,,\n",
        near_csv="date,count,,\n2024-01-01,5,,\n2024-01-02,7,,x\n",
        less_csv="date,count,\n2024-01-02,7,x\n",
        plain_csv="date,count\n2024-01-02,7\n",
    )
    pairs = {f"{child} in {parent}" for child in ("less", "plain") for parent in ("beach", "copy")}
    pairs |= {"plain in near", "plain in less", "less in beach", "less in copy"}
    assert edges(tmp_path, engine) == both_ways("beach", "copy") | pairs


def test_columns_of_one_name_match_in_their_order(tmp_path: Path, engine: str) -> None:
    text(
        tmp_path,
        twice_csv="k,a,a\n1,2,3\n",
        upper_csv="A,A,K\n2,3,1\n",
        turned_csv="k,a,a\n1,3,2\n",
        first_csv="k,a\n1,2\n",
        second_csv="k,a\n1,3\n",
    )
    expected = both_ways("twice", "upper") | {"first in twice", "first in upper"}
    assert edges(tmp_path, engine) == expected | {"second in turned"}


def test_names_that_differ_by_case_match_by_their_spelling(tmp_path: Path, engine: str) -> None:
    text(
        tmp_path,
        both_csv="k,a,A\n1,2,3\n",
        turned_csv="k,A,a\n1,3,2\n",
        swapped_csv="k,a,A\n1,3,2\n",
        three_csv="k,a,A,a\n1,2,3,4\n",
        lower_csv="k,a\n1,2\n",
        upper_csv="K,A\n1,3\n",
        wrong_csv="k,A\n1,2\n",
        twice_csv="k,a,a\n1,2,4\n",
    )
    large = ("both", "turned", "three")
    expected = all_equal("both", "turned") | {"both in three", "turned in three", "twice in three"}
    expected |= {f"{child} in {parent}" for child in ("lower", "upper") for parent in large}
    expected |= {"lower in wrong", "wrong in lower", "lower in twice", "wrong in twice"}
    assert edges(tmp_path, engine) == expected | {"wrong in swapped"}


def matches(names: list[str], place: int, others: list[str], at: int) -> bool:
    """By spelling and occurrence; whatever the case, where both tables spell the name alike."""
    name, other = names[place], others[at]
    numbers = names[: place + 1].count(name), others[: at + 1].count(other)
    both = [{n for n in table if n.lower() == name.lower()} for table in (names, others)]
    same = name.lower() == other.lower() if all(len(s) == 1 for s in both) else name == other
    return same and numbers[0] == numbers[1]


SHEETS = st.lists(st.sampled_from(["a", "A", "b", "B", ""]), min_size=2, max_size=5).flatmap(
    lambda names: st.tuples(
        st.just(names),
        st.lists(st.tuples(*[st.sampled_from("xy")] * len(names)), min_size=1, max_size=3),
    )
)


@settings(max_examples=60, deadline=None)
@given(st.lists(SHEETS, min_size=2, max_size=5))
def test_edges_between_such_tables_are_those_of_brute_force(sheets):
    with TemporaryDirectory() as lake:
        for number, (names, rows) in enumerate(sheets):
            lines = [",".join(row) + "\n" for row in (names, *rows)]
            (Path(lake) / f"t{number}.csv").write_text("".join(lines))
        expected = set()
        for number, (names, rows) in enumerate(sheets):
            for parent, (others, theirs) in enumerate(sheets):
                places = [
                    [at for at in range(len(others)) if matches(names, place, others, at)]
                    for place in range(len(names))
                ]
                if number != parent and all(places):
                    held = {tuple(row[at] for (at,) in places) for row in theirs}
                    if set(rows) <= held:
                        expected.add(f"t{number} in t{parent}")
        rule = TextRule("*", {"delimiter": ",", "header": True, "skip_rows": 0})
        assert edges(Path(lake), "local", text=(rule,)) == expected


def test_files_of_one_table_have_such_columns_too(tmp_path: Path) -> None:
    for folder, content in (("k=1", "a,A,,\n1,2,3,4\n"), ("k=2", "A,a,,\n6,5,7,8\n")):
        (tmp_path / "lake" / "t" / folder).mkdir(parents=True)
        (tmp_path / "lake" / "t" / folder / "x.csv").write_text(content)
    text(tmp_path / "lake", flat_csv="A,a,,\n2,1,3,4\n6,5,7,8\n")
    assert edges(tmp_path / "lake", "local") == {"flat in t"}
    with pytest.raises(NotWritableError, match="another header, title, mark or dialect"):
        come_back(tmp_path / "lake", tmp_path / "copy", "t")
    (tmp_path / "lake/t/k=2/x.csv").write_text("a,A,,\n5,6,7,8\n")
    come_back(tmp_path / "lake", tmp_path / "copy", "t")
    assert (tmp_path / "copy/t/k=2/part-00000.csv").read_text() == "a,A,,\n5,6,7,8\n"


@pytest.mark.parametrize("header", ["k,,", "k;a;a", "a,A,a", '"a ""b""",,"a ""b"""'])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_header_comes_back_as_it_was(tmp_path: Path, header: str, newline: str) -> None:
    delimiter = ";" if ";" in header else ","
    rows = [delimiter.join(row) for row in ("123", "456", ("x", "", "y"))]
    content = newline.join([header, *rows, ""])
    (tmp_path / "lake").mkdir()
    (tmp_path / "lake" / "t.csv").write_bytes(content.encode())
    come_back(tmp_path / "lake", tmp_path / "copy", "t.csv")
    written = (tmp_path / "copy" / "t.csv").read_bytes().decode()
    assert written.split(newline)[0] == header
    assert sorted(written.split(newline)) == sorted(content.split(newline))


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(NAMES.filter(lambda names: len(names) > 1), st.data())
def test_a_file_is_read_as_the_csv_module_reads_it(lake, names, data):
    cells = st.lists(st.text(max_size=4), min_size=len(names), max_size=len(names))
    rows = data.draw(st.lists(cells, max_size=5))
    out = io.StringIO(newline="")
    csv.writer(out, quoting=csv.QUOTE_ALL).writerows([names, *rows])
    fixed = {"delimiter": ",", "header": True, "skip_rows": 0, "encoding": "utf-8"}
    try:
        content = out.getvalue().encode()
    except UnicodeEncodeError:
        return
    table = lake.table("t.csv", content, **fixed)
    assert [column.name for column in table.columns] == [name for name, _ in told_apart(names)]
    assert lake.read(table) == [tuple(row) for row in rows]


def test_no_sql_names_a_column_that_shares_its_name():
    for _, field in told_apart(["a", "a", "b", "B", "", "", "`a`#2"]):
        for dialect in SqlDialect:
            if is_told_apart(field):
                with pytest.raises(UnrenderableRecipeError, match="more than once"):
                    identifier(field, dialect)
