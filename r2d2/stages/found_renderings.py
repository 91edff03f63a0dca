"""Renderings of text columns: how their texts write the values of a type, found from the texts.

A rendering is guessed from the texts' shape, and for decimals and floats tried: it must make the
same texts of the values that they are read as. A wrong guess loses an edge and never makes one.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from r2d2.arrays import numbers, plain
from r2d2.hashing.renderings import FLOATS, Rendering
from r2d2.model import Format

Types = tuple[tuple[str, str, bool | None], ...]
"""Names of columns, their types in the parent, and whether these have NULLs (None: unknown)."""
Renderings = tuple[tuple[str, str], ...]
"""Names of columns with their renderings as written."""

_FEW = 64
_INTEGER = r"-?(?:0|[1-9][0-9]*)"
_REAL = r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?"
_DAYS = {
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}": "%Y-%m-%d",
    r"[0-9]{4}/[0-9]{2}/[0-9]{2}": "%Y/%m/%d",
    r"[0-9]{8}": "%Y%m%d",
    r"[0-9]{2}\.[0-9]{2}\.[0-9]{4}": "%d.%m.%Y",
    r"(?:0[1-9]|1[0-2])/[0-9]{2}/[0-9]{4}": "%m/%d/%Y",
    r"[0-9]{2}/(?:0[1-9]|1[0-2])/[0-9]{4}": "%d/%m/%Y",
}
_DAY = rf"(?P<day>{'|'.join(_DAYS)})"
_CLOCK = r"(?P<minutes>[0-9]{2}:[0-9]{2})(?P<seconds>:[0-9]{2})?(?P<fraction>\.[0-9]{1,9})?"
_ZONE = r"Z| ?UTC|[+-][0-9]{2}(?::?[0-9]{2})?"
_SHAPES = {
    "int": rf"{_INTEGER}(?:\.0)?",
    "decimal": _REAL,
    "float": _REAL + r"|-?(?:inf|Infinity)|nan|NaN",
    "date": rf"{_DAY}(?P<rest>[ T]00:00(?::00(?:\.0+)?)?Z?)?",
    "time": _CLOCK,
    "timestamp": rf"{_DAY}(?:(?P<between>[ T]){_CLOCK}(?P<zone>{_ZONE})?)?",
}
_NULLS = ("NULL", "null", "\\N", "NA", "None", "nan", "<NA>", "N/A")
_WORDS = ("true/false", "True/False", "TRUE/FALSE", "1/0", "t/f", "T/F", "yes/no", "y/n", "Y/N")
_KINDS = {"string": "string", "bool": "bool", "float32": "float", "float64": "float"} | {
    kind: kind for kind in ("date", "time", "timestamp")
}


@cache
def kind_of(type_: str) -> str | None:
    """The kind of renderings of a column of this type; None where it has none."""
    if type_.startswith("decimal("):
        return "decimal"
    if re.fullmatch("u?int(8|16|32|64)", type_):
        return "int"
    return "timestamp" if type_ == "timestamptz" else _KINDS.get(type_)


class ColumnTexts:
    """The different texts of a file's columns, and their renderings by type, each found once."""

    def __init__(self, columns: Mapping[str, pa.ChunkedArray], format_: str) -> None:
        self._format = format_
        self._has_null = {name: column.null_count > 0 for name, column in columns.items()}
        self._texts = cache(lambda name: _different(columns[name]))
        self._others = cache(lambda name, kind: _no_values(self._texts(name), kind))
        self._rendering = cache(self._found)

    def may_be(self, types: Types) -> bool:
        """Whether no column has two texts that are no values of its type; one may be NULL's."""
        kinds = {(name, kind_of(type_) or "") for name, type_, _ in types}
        return all(len(self._others(name, kind)) <= 1 for name, kind in kinds)

    def renderings(self, types: Types) -> Renderings | None:
        """The rendering of each column, in order of name; None where a column has none.

        In a CSV file NULL is one text in all columns: those without an example of it take it over.
        """
        has_null = self._has_null
        nulls = {
            name: self._null_text(name, kind_of(type_) or "")
            for name, type_, _ in types
            if type_ != "string" and not has_null[name]
        }
        usual = Counter(null for null in nulls.values() if null is not None).most_common(1)
        default = usual[0][0] if usual else "" if self._format == Format.CSV else None
        found = []
        for name, type_, has_nulls in types:
            null = None if has_null[name] else nulls.get(name)
            if null is None and not has_null[name] and has_nulls is not False:
                null = self._null_of_text(name, default) if has_nulls else default
            rendering = self._rendering(name, type_, null)
            if rendering is None:
                return None
            found.append((name, rendering.written))
        return tuple(found)

    def not_rendered(self, types: Types) -> tuple[str, str, str]:
        """A column without a rendering of its type, that type, and one of the texts to blame.

        Of types under which the texts have no renderings.
        """
        by_others = [
            (name, type_, others)
            for name, type_, _ in types
            if len(others := self._others(name, kind_of(type_) or "")) > 1
        ]
        for name, type_, others in by_others:
            texts = others.to_pylist()
            return name, type_, next((t for t in texts if t and t not in _NULLS), texts[0])
        for name, type_, _ in types:
            null = self._null_text(name, kind_of(type_) or "") if type_ != "string" else None
            if self._rendering(name, type_, null) is None:
                few = _without(self._texts(name)[:_FEW], null)
                each = (few[place : place + 1] for place in range(len(few)))
                wrong = (one for one in each if found_rendering(one, type_, null) is None)
                example = next(wrong, few[:1]).to_pylist()
                return name, type_, example[0] if example else ""
        return types[0][0], types[0][1], ""

    def _null_of_text(self, name: str, default: str | None) -> str | None:
        """The text for NULL in a column of text that has NULLs: the usual one, if it is there."""
        usual = [text for text in (default, *_NULLS) if text is not None]
        found = pc.is_in(pa.array(usual, pa.string()), self._texts(name)).to_pylist()
        return next(
            (text for text, is_there in zip(usual, found, strict=True) if is_there), default
        )

    def _null_text(self, name: str, kind: str) -> str | None:
        """The one text that cannot be a value of the kind; None where there is none, or several."""
        found = self._others(name, kind)
        return found[0].as_py() if len(found) == 1 else None

    def _found(self, name: str, type_: str, null: str | None) -> Rendering | None:
        texts = self._texts(name)
        # Of most pairs a few texts tell that they are of another type.
        few = found_rendering(_without(texts[:_FEW], null), type_, null)
        if few is None or len(texts) <= _FEW:
            return few
        return found_rendering(_without(texts, null), type_, null)


