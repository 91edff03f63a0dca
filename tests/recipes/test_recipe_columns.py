"""Flattened columns become the child's fields again."""

import pyarrow as pa
import pytest

from r2d2.formats.schema import flatten
from r2d2.recipes.find.request import outputs
from r2d2.recipes.grammar import Field, Output, Struct
from r2d2.recipes.literals import RecipeError

PRICE = pa.struct([("value", pa.int64()), ("unit", pa.string())])
PARENT = pa.schema([("id", pa.int64()), ("price", PRICE), ("a.b", pa.int64())])


def of(child: pa.Schema, names: dict[str, str] | None = None) -> tuple[Output, ...]:
    columns = flatten(child)
    return outputs(columns, flatten(PARENT), names or {c.name: c.name for c in columns})


def test_a_struct_that_the_parent_has_is_taken_whole() -> None:
    child = pa.schema([("price", PRICE), ("id", pa.int64())])
    assert of(child) == (Output("price", Field(("price",))), Output("id", Field(("id",))))


def test_a_name_with_a_dot_is_no_struct() -> None:
    assert of(pa.schema([("a.b", pa.int64())])) == (Output("a.b", Field(("a.b",))),)


def test_a_part_of_a_struct_is_put_together_and_is_null_with_the_parents() -> None:
    child = pa.schema([("price", pa.struct([("unit", pa.string())]))])
    unit = Output("unit", Field(("price", "unit")))
    assert of(child) == (Output("price", Struct(("price",), (unit,))),)


def test_fields_in_another_order_are_put_together() -> None:
    child = pa.schema([("price", pa.struct(list(PRICE)[::-1]))])
    parts = tuple(Output(name, Field(("price", name))) for name in ("unit", "value"))
    assert of(child) == (Output("price", Struct(("price",), parts)),)


def test_renamed_fields_are_put_together_under_their_new_names() -> None:
    child = pa.schema([("cost", pa.struct([("amount", pa.int64()), ("unit", pa.string())]))])
    names = {"cost.amount": "price.value", "cost.unit": "price.unit"}
    parts = (
        Output("amount", Field(("price", "value"))),
        Output("unit", Field(("price", "unit"))),
    )
    assert of(child, names) == (Output("cost", Struct(("price",), parts)),)


def test_a_struct_under_another_name_is_taken_whole() -> None:
    names = {"cost.value": "price.value", "cost.unit": "price.unit"}
    assert of(pa.schema([("cost", PRICE)]), names) == (Output("cost", Field(("price",))),)


def test_a_struct_from_here_and_there_is_never_null() -> None:
    child = pa.schema([("pair", pa.struct([("id", pa.int64()), ("unit", pa.string())]))])
    names = {"pair.id": "id", "pair.unit": "price.unit"}
    parts = (Output("id", Field(("id",))), Output("unit", Field(("price", "unit"))))
    assert of(child, names) == (Output("pair", Struct((), parts)),)


def test_a_field_taken_out_of_a_struct_is_a_field() -> None:
    child = pa.schema([("unit", pa.string())])
    assert of(child, {"unit": "price.unit"}) == (Output("unit", Field(("price", "unit"))),)


def test_a_column_that_the_parent_lacks_is_named() -> None:
    with pytest.raises(RecipeError, match="no column for x"):
        of(pa.schema([("x", pa.int64())]))
