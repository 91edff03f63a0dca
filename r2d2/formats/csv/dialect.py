"""How one delimited text file is written: found in its first bytes, shown, and overridable."""

import codecs
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from r2d2.errors import UsageError
from r2d2.text_tables import pluralize

# What the head of a file holds until a byte above 127 is met: then UTF-8 or Latin-1 is decided.
ASCII = "ascii"


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a file's text becomes fields.

    `quote` and `escape` are None where the file has none. `skip_rows` counts the lines above the
    header (titles, comments, `sep=`). A field equal to `null_marker`, quoted or not, is NULL.
    """

    delimiter: str = ","
    quote: str | None = '"'
    escape: str | None = None
    encoding: str = ASCII
    header: bool = True
    skip_rows: int = 0
    null_marker: str | None = None

    def describe(self) -> str:
        """The dialect in one line.

        >>> Dialect(delimiter="\\t", quote=None, skip_rows=2).describe()
        "delimiter '\\\\t', no quotes, header below 2 lines, ascii"
        """
        parts = [
            f"delimiter {self.delimiter!r}",
            "no quotes" if self.quote is None else f"quote {self.quote!r}",
            "" if self.escape is None else f"escape {self.escape!r}",
            "header" if self.header else "no header",
            self.encoding,
            "" if self.null_marker is None else f"{self.null_marker!r} is NULL",
        ]
        if self.skip_rows:
            parts[3] += f" below {pluralize(str(self.skip_rows), 'line')}"
        return ", ".join(part for part in parts if part)


def overridden(dialect: Dialect, overrides: Mapping[str, object]) -> Dialect:
    """The dialect with what the user's settings fix.

    Raises:
        UsageError: a key is unknown, or its value is not one it can have.
    """
    return replace(dialect, **checked(overrides)) if overrides else dialect


def checked(overrides: Mapping[str, object]) -> dict[str, Any]:
    """The settings as a dialect's fields.

    Raises:
        UsageError: a key is unknown, or its value is not one it can have.
    """
    values: dict[str, Any] = {}
    for key, value in overrides.items():
        check = _CHECKS.get(key)
        if check is None:
            known = ", ".join(sorted(_CHECKS))
            raise UsageError(f"unknown text setting {key!r}: known are {known}")
        values[key] = check(key, value)
    special = [values[key] for key in ("delimiter", "quote", "escape") if values.get(key)]
    if len(set(map(str, special))) < len(special):
        raise UsageError("delimiter, quote and escape must differ from each other")
    return values


def _character(key: str, value: object) -> str:
    if not isinstance(value, str) or len(value) != 1 or not value.isascii() or value in "\r\n\0":
        raise UsageError(f"{key} must be one ASCII character, not {value!r}")
    return value


def _character_or_none(key: str, value: object) -> str | None:
    return None if value == "" else _character(key, value)


def _encoding(key: str, value: object) -> str:
    try:
        name = codecs.lookup(value if isinstance(value, str) else "").name
        "".encode(name)
        codecs.getincrementaldecoder(name)
    except (LookupError, ValueError) as error:
        raise UsageError(f"{key} must be a text encoding's name, not {value!r}") from error
    return name


def _flag(key: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise UsageError(f"{key} must be true or false, not {value!r}")
    return value


def _count(key: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise UsageError(f"{key} must be a whole number from 0, not {value!r}")
    return value


def _text(key: str, value: object) -> str:
    if not isinstance(value, str):
        raise UsageError(f"{key} must be text, not {value!r}")
    return value


_CHECKS: dict[str, Callable[[str, object], object]] = {
    "delimiter": _character,
    "quote": _character_or_none,
    "escape": _character_or_none,
    "encoding": _encoding,
    "header": _flag,
    "skip_rows": _count,
    "null_marker": _text,
}
