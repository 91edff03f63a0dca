"""Rows of results become tables in a notebook, in Arrow, Polars and pandas; no name does harm."""

import pickle
from collections.abc import Callable
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

import r2d2
from r2d2.api import records
from r2d2.api.costs import Applications, BillRows
from r2d2.api.results import Edges, Funnel, PlannedTables, Tables
from r2d2.model import Edge, Evidence, Verdict

ALL = (Tables, Edges, Funnel, PlannedTables, Applications, BillRows)


def edge(child: str = "part.parquet", rows: int | None = 3) -> Edge:
    evidence = (Evidence("exact", Verdict.PROVED, "all rows"),)
    return Edge(child, "all.parquet", 1.0, 0, rows, 9, False, "exact", evidence=evidence)


class Page(HTMLParser):
    """The tags of a page and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.texts: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


@given(st.text(max_size=60))
def test_whatever_a_table_is_called_it_is_text_in_a_notebook(name: str) -> None:
    page = Page(Edges([edge(name)])._repr_html_())
    assert page.tags == {"div", "p", "table", "thead", "tbody", "tr", "th", "td"}
    assert all(text.isprintable() for text in page.texts)


def test_a_name_that_is_markup_is_shown_as_it_is() -> None:
    name = "<script>alert(1)</script>&amp;"
    assert name in Page(Edges([edge(name)])._repr_html_()).texts


def test_dollar_signs_are_no_formula_in_a_notebook() -> None:
    html = Edges([edge("$a$")])._repr_html_()
    assert html.startswith('<div class="tex2jax_ignore mathjax_ignore">')


def test_a_notebook_shows_twenty_rows_and_counts_the_rest() -> None:
    html = Edges([edge()] * 1_234)._repr_html_()
    assert html.count("<tr>") == 21
    assert "<p>1,234 edges</p>" in html
    assert "<p>… and 1,214 more</p>" in html


def test_a_text_shows_ten_rows_aligned() -> None:
    lines = str(Edges([edge()] * 12)).splitlines()
    assert lines[0].startswith("child         parent")
    assert lines[-1] == "… and 2 more"
    assert len(lines) == 12


def test_a_slice_is_of_the_same_kind() -> None:
    edges = Edges([edge("a"), edge("b")])
    assert type(edges[:1]) is Edges
    assert edges[:1] == (edges[0],)
    assert edges[-1].child == "b"


def test_rows_come_back_from_a_pickle() -> None:
    edges = Edges([edge()])
    again = pickle.loads(pickle.dumps(edges))
    assert again == edges
    assert type(again) is Edges


@pytest.mark.parametrize("kind", ALL)
def test_columns_have_their_types_where_there_is_no_row(kind: Callable[[], Tables]) -> None:
    table = kind().to_arrow()
    assert table.num_rows == 0
    assert "null" not in {str(field.type) for field in table.schema}
    assert list(kind().to_polars().columns) == table.column_names == list(kind().columns)


def test_polars_and_pandas_have_the_values_of_arrow() -> None:
    edges = Edges([edge(), edge("other", None)])
    rows = edges.to_arrow().to_pylist()
    assert rows[0]["child_rows"] == 3
    assert rows[1]["child_rows"] is None
    assert edges.to_polars().to_dicts() == rows
    frame = edges.to_pandas()
    assert str(frame["child_rows"].dtype) == "Int64"
    assert list(frame["child"]) == ["part.parquet", "other"]


@pytest.mark.parametrize("method", ["to_polars", "to_pandas"])
def test_a_frame_whose_package_is_missing_says_what_to_type(
    method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records, "find_spec", lambda name: None)
    package = method.removeprefix("to_")
    with pytest.raises(
        r2d2.MissingDependencyError, match=rf"{method} needs {package}.* pip install {package}$"
    ):
        getattr(Edges([edge()]), method)()
