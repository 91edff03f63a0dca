"""Sections of a TOML file as frozen dataclasses; what is wrong is named with its line and remedy.

A field's name is its key and ends in its unit; its type says what is expected, its default that the
key may be left out.
"""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, Field, dataclass, fields
from datetime import date
from decimal import Decimal
from difflib import get_close_matches
from fractions import Fraction
from math import isfinite
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, get_args, get_origin

from r2d2.errors import UsageError
from r2d2.toml_lines import Steps, line_of

Section = TypeVar("Section")
NUMBER = "a number, 0 or more, in the unit that ends the key's name"
EXPECTED: Mapping[object, str] = {
    float: NUMBER,
    Fraction: NUMBER,
    int: "a whole number, 0 or more",
    str: "a text in quotes",
    bool: "true or false",
    date: "a day without quotes, such as 2026-09-01",
    tuple[str, ...]: 'texts in a list, such as ["a", "b"]',
    tuple[int, ...]: "whole numbers in a list, such as [1, 2, 4]",
}


@dataclass(frozen=True, slots=True)
class TomlFile:
    """A file's name, its text, to say where in it something is wrong, and what it holds."""

    path: Path
    text: str
    found: Mapping[str, Any]

    def error(self, steps: Steps, message: str) -> UsageError:
        """The error, with the line of that key if it can be told."""
        line = line_of(self.text, steps)
        return UsageError(f"{self.path}:{line}: {message}" if line else f"{self.path}: {message}")

    def check_names(self, known: Iterable[str], shown: Iterable[str]) -> None:
        """Refuses a section that is not known.

        Raises:
            UsageError: there is one.
        """
        names = list(known)
        for name in self.found:
            if name not in names:
                raise self.error((name,), _unknown("section", name, names, shown))

    def section(self, name: str, kind: type[Section]) -> Section | None:
        """The section; None where the file has none.

        Raises:
            UsageError: a key is unknown or missing, or a value is wrong.
        """
        if name not in self.found:
            return None
        return self._built((name,), self.found[name], kind)

    def sections(self, name: str, kind: type[Section]) -> tuple[Section, ...]:
        """All sections of an array of tables.

        Raises:
            UsageError: as for `section`.
        """
        found = self.found.get(name, [])
        if not isinstance(found, list):
            raise self.error((name,), f"write [[{name}]], as there may be several")
        return tuple(self._built((name, at), one, kind) for at, one in enumerate(found))

    def _built(self, steps: Steps, found: object, kind: type[Section]) -> Section:
        name = steps[0]
        if not isinstance(found, Mapping):
            raise self.error(steps, f"{name} is a section: write [{name}] and its keys below")
        known = {each.name: each for each in fields(kind)}  # type: ignore[arg-type]
        for key in found:
            if key not in known:
                raise self.error((*steps, key), _unknown("key", key, known, known))
        for key, own in known.items():
            if own.default is MISSING and own.default_factory is MISSING and key not in found:
                raise self.error(steps, f"[{name}] needs {key}: {_expected(own)}")
        values = {key: self._value((*steps, key), known[key], found[key]) for key in found}
        try:
            return kind(**values)
        except UsageError as error:
            raise self.error(steps, f"[{name}]: {error}") from error

    def _value(self, steps: Steps, own: "Field[Any]", value: Any) -> object:
        read = _read(_kind(own), value)
        if read is None or (read == "" and own.default is MISSING):
            shown = str(value) if isinstance(value, Decimal) else repr(value)
            raise self.error(steps, f"{own.name} = {shown}: expected {_expected(own)}")
        return read


def read_toml(path: Path) -> TomlFile:
    """The file; its numbers are as written, so that prices stay exact.

    Raises:
        UsageError: it is missing or no TOML.
    """
    try:
        text = path.read_text(encoding="utf-8")
        return TomlFile(path, text, tomllib.loads(text, parse_float=Decimal))
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: not TOML: {error}") from error


def _kind(own: "Field[Any]") -> Any:
    """The field's type; of `X | None` it is X."""
    if isinstance(own.type, UnionType):
        return next(each for each in get_args(own.type) if each is not type(None))
    return own.type


def _expected(own: "Field[Any]") -> str:
    return EXPECTED[_kind(own)]


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


def _unknown(what: str, name: str, names: Iterable[str], known: Iterable[str]) -> str:
    close = get_close_matches(name, list(names), n=1)
    hint = f" (did you mean {close[0]!r}?)" if close else ""
    return f"unknown {what} {name!r}{hint}; known are {', '.join(known)}"
