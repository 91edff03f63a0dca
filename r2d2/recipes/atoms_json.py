"""Atoms and their literals as JSON data and back."""

from itertools import pairwise
from typing import Any

from r2d2.recipes.errors import RecipeError
from r2d2.recipes.grammar import Atom, Between, Equals, In, IsNull, NotNull, Path
from r2d2.recipes.json_value import JsonValue
from r2d2.recipes.literals import Literal

Data = dict[str, Any]


def atom_data(atom: Atom) -> Data:
    """The atom as JSON data."""
    match atom:
        case Equals(path, value):
            return {"kind": "equals", "path": list(path), "value": _literal_data(value)}
        case In(path, values):
            texts = [value.text for value in values]
            return {"kind": "in", "path": list(path), "type": values[0].type, "texts": texts}
        case Between(path, low, high):
            ends = {"low": _literal_data(low), "high": _literal_data(high)}
            return {"kind": "between", "path": list(path), **ends}
        case IsNull(path):
            return {"kind": "is_null", "path": list(path)}
        case NotNull(path):
            return {"kind": "not_null", "path": list(path)}


def _literal_data(literal: Literal) -> Data:
    return {"type": literal.type, "text": literal.text}


def atom(value: JsonValue) -> Atom:
    """The atom that `atom_data` gave, or the like of it.

    Raises:
        RecipeError: the data is no atom; the message leads to the fault.
    """
    kind, column = value.member("kind"), path(value.member("path"))
    match kind.value:
        case "equals":
            value.members(("kind", "path", "value"))
            return Equals(column, _literal(value.member("value")))
        case "in":
            return In(column, _values(value))
        case "between":
            return Between(column, *_ends(value))
        case "is_null":
            value.members(("kind", "path"))
            return IsNull(column)
        case "not_null":
            value.members(("kind", "path"))
            return NotNull(column)
        case unknown:
            raise kind.refused(f"unknown kind {unknown!r}")


def path(value: JsonValue) -> Path:
    """The way to a column: one name or more."""
    return value.items(JsonValue.text)


def _literal(value: JsonValue) -> Literal:
    value.members(("type", "text"))
    return _checked(value.member("type").text(), value.member("text"))


def _checked(type_: str, text: JsonValue) -> Literal:
    literal = Literal(type_, text.text())
    try:
        literal.scalar()
    except RecipeError as error:
        raise text.refused(str(error)) from error
    return literal


def _values(value: JsonValue) -> tuple[Literal, ...]:
    value.members(("kind", "path", "type", "texts"))
    type_ = value.member("type").text()
    values = value.member("texts").items(lambda text: _checked(type_, text), least=2)
    order = [literal.order() for literal in values]
    if any(low >= high for low, high in pairwise(order)):
        raise value.member("texts").refused("distinct values in ascending order were expected")
    return values


def _ends(value: JsonValue) -> tuple[Literal, Literal]:
    value.members(("kind", "path", "low", "high"))
    low, high = _literal(value.member("low")), _literal(value.member("high"))
    if low.type != high.type:
        raise value.member("high").refused(f"type {low.type!r} was expected, as of 'low'")
    if low.order() > high.order():
        raise value.member("high").refused("less than 'low'")
    return low, high
