"""Sections of a TOML file as frozen dataclasses; what is wrong is named with its line and remedy.

A field's name is its key and ends in its unit; its type says what is expected, its default that the
key may be left out.

Finds the line of a TOML key, which tomllib does not tell.

Says in words what a key of the settings expects, and what an unknown one may have meant.
"""

import tomllib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from datetime import date
from decimal import Decimal
from difflib import get_close_matches
from fractions import Fraction
from math import isfinite
from pathlib import Path
from types import UnionType
from typing import Any, get_args, get_origin

from r2d2.errors import UsageError


@dataclass(frozen=True, slots=True)
class Sections:
    """What a file may hold: `[name]` in `single`, `[[name]]` in `lists`, each as its dataclass.

    `others` are read by somebody else, and passed over.
    """

    single: Mapping[str, type]
    lists: Mapping[str, type] = field(default_factory=dict)
    others: Collection[str] = ()

    @property
    def kinds(self) -> Mapping[str, type]:
        """All of them by name."""
        return {**self.single, **self.lists}

    @property
    def shown(self) -> Mapping[str, str]:
        """How they are written."""
        single = {name: f"[{name}]" for name in self.single}
        return single | {name: f"[[{name}]]" for name in self.lists}


Steps = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class TomlFile:
    """A file's name, its text, to say where in it something is wrong, and what it holds."""

    path: Path
    text: str
    found: Mapping[str, Any]
    sections: Sections

    def error(self, steps: Steps, message: str) -> UsageError:
        """The error, with the line of that key if it can be told."""
        line = line_of(self.text, steps)
        return UsageError(f"{self.path}:{line}: {message}" if line else f"{self.path}: {message}")

    def values(self) -> dict[str, Any]:
        """Each section that is there as its dataclass, of lists of sections a tuple of them.

        Raises:
            UsageError: a section or key is unknown, a key is missing, or a value is wrong.
        """
        kinds, shown = self.sections.kinds, self.sections.shown
        for name in self.found:
            if name not in kinds and name not in self.sections.others:
                raise self.error((name,), unknown_section(name, kinds, shown))
        read = {name: self._section((name,), kind) for name, kind in self._there("single")}
        return read | {name: self._list(name, kind) for name, kind in self._there("lists")}

    def _there(self, which: str) -> list[tuple[str, type]]:
        kinds: Mapping[str, type] = getattr(self.sections, which)
        return [(name, kind) for name, kind in kinds.items() if name in self.found]

    def _list(self, name: str, kind: type) -> tuple[Any, ...]:
        if not isinstance(self.found[name], list):
            raise self.error((name,), f"write [[{name}]], as there may be several")
        return tuple(self._section((name, at), kind) for at in range(len(self.found[name])))

    def _section(self, steps: Steps, kind: type) -> Any:
        name = str(steps[0])
        found = self.found[name] if len(steps) == 1 else self.found[name][steps[1]]
        if not isinstance(found, Mapping):
            raise self.error(steps, f"{name} is a section: write [{name}] and its keys below")
        known = {own.name: own for own in fields(kind)}
        for key in found:
            if key not in known:
                told = unknown_key(key, known, self.sections.kinds, self.sections.shown)
                raise self.error((*steps, key), told)
        for key, own in known.items():
            if own.default is MISSING and own.default_factory is MISSING and key not in found:
                needed = f"{self.sections.shown[name]} needs {key}: {expected(key, _kind(own))}"
                raise self.error(steps, needed)
        values = {key: self._value((*steps, key), known[key], found[key]) for key in found}
        try:
            return kind(**values)
        except UsageError as error:
            # A message that begins with a key is about that key.
            key = str(error).partition(" = ")[0]
            raise self.error((*steps, key) if key in found else steps, str(error)) from error

    def _value(self, steps: Steps, own: "Field[Any]", value: Any) -> object:
        read = _read(_kind(own), value)
        if read is None or (read == "" and own.default is MISSING):
            shown = str(value) if isinstance(value, Decimal) else repr(value)
            wanted = expected(own.name, _kind(own))
            raise self.error(steps, f"{own.name} = {shown}: expected {wanted}")
        return read


