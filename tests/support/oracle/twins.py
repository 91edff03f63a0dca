"""Values that a careless reader or hash takes for another."""

import math
import unicodedata
from collections.abc import Callable
from decimal import Decimal
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.types as pt

from tests.support.oracle.random_values import integer_range, nullable


def twin(chance: Random, type_: pa.DataType, value: Any) -> Any:
    """A value of the type that is easily mistaken for this one, or that is the same one."""
    if pt.is_dictionary(type_):
        return twin(chance, type_.value_type, value)
    for test, change in TWINS:
        if test(type_):
            return change(chance, type_, value)
    return None if chance.random() < 0.3 else nullable(chance, type_)


def _text(chance: Random, _: pa.DataType, value: str | None) -> str | None:
    text = "NULL" if value is None else value
    forms = (unicodedata.normalize("NFC", text), unicodedata.normalize("NFD", text))
    return chance.choice((text + " ", text + "\0", *forms, text[::-1], text.swapcase(), "", None))


def _bytes(chance: Random, type_: pa.DataType, value: bytes | None) -> bytes | None:
    if pt.is_fixed_size_binary(type_):
        return None if value is None else value[::-1]
    return chance.choice((value or b"", (value or b"") + b"\0", b"", None, (value or b"")[:-1]))


def _floating(chance: Random, type_: pa.DataType, value: float | None) -> float | None:
    near = value if value is None else math.nextafter(value, math.inf)
    minus = value if value is None else -value
    return chance.choice((math.nan, None, -0.0, 0.0, minus, near if pt.is_float64(type_) else 0.0))


def _integer(chance: Random, type_: pa.DataType, value: int | None) -> int | None:
    held = integer_range(type_)
    near = [(value or 0) + step for step in (-1, 1, 256, 2**32)] + [-(value or 0)]
    return chance.choice((None, *(number for number in near if number in held)))


def _decimal(chance: Random, type_: pa.DataType, value: Decimal | None) -> Decimal | None:
    return chance.choice((None, Decimal(0), value if value is None else value.copy_negate()))


def _list(chance: Random, type_: pa.DataType, value: list[Any] | None) -> list[Any] | None:
    items = value or []
    inner = [*items]
    if inner:
        place = chance.randrange(len(inner))
        inner[place] = twin(chance, type_.value_type, inner[place])
    if pt.is_nested(type_.value_type) and chance.random() < 0.5:
        return inner
    same = [items[::-1], items[::-1], [*items, None], items[:-1], items + items[:1]]
    return chance.choice((None, [], [None], *same, inner, inner))


def _struct(chance: Random, type_: pa.StructType, value: dict[str, Any] | None) -> Any:
    nothing = {field.name: None for field in type_}
    fields = value or nothing
    swaps = _fields_swapped(type_, fields)
    if swaps and chance.random() < 0.5:
        return chance.choice(swaps)
    field = chance.choice(list(type_))
    changed = {**fields, field.name: twin(chance, field.type, fields[field.name])}
    return chance.choice((None, nothing, changed, changed))


def _fields_swapped(type_: pa.StructType, fields: dict[str, Any]) -> list[dict[str, Any]]:
    """The struct with two fields of one type changed round, in each way there is."""
    pairs = [(a, b) for a in type_ for b in type_ if a.name < b.name and a.type == b.type]
    return [{**fields, a.name: fields[b.name], b.name: fields[a.name]} for a, b in pairs]


def _map(chance: Random, type_: pa.DataType, value: list[tuple[Any, Any]] | None) -> Any:
    entries = value or []
    keys, items = [key for key, _ in entries], [item for _, item in entries]
    crossed = list(zip(keys, items[::-1], strict=True))
    changed = [(key, twin(chance, type_.item_type, item)) for key, item in entries]
    return chance.choice((None, [], entries[::-1], entries[1:], crossed, crossed, changed))


def _is_text(type_: Any) -> bool:
    return type_ in (pa.string(), pa.large_string(), pa.string_view())


def _is_bytes(type_: pa.DataType) -> bool:
    plain = type_ in (pa.binary(), pa.large_binary(), pa.binary_view())
    return bool(plain or (pt.is_fixed_size_binary(type_) and not pt.is_decimal(type_)))


def _is_list(type_: pa.DataType) -> bool:
    return bool((pt.is_list(type_) or pt.is_large_list(type_)) and not pt.is_map(type_))


TWINS: tuple[tuple[Callable[[pa.DataType], bool], Callable[[Random, Any, Any], Any]], ...] = (
    (_is_text, _text),
    (_is_bytes, _bytes),
    (pt.is_floating, _floating),
    (pt.is_integer, _integer),
    (pt.is_decimal, _decimal),
    (_is_list, _list),
    (pt.is_struct, _struct),
    (pt.is_map, _map),
    (pt.is_null, lambda chance, type_, value: None),
)
