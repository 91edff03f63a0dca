"""Sections of a TOML file as frozen dataclasses; what is wrong is named with its line and remedy.

A field's name is its key and ends in its unit; its type says what is expected, its default that the
key may be left out.
"""

import tomllib
from collections.abc import Collection, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from decimal import Decimal
from fractions import Fraction
from math import isfinite
from pathlib import Path
from types import UnionType
from typing import Any, get_args, get_origin

from r2d2.errors import UsageError
from r2d2.toml_lines import Steps, line_of
from r2d2.toml_words import expected, unknown_key, unknown_section


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
