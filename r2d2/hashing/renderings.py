"""Typed values as the text of an export: one rendering a column, found from the text.

A rendering is written `kind:style`, and ` | null=marker` where NULL is a text. The same text enters
a row's hash as a text column's would, so a typed table's rows are compared with an export's as
text, field for field. Nothing of the export is parsed.

A value that its text does not give back under the column's type is no exported one: 1.239 as 1.24,
a time of day as its date, the text `NA` where NULL is `NA`. Such a value is `lossy`, and equals no
text. So two values never share a text, and equal texts are equal values.

| kind | styles |
|---|---|
| int | `plain`; `point`: 7.0, as pandas writes integers beside NULLs |
| decimal | `plain`: all digits of the scale; `arrow`: zero as 0E-10; `short`: 2; `point`: 2.0 |
| float | shortest digits in a notation of `FLOATS`, `wide` of float32 as float64; `fixed 2` |
| bool | the two words: `true/false` |
| date, time, timestamp | a format of strftime, with the offset of its zone |
| string | `plain` |

A format's `%.3f` is a fraction of three digits. `%.f` has three, six or nine, `%.*f` as many as are
needed, `%.+f` one at least, `%.?f` six, each of them none where it is zero but for `%.+f`.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from r2d2.arrays import Bools, plain
from r2d2.errors import UnreadableTableError
from r2d2.model import Column

_NULL = " | null="
_NANOS = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
_FRACTION = re.compile(r"%\.([1-9*+?]?)f")
_OFFSET = re.compile(r"([+-])([0-9]{2}):?([0-9]{2})?$")
_ZEROS = r"(\.[0-9]*?)0+$"


@dataclass(frozen=True, slots=True)
class FloatNotation:
    """How a writer puts a float's shortest digits: with an exponent outside [low, high)."""

    low: int
    high: int
    point: str = ".0"
    exponent: str = "e{:+03d}"
    nan: str = "nan"
    infinity: str = "inf"
    mantissa_point: str = ""


FLOATS = {
    "python": FloatNotation(-4, 16),
    "arrow": FloatNotation(-6, 10, "", "e{:+d}"),
    "polars": FloatNotation(-5, 16, exponent="e{:+d}", nan="NaN"),
    "polars32": FloatNotation(-6, 13, exponent="e{:+d}", nan="NaN"),
    "numpy32": FloatNotation(-4, 6),
    "java": FloatNotation(-3, 7, ".0", "E{:d}", "NaN", "Infinity", ".0"),
    "short": FloatNotation(-4, 16, ""),
}


@dataclass(frozen=True, slots=True)
class Rendering:
    """A column's rendering: see the module. `null` is NULL's text; None where NULL stays NULL."""

    kind: str
    style: str = "plain"
    null: str | None = None

    @property
    def written(self) -> str:
        """The rendering as one text, which `of` reads."""
        return f"{self.kind}:{self.style}" + ("" if self.null is None else f"{_NULL}{self.null}")

    @property
    def is_known(self) -> bool:
        """Whether there is such a kind, and such a style of floats or truths."""
        style = self.style.removeprefix("wide ")
        is_fixed = re.fullmatch("fixed [0-9]{1,2}", style) is not None
        is_word = self.kind != "bool" or "/" in style
        return (
            self.kind in _RENDERERS
            and is_word
            and (self.kind != "float" or is_fixed or style in FLOATS)
        )

    @staticmethod
    def of(written: str) -> "Rendering":
        """The rendering that is written so.

        >>> Rendering.of("float:fixed 2 | null=NA")
        Rendering(kind='float', style='fixed 2', null='NA')
        """
        return _rendering_of(written)

    def texts(self, array: pa.Array) -> tuple[pa.Array, Bools | None]:
        """The values' texts, and which of them are lossy (None where none is).

        Raises:
            UnreadableTableError: the values are not of the rendering's kind.
        """
        array = _decoded(array)
        render = _RENDERERS.get(self.kind)
        if pt.is_null(array.type):
            texts, lossy = pa.nulls(len(array), pa.string()), None
        elif render is None or not _IS_KIND[self.kind](array.type):
            raise UnreadableTableError(f"values of type {array.type} are no {self.kind} as text")
        else:
            texts, lossy = render(array, self.style)
        if self.null is None:
            return texts, lossy
        taken = pc.equal(texts, pa.scalar(self.null, texts.type))
        if pc.any(taken).as_py():
            also = pc.fill_null(taken, False).to_numpy(zero_copy_only=False)
            lossy = also if lossy is None else lossy | also
        return pc.fill_null(texts, pa.scalar(self.null, texts.type)), lossy


