"""Reads a plan's sections of `r2d2.toml`. What is wrong is named with its line and its remedy."""

import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, fields
from math import inf
from pathlib import Path
from typing import Any

from r2d2.config import FIND_SECTIONS
from r2d2.costs.expected import expected, unknown_key, unknown_section
from r2d2.costs.lines import Steps, line_of
from r2d2.costs.settings import (
    Latency,
    Limit,
    PlanLimits,
    PlanSettings,
    Prices,
    Protection,
    Rates,
    Tenant,
    UsageDefaults,
)
from r2d2.errors import UsageError

SECTIONS: Mapping[str, type] = {
    "prices": Prices,
    "rates": Rates,
    "usage": UsageDefaults,
    "latency": Latency,
    "plan": PlanLimits,
}
LISTS: Mapping[str, type] = {"limit": Limit, "protect": Protection, "tenant": Tenant}
SOLVERS = ("highs", "cbc")
SHOWN = {name: f"[{name}]" for name in SECTIONS} | {name: f"[[{name}]]" for name in LISTS}
"""Sections as they are written."""


def load_plan_settings(path: Path | None) -> PlanSettings:
    """The settings of a TOML file over the defaults; what `find` reads is passed over.

    Raises:
        UsageError: the file is missing or no TOML, or a section, key, type or value is wrong.
    """
    return PlanSettings() if path is None else _settings(*_read(path))


def load_prices(path: Path) -> Prices:
    """The prices of a TOML file that has a `[prices]` section and no other.

    Raises:
        UsageError: as `load_plan_settings`, or there is no such section, or another one.
    """
    file, found = _read(path)
    if "prices" not in found:
        raise UsageError(f"{path}: has no [prices] section")
    for name in found:
        if name != "prices":
            raise file.error((name,), f"{name}: a file of prices has a [prices] section only")
    return _settings(file, found).prices


def _read(path: Path) -> "tuple[_File, dict[str, Any]]":
    try:
        text = path.read_text(encoding="utf-8")
        found = tomllib.loads(text)
    except FileNotFoundError as error:
        raise UsageError(f"{path}: {error.strerror}; `r2d2 init {path}` writes one") from error
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: not TOML: {error}") from error
    return _File(path, text), found


@dataclass(frozen=True, slots=True)
class _File:
    """A file's name and text, to say where in it something is wrong."""

    path: Path
    text: str

    def error(self, steps: Steps, message: str) -> UsageError:
        line = line_of(self.text, steps)
        return UsageError(f"{self.path}:{line}: {message}" if line else f"{self.path}: {message}")


def _settings(file: _File, found: Mapping[str, Any]) -> PlanSettings:
    for name in found:
        if name not in (*SHOWN, *FIND_SECTIONS):
            raise file.error((name,), unknown_section(name, {**SECTIONS, **LISTS}, SHOWN))
    values: dict[str, Any] = {}
    for name, kind in SECTIONS.items():
        if name in found:
            values[name] = _section(file, (name,), found[name], kind)
    for name, kind in LISTS.items():
        rules = found.get(name, [])
        if not isinstance(rules, list):
            raise file.error((name,), f"write [[{name}]], as there may be several")
        values[name] = tuple(
            _section(file, (name, number), rule, kind) for number, rule in enumerate(rules)
        )
    return PlanSettings(**values)


def _section(file: _File, steps: Steps, found: object, kind: type) -> Any:
    name = steps[0]
    if not isinstance(found, Mapping):
        raise file.error(steps, f"{name} is a section: write [{name}] and its keys below")
    known = {field.name: field for field in fields(kind)}
    for key in found:
        if key not in known:
            raise file.error((*steps, key), unknown_key(key, known, {**SECTIONS, **LISTS}, SHOWN))
    needed = [key for key, field in known.items() if field.default is MISSING]
    if kind is Prices and found:
        needed = ["as_of"]
        found = {"source": file.path.name, **found}
    for key in needed:
        if key not in found:
            section = SHOWN[str(name)]
            raise file.error(steps, f"{section} needs {key}: {expected(key, known[key].type)}")
    return kind(**{key: _value(file, (*steps, key), known[key], found[key]) for key in found})


def _value(file: _File, steps: Steps, field: "Field[Any]", value: Any) -> object:
    kind = field.type
    if kind is float and type(value) is int:
        value = float(value)
    sound = type(value) is kind and (kind not in (int, float) or 0 <= value < inf)
    if not sound or (value == "" and field.default is MISSING):
        raise file.error(steps, f"{field.name} = {value!r}: expected {expected(field.name, kind)}")
    if field.name == "solver" and value not in SOLVERS:
        raise file.error(steps, f"solver = {value!r}: known are {', '.join(SOLVERS)}")
    if field.name == "max_deleted_share" and value > 1:
        raise file.error(steps, f"max_deleted_share = {value}: expected a share from 0 to 1")
    return value
