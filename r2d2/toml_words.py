"""Says in words what a key of the settings expects, and what an unknown one may have meant."""

from collections.abc import Iterable, Mapping
from dataclasses import fields
from datetime import date
from difflib import get_close_matches
from fractions import Fraction
from typing import Any

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
