"""Rules of the settings that fit no file are told of, and so are files that are hardly tables."""

from pathlib import Path

import pytest

import r2d2
from r2d2.errors import IneligibleTableError
from r2d2.formats.schema import COLUMNS
from r2d2.plan.graph_file import load_graph
from r2d2.report import unused_rules, write_find
from r2d2.settings.find import Settings, TableRule, TextRule
from tests.support.oracle.files import one, text, write

RULED = ("a.*", "b.*", "k=1/*", "z", "p*")


def test_a_rule_that_matches_no_text_is_told(tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    (lake / "k=1").mkdir(parents=True)
    text(lake, a_csv="x,y\n1,2\n", b_jsonl='{"x":1}\n')
    text(lake / "k=1", c_csv="x|y\n1|2\n")
    write(lake, p=one([1]))
    rules = [TextRule(tables, {"encoding": "utf-8"}) for tables in RULED]
    settings = Settings(text=tuple(rules), tables=(TableRule(folder="none"),))
    graph = r2d2.find(lake, settings)
    expected = [
        '[[table]] folder = "none" matches no table of the lake',
        '[[text]] tables = "z" matches no CSV or JSON table of the lake',
        '[[text]] tables = "p*" matches no CSV or JSON table of the lake',
    ]
    assert list(unused_rules(settings, graph.tables)) == expected
    write_find(tmp_path / "run", graph, settings, str(lake))
    assert list(load_graph(tmp_path / "run").warnings) == expected


def test_a_delimiter_that_is_in_no_line_of_a_file_is_told(tmp_path: Path) -> None:
    text(tmp_path, a_csv="x,y\n1,2\n", b_csv="x;y\n1;2\n", long_csv="x,y\n" + "1,2\n" * 30_000)
    settings = Settings(text=(TextRule("*", {"delimiter": ";"}),))
    assert list(unused_rules(settings, r2d2.tables(tmp_path, settings).tables)) == [
        "[[text]]: a.csv: delimiter ';' does not occur in it",
        "[[text]]: long.csv: delimiter ';' does not occur in its first 65536 bytes",
    ]


def test_more_columns_than_a_table_has_are_refused_with_the_remedy(lake):
    names = [f"c{number}" for number in range(COLUMNS + 1)]
    assert len(lake.names("a.csv", ",".join(names[:-1]) + "\n")) == COLUMNS
    with pytest.raises(IneligibleTableError, match=r"more than 10000 columns.*\[\[text\]\]"):
        lake.table("a.csv", ",".join(names) + "\n")