@lru_cache(maxsize=1 << 12)
def _rendering_of(written: str) -> Rendering:
    told, is_given, null = written.partition(_NULL)
    kind, _, style = told.partition(":")
    return Rendering(kind, style, null if is_given else None)


def _decoded(array: pa.Array) -> pa.Array:
    array = plain(array)
    if pt.is_run_end_encoded(array.type):
        array = pc.run_end_decode(array)
    return array.dictionary_decode() if pt.is_dictionary(array.type) else array


def as_texts(columns: Iterable[Column], renderings: Mapping[str, str]) -> tuple[Column, ...]:
    """The columns, hashed as the texts that the renderings of their names make of them."""
    return tuple(
        replace(column, type="string", rendering=renderings[column.name]) for column in columns
    )


_Texts = tuple[pa.Array, Bools | None]


def _strings(array: pa.Array, style: str) -> _Texts:
    is_view = array.type == pa.string_view()
    return array.cast(pa.large_string()) if is_view else array, None


def _integers(array: pa.Array, style: str) -> _Texts:
    texts = array.cast(pa.string())
    return _with_suffix(texts, ".0") if style == "point" else texts, None


def _with_suffix(texts: pa.Array, suffix: str) -> pa.Array:
    return pc.binary_join_element_wise(texts, suffix, "")


def _booleans(array: pa.Array, style: str) -> _Texts:
    yes, _, no = style.partition("/")
    return pc.if_else(array, yes, no), None


def _decimals(array: pa.Array, style: str) -> _Texts:
    texts = array.cast(pa.string())
    if style == "arrow":
        return texts, None
    if array.type.scale > 6 and pc.any(pc.match_substring(texts, "E")).as_py():
        texts = pa.array([None if v is None else f"{v:f}" for v in array.to_pylist()], pa.string())
    if style in ("short", "point") and array.type.scale > 0:
        texts = pc.replace_substring_regex(texts, _ZEROS, r"\1")
        texts = pc.replace_substring_regex(texts, r"\.$", ".0" if style == "point" else "")
    return texts, None


def _floats(array: pa.Array, style: str) -> _Texts:
    if style.startswith("wide "):
        return _floats(array.cast(pa.float64()), style.removeprefix("wide "))
    if style.startswith("fixed "):
        return _fixed(array, int(style.removeprefix("fixed ")))
    notation = FLOATS[style]
    texts = array.cast(pa.string())
    size = np.abs(array.fill_null(0).to_numpy(zero_copy_only=False))
    is_usual = ((size >= 1e-3) & (size < 1e6)) | (size == 0)
    if notation.point:
        whole = pc.invert(pc.match_substring_regex(texts, r"[.ein]"))
        texts = pc.if_else(whole, _with_suffix(texts, notation.point), texts)
    odd = np.flatnonzero(~is_usual)
    if len(odd):
        changed = [notation_of(t, notation) for t in texts.take(pa.array(odd)).to_pylist()]
        mask = pa.array(~is_usual)
        texts = pc.replace_with_mask(texts, mask, pa.array(changed, texts.type))
    return texts, None


@lru_cache(maxsize=1 << 16)
def notation_of(text: str, notation: FloatNotation) -> str:
    """The float of this text, which has its shortest digits, in the notation.

    >>> notation_of("0.00001", FLOATS["python"]), notation_of("1e+16", FLOATS["java"])
    ('1e-05', '1.0E16')
    """
    sign, text = ("-", text[1:]) if text.startswith("-") else ("", text)
    if text == "nan":
        return notation.nan
    if text == "inf":
        return sign + notation.infinity
    mantissa, _, power = text.partition("e")
    whole, _, rest = mantissa.partition(".")
    digits = (whole + rest).lstrip("0")
    exponent = int(power or 0) + len(whole) - 1 - (len(whole + rest) - len(digits))
    digits = digits.rstrip("0") or "0"
    if not notation.low <= exponent < notation.high:
        mantissa = f"{digits[0]}.{digits[1:]}" if digits[1:] else digits + notation.mantissa_point
        return sign + mantissa + notation.exponent.format(exponent)
    if exponent < 0:
        return f"{sign}0.{'0' * (-exponent - 1)}{digits}"
    digits = digits.ljust(exponent + 1, "0")
    whole, rest = digits[: exponent + 1], digits[exponent + 1 :]
    return f"{sign}{whole}.{rest}" if rest else sign + whole + notation.point


def _fixed(array: pa.Array, places: int) -> _Texts:
    values = array.cast(pa.float64()).to_pylist()
    texts = pa.array([None if v is None else f"{v:.{places}f}" for v in values], pa.string())
    back = texts.cast(pa.float64()).cast(array.type)
    same = pc.fill_null(pc.equal(back, array), True)
    is_nan = pc.fill_null(pc.is_nan(array), False)
    lossy = ~(pc.or_(same, is_nan).to_numpy(zero_copy_only=False))
    return texts, lossy if lossy.any() else None


