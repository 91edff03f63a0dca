"""Reads what a user states of the machines and their billing in a TOML file.

    [cluster]
    provider = "azure"
    region = "westus"
    vm = "Standard_E8s_v3"
    count = 2
    driver_vm = "Standard_DS3_v2"
    spot = false

    [billing]
    quantum_s = 1
    minimum_s = 60
    start_up_s = 180
    idle_tail_s = 600
    uplift_usd_per_node_hour = 0.05
    dbu_usd = 0.15

Every key may be left out; a key that nobody knows is refused.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from decimal import Decimal
from difflib import get_close_matches
from fractions import Fraction
from pathlib import Path
from typing import Any

from r2d2.errors import UsageError
from r2d2.vmcost.facts.stated import Stated
from r2d2.vmcost.model import Billing


@dataclass(frozen=True, slots=True)
class ClusterFile:
    """What a file states."""

    stated: Stated = field(default_factory=Stated)
    billing: Billing = field(default_factory=Billing)


SECTIONS: Mapping[str, type] = {"cluster": Stated, "billing": Billing}
TEXT, COUNT, SWITCH = "a text in quotes", "a whole number, 1 or more", "true or false"
EXPECTED: Mapping[str, str] = {
    "provider": TEXT,
    "region": TEXT,
    "vm": TEXT,
    "count": COUNT,
    "driver_vm": TEXT,
    "spot": SWITCH,
}


def load_cluster_file(path: Path) -> ClusterFile:
    """What the file states.

    Raises:
        UsageError: it is missing or no TOML, or a section, key or value is wrong, with its line.
    """
    try:
        text = path.read_text(encoding="utf-8")
        found = tomllib.loads(text, parse_float=Decimal)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: not TOML: {error}") from error
    sections = {name: _section(path, text, name, found[name]) for name in sorted(found)}
    return ClusterFile(
        Stated(**sections.get("cluster", {})), Billing(**sections.get("billing", {}))
    )


def _section(path: Path, text: str, name: str, found: object) -> dict[str, Any]:
    if name not in SECTIONS:
        known = [f"[{section}]" for section in SECTIONS]
        raise UsageError(f"{path}{_line(text, name)}: {_unknown('section', name, SECTIONS, known)}")
    if not isinstance(found, Mapping):
        raise UsageError(f"{path}{_line(text, name)}: write [{name}] and its keys below")
    known = [each.name for each in fields(SECTIONS[name])]
    values = {}
    for key, value in found.items():
        place = f"{path}{_line(text, name, key)}"
        if key not in known:
            raise UsageError(f"{place}: {_unknown('key', key, known, known)}")
        values[key] = _value(place, key, value)
    return values


def _value(place: str, key: str, value: Any) -> Any:
    expected = EXPECTED.get(key, "a number, 0 or more, in the unit that the key names")
    if key in EXPECTED:
        sound = {
            TEXT: isinstance(value, str) and bool(value),
            COUNT: type(value) is int and value >= 1,
            SWITCH: isinstance(value, bool),
        }[expected]
        if sound:
            return value
    elif isinstance(value, int | Decimal) and not isinstance(value, bool):
        number = Decimal(value)
        if number.is_finite() and number >= 0 and (number or key != "quantum_s"):
            return Fraction(number)
    raise UsageError(f"{place}: {key} = {_shown(value)}: expected {expected}")


def _shown(value: object) -> str:
    return str(value) if isinstance(value, Decimal) else repr(value)


def _line(text: str, section: str, key: str | None = None) -> str:
    """`:` and the line of the section or of its key, nothing where it is written in another way."""
    inside = False
    for number, line in enumerate(text.splitlines(), start=1):
        header = re.fullmatch(r"\s*\[\s*(.+?)\s*\]\s*(?:#.*)?", line)
        if header:
            inside = header[1] == section
            if inside and key is None:
                return f":{number}"
        wanted = key if inside else section if key is None else f"{section}.{key}"
        if wanted and re.match(rf"""\s*["']?{re.escape(wanted)}["']?\s*=""", line):
            return f":{number}"
    return ""


def _unknown(what: str, name: str, names: Any, known: list[str]) -> str:
    close = get_close_matches(name, list(names), n=1)
    hint = f" (did you mean {close[0]!r}?)" if close else ""
    return f"unknown {what} {name!r}{hint}; known are {', '.join(known)}"
