"""Recipes as JSON data and back, exactly; data that is not of the grammar is refused by its place.

{"kind": "select", "parent": "sales/all.parquet",
 "columns": [{"name": "id", "from": ["id"]},
             {"name": "geo", "from": {"null_with": ["geo"],
                                      "parts": [{"name": "lat", "from": ["geo", "lat"]}]}}],
 "where": [{"kind": "equals", "path": ["country"],
            "value": {"type": "string", "text": "IT"}}]}
"""

import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from r2d2.hashing.renderings import Rendering
from r2d2.hashing.rows import type_tag
from r2d2.model import Types
from r2d2.recipes.constants import Constant, RowNumber
from r2d2.recipes.grammar import (
    AnyOf,
    AtLeast,
    Atom,
    Between,
    Cast,
    Compare,
    Comparison,
    Distinct,
    Equals,
    Field,
    In,
    IsNan,
    IsNull,
    Leaf,
    NotIn,
    NotNull,
    Output,
    Part,
    Patch,
    Path,
    Project,
    Recipe,
    Remainder,
    Rendered,
    Residual,
    ResidualKind,
    Rows,
    Select,
    Source,
    Struct,
    TimePart,
    Union,
)
from r2d2.recipes.json_value import JsonValue
from r2d2.recipes.literals import Literal, RecipeError

Data = dict[str, Any]


def to_data(recipe: Recipe) -> Data:
    """The recipe as JSON data: objects, lists, texts and numbers."""
    match recipe:
        case Union(parts, distinct):
            data: Data = {"kind": "union", "parts": [to_data(part) for part in parts]}
            return data | {"distinct": True} if distinct else data
        case Patch(inner, plus, minus):
            data = {"kind": "patch", "recipe": to_data(inner)}
            files = {"plus": plus, "minus": minus}
            return data | {key: _residual_data(file) for key, file in files.items() if file}
    kind = type(recipe).__name__.lower()
    data = {"kind": kind, "parent": recipe.parent, "columns": _columns_data(recipe.columns)}
    match recipe:
        case Select(where=where) | Distinct(where=where) if where:
            data["where"] = [atom_data(part) for part in where]
        case Rows(residual=residual, key=key, snapshot=snapshot):
            data["residual"] = _residual_data(residual)
            if residual.kind is ResidualKind.KEYS:
                data["key"] = [list(column) for column in key]
            if residual.kind is ResidualKind.POSITIONS:
                data["snapshot"] = snapshot
    return data


def _columns_data(columns: tuple[Output, ...]) -> list[Data]:
    return [{"name": column.name, "from": _source_data(column.source)} for column in columns]


def _source_data(source: Source) -> list[str] | Data:
    match source:
        case Field(path):
            return list(path)
        case Cast(path, of, to):
            return {"cast": list(path), "of": of, "to": to}
        case Constant(type_, text):
            return {"constant": {"type": type_, "text": text}}
        case RowNumber(type_):
            return {"row_number": type_}
        case Rendered(path, rendering):
            return {"text_of": list(path), "as": rendering}
        case Struct(null_with, parts):
            return {"null_with": list(null_with), "parts": _columns_data(parts)}


def _residual_data(residual: Residual) -> Data:
    data: Data = {"kept": residual.kind.value, "location": residual.location}
    data |= {"rows": residual.rows, "size_bytes": residual.size_bytes}
    return data if residual.sha256 is None else data | {"sha256": residual.sha256}


_WITHOUT_VALUES: dict[str, type[IsNull | NotNull | IsNan]] = {
    "is_null": IsNull,
    "not_null": NotNull,
    "is_nan": IsNan,
}


def atom_data(atom: Atom) -> Data:
    """The atom as JSON data."""
    match atom:
        case Equals(path, value, part):
            data = {"kind": "equals", "path": list(path), "value": _literal_data(value)}
        case In(path, values, part) | NotIn(path, values, part):
            kind = "in" if isinstance(atom, In) else "not_in"
            texts = [value.text for value in values]
            data = {"kind": kind, "path": list(path), "type": values[0].type, "texts": texts}
        case Between(path, low, high, part):
            ends = {"low": _literal_data(low), "high": _literal_data(high)}
            data = {"kind": "between", "path": list(path), **ends}
        case AtLeast(path, low):
            return {"kind": "at_least", "path": list(path), "low": _literal_data(low)}
        case IsNull(path) | NotNull(path) | IsNan(path):
            kind = next(kind for kind, of in _WITHOUT_VALUES.items() if isinstance(atom, of))
            return {"kind": kind, "path": list(path)}
        case Compare(path, comparison, other):
            data = {"kind": "compare", "path": list(path)}
            return data | {"comparison": comparison.value, "other": list(other)}
        case AnyOf(conjunctions):
            return {"kind": "any_of", "conjunctions": [[*map(atom_data, c)] for c in conjunctions]}
    return data if part is None else data | {"of": _part_data(part)}


