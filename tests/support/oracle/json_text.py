"""JSON lines as columns of text: objects flattened, numbers as they are written."""

import json
from collections.abc import Iterable
from typing import Any

Names = tuple[str, ...]


class Number(str):
    """A number's characters."""

    __slots__ = ()


def read(lines: Iterable[str]) -> tuple[list[Names], list[list[str | None]]]:
    """Each column's path, and the rows; NULL is `null` or a key that a row lacks."""
    rows = [_flat(_decoded(line)) for line in lines]
    filled: dict[Names, bool] = {}
    for row in rows:
        for name, value in row.items():
            filled[name] = filled.get(name, False) or value is not None
    objects = {name[:depth] for name in filled for depth in range(1, len(name))}
    names = [name for name, any_text in filled.items() if any_text or name not in objects]
    return names, [[row.get(name) for name in names] for row in rows]


def _decoded(line: str) -> Any:
    return json.loads(line, parse_int=Number, parse_float=Number)


def _flat(value: dict[str, Any], above: Names = ()) -> dict[Names, str | None]:
    row: dict[Names, str | None] = {}
    for key, inner in value.items():
        if isinstance(inner, dict) and inner:
            row |= _flat(inner, (*above, key))
        else:
            row[(*above, key)] = _text(inner)
    return row


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else _compact(value)


def _compact(value: Any) -> str:
    """The value without spaces, its objects' keys in order."""
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, list):
        return "[" + ",".join(map(_compact, value)) + "]"
    if isinstance(value, dict):
        items = (f"{_compact(key)}:{_compact(value[key])}" for key in sorted(value))
        return "{" + ",".join(items) + "}"
    return json.dumps(value, ensure_ascii=False)
