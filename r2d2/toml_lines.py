"""Finds the line of a TOML key, which tomllib does not tell."""

import tomllib
from typing import Any

Steps = tuple[str | int, ...]
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
