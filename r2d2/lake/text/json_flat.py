"""One JSON object as a row of text: nested objects flattened, scalars as they are written.

A number keeps its characters, so 1, 1.0 and 1e400 are three texts; `true` and `"true"` are one,
as JSON is read without types. `null` is NULL, as a missing key is. An array is one text, compact,
its order kept, keys inside it sorted; so is an empty object, which has no keys to flatten.

The decoder calls no Python: an object comes as a tuple of pairs, a number as its bytes.
"""

import json
from json.encoder import encode_basestring
from typing import Any

from r2d2.formats.schema import quoted

DEPTH = 100
DECODER = json.JSONDecoder(
    object_pairs_hook=tuple,
    parse_float=str.encode,
    parse_int=str.encode,
    parse_constant=str.encode,
)
Pairs = tuple[tuple[str, Any], ...]
# Texts by flat name; a number's is bytes still.
Row = dict[str, str | bytes | None]
# The flat names of the keys met, by the objects' own names.
Names = dict[str, dict[str, str]]


class NotJsonError(ValueError):
    """Text that is no JSON object with an identity."""


class NoObjectError(NotJsonError):
    """Sound JSON, but another value than an object."""


def flat(value: Any, names: Names) -> Row:
    """The object as values by flattened name.

    Raises:
        NotJsonError: another value than an object, a key twice, or objects nested too deep.
    """
    if type(value) is not tuple:
        raise NoObjectError(f"{_kind(value)} where an object is expected")
    row: Row = {}
    _flatten(value, "", row, names, 1)
    return row


def _flatten(pairs: Pairs, prefix: str, row: Row, names: Names, depth: int) -> None:
    known = names.setdefault(prefix, {})
    for key, value in _by_key(pairs, depth).items():
        name = known.get(key)
        if name is None:
            name = known[key] = prefix + quoted(key)
        kind = type(value)
        if kind is str or kind is bytes or value is None:
            row[name] = value
        elif kind is tuple and value:
            _flatten(value, name + ".", row, names, depth + 1)
        else:
            row[name] = canonical(value, depth)


def canonical(value: Any, depth: int = 0) -> str:
    """The decoded value as compact JSON with sorted keys and numbers as written.

    >>> canonical(DECODER.decode('[1.0, {"b": null, "a": "\\\\u00e9"}]'))
    '[1.0,{"a":"é","b":null}]'
    """
    kind = type(value)
    if kind is str:
        return encode_basestring(value)
    if kind is bytes:
        return str(value, "ascii")
    if kind is list:
        _check(depth)
        return "[" + ",".join([canonical(each, depth + 1) for each in value]) + "]"
    if kind is tuple:
        pairs = sorted(_by_key(value, depth).items(), key=_key)
        inside = [f"{encode_basestring(key)}:{canonical(each, depth + 1)}" for key, each in pairs]
        return "{" + ",".join(inside) + "}"
    return {True: "true", False: "false", None: "null"}[value]


def _by_key(pairs: Pairs, depth: int) -> dict[str, Any]:
    _check(depth)
    by_key = dict(pairs)
    if len(by_key) < len(pairs):
        names = [key for key, _ in pairs]
        twice = next(key for key in names if names.count(key) > 1)
        raise NotJsonError(f"key {twice!r} twice in one object")
    return by_key


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
    kinds: tuple[tuple[type, str], ...] = ((list, "an array"), (bytes, "a number"), (str, "text"))
    return next((name for type_, name in kinds if isinstance(value, type_)), canonical(value))


def _key(pair: tuple[str, Any]) -> str:
    return pair[0]
