"""Exports: a text table's columns are among those of a typed table, whose values are its text.

Reads the beginning of each text table, and finds for each of its columns the rendering that puts
values of the parent's type as its texts are. Later stages hash the parent's values as these texts,
so no pair is refuted or proved here; a wrong guess loses an edge and never makes one.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from functools import cache
from itertools import islice

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from r2d2.graph import Block, Graph
from r2d2.hashing.renderings import FLOATS, Rendering
from r2d2.lake.questions import Lake
from r2d2.model import Column, Format, Table
from r2d2.stages.schema import fold, is_degenerate, with_supersets

_TEXT = (Format.CSV, Format.JSON)
_FEW = 64
_Names = frozenset[tuple[str, str]]
_Types = tuple[tuple[str, str, bool | None], ...]
"""Names of columns, their types in the parent, and whether these have NULLs (None: unknown)."""
_Renderings = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Exports:
    """Pairs every CSV and JSON table with the typed tables it may be an export of."""

    case_sensitive: bool = False
    name = "exports"

    def __call__(self, graph: Graph, lake: Lake) -> Graph:
        """The graph with blocks of these pairs besides."""
        graph, pairs = self._pairs(graph, lake)
        answer = lake.heads(list(dict.fromkeys(child for child, _, _ in pairs)))
        found: dict[tuple[tuple[str, ...], _Renderings], list[tuple[int, int]]] = defaultdict(list)
        known: dict[tuple[int, _Types], _Renderings | None] = {}
        texts: dict[int, ColumnTexts] = {}
        without = 0
        for child, parent, types in pairs:
            if child not in answer.found:
                continue
            if (child, types) not in known:
                if child not in texts:
                    texts[child] = self._texts(graph.tables[child], answer.found[child])
                known[child, types] = texts[child].renderings(types)
            renderings = known[child, types]
            if renderings is None:
                without += 1
            else:
                names = tuple(name for name, _ in renderings)
                found[names, renderings].append((child, parent))
        number = 1 + max((block.number for block in graph.blocks), default=-1)
        blocks = tuple(
            _block(number + more, names, renderings, found[names, renderings])
            for more, (names, renderings) in enumerate(sorted(found))
        )
        reasons = {"no rendering gives the column's text": without}
        cost = graph.cost.plus(answer.cost)
        found_graph = replace(graph.after(answer), blocks=graph.blocks + blocks, reasons=reasons)
        return replace(found_graph, cost=cost)

    def _pairs(self, graph: Graph, lake: Lake) -> tuple[Graph, list[tuple[int, int, _Types]]]:
        """Text tables with tables of their columns, of which one at least is no text or has NULLs.

        Which columns of text have NULLs is asked of the lake.
        """
        tables = graph.tables
        members: dict[_Names, tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
        for index, table in enumerate(tables):
            if table.eligible and not is_degenerate(table):
                names = frozenset((fold(c.name, self.case_sensitive), "") for c in table.columns)
                members[names][table.format not in _TEXT].append(index)
        found = []
        for names, larger in with_supersets(list(members)):
            parents = [parent for other in larger for parent in members[other][1]]
            if members[names][0] and parents:
                own = sorted(name for name, _ in names)
                columns = {parent: self._columns(tables[parent], own) for parent in parents}
                found += [
                    (child, parent, own, columns[parent])
                    for child in members[names][0]
                    for parent in parents
                    if all(kind_of(column.type) is not None for column in columns[parent])
                ]
        asked: dict[int, dict[Column, None]] = defaultdict(dict)
        for _, parent, _, columns_of_parent in found:
            asked[parent] |= {c: None for c in columns_of_parent if c.type == "string"}
        answer = lake.bounds({parent: tuple(texts) for parent, texts in asked.items() if texts})
        pairs = []
        for child, parent, own, columns_of_parent in found:
            bounds = {**tables[parent].bounds, **answer.found.get(parent, {})}
            known = {name: bound.has_nulls for name, bound in bounds.items()}
            types = tuple(
                (name, c.type, known.get(c.name) if c.type == "string" else None)
                for name, c in zip(own, columns_of_parent, strict=True)
            )
            if any(type_ != "string" or has_nulls for _, type_, has_nulls in types):
                pairs.append((child, parent, types))
        return graph.after(answer), pairs

    def _columns(self, table: Table, names: Sequence[str]) -> tuple[Column, ...]:
        columns = {fold(column.name, self.case_sensitive): column for column in table.columns}
        return tuple(columns[name] for name in names)

    def _texts(self, table: Table, head: Sequence[pa.RecordBatch]) -> "ColumnTexts":
        rows = pa.Table.from_batches(head)
        columns = {fold(c.name, self.case_sensitive): rows.column(c.path[0]) for c in table.columns}
        return ColumnTexts(columns, table.format)


class ColumnTexts:
    """The different texts of a file's columns, and their renderings by type, each found once."""

    def __init__(self, columns: Mapping[str, pa.ChunkedArray], format_: str) -> None:
        self._columns = columns
        self._format = format_
        self._texts = cache(self._different)
        self._null = cache(lambda name, type_: null_text(self._texts(name), type_))
        self._rendering = cache(self._found)

    def renderings(self, types: _Types) -> _Renderings | None:
        """The rendering of each column, in order of name; None where a column has none.

        In a CSV file NULL is one text in all columns: those without an example of it take it over.
        """
        columns = self._columns
        has_null = {name: columns[name].null_count > 0 for name, _, _ in types}
        nulls = {
            name: self._null(name, type_)
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

    def _null_of_text(self, name: str, default: str | None) -> str | None:
        """The text for NULL in a column of text that has NULLs: the usual one, if it is there."""
        texts = set(self._texts(name))
        usual = (text for text in (default, *_NULLS) if text in texts)
        return next(usual, default)

    def _different(self, name: str) -> list[str]:
        texts: list[str] = pc.unique(self._columns[name]).drop_null().to_pylist()
        return texts

    def _found(self, name: str, type_: str, null: str | None) -> Rendering | None:
        texts = [text for text in self._texts(name) if text != null]
        # Of most pairs a few texts tell that they are of another type.
        if found_rendering(texts[:_FEW], type_, null) is None:
            return None
        return found_rendering(texts, type_, null)


def _block(
    number: int,
    names: tuple[str, ...],
    renderings: _Renderings,
    pairs: Sequence[tuple[int, int]],
) -> Block:
    children = np.array(sorted({child for child, _ in pairs}), np.int32)
    parents = np.array(sorted({parent for _, parent in pairs}), np.int32)
    mask = np.zeros((len(children), len(parents)), np.bool_)
    below, above = np.array(pairs, np.int32).T
    mask[np.searchsorted(children, below), np.searchsorted(parents, above)] = True
    return Block(number, names, children, parents, np.packbits(mask, axis=1), renderings=renderings)


_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.0)?")
_REAL = r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?"
_DAYS = {
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}": "%Y-%m-%d",
    r"[0-9]{4}/[0-9]{2}/[0-9]{2}": "%Y/%m/%d",
    r"[0-9]{8}": "%Y%m%d",
    r"[0-9]{2}\.[0-9]{2}\.[0-9]{4}": "%d.%m.%Y",
    r"(?:0[1-9]|1[0-2])/[0-9]{2}/[0-9]{4}": "%m/%d/%Y",
    r"[0-9]{2}/(?:0[1-9]|1[0-2])/[0-9]{4}": "%d/%m/%Y",
}
_DAY = "|".join(_DAYS)
_CLOCK = r"(?P<minutes>[0-9]{2}:[0-9]{2})(?P<seconds>:[0-9]{2})?(?P<fraction>\.[0-9]{1,9})?"
_ZONE = r"Z| ?UTC|[+-][0-9]{2}(?::?[0-9]{2})?"
_SHAPES = {
    "int": _INTEGER,
    "decimal": re.compile(_REAL),
    "float": re.compile(_REAL + r"|-?(?:inf|Infinity)|nan|NaN"),
    "date": re.compile(rf"(?P<day>{_DAY})(?P<rest>[ T]00:00(?::00(?:\.0+)?)?Z?)?"),
    "time": re.compile(_CLOCK),
    "timestamp": re.compile(rf"(?P<day>{_DAY})(?:(?P<between>[ T]){_CLOCK}(?P<zone>{_ZONE})?)?"),
}
_NULLS = ("NULL", "null", "\\N", "NA", "None", "nan", "<NA>", "N/A")
_WORDS = ("true/false", "True/False", "TRUE/FALSE", "1/0", "t/f", "T/F", "yes/no", "y/n", "Y/N")
_KINDS = {"string": "string", "bool": "bool", "float32": "float", "float64": "float"} | {
    kind: kind for kind in ("date", "time", "timestamp")
}