def _times(array: pa.Array, style: str) -> _Texts:
    """Dates, times of day and timestamps; those with a zone in the style's offset."""
    type_ = array.type
    if pt.is_date(type_):
        array = array.cast(pa.date32()).cast(pa.timestamp("s"))
    elif pt.is_time(type_):
        whole = pa.int32() if pt.is_time32(type_) else pa.int64()
        array = array.cast(whole).cast(pa.int64()).cast(pa.timestamp(type_.unit))
    elif type_.tz is not None:
        array = array.cast(pa.timestamp(type_.unit))
    scale = _NANOS[array.type.unit]
    counts = array.cast(pa.int64()).fill_null(0).to_numpy()
    if type_ != array.type and pt.is_timestamp(type_) and (found := _OFFSET.search(style)):
        minutes = int(found[2]) * 60 + int(found[3] or 0)
        counts = counts + (-minutes if found[1] == "-" else minutes) * 60 * (10**9 // scale)
    seconds, part = np.divmod(counts, 10**9 // scale)
    valid = array.is_valid()
    lossy = ~((seconds >= _FIRST_SECOND) & (seconds < _END_SECOND))
    seconds = np.where(lossy, 0, seconds)
    instants = pa.array(seconds, pa.int64()).cast(pa.timestamp("s"))
    fraction = _FRACTION.search(style)
    text_format = _FRACTION.sub("\x01", style)
    texts = pc.strftime(instants, text_format)
    back = _second_kept(style, seconds)
    if back is not None:
        lossy = lossy | back
    if fraction is None:
        lossy = lossy | (part != 0)
    else:
        texts, lost = _with_fraction(texts, part * scale, fraction[1])
        lossy = lossy | lost
    texts = pc.if_else(valid, texts, pa.scalar(None, pa.string()))
    return texts, lossy if lossy.any() else None


_FIRST_SECOND, _END_SECOND = -62135596800, 253402300800
"""Years 1 to 9999, which have four digits."""


def _second_kept(style: str, seconds: "np.ndarray[tuple[int], np.dtype[np.int64]]") -> Bools | None:
    """Which of the seconds the format does not tell; None where it tells all."""
    if "%S" in style:
        return None
    step = 60 if "%M" in style else 86_400
    return np.asarray(seconds % step != 0)


def _with_fraction(
    texts: pa.Array, nanos: "np.ndarray[tuple[int], np.dtype[np.int64]]", form: str
) -> tuple[pa.Array, Bools]:
    """The texts with the fraction in place of its mark, and which fractions are cut off."""
    digits = pc.utf8_lpad(pa.array(nanos, pa.int64()).cast(pa.string()), 9, "0")
    lost = np.zeros(len(nanos), np.bool_)
    if form.isdigit():
        places = int(form)
        lost = np.asarray(nanos % 10 ** (9 - places) != 0)
        shown = pc.utf8_slice_codeunits(digits, 0, places)
    elif form == "?":
        lost = np.asarray(nanos % 1000 != 0)
        cut = pc.utf8_slice_codeunits(digits, 0, 6)
        shown = pc.if_else(pa.array(nanos == 0), "", cut)
    elif form in ("*", "+"):
        shown = pc.utf8_rtrim(digits, "0")
        if form == "+":
            shown = pc.if_else(pa.array(nanos == 0), "0", shown)
    else:
        shown = pc.replace_substring_regex(digits, "(000)+$", "")
    dotted = pc.if_else(pc.equal(shown, ""), "", pc.binary_join_element_wise(".", shown, ""))
    before = pc.list_element(pc.split_pattern(texts, "\x01"), 0)
    after = pc.list_element(pc.split_pattern(texts, "\x01"), 1)
    return pc.binary_join_element_wise(before, dotted, after, ""), lost


_RENDERERS: dict[str, Callable[[pa.Array, str], _Texts]] = {
    "string": _strings,
    "int": _integers,
    "bool": _booleans,
    "decimal": _decimals,
    "float": _floats,
    "date": _times,
    "time": _times,
    "timestamp": _times,
}
_IS_KIND: dict[str, Callable[[pa.DataType], bool]] = {
    "string": lambda t: t in (pa.string(), pa.large_string(), pa.string_view()),
    "int": pt.is_integer,
    "bool": pt.is_boolean,
    "decimal": pt.is_decimal,
    "float": pt.is_floating,
    "date": pt.is_date,
    "time": pt.is_time,
    "timestamp": pt.is_timestamp,
}