def _part_data(part: Part) -> str | Data:
    return part.value if isinstance(part, TimePart) else {"remainder": part.divisor}


def _literal_data(literal: Literal) -> Data:
    return {"type": literal.type, "text": literal.text}


def from_data(data: object, place: str = "recipe") -> Recipe:
    """The recipe of JSON data such as `to_data` gives.

    Raises:
        RecipeError: the data is not of the grammar; the message leads from `place` to the fault.
    """
    try:
        return _recipe(JsonValue(data, place))
    except RecursionError as error:
        raise RecipeError(f"{place}: nested too deeply") from error


def _recipe(value: JsonValue) -> Recipe:
    kind = value.member("kind").value
    return _union(value) if kind == "union" else _patch(value) if kind == "patch" else _leaf(value)


def _union(value: JsonValue) -> Union:
    value.members(("kind", "parts"), ("distinct",))
    parts = value.member("parts").items(_leaf, least=2)
    names = {tuple(column.name for column in part.columns) for part in parts}
    if len(names) > 1:
        raise value.member("parts").refused("the parts have different columns")
    if value.has("distinct") and value.member("distinct").value is not True:
        raise value.member("distinct").refused("only true was expected")
    return Union(parts, value.has("distinct"))


def _patch(value: JsonValue) -> Patch:
    value.members(("kind", "recipe"), ("plus", "minus"))
    inner = _recipe(value.member("recipe"))
    if isinstance(inner, Patch):
        raise value.member("recipe").refused("a patch is not patched")
    kinds = ResidualKind.ROWS, ResidualKind.HASHES
    plus = _residual(value.member("plus"), kinds[0]) if value.has("plus") else None
    minus = _residual(value.member("minus"), *kinds) if value.has("minus") else None
    if plus is None and minus is None:
        raise value.refused("a patch needs 'plus' or 'minus'")
    return Patch(inner, plus, minus)


_LEAF = ("kind", "parent", "columns")


def _leaf(value: JsonValue) -> Leaf:
    kind = value.member("kind")
    parent, columns = value.member("parent").text(), _columns(value.member("columns"))
    match kind.value:
        case "project":
            value.members(_LEAF)
            return Project(parent, columns)
        case "distinct":
            value.members(_LEAF, ("where",))
            where = value.member("where").items(atom) if value.has("where") else ()
            return Distinct(parent, columns, where)
        case "select":
            value.members((*_LEAF, "where"))
            return Select(parent, columns, value.member("where").items(atom))
        case "rows":
            return _rows(value, parent, columns)
        case unknown:
            raise kind.refused(f"unknown kind {unknown!r}")


def _rows(value: JsonValue, parent: str, columns: tuple[Output, ...]) -> Rows:
    kinds = ResidualKind.KEYS, ResidualKind.HASHES, ResidualKind.POSITIONS
    residual = _residual(value.member("residual"), *kinds)
    extra = dict(zip(kinds, (("key",), (), ("snapshot",)), strict=True))[residual.kind]
    value.members((*_LEAF, "residual", *extra))
    key = value.member("key").items(path) if extra == ("key",) else ()
    if len(set(key)) < len(key):
        raise value.member("key").refused("a column is named twice")
    snapshot = value.member("snapshot").text() if "snapshot" in extra else ""
    return Rows(parent, columns, residual, key, snapshot)


def _columns(value: JsonValue) -> tuple[Output, ...]:
    columns = value.items(_output)
    if len({column.name for column in columns}) < len(columns):
        raise value.refused("two columns have one name")
    return columns


def _output(value: JsonValue) -> Output:
    value.members(("name", "from"))
    return Output(value.member("name").text(), _source(value.member("from")))


