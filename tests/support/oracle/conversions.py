"""One column under another type: the same values where they fit, or values that look the same."""

from dataclasses import replace
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.types as pt

from tests.support.oracle.plain_conversions import PLAIN_CHANGES, Change
from tests.support.oracle.sheets import SheetColumn, arrow_array


def change_type(chance: Random, column: SheetColumn) -> SheetColumn | None:
    """The column under another type, or None where its values do not fit the one drawn."""
    change = _change(chance, column.type)
    if change is None:
        return None
    type_, convert = change
    try:
        values = tuple(None if value is None else convert(value) for value in column.values)
        arrow_array(values, type_)
    except (ValueError, OverflowError, ArithmeticError, pa.ArrowException):
        return None
    return replace(column, type=type_, values=values)


def _change(chance: Random, type_: pa.DataType) -> Change | None:
    for test, change in CHANGES:
        if test(type_):
            return change(chance, type_)
    return None


def _of_list(chance: Random, type_: pa.DataType) -> Change:
    inner = _plainly(_change(chance, type_.value_type)) if chance.random() < 0.6 else None
    inner_type, convert = inner or (type_.value_type, lambda value: value)
    made = chance.choice((pa.list_, pa.large_list))(inner_type)
    return made, lambda value: [None if item is None else convert(item) for item in value]


def _of_struct(chance: Random, type_: pa.StructType) -> Change:
    fields = chance.sample(list(type_), chance.choice((type_.num_fields, type_.num_fields, 1)))
    changed = {field.name: _plainly(_change(chance, field.type)) for field in fields[:1]}
    made = []
    for field in fields:
        kept = changed.get(field.name) or (field.type, None)
        made.append(pa.field(chance.choice((field.name, field.name.upper())), kept[0]))
    pairs = list(zip([field.name for field in fields], made, strict=True))

    def convert(value: dict[str, Any]) -> dict[str, Any]:
        return {new.name: _converted(value[old], changed.get(old)) for old, new in pairs}

    return pa.struct(made), convert


def _plainly(change: Change | None) -> Change | None:
    """The change, if pyarrow writes and reads back its type within a list or struct."""
    plain = change and not pt.is_dictionary(change[0]) and "view" not in str(change[0])
    return change if plain else None


def _converted(value: Any, change: Change | None) -> Any:
    return value if value is None or change is None else change[1](value)


def _of_map(chance: Random, type_: pa.DataType) -> Change:
    entries = pa.struct([pa.field("key", type_.key_type), pa.field("value", type_.item_type)])
    kept = _plainly(_change(chance, type_.item_type))
    item_type = kept[0] if kept else type_.item_type
    changes: tuple[Change, ...] = (
        (type_, lambda value: value[::-1]),
        (pa.list_(entries), lambda value: [{"key": k, "value": v} for k, v in value]),
        (
            pa.map_(type_.key_type, item_type),
            lambda value: [(k, _converted(v, kept)) for k, v in value],
        ),
    )
    return chance.choice(changes)


CHANGES = (
    *PLAIN_CHANGES,
    (pt.is_map, _of_map),
    (lambda t: pt.is_list(t) or pt.is_large_list(t), _of_list),
    (pt.is_struct, _of_struct),
)
