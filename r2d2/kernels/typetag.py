"""The class of types that count as one, as the tag that goes into a column's key."""

import re
from functools import lru_cache

from r2d2.model import Types

_SCALAR = re.compile(r"[a-z_0-9]+(\([^)]*\))?")
_NUMBER = re.compile(r"u?int(8|16|32|64)|float(16|32|64)|decimal\(.*\)")


@lru_cache(maxsize=4096)
def type_tag(logical_type: str, types: Types) -> str:
    """The matching class of a strict logical type: two columns match where their tags are equal.

    Fields of structs are sorted by lower-cased name, as their order in a file says nothing.

    >>> type_tag("list<decimal(9,2)>", Types.WIDENED)
    'list<number>'
    """
    tag, rest = _tag(logical_type, types)
    if rest:
        raise ValueError(f"not a logical type: {logical_type!r}")
    return tag


def _tag(text: str, types: Types) -> tuple[str, str]:
    if text.startswith("list<"):
        item, rest = _tag(text[len("list<") :], types)
        return f"list<{item}>", _after(">", rest)
    if text.startswith("map<"):
        key, rest = _tag(text[len("map<") :], types)
        value, rest = _tag(_after(",", rest), types)
        return f"map<{key},{value}>", _after(">", rest)
    if text.startswith("struct<"):
        return _struct_tag(text[len("struct<") :], types)
    scalar = _SCALAR.match(text)
    if not scalar:
        raise ValueError(f"not a logical type: {text!r}")
    name = scalar.group()
    widened = types is Types.WIDENED and _NUMBER.fullmatch(name)
    return "number" if widened else name, text[scalar.end() :]


def _struct_tag(rest: str, types: Types) -> tuple[str, str]:
    fields = []
    while not rest.startswith(">"):
        name, rest = _field_name(rest)
        tag, rest = _tag(_after(":", rest), types)
        fields.append(f"`{name.lower().replace('`', '``')}`:{tag}")
        if rest.startswith(","):
            rest = rest[1:]
    return f"struct<{','.join(sorted(fields))}>", rest[1:]


def _field_name(text: str) -> tuple[str, str]:
    """The name a struct's field starts with, in backticks or up to the colon, and what follows."""
    quoted = re.match(r"`((?:[^`]|``)*)`", text)
    if quoted:
        return quoted.group(1).replace("``", "`"), text[quoted.end() :]
    name, colon, _ = text.partition(":")
    return name, text[len(name) :]


def _after(mark: str, text: str) -> str:
    if not text.startswith(mark):
        raise ValueError(f"expected {mark!r} before {text!r}")
    return text[len(mark) :]
