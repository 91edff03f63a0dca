"""Reads the sections of a TOML file as frozen dataclasses.

A field's name is its key and ends in its unit; its type says what is expected, its default that the
key may be left out. An error names the line, what was expected, and what an unknown name may have
meant. Each command reads its sections; those of other commands may be in the same file.
"""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, Field, dataclass, fields
from datetime import date
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from math import isfinite
from pathlib import Path
from types import UnionType
from typing import Any, get_args, get_origin

from r2d2.errors import UsageError

SECTIONS: Mapping[str, str] = {
    **{name: f"[{name}]" for name in ("find", "prices", "rates", "usage", "latency", "plan")},
    **{name: f"[[{name}]]" for name in ("text", "table", "limit", "protect", "tenant", "prefer")},
    **{name: f"[[{name}]]" for name in ("view", "sql_name")},
    **{name: f"[{name}]" for name in ("cluster", "billing", "packing", "right_size", "report")},
    **{name: f"[{name}]" for name in ("spot", "serverless", "pipeline", "deletion")},
    "job": "[[job]]",
}
"""Every section that r2d2 knows, as it is written: `[name]`, or `[[name]]` where several may be."""

Kinds = Mapping[str, type]
"""The sections that a command reads, each with its dataclass."""
Steps = tuple[str | int, ...]
"""Keys and, for arrays of tables, positions: `("limit", 1, "limit_s")`."""
NO_KEY = {"key": False}
"""Metadata of a dataclass's field that is no key of its section."""


@dataclass(frozen=True, slots=True)
class TomlFile:
    """A file's name, its text, to say where in it something is wrong, and what it holds."""

    path: Path
    text: str
    data: Mapping[str, Any]
    kinds: Kinds

    def error(self, steps: Steps, message: str) -> UsageError:
        """The error, with the line of that key if it can be told."""
        line = line_of(self.text, steps)
        return UsageError(f"{self.path}:{line}: {message}" if line else f"{self.path}: {message}")

    def values(self) -> dict[str, Any]:
        """Each section that is there as its dataclass, of lists of sections a tuple of them.

        Raises:
            UsageError: a section or key is unknown, a key is missing, or a value is wrong.
        """
        for name in self.data:
            if name not in SECTIONS:
                raise self.error((name,), unknown_section(name, self.kinds))
        there = [(name, kind) for name, kind in self.kinds.items() if name in self.data]
        return {name: self._read(name, kind) for name, kind in there}

    def _read(self, name: str, kind: type) -> Any:
        if SECTIONS[name].startswith("[["):
            if not isinstance(self.data[name], list):
                raise self.error((name,), f"write [[{name}]], as there may be several")
            return tuple(self._section((name, at), kind) for at in range(len(self.data[name])))
        return self._section((name,), kind)

    def _section(self, steps: Steps, kind: type) -> Any:
        name = str(steps[0])
        section = self.data[name] if len(steps) == 1 else self.data[name][steps[1]]
        if not isinstance(section, Mapping):
            raise self.error(steps, f"{name} is a section: write [{name}] and its keys below")
        known = _keys(kind)
        for key in section:
            if key not in known:
                raise self.error((*steps, key), unknown_key(key, known, self.kinds))
        for key, field in known.items():
            if field.default is MISSING and field.default_factory is MISSING and key not in section:
                needed = f"{SECTIONS[name]} needs {key}: {expected(key, _kind(field))}"
                raise self.error(steps, needed)
        values = {key: self._value((*steps, key), known[key], section[key]) for key in section}
        try:
            return kind(**values)
        except UsageError as error:
            # A message that begins with a key is about that key.
            key = str(error).partition(" = ")[0]
            raise self.error((*steps, key) if key in section else steps, str(error)) from error

    def _value(self, steps: Steps, field: "Field[Any]", value: Any) -> object:
        read = _read(_kind(field), value)
        if read is None or (read == "" and field.default is MISSING):
            shown = str(value) if isinstance(value, Decimal) else repr(value)
            wanted = expected(field.name, _kind(field))
            raise self.error(steps, f"{field.name} = {shown}: expected {wanted}")
        return read


def read_toml(path: Path, kinds: Kinds, remedy: str = "") -> TomlFile:
    """The file; its numbers are as written, so that prices stay exact.

    Raises:
        UsageError: it is missing (the remedy is told) or no TOML.
    """
    try:
        text = path.read_text(encoding="utf-8")
        return TomlFile(path, text, tomllib.loads(text, parse_float=Decimal), kinds)
    except FileNotFoundError as error:
        raise UsageError(f"{path}: {error.strerror}{remedy}") from error
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: not TOML: {error}") from error


def _keys(kind: type) -> dict[str, "Field[Any]"]:
    return {field.name: field for field in fields(kind) if field.metadata != NO_KEY}


def _kind(field: "Field[Any]") -> Any:
    """The field's type; of `X | None` it is X."""
    if isinstance(field.type, UnionType):
        return next(each for each in get_args(field.type) if each is not type(None))
    return field.type