def kind_of(type_: str) -> str | None:
    """The kind of renderings of a column of this type; None where it has none."""
    if type_.startswith("decimal("):
        return "decimal"
    if re.fullmatch("u?int(8|16|32|64)", type_):
        return "int"
    return "timestamp" if type_ == "timestamptz" else _KINDS.get(type_)


def null_text(texts: Sequence[str], type_: str) -> str | None:
    """The one text that cannot be a value of the type; None where there is none, or several."""
    kind = kind_of(type_) or ""
    if kind == "bool":
        words = max((set(each.split("/")) for each in _WORDS), key=lambda w: len(w & set(texts)))
        other = (text for text in texts if text not in words)
    else:
        other = (text for text in texts if not _SHAPES[kind].fullmatch(text))
    found = list(islice(other, 2))
    return found[0] if len(found) == 1 else None


def found_rendering(texts: Sequence[str], type_: str, null: str | None) -> Rendering | None:
    """The rendering that gives these different texts, none of them NULL's; None where none does."""
    kind = kind_of(type_) or ""
    style = _STYLES[kind](texts, type_)
    return None if style is None else Rendering(kind, style, null)


def _style_of_integers(texts: Sequence[str], type_: str) -> str | None:
    found = [_INTEGER.fullmatch(text) for text in texts]
    pointed = {bool(each[1]) for each in found if each}
    if None in found or len(pointed) > 1:
        return None
    return "point" if True in pointed else "plain"