def _without(texts: pa.Array, null: str | None) -> pa.Array:
    return texts if null is None else texts.filter(pc.not_equal(texts, null))


def _different(column: pa.ChunkedArray) -> pa.Array:
    chunks = [pc.unique(plain(chunk)).cast(pa.string()) for chunk in column.chunks]
    return pc.unique(pa.chunked_array(chunks, pa.string())).drop_null()


def _no_values(texts: pa.Array, kind: str) -> pa.Array:
    """The texts that cannot be values of the kind; of truths, those that are no usual words."""
    if kind == "string":
        return texts[:0]
    if kind == "bool":
        known = set(texts[:_FEW].to_pylist())
        words = max((each.split("/") for each in _WORDS), key=lambda w: len(known.intersection(w)))
        return texts.filter(pc.invert(pc.is_in(texts, pa.array(words))))
    return texts.filter(pc.invert(_matches(texts, _SHAPES[kind])))


def _matches(texts: pa.Array, shape: str) -> pa.Array:
    return pc.match_substring_regex(texts, rf"\A(?:{shape})\z")


def _all(mask: pa.Array) -> bool:
    return bool(pc.all(mask, min_count=0).as_py())


def found_rendering(texts: pa.Array, type_: str, null: str | None) -> Rendering | None:
    """The rendering that gives these different texts, none of them NULL's; None where none does."""
    kind = kind_of(type_) or ""
    style = _STYLES[kind](texts, type_)
    return None if style is None else Rendering(kind, style, null)


def _style_of_integers(texts: pa.Array, type_: str) -> str | None:
    if _all(_matches(texts, _INTEGER)):
        return "plain"
    return "point" if _all(_matches(texts, rf"{_INTEGER}\.0")) else None


def _style_of_booleans(texts: pa.Array, type_: str) -> str | None:
    if len(texts) > 2:
        return None
    known = set(texts.to_pylist())
    return next((words for words in _WORDS if known <= set(words.split("/"))), None)


def _style_of_decimals(texts: pa.Array, type_: str) -> str | None:
    precision, scale = map(int, type_[8:-1].split(","))
    exact = pa.decimal256 if precision > 38 else pa.decimal128
    values = _read_as(texts, "decimal", exact(precision, scale))
    return _first_that_gives(texts, values, "decimal", ("plain", "arrow", "short", "point"))


