"""A location's name in SQL: its own, safe, and never another table's."""

import re
import unicodedata
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from r2d2.errors import UsageError
from r2d2.recipes.grammar import Field, Output, Project
from r2d2.recipes.literals import UnrenderableRecipeError
from r2d2.recipes.sql import view
from r2d2.recipes.sql_names import SqlDialect, default_name, load_names, may_be_one, names_of

PIECES = ["a", "b", "A", "_", "__", "-", ".", "/", "csv", ".csv", ".csv.gz", "gz", "é", "e\u0301"]
COLUMNS = (Output("x", Field(("x",))),)
CATALOGUE = """
[[sql_name]]
table = "sales/all.parquet"
name = ["main", "sales", "all"]
"""


def test_no_two_of_all_short_locations_share_a_name() -> None:
    words = ("".join(word) for length in range(1, 5) for word in product(PIECES, repeat=length))
    locations = {word for word in words if not word.startswith("/") and "//" not in word}
    assert len({default_name(location) for location in locations}) == len(locations)


@given(st.text(max_size=400))
def test_every_name_is_one_that_all_catalogues_take(location: str) -> None:
    name = default_name(location)
    assert re.fullmatch("[a-z0-9][a-z0-9_]*", name, re.ASCII)
    assert len(name) <= 63


@pytest.mark.parametrize(
    ("location", "name"),
    [
        ("exports/planes_boeing.csv", "exports__planes_boeing_csv"),
        ("lake/orders", "lake__orders"),
        ("a.csv.gz", "a_csv_gz"),
    ],
)
def test_a_plain_location_keeps_its_words(location: str, name: str) -> None:
    assert default_name(location) == name


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("s/orders.2024-01.parquet", "s/orders.2024-02.parquet"),
        ("orders.csv", "orders.parquet"),
        ("orders.csv", "orders_csv"),
        ("a/orders.csv", "a__orders.csv"),
        ("Orders.csv", "orders.csv"),
        ("a-b", "a_b"),
        ("a.b", "a-b"),
        ("é.csv", unicodedata.normalize("NFD", "é.csv")),
        ("x" * 300, "x" * 301),
        ("", "table"),
        ("a\n", "a"),
        ('a"', "a`"),
    ],
)
def test_locations_that_are_alike_have_two_names(one: str, other: str) -> None:
    assert not may_be_one((default_name(one),), (default_name(other),))


def test_a_plain_location_that_looks_like_a_shortened_one_is_shortened_itself() -> None:
    disguised = default_name("a-b").replace("__", "/")
    assert default_name(disguised) != default_name("a-b")


def test_a_toml_file_gives_tables_their_names(tmp_path: Path) -> None:
    path = tmp_path / "r2d2.toml"
    path.write_text(CATALOGUE)
    names = names_of(["sales/all.parquet", "sales/italy.csv"], load_names(path))
    assert names["sales/all.parquet"] == ("main", "sales", "all")
    assert names["sales/italy.csv"] == ("sales__italy_csv",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (CATALOGUE * 2, "has a name already"),
        (CATALOGUE.replace('["main", "sales", "all"]', "[]"), "one to three parts"),
        (CATALOGUE.replace('"main"', '""'), "one to three parts"),
        (CATALOGUE.replace("name =", "nmae ="), "unknown key 'nmae'"),
    ],
)
def test_names_that_make_no_sense_are_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "r2d2.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match=message):
        load_names(path)


def test_two_tables_are_never_given_one_name() -> None:
    with pytest.raises(UsageError, match="would both be 'b_csv'"):
        names_of(["a.csv", "b.csv"], {"a.csv": ("B_CSV",)})


@pytest.mark.parametrize("parent", [("T",), ("main", "t"), ("c", "main", "t")])
def test_a_view_never_reads_itself(parent: tuple[str, ...]) -> None:
    with pytest.raises(UnrenderableRecipeError, match="may be one name"):
        view(("t",), Project("p", COLUMNS), {"p": parent}, SqlDialect.DUCKDB)
    assert view(("a", "t"), Project("p", COLUMNS), {"p": ("b", "t")}, SqlDialect.DUCKDB)
