"""One JSON object as a row of text: nested objects flattened, scalars as they are written.

A number keeps its characters, so 1, 1.0 and 1e400 are three texts; `true` and `"true"` are one,
as JSON is read without types. `null` is NULL, as a missing key is. An array is one text, compact,
its order kept, keys inside it sorted; so is an empty object, which has no keys to flatten.
"""

import json
from collections.abc import Sequence
from json.encoder import encode_basestring
from typing import Any

from r2d2.lake.schema import quoted

DEPTH = 100
# A top-level key's flat name is looked up once per file.
Names = dict[tuple[str, str], str]
Row = dict[str, str | None]


class NotJsonError(ValueError):
    """Text that is no JSON object with an identity."""


class NoObjectError(NotJsonError):
    """Sound JSON, but another value than an object."""


class Number(str):
    """A number's characters."""

    __slots__ = ()


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise NotJsonError(f"key {twice!r} twice in one object")
    return found


DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_float=Number, parse_int=Number, parse_constant=Number
)


def flat(value: Any, names: Names) -> Row:
    """The object as values by flattened name.

    Raises:
        NotJsonError: another value than an object, or one nested too deep.
    """
    if type(value) is not dict:
        raise NoObjectError(f"{_kind(value)} where an object is expected")
    row: Row = {}
    _flatten(value, "", row, names, 1)
    return row


def _flatten(value: dict[str, Any], prefix: str, row: Row, names: Names, depth: int) -> None:
    _check(depth)
    for key, inner in value.items():
        name = names.get((prefix, key))
        if name is None:
            name = names[prefix, key] = prefix + quoted(key)
        kind = type(inner)
        if kind is str or kind is Number or inner is None:
            row[name] = inner
        elif kind is dict and inner:
            _flatten(inner, name + ".", row, names, depth + 1)
        else:
            row[name] = canonical(inner, depth)


def canonical(value: Any, depth: int = 0) -> str:
    """The value as compact JSON with sorted keys and numbers as written.

    >>> canonical(DECODER.decode('[1.0, {"b": null, "a": "\\\\u00e9"}]'))
    '[1.0,{"a":"é","b":null}]'
    """
    _check(depth)
    kind = type(value)
    if kind is str:
        return encode_basestring(value)
    if kind is Number:
        return str(value)
    if kind is list:
        return "[" + ",".join([canonical(each, depth + 1) for each in value]) + "]"
    if kind is dict:
        pairs = [f"{encode_basestring(k)}:{canonical(value[k], depth + 1)}" for k in sorted(value)]
        return "{" + ",".join(pairs) + "}"
    return {True: "true", False: "false", None: "null"}[value]


def _check(depth: int) -> None:
    if depth > DEPTH:
        raise NotJsonError(f"nested deeper than {DEPTH} levels")


def check_characters(value: Any) -> None:
    """Raises NotJsonError where an escape in the value's text made half a surrogate pair."""
    try:
        canonical(value).encode()
    except UnicodeEncodeError as error:
        raise NotJsonError("half a surrogate pair, which is no character") from error


def _kind(value: Any) -> str:
    kinds: Sequence[tuple[type, str]] = ((list, "an array"), (Number, "a number"), (str, "text"))
    return next((name for type_, name in kinds if isinstance(value, type_)), canonical(value))