def read_toml(path: Path, sections: Sections, remedy: str = "") -> TomlFile:
    """The file; its numbers are as written, so that prices stay exact.

    Raises:
        UsageError: it is missing (the remedy is told) or no TOML.
    """
    try:
        text = path.read_text(encoding="utf-8")
        return TomlFile(path, text, tomllib.loads(text, parse_float=Decimal), sections)
    except FileNotFoundError as error:
        raise UsageError(f"{path}: {error.strerror}{remedy}") from error
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: not TOML: {error}") from error


def _kind(own: "Field[Any]") -> Any:
    """The field's type; of `X | None` it is X."""
    if isinstance(own.type, UnionType):
        return next(each for each in get_args(own.type) if each is not type(None))
    return own.type


def _read(kind: Any, value: Any) -> Any:
    """The value as that type; None where it is none."""
    if get_origin(kind) is tuple:
        items = [_read(get_args(kind)[0], one) for one in value] if type(value) is list else [None]
        return None if None in items else tuple(items)
    if kind in (float, Fraction) and type(value) in (int, Decimal):
        return kind(value) if isfinite(value) and value >= 0 else None
    if type(value) is not kind or (kind is int and value < 0):
        return None
    return value


"""Keys and, for arrays of tables, positions: `("limit", 1, "limit_s")`."""


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
UNITS = (
    ("_share", "a share from 0 to 1"),
    ("usd_per_gb_month", "a number, 0 or more: US dollars per GB (10⁹ bytes) and month"),
    ("usd_per_gb", "a number, 0 or more: US dollars per GB (10⁹ bytes)"),
    ("usd_per_hour", "a number, 0 or more: US dollars per hour"),
    ("_s_per_gb", "a number, 0 or more: seconds per GB (10⁹ bytes)"),
    ("_per_month", "a number, 0 or more: times a month"),
    ("_s", "a number, 0 or more: seconds"),
    ("_usd", "a number, 0 or more: US dollars"),
)
"""What a number means, by the end of its key's name."""


def expected(key: str, kind: object) -> str:
    """What the key's value must be, with its unit.

    >>> expected("limit_s", float)
    'a number, 0 or more: seconds'
    """
    if kind not in (float, Fraction):
        return EXPECTED[kind]
    return next((meaning for end, meaning in UNITS if key.endswith(end)), NUMBER)


def unknown_section(name: str, sections: Mapping[str, type], shown: Mapping[str, str]) -> str:
    """That there is no such section; which there are, or where a key of that name belongs.

    `shown` are the sections as they are written.
    """
    told = _told("section", name, shown)
    homes = _homes(name, sections, shown)
    return f"{told}; as a key it belongs under {homes}" if homes else _known(told, shown.values())


def unknown_key(
    key: str, own: Iterable[str], sections: Mapping[str, type], shown: Mapping[str, str]
) -> str:
    """That the section has no such key, and which it has, or which section has it."""
    told = _told("key", key, own)
    homes = _homes(key, sections, shown)
    return f"{told}; it belongs under {homes}" if homes else _known(told, own)


def _told(what: str, name: str, names: Iterable[str]) -> str:
    begun = [known for known in names if known.startswith(name) or name.startswith(known)]
    close = begun or get_close_matches(name, list(names), n=1)
    hint = f" (did you mean {close[0]!r}?)" if close else ""
    return f"unknown {what} {name!r}{hint}"


def _known(told: str, known: Iterable[str]) -> str:
    return f"{told}; known are {', '.join(known)}"


def _homes(key: str, sections: Mapping[str, type], shown: Mapping[str, str]) -> str:
    having = [
        shown[name]
        for name, kind in sections.items()
        if any(field.name == key for field in fields(kind))
    ]
    return " or ".join(having)
