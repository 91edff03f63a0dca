"""Recipes as JSON data and back, exactly; what is not of the grammar is refused by its place.

{"kind": "select", "parent": "sales/all.parquet",
 "columns": [{"name": "id", "from": ["id"]},
             {"name": "geo", "from": {"null_with": ["geo"],
                                      "parts": [{"name": "lat", "from": ["geo", "lat"]}]}}],
 "where": [{"kind": "equals", "path": ["country"],
            "value": {"type": "string", "text": "IT"}}]}
"""

import re
from typing import Any

from r2d2.recipes.atoms_json import atom, atom_data, path
from r2d2.recipes.errors import RecipeError
from r2d2.recipes.grammar import (
    Distinct,
    Field,
    Kept,
    Leaf,
    Output,
    Patch,
    Project,
    Recipe,
    Residual,
    Rows,
    Select,
    Struct,
    Union,
)
from r2d2.recipes.json_value import JsonValue

Data = dict[str, Any]


def to_data(recipe: Recipe) -> Data:
    """The recipe as JSON data: objects, lists, texts and numbers."""
    match recipe:
        case Union(parts):
            return {"kind": "union", "parts": [to_data(part) for part in parts]}
        case Patch(inner, plus, minus):
            data: Data = {"kind": "patch", "recipe": to_data(inner)}
            files = {"plus": plus, "minus": minus}
            return data | {key: _residual_data(file) for key, file in files.items() if file}
    kind = type(recipe).__name__.lower()
    data = {"kind": kind, "parent": recipe.parent, "columns": _columns_data(recipe.columns)}
    match recipe:
        case Select(where=where):
            data["where"] = [atom_data(part) for part in where]
        case Rows(residual=residual, key=key, snapshot=snapshot):
            data["residual"] = _residual_data(residual)
            if residual.kept is Kept.KEYS:
                data["key"] = [list(column) for column in key]
            if residual.kept is Kept.POSITIONS:
                data["snapshot"] = snapshot
    return data


def _columns_data(columns: tuple[Output, ...]) -> list[Data]:
    return [{"name": column.name, "from": _source_data(column.source)} for column in columns]


def _source_data(source: Field | Struct) -> list[str] | Data:
    if isinstance(source, Field):
        return list(source.path)
    return {"null_with": list(source.null_with), "parts": _columns_data(source.parts)}


def _residual_data(residual: Residual) -> Data:
    data: Data = {"kept": residual.kept.value, "location": residual.location}
    data |= {"rows": residual.rows, "size_bytes": residual.size_bytes}
    return data if residual.sha256 is None else data | {"sha256": residual.sha256}


def from_data(data: object, place: str = "recipe") -> Recipe:
    """The recipe that `to_data` gave, or the like of it.

    Raises:
        RecipeError: the data is not of the grammar; the message leads from `place` to the fault.
    """
    try:
        return _recipe(JsonValue(data, place))
    except RecursionError as error:
        raise RecipeError(f"{place}: nested too deeply") from error


def _recipe(value: JsonValue) -> Recipe:
    match value.member("kind").value:
        case "union":
            return _union(value)
        case "patch":
            return _patch(value)
        case _:
            return _leaf(value)


def _union(value: JsonValue) -> Union:
    value.members(("kind", "parts"))
    parts = value.member("parts").items(_leaf, least=2)
    names = {tuple(column.name for column in part.columns) for part in parts}
    if len(names) > 1:
        raise value.member("parts").refused("the parts have different columns")
    return Union(parts)


def _patch(value: JsonValue) -> Patch:
    value.members(("kind", "recipe"), ("plus", "minus"))
    inner = _recipe(value.member("recipe"))
    if isinstance(inner, Patch):
        raise value.member("recipe").refused("a patch is not patched")
    plus = _residual(value.member("plus"), Kept.ROWS) if value.has("plus") else None
    minus = None
    if value.has("minus"):
        minus = _residual(value.member("minus"), Kept.ROWS, Kept.HASHES)
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
            value.members(_LEAF)
            return Distinct(parent, columns)
        case "select":
            value.members((*_LEAF, "where"))
            return Select(parent, columns, value.member("where").items(atom))
        case "rows":
            return _rows(value, parent, columns)
        case unknown:
            raise kind.refused(f"unknown kind {unknown!r}")


def _rows(value: JsonValue, parent: str, columns: tuple[Output, ...]) -> Rows:
    residual = _residual(value.member("residual"), Kept.KEYS, Kept.HASHES, Kept.POSITIONS)
    own = {Kept.KEYS: ("key",), Kept.POSITIONS: ("snapshot",)}.get(residual.kept, ())
    value.members((*_LEAF, "residual", *own))
    key = value.member("key").items(path) if "key" in own else ()
    if len(set(key)) < len(key):
        raise value.member("key").refused("a column is named twice")
    snapshot = value.member("snapshot").text() if "snapshot" in own else ""
    return Rows(parent, columns, residual, key, snapshot)


def _columns(value: JsonValue) -> tuple[Output, ...]:
    columns = value.items(_output)
    if len({column.name for column in columns}) < len(columns):
        raise value.refused("two columns have one name")
    return columns


def _output(value: JsonValue) -> Output:
    value.members(("name", "from"))
    return Output(value.member("name").text(), _source(value.member("from")))


def _source(value: JsonValue) -> Field | Struct:
    if isinstance(value.value, list):
        return Field(path(value))
    value.members(("null_with", "parts"))
    null_with = value.member("null_with").items(JsonValue.text, least=0)
    return Struct(null_with, _columns(value.member("parts")))


def _residual(value: JsonValue, *kinds: Kept) -> Residual:
    value.members(("kept", "location", "rows", "size_bytes"), ("sha256",))
    kept = value.member("kept")
    if kept.value not in {kind.value for kind in kinds}:
        raise kept.refused(f"one of {', '.join(kind.value for kind in kinds)} was expected")
    location, rows = value.member("location").text(), value.member("rows").count()
    sha256 = _sha256(value.member("sha256")) if value.has("sha256") else None
    size_bytes = value.member("size_bytes").count()
    return Residual(Kept(kept.text()), location, rows, size_bytes, sha256)


def _sha256(value: JsonValue) -> str:
    if not re.fullmatch(r"[0-9a-f]{64}", value.text()):
        raise value.refused("64 hexadecimal digits were expected")
    return value.text()
