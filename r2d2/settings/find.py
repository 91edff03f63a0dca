"""Settings: defaults here, then `r2d2.toml`, then flags. A key nobody knows is refused."""

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from r2d2.errors import UsageError
from r2d2.model import Types

FIND_SECTIONS = ("find", "text")
PLAN_SECTIONS = ("prices", "rates", "usage", "latency", "plan", "limit", "protect", "tenant")
"""What `r2d2.costs` reads of the same file; each reader passes over what is the other's."""

STAGE_NAMES = ("schema", "metadata", "sample", "sketch", "exact")
DEFAULT_STAGES = ("schema", "metadata", "sketch", "exact")


@dataclass(frozen=True, slots=True)
class TextRule:
    """What a CSV or JSON table is told instead of detected, for locations that match `tables`."""

    tables: str
    overrides: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that a run's answer may depend on, and how much of the machine it may take."""

    types: Types = Types.STRICT
    min_fraction: float = 1.0
    case_sensitive: bool = False
    renamed: bool = False
    stages: tuple[str, ...] = DEFAULT_STAGES
    sketch_size: int = 1024
    sample_rows: int = 10
    threads: int = field(default_factory=lambda: os.cpu_count() or 1)
    memory_bytes: int = 1 << 30
    text: tuple[TextRule, ...] = ()

    def __post_init__(self) -> None:
        if not 0 < self.min_fraction <= 1:
            raise UsageError(f"min_fraction {self.min_fraction}: give a number in (0, 1]")
        for name in self.stages:
            if name not in STAGE_NAMES:
                raise UsageError(f"stage {name!r}: known are {', '.join(STAGE_NAMES)}")
        if not self.stages or self.stages[0] != "schema":
            raise UsageError("the first stage is always 'schema': it makes the pairs")
        order = [STAGE_NAMES.index(name) for name in self.stages]
        if order != sorted(set(order)):
            raise UsageError(f"stages run once and in this order: {', '.join(STAGE_NAMES)}")
        for name in ("sketch_size", "sample_rows", "threads", "memory_bytes"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} {getattr(self, name)}: give at least 1")

    def text_overrides(self, location: str) -> Mapping[str, object]:
        """What all matching rules say of the table, later rules over earlier ones."""
        merged: dict[str, object] = {}
        for rule in self.text:
            if fnmatchcase(location, rule.tables):
                merged |= rule.overrides
        return merged


def load_settings(path: Path | None, **flags: Any) -> Settings:
    """The settings of a TOML file with the given flags over them; a flag of None says nothing.

    Raises:
        UsageError: the file is missing or no TOML, or a key or value is unknown.
    """
    values = _from_toml(path) if path else {}
    values |= {name: value for name, value in flags.items() if value is not None}
    try:
        return replace(Settings(), **values)
    except (TypeError, ValueError) as error:
        raise UsageError(f"{path or 'settings'}: {error}") from error


def _from_toml(path: Path) -> dict[str, Any]:
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: not TOML: {error}") from error
    rules = table.pop("text", [])
    find = table.pop("find", {})
    others = {name: section for name, section in table.items() if name not in PLAN_SECTIONS}
    _check_keys(path, others, ())
    known = [f.name for f in fields(Settings) if f.name != "text"]
    _check_keys(path, find, known)
    values = {key: _typed(path, key, value) for key, value in find.items()}
    return values | {"text": tuple(_rule(path, rule) for rule in rules)}


def _check_keys(
    path: Path, table: Mapping[str, object], known: "tuple[str, ...] | list[str]"
) -> None:
    for key in table:
        if key not in known:
            names = ", ".join(known) or f"[find], [[text]], {', '.join(PLAN_SECTIONS)}"
            raise UsageError(f"{path}: unknown key {key!r}; known are {names}")


def _typed(path: Path, key: str, value: object) -> object:
    expected = type(getattr(Settings(), key))
    if key == "types" and value in [kind.value for kind in Types]:
        return Types(value)
    if key == "stages" and isinstance(value, list):
        return tuple(value)
    if expected is float and isinstance(value, int):
        return float(value)
    if type(value) is not expected:
        raise UsageError(f"{path}: {key} = {value!r}: expected {expected.__name__}")
    return value


def _rule(path: Path, rule: Mapping[str, object]) -> TextRule:
    tables = rule.get("tables")
    if not isinstance(tables, str):
        raise UsageError(f'{path}: each [[text]] needs tables = "a pattern of locations"')
    return TextRule(tables, {key: value for key, value in rule.items() if key != "tables"})
