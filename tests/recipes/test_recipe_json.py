"""Recipes as JSON: exact both ways, and closed."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given

from r2d2.recipes.grammar import Recipe
from r2d2.recipes.json import from_data, to_data
from r2d2.recipes.literals import RecipeError
from tests.support.recipes.random_recipes import recipes

Data = Any
COLUMNS = [
    {"name": "id", "from": ["id"]},
    {
        "name": "geo",
        "from": {"null_with": ["geo"], "parts": [{"name": "lat", "from": ["geo", "lat"]}]},
    },
]
KEYS = {"kept": "keys", "location": "k.parquet", "rows": 3, "size_bytes": 99}


NUMBER = {"type": "int64", "text": "3"}
PART = {"kind": "equals", "path": ["day"], "value": NUMBER, "of": "month"}
REST = {"kind": "not_in", "path": ["n"], "type": "int64", "texts": ["3"], "of": {"remainder": 7}}


def select() -> Data:
    text = {"type": "string", "text": "IT"}
    where: list[Data] = [
        {"kind": "equals", "path": ["country"], "value": text},
        {"kind": "in", "path": ["n"], "type": "int8", "texts": ["-1", "2", "10"]},
        {"kind": "between", "path": ["s"], "low": text, "high": text},
        {"kind": "not_in", "path": ["n"], "type": "int8", "texts": ["3"]},
        {"kind": "at_least", "path": ["f"], "low": {"type": "double", "text": "0.5"}},
        {"kind": "is_nan", "path": ["f"]},
        {"kind": "compare", "path": ["a"], "comparison": "<=", "other": ["geo", "lat"]},
        {"kind": "any_of", "conjunctions": [[PART], [REST, {"kind": "is_null", "path": ["n"]}]]},
    ]
    return {"kind": "select", "parent": "all", "columns": COLUMNS, "where": where}


def rows() -> Data:
    own = {"residual": dict(KEYS), "key": [["id"], ["geo", "lat"]]}
    return {"kind": "rows", "parent": "all", "columns": COLUMNS, **own}


def patch() -> Data:
    return {"kind": "patch", "recipe": select(), "plus": {**KEYS, "kept": "rows"}}


def union() -> Data:
    return {"kind": "union", "parts": [select(), rows()]}


@pytest.mark.slow
@given(recipes)
def test_a_recipe_comes_back_from_its_json_text(recipe: Recipe) -> None:
    text = json.dumps(to_data(recipe), sort_keys=True)
    assert from_data(json.loads(text)) == recipe


@pytest.mark.parametrize("make", [select, rows, patch, union])
def test_json_comes_back_from_its_recipe(make: Callable[[], Data]) -> None:
    assert to_data(from_data(make())) == make()


def changed(make: Callable[[], Data], place: str, value: Data = None) -> Data:
    """The recipe with the member at the dotted place set, or taken out where `value` is None."""
    data = make()
    *way, last = [int(step) if step.isdigit() else step for step in place.split(".")]
    inner = data
    for step in way:
        inner[step] = dict(inner[step]) if isinstance(inner[step], dict) else inner[step]
        inner = inner[step]
    if value is None:
        del inner[last]
    else:
        inner[last] = value
    return data


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([], "recipe: an object"),
        ({}, "recipe: 'kind' is missing"),
        (changed(select, "kind", "sql"), "recipe.kind: unknown kind 'sql'"),
        (changed(select, "kind", ["select"]), "recipe.kind: unknown kind"),
        (changed(select, "sql", "SELECT 1"), "recipe: unknown key 'sql'"),
        (changed(select, "parent"), "recipe: 'parent' is missing"),
        (changed(select, "parent", 7), "recipe.parent: a text"),
        (changed(select, "parent", "\ud800"), "recipe.parent: this text cannot"),
        (changed(select, "columns", []), "recipe.columns: a list of at least 1"),
        (changed(select, "columns", COLUMNS[:1] * 2), "recipe.columns: two columns"),
        (changed(select, "columns", [{"name": "x"}]), "recipe.columns[0]: 'from'"),
        (changed(select, "columns", [{"name": "x", "from": []}]), "recipe.columns[0].from: a list"),
        (changed(select, "where.0.kind", "like"), "recipe.where[0].kind: unknown kind 'like'"),
        (changed(select, "where.0.path", "country"), "recipe.where[0].path: a list"),
        (changed(select, "where.0.not", True), "recipe.where[0]: unknown key 'not'"),
        (
            changed(select, "where.0.value", {"type": "int65", "text": "1"}),
            "recipe.where[0].value.text: unknown type 'int65'",
        ),
        (
            changed(select, "where.0.value", {"type": "int8", "text": "x"}),
            "recipe.where[0].value.text: 'x' is no int8",
        ),
        (changed(select, "where.1.texts", ["1"]), "recipe.where[1].texts: a list of at least 2"),
        (changed(select, "where.1.texts", ["2", "10", "3"]), "recipe.where[1].texts: distinct"),
        (changed(select, "where.1.texts", ["2", "2"]), "recipe.where[1].texts: distinct"),
        (
            changed(select, "where.2.high", {"type": "string", "text": "A"}),
            "recipe.where[2].high: less than 'low'",
        ),
        (
            changed(select, "where.2.high", {"type": "int8", "text": "1"}),
            "recipe.where[2].high: type 'string' was expected",
        ),
        (changed(rows, "key"), "recipe: 'key' is missing"),
        (changed(rows, "key", [["a"], ["a"]]), "recipe.key: a column is named twice"),
        (changed(rows, "residual.kept", "rows"), "recipe.residual.kept: one of keys, hashes"),
        (changed(rows, "residual.kept", "hashes"), "recipe: unknown key 'key'"),
        (changed(rows, "residual.rows", True), "recipe.residual.rows: a whole number"),
        (changed(rows, "residual.rows", -1), "recipe.residual.rows: a whole number"),
        (changed(rows, "residual.size_bytes", 1.0), "recipe.residual.size_bytes: a whole number"),
        (changed(rows, "residual.sha256", "AB"), "recipe.residual.sha256: 64 hexadecimal"),
        (changed(patch, "plus"), "recipe: a patch needs"),
        (changed(patch, "plus.kept", "hashes"), "recipe.plus.kept: one of rows"),
        (changed(patch, "recipe", patch()), "recipe.recipe: a patch is not patched"),
        (changed(union, "parts", [select()]), "recipe.parts: a list of at least 2"),
        (changed(union, "parts.1", patch()), "recipe.parts[1]: 'parent' is missing"),
        (changed(union, "parts.1", union()), "recipe.parts[1]: 'parent' is missing"),
        (
            changed(union, "parts.1", changed(rows, "columns", COLUMNS[:1])),
            "recipe.parts: the parts have different columns",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_not_of_the_grammar_is_refused_by_its_place(data: Data, message: str) -> None:
    with pytest.raises(RecipeError) as refusal:
        from_data(data)
    assert str(refusal.value).startswith(message)


def test_a_struct_nested_without_end_is_refused() -> None:
    source: Data = ["x"]
    for _ in range(5000):
        source = {"null_with": [], "parts": [{"name": "x", "from": source}]}
    columns = [{"name": "x", "from": source}]
    with pytest.raises(RecipeError, match="nested too deeply"):
        from_data({"kind": "project", "parent": "p", "columns": columns})
