"""Recipes in words: what a reader must know of a table that comes back, and no more."""

from typing import Any

from r2d2.recipes.words import LONGEST_VALUE, SHOWN, recipe_words

ID = {"name": "id", "from": ["id"]}


def select(parent: str, *where: dict[str, Any], columns: list[Any] | None = None) -> dict[str, Any]:
    return {"kind": "select", "parent": parent, "columns": columns or [ID], "where": list(where)}


def month(text: str) -> dict[str, Any]:
    return {"kind": "equals", "path": ["month"], "value": {"type": "string", "text": text}}


def test_a_part_that_counts_twice_is_told_so() -> None:
    twice = {
        "kind": "union",
        "parts": [select("a", month("5")), select("b"), select("a", month("5"))],
    }
    told = recipe_words(twice, show_values=True)
    assert (
        told
        == "twice rows of a where month = '5', in 1 column together with rows of b, in 1 column"
    )
    other = {"kind": "union", "parts": [select("a", month("5")), select("a", month("6"))]}
    assert "twice" not in recipe_words(other), "values that are hidden are not equal values"


def test_of_a_union_of_many_parts_the_first_are_told() -> None:
    many = {"kind": "union", "parts": [select(f"p{n}") for n in range(SHOWN + 3)], "distinct": True}
    told = recipe_words(many)
    assert told.endswith("rows of p4, in 1 column together with 3 more parts, each row once")


def test_columns_that_are_not_taken_over_as_they_are_are_named() -> None:
    columns = [
        ID,
        {"name": "total", "from": ["amount"]},
        {"name": "n", "from": {"cast": ["n"], "of": "int64", "to": "int32"}},
        {"name": "source", "from": {"constant": {"type": "string", "text": "crm"}}},
        {"name": "index", "from": {"row_number": "int64"}},
        {"name": "day", "from": {"text_of": ["day"], "as": "date:%d.%m.%Y"}},
    ]
    told = recipe_words(select("a", columns=columns), show_values=True)
    assert told == (
        "rows of a, in 6 columns, renamed: total from amount, cast: n to int32,"
        " of one value: source = 'crm', row numbers counted anew: index,"
        " written as text: day ('date:%d.%m.%Y')"
    )
    hidden = recipe_words(select("a", columns=columns))
    assert "of one value: source," in hidden
    assert "crm" not in hidden
    assert hidden.endswith("written as text: day")


def test_long_lists_and_texts_are_shortened() -> None:
    texts = [str(number) for number in range(40)]
    atom = {"kind": "in", "path": ["id"], "type": "int64", "texts": texts}
    told = recipe_words(select("a", atom), show_values=True)
    assert "where id in ('0', '1', '2', '3', '4' and 35 more), in" in told
    told = recipe_words(select("a", month("x" * 500)), show_values=True)
    assert f"month = '{'x' * (LONGEST_VALUE - 1)}…', in" in told


def test_nan_is_told_as_such() -> None:
    told = recipe_words(select("a", {"kind": "is_nan", "path": ["x"]}))
    assert told == "rows of a where x is NaN, in 1 column"