def _source(value: JsonValue) -> Source:
    if isinstance(value.value, list):
        return Field(path(value))
    if value.has("cast"):
        value.members(("cast", "of", "to"))
        of, to = value.member("of").text(), value.member("to").text()
        if of == to or type_tag(of, Types.WIDENED) != type_tag(to, Types.WIDENED):
            raise value.member("to").refused(f"another type of the numbers of {of!r} was expected")
        return Cast(path(value.member("cast")), of, to)
    if value.has("constant"):
        value.members(("constant",))
        return _constant(value.member("constant"))
    if value.has("row_number"):
        value.members(("row_number",))
        return _row_number(value.member("row_number"))
    if value.has("text_of"):
        value.members(("text_of", "as"))
        written = value.member("as")
        if not Rendering.of(written.text()).is_known:
            raise written.refused("no rendering is written so")
        return Rendered(path(value.member("text_of")), written.text())
    value.members(("null_with", "parts"))
    null_with, parts = value.member("null_with"), value.member("parts")
    return Struct(null_with.items(JsonValue.text, least=0), _columns(parts))


def _constant(value: JsonValue) -> Constant:
    value.members(("type", "text"))
    text = value.member("text")
    constant = Constant(value.member("type").text(), None if text.value is None else text.text())
    try:
        constant.array(1)
    except RecipeError as error:
        raise text.refused(str(error)) from error
    return constant


def _row_number(value: JsonValue) -> RowNumber:
    number = RowNumber(value.text())
    try:
        number.array(0, 1)
    except RecipeError as error:
        raise value.refused(str(error)) from error
    return number


def _residual(value: JsonValue, *kinds: ResidualKind) -> Residual:
    value.members(("kept", "location", "rows", "size_bytes"), ("sha256",))
    kind = value.member("kept").choice(kinds)
    location, rows = value.member("location").text(), value.member("rows").count()
    sha256 = _sha256(value.member("sha256")) if value.has("sha256") else None
    size_bytes = value.member("size_bytes").count()
    return Residual(kind, location, rows, size_bytes, sha256)


def _sha256(value: JsonValue) -> str:
    if not re.fullmatch(r"[0-9a-f]{64}", value.text()):
        raise value.refused("64 hexadecimal digits were expected")
    return value.text()


def atom(value: JsonValue) -> Atom:
    """The atom of JSON data such as `atom_data` gives.

    Raises:
        RecipeError: the data is no atom; the message leads to the fault.
    """
    kind = value.member("kind")
    if kind.value == "any_of":
        value.members(("kind", "conjunctions"))
        return AnyOf(value.member("conjunctions").items(lambda one: one.items(atom), least=2))
    column = path(value.member("path"))
    part = _part(value.member("of")) if value.has("of") else None
    match kind.value:
        case "equals":
            value.members(("kind", "path", "value"), ("of",))
            return Equals(column, _literal(value.member("value")), part)
        case "in":
            return In(column, _values(value, least=2), part)
        case "not_in":
            return NotIn(column, _values(value, least=1), part)
        case "between":
            return Between(column, *_ends(value), part)
        case "at_least":
            value.members(("kind", "path", "low"))
            return AtLeast(column, _literal(value.member("low")))
        case "is_null" | "not_null" | "is_nan":
            value.members(("kind", "path"))
            return _WITHOUT_VALUES[kind.value](column)
        case "compare":
            value.members(("kind", "path", "comparison", "other"))
            comparison = value.member("comparison").choice(tuple(Comparison))
            return Compare(column, comparison, path(value.member("other")))
        case unknown:
            raise kind.refused(f"unknown kind {unknown!r}")


def _part(value: JsonValue) -> Part:
    if isinstance(value.value, Mapping):
        value.members(("remainder",))
        divisor = value.member("remainder")
        if not divisor.count():
            raise divisor.refused("a whole number from 1 was expected")
        return Remainder(divisor.count())
    return value.choice(tuple(TimePart))


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


def _values(value: JsonValue, least: int) -> tuple[Literal, ...]:
    value.members(("kind", "path", "type", "texts"), ("of",))
    type_ = value.member("type").text()
    values = value.member("texts").items(lambda text: _checked(type_, text), least)
    order = [literal.order() for literal in values]
    if any(low >= high for low, high in pairwise(order)):
        raise value.member("texts").refused("distinct values in ascending order were expected")
    return values


def _ends(value: JsonValue) -> tuple[Literal, Literal]:
    value.members(("kind", "path", "low", "high"), ("of",))
    low, high = _literal(value.member("low")), _literal(value.member("high"))
    if low.type != high.type:
        raise value.member("high").refused(f"type {low.type!r} was expected, as of 'low'")
    if low.order() > high.order():
        raise value.member("high").refused("less than 'low'")
    return low, high