def _style_of_floats(texts: pa.Array, type_: str) -> str | None:
    narrow = type_ == "float32"
    values = _read_as(texts, "float", pa.float64())
    values = values.cast(pa.float32()) if narrow and values is not None else values
    wide = ("wide python",) if narrow else ()
    points = numbers(pc.find_substring(texts, "."))
    lengths = np.where(points < 0, 0, numbers(pc.utf8_length(texts)) - points - 1)
    is_nan = numbers(pc.match_substring(texts, "nan", ignore_case=True))
    places = np.unique(lengths[~is_nan])
    fixed = (f"fixed {places[0]}",) if len(places) == 1 else ()
    return _first_that_gives(texts, values, "float", (*FLOATS, *wide, *fixed))


def _read_as(texts: pa.Array, kind: str, type_: pa.DataType) -> pa.Array | None:
    """The values of the type that the texts are; None where one is none."""
    if not _all(_matches(texts, _SHAPES[kind])):
        return None
    try:
        return texts.cast(type_)
    except pa.ArrowInvalid:
        return None


def _first_that_gives(
    texts: pa.Array, values: pa.Array | None, kind: str, styles: Sequence[str]
) -> str | None:
    if values is None:
        return None
    every = ((style, Rendering(kind, style).texts(values)) for style in styles)
    return next(
        (style for style, (made, lossy) in every if lossy is None and made.equals(texts)), None
    )


def _style_of_times(texts: pa.Array, type_: str) -> str | None:
    """The format that all texts have; where it says no zone, none is guessed."""
    if not len(texts):
        return {"date": "%Y-%m-%d", "time": "%H:%M:%S%.*f"}.get(type_, "%Y-%m-%d %H:%M:%S%.*f")
    shape = _SHAPES["timestamp" if type_ == "timestamptz" else type_]
    found = pc.extract_regex(texts, rf"\A(?:{shape})\z")
    if found.null_count:
        return None
    parts = {
        field.name: pc.unique(part) for field, part in zip(found.type, found.flatten(), strict=True)
    }
    day = _day_format(parts["day"]) if type_ != "time" else ""
    forms = [_only(parts.get(name)) for name in ("rest", "between", "zone")]
    has_clock, has_seconds = (_is_given(parts.get(name)) for name in ("minutes", "seconds"))
    if day is None or None in (*forms, has_clock, has_seconds):
        return None
    rest, between, zone = forms
    if (type_ == "timestamptz") != bool(zone) and type_ != "date":
        return None
    fraction = _fraction_format(parts["fraction"]) if has_seconds else ""
    clock = "%H:%M" * bool(has_clock) + ":%S" * bool(has_seconds)
    return f"{day}{rest}{between}{clock}{fraction}{zone}"


def _only(parts: pa.Array | None) -> str | None:
    """The one text of a part, "" where there is no such part; None where there are several."""
    if parts is None:
        return ""
    return str(parts[0]) if len(parts) == 1 else None


def _is_given(parts: pa.Array | None) -> bool | None:
    """Whether a part is there; None where it is in some texts only."""
    if parts is None:
        return False
    is_there = pc.unique(pc.not_equal(parts, ""))
    return bool(is_there[0].as_py()) if len(is_there) == 1 else None


def _day_format(days: pa.Array) -> str | None:
    """The first format that all days have: of month and day in either order, the month first."""
    return next((name for shape, name in _DAYS.items() if _all(_matches(days, shape))), None)


def _fraction_format(fractions: pa.Array) -> str:
    digits = pc.utf8_slice_codeunits(fractions.filter(pc.not_equal(fractions, "")), 1)
    lengths = set(pc.unique(pc.utf8_length(digits)).to_pylist())
    is_missing = len(digits) < len(fractions)
    if len(lengths) == 1 and not is_missing:
        return "%.+f" if digits.to_pylist() == ["0"] else f"%.{lengths.pop()}f"
    if lengths == {6} and pc.any(pc.ends_with(digits, "000")).as_py():
        return "%.?f"
    if not pc.any(pc.ends_with(digits, "0")).as_py():
        return "%.*f"
    return "%.f" if is_missing or lengths <= {3, 6, 9} else "%.+f"


_STYLES: dict[str, Callable[[pa.Array, str], str | None]] = {
    "string": lambda texts, type_: "plain",
    "int": _style_of_integers,
    "bool": _style_of_booleans,
    "decimal": _style_of_decimals,
    "float": _style_of_floats,
    "date": _style_of_times,
    "time": _style_of_times,
    "timestamp": _style_of_times,
}
