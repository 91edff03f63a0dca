"""Literals, the values in recipes: an Arrow type's name and one exact text for each value.

| type | text |
|---|---|
| `int8` … `uint64` | digits: `-5` |
| `float`, `double` | the shortest text that gives back the same double: `0.1`, `1e-09` |
| `decimal128(p, s)` | all of its digits: `1.10` |
| `bool` | `true`, `false` |
| `string` | itself |
| `binary` | Base64 |
| `date32[day]` | `2020-02-29` |
| `timestamp[us]`, `timestamp[us, tz=Europe/Rome]` | as many digits as the unit has, and `Z` (UTC) |
|   | where there is a zone: `2020-02-29T12:00:00.000000Z` |

There is no text for NaN, an infinity or -0.0: no atom may name them. Dates are of the years 1–9999,
the only ones that every engine reads alike.
"""

import base64
import binascii
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.types as pt

from r2d2.arrays import array_of, dtype_of
from r2d2.errors import R2D2Error

_NAMED: dict[str, pa.DataType] = {
    str(type_): type_
    for type_ in (
        *(pa.int8(), pa.int16(), pa.int32(), pa.int64()),
        *(pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64()),
        *(pa.float32(), pa.float64(), pa.bool_(), pa.string(), pa.binary(), pa.date32()),
    )
}
_DECIMAL = re.compile(r"decimal128\((\d{1,2}), (\d{1,2})\)")
_TIMESTAMP = re.compile(r"timestamp\[(s|ms|us|ns)(?:, tz=([\w+\-/:]+))?\]", re.ASCII)
_DAY = r"((?!0000)\d{4}-\d\d-\d\d)"
_SECOND = r"((?!0000)\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d"
_INSTANT = {
    "s": _SECOND + ")",
    **{unit: rf"{_SECOND}[.]\d{{{n}}})" for unit, n in (("ms", 3), ("us", 6), ("ns", 9))},
}


class RecipeError(R2D2Error):
    """The data is no recipe; the message names the place in its JSON."""


class UnrenderableRecipeError(R2D2Error):
    """The recipe is sound, but the SQL dialect cannot express it; the engines still run it."""


@dataclass(frozen=True, slots=True)
class Literal:
    """One value: `type` is Arrow's name of its type, `text` its only text (see the module)."""

    type: str
    text: str

    @classmethod
    def of(cls, value: pa.Scalar) -> "Literal":
        """The literal of a value of a type that `type_named` knows; -0.0 becomes 0.0.

        Raises:
            RecipeError: the value is NULL, NaN, infinite, or out of the years 1–9999.
        """
        if not value.is_valid:
            raise RecipeError(f"NULL of type {value.type} is no literal")
        type_ = {pa.large_string(): pa.string(), pa.large_binary(): pa.binary()}.get(
            value.type, value.type
        )
        literal = cls(str(type_), _writer(type_)(value))
        literal.scalar()
        return literal

    def scalar(self) -> pa.Scalar:
        """The Arrow value.

        Raises:
            RecipeError: the type is unknown, or the text is not the one text of a value of it.
        """
        return self.array()[0]

    def array(self) -> pa.Array:
        """An array of the one value; raises as `scalar` does."""
        type_ = type_named(self.type)
        try:
            one = _read(self.text, type_)
        except (ValueError, ArithmeticError, binascii.Error, pa.ArrowException) as error:
            raise RecipeError(f"{self.text[:80]!r} is no {self.type}") from error
        if _writer(type_)(one[0]) != self.text:
            raise RecipeError(f"{self.text[:80]!r} is not how a {self.type} is written")
        return one

    def order(self) -> Any:
        """A key that orders literals of one type as every engine orders their values."""
        value = self.scalar()
        return value.value if pt.is_temporal(value.type) else value.as_py()


def type_named(name: str) -> pa.DataType:
    """The Arrow type of that name.

    Raises:
        RecipeError: literals have no such type.
    """
    if name in _NAMED:
        return _NAMED[name]
    if (match := _DECIMAL.fullmatch(name)) and int(match[2]) <= int(match[1]) <= 38:
        type_ = pa.decimal128(int(match[1]), int(match[2]))
    elif match := _TIMESTAMP.fullmatch(name):
        type_ = pa.timestamp(match[1], match[2])
    else:
        raise RecipeError(f"unknown type {name!r}")
    if str(type_) != name:
        raise RecipeError(f"type {name!r} is written {str(type_)!r}")
    return type_


def _read(text: str, type_: pa.DataType) -> pa.Array:
    """By way of buffers, since `pa.scalar` imports pandas first."""
    if pt.is_string(type_):
        return _array_of_bytes(text.encode("utf-8"), type_)
    if pt.is_binary(type_):
        return _array_of_bytes(base64.b64decode(text, validate=True), type_)
    if pt.is_decimal(type_):
        return _array_of_bytes(text.encode("utf-8"), pa.string()).cast(type_)
    with np.errstate(over="ignore"):
        return array_of(np.array([_number(text, type_)], dtype_of(type_)), type_)


def _array_of_bytes(content: bytes, type_: pa.DataType) -> pa.Array:
    offsets = np.array([0, len(content)], np.int32)
    return pa.Array.from_buffers(type_, 1, [None, pa.py_buffer(offsets), pa.py_buffer(content)])


def _number(text: str, type_: pa.DataType) -> float:
    """The value as it lies in memory."""
    if pt.is_integer(type_):
        return int(text)
    if pt.is_floating(type_):
        return _finite(text)
    if pt.is_boolean(type_):
        return _truth(text)
    if pt.is_date(type_):
        return _ticks(text, "D", _DAY)
    return _ticks(text, type_.unit, _INSTANT[type_.unit] + ("Z" if type_.tz else ""))


def _writer(type_: pa.DataType) -> Callable[[Any], str]:
    if pt.is_floating(type_):
        return lambda value: repr(value.as_py() + 0.0)
    if pt.is_boolean(type_):
        return lambda value: str(value.as_py()).lower()
    if pt.is_binary(type_):
        return lambda value: base64.b64encode(value.as_py()).decode("ascii")
    if pt.is_decimal(type_):
        return lambda value: format(value.as_py(), "f")
    if pt.is_date(type_):
        return lambda value: str(np.datetime64(value.value, "D"))
    if pt.is_timestamp(type_):
        zone = "Z" if type_.tz else ""
        return lambda value: str(np.datetime64(value.value, type_.unit)) + zone
    return lambda value: str(value.as_py())


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(text)
    return value


def _truth(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError(text)
    return text == "true"


def _ticks(text: str, unit: str, pattern: str) -> int:
    match = re.fullmatch(pattern, text, re.ASCII)
    if not match:
        raise ValueError(text)
    return int(np.array(match[1], f"datetime64[{unit}]").astype(np.int64))