def _style_of_booleans(texts: Sequence[str], type_: str) -> str | None:
    return next((words for words in _WORDS if set(texts) <= set(words.split("/"))), None)


def _style_of_decimals(texts: Sequence[str], type_: str) -> str | None:
    precision, scale = map(int, type_[8:-1].split(","))
    try:
        exact = pa.decimal256 if precision > 38 else pa.decimal128
        values = pa.array([Decimal(text) for text in texts], exact(precision, scale))
    except (InvalidOperation, pa.ArrowInvalid):
        return None
    return _first_that_gives(texts, values, "decimal", ("plain", "arrow", "short", "point"))


def _style_of_floats(texts: Sequence[str], type_: str) -> str | None:
    try:
        numbers = [float(text) for text in texts]
    except ValueError:
        return None
    narrow = type_ == "float32"
    with np.errstate(over="ignore"):
        values = pa.array(np.array(numbers, np.float32 if narrow else np.float64))
    wide = ("wide python",) if narrow else ()
    places = {len(text.partition(".")[2]) for text in texts if "nan" not in text.lower()}
    fixed = (f"fixed {max(places)}",) if len(places) == 1 else ()
    return _first_that_gives(texts, values, "float", (*FLOATS, *wide, *fixed))


def _first_that_gives(
    texts: Sequence[str], values: pa.Array, kind: str, styles: Sequence[str]
) -> str | None:
    wanted = list(texts)
    every = ((style, Rendering(kind, style).texts(values)) for style in styles)
    return next(
        (style for style, (made, lossy) in every if lossy is None and made.to_pylist() == wanted),
        None,
    )


def _style_of_times(texts: Sequence[str], type_: str) -> str | None:
    """The format that all texts have; where it says no zone, none is guessed."""
    shape = _SHAPES["timestamp" if type_ == "timestamptz" else type_]
    found = [match.groupdict() for text in texts if (match := shape.fullmatch(text))]
    if len(found) < len(texts):
        return None
    if not found:
        return {"date": "%Y-%m-%d", "time": "%H:%M:%S%.*f"}.get(type_, "%Y-%m-%d %H:%M:%S%.*f")
    day = _day_format([each["day"] for each in found]) if type_ != "time" else ""
    forms = {
        (
            each.get("rest") or "",
            each.get("between") or "",
            bool(each.get("minutes")),
            bool(each.get("seconds")),
            each.get("zone") or "",
        )
        for each in found
    }
    if day is None or len(forms) > 1:
        return None
    rest, between, has_clock, has_seconds, zone = forms.pop()
    if (type_ == "timestamptz") != bool(zone) and type_ != "date":
        return None
    fraction = _fraction_format([each.get("fraction") for each in found]) if has_seconds else ""
    clock = "%H:%M" * has_clock + ":%S" * has_seconds
    return f"{day}{rest}{between}{clock}{fraction}{zone}"


def _day_format(days: Sequence[str]) -> str | None:
    """The first format that all days have: of month and day in either order, the month first."""
    every = (name for shape, name in _DAYS.items() if all(re.fullmatch(shape, day) for day in days))
    return next(every, None)


def _fraction_format(fractions: Sequence[str | None]) -> str:
    digits = [fraction[1:] for fraction in fractions if fraction]
    lengths = {len(each) for each in digits}
    is_missing = len(digits) < len(fractions)
    if len(lengths) == 1 and not is_missing:
        return "%.+f" if digits == ["0"] * len(digits) else f"%.{lengths.pop()}f"
    if lengths == {6} and any(each.endswith("000") for each in digits):
        return "%.?f"
    if not any(each.endswith("0") for each in digits):
        return "%.*f"
    return "%.f" if is_missing or lengths <= {3, 6, 9} else "%.+f"


_STYLES: dict[str, Callable[[Sequence[str], str], str | None]] = {
    "string": lambda texts, type_: "plain",
    "int": _style_of_integers,
    "bool": _style_of_booleans,
    "decimal": _style_of_decimals,
    "float": _style_of_floats,
    "date": _style_of_times,
    "time": _style_of_times,
    "timestamp": _style_of_times,
}