def _read(kind: Any, value: Any) -> Any:
    """The value as that type; None where it is none."""
    if get_origin(kind) is tuple:
        if type(value) is not list:
            return None
        items = [_read(get_args(kind)[0], item) for item in value]
        return None if None in items else tuple(items)
    if _is_enum(kind):
        return next((member for member in kind if member.value == value), None)
    if kind in (float, Fraction) and type(value) in (int, Decimal):
        return kind(value) if _is_finite(value) and value >= 0 else None
    if type(value) is not kind or (kind is int and value < 0):
        return None
    return value


def _is_finite(value: int | Decimal) -> bool:
    """Whether a float can hold about as much."""
    try:
        return isfinite(float(value))
    except OverflowError:
        return False


def _is_enum(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Enum)


def line_of(text: str, steps: Steps) -> int | None:
    """The line on which the key is first given, or None where the text does not hold it.

    The first lines of a TOML file are TOML as long as no value is cut. So the key stands in the
    first such beginning that holds it, behind the longest one that does not: exact for values of
    many lines, dotted keys and inline tables too. Only errors pay for it.

    >>> line_of("[prices]\\n# in USD\\nscan = 1\\n", ("prices", "scan"))
    3
    """
    lines = text.splitlines(keepends=True)
    before = 0
    for count in range(1, len(lines) + 1):
        try:
            table = tomllib.loads("".join(lines[:count]))
        except tomllib.TOMLDecodeError:
            continue
        if _holds(table, steps):
            return before + 1
        before = count
    return None


def _holds(value: Any, steps: Steps) -> bool:
    try:
        for step in steps:
            value = value[step]
    except (KeyError, IndexError, TypeError):
        return False
    return True


EXPECTED: Mapping[Any, str] = {
    int: "a whole number, 0 or more",
    str: "a text in quotes",
    bool: "true or false",
    date: "a day without quotes, such as 2026-09-01",
    tuple[str, ...]: 'texts in a list, such as ["a", "b"]',
    tuple[int, ...]: "whole numbers in a list, such as [1, 2, 4]",
}
NUMBER = "a number, 0 or more"
UNITS: Mapping[str, str] = {
    "usd_per_gb_month": "US dollars per GB (10⁹ bytes) and month",
    "usd_per_gb_second": "US dollars per GB (10⁹ bytes) and second",
    "usd_per_gb": "US dollars per GB (10⁹ bytes)",
    "usd_per_core_second": "US dollars per core and second",
    "usd_per_cu_hour": "US dollars per compute unit and hour",
    "usd_per_node_hour": "US dollars per VM and hour",
    "usd_per_hour": "US dollars per hour",
    "_per_vm_hour": "times per VM and hour",
    "_s_per_gb": "seconds per GB (10⁹ bytes)",
    "_usd_per_month": "US dollars a month",
    "_per_month": "times a month",
    "_days": "days",
    "_s": "seconds",
    "_usd": "US dollars",
    "_gb": "GB (10⁹ bytes)",
    "_bytes": "bytes",
    "_mib": "MiB (2²⁰ bytes)",
}
"""The unit of a number, by the end of its key's name."""
SHARES = ("_share", "_fraction", "probability")


def expected(key: str, kind: Any) -> str:
    """A description of the value that the key expects, with its unit.

    >>> expected("limit_s", float), expected("max_deleted_share", float)
    ('a number, 0 or more: seconds', 'a share from 0 to 1')
    """
    if _is_enum(kind):
        return " or ".join(f'"{member.value}"' for member in kind)
    if kind in (float, Fraction) and key.endswith(SHARES):
        return "a share from 0 to 1"
    if kind not in (int, float, Fraction):
        return EXPECTED[kind]
    number = EXPECTED.get(kind, NUMBER)
    unit = next((unit for end, unit in UNITS.items() if key.endswith(end)), "")
    return f"{number}: {unit}" if unit else number


def unknown_section(name: str, kinds: Kinds) -> str:
    """The message that there is no such section; it lists them, those that are read first."""
    message = _unknown("section", name, _near(name, kinds) or _near(name, SECTIONS))
    homes = _homes(name, kinds)
    if homes:
        return f"{message}; as a key it belongs under {homes}"
    return _with_known(message, {SECTIONS[known]: None for known in (*kinds, *SECTIONS)})


def unknown_key(key: str, keys: Iterable[str], kinds: Kinds) -> str:
    """The message that the section has no such key; it lists its keys, or names the key's home."""
    message = _unknown("key", key, _near(key, keys))
    homes = _homes(key, kinds)
    return f"{message}; it belongs under {homes}" if homes else _with_known(message, keys)


def _unknown(what: str, name: str, near: str | None) -> str:
    hint = f" (did you mean {near!r}?)" if near else ""
    return f"unknown {what} {name!r}{hint}"


def _near(name: str, names: Iterable[str]) -> str | None:
    from difflib import get_close_matches

    begun = [known for known in names if known.startswith(name) or name.startswith(known)]
    return next(iter(begun or get_close_matches(name, list(names), n=1)), None)


def _with_known(message: str, known: Iterable[str]) -> str:
    return f"{message}; known are {', '.join(known)}"


def _homes(key: str, kinds: Kinds) -> str:
    return " or ".join(SECTIONS[name] for name, kind in kinds.items() if key in _keys(kind))
