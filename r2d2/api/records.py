"""Rows of a result: a tuple that a notebook shows as a table and that becomes a data frame.

Each kind of rows is a class with its columns: their names, their Arrow types and how a row gives
their values. Text is escaped wherever it is shown, whatever names the lake has.
"""

import shlex
import sys
from collections.abc import Callable, Iterable, Mapping
from html import escape
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, SupportsIndex, TypeVar, overload

from r2d2.errors import MissingDependencyError
from r2d2.text_tables import aligned, pluralize, printable, visible

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

SHOWN, SHOWN_IN_TEXT = 20, 10
MOST_CHARACTERS, MOST_IN_TEXT = 80, 40
Row = TypeVar("Row", covariant=True)
ArrowType = Literal["string", "int64", "double", "bool", "strings", "instant"]
"""The name of a column's type in Arrow; `strings` are lists of them, an `instant` is in UTC."""
Columns = Mapping[str, tuple[ArrowType, Callable[[Any], object]]]
"""The columns of rows by name, each with its type and how a row gives its value."""


NAMES = frozenset({"location", "table", "tables", "child", "parent", "parents"})
"""The columns with names of tables, which are shown so that no two look alike."""


class Frames:
    """Something with rows, as an Arrow table and as data frames of other libraries."""

    __slots__ = ()

    def to_arrow(self) -> "pa.Table":
        """The rows as an Arrow table."""
        raise NotImplementedError

    def to_polars(self) -> "pl.DataFrame":
        """The rows as a Polars data frame.

        Raises:
            MissingDependencyError: Polars is not installed.
        """
        _require("polars", "to_polars")
        import polars as pl

        frame = pl.from_arrow(self.to_arrow())
        assert isinstance(frame, pl.DataFrame)
        return frame

    def to_pandas(self) -> "pd.DataFrame":
        """The rows as a pandas data frame; whole numbers that may be unknown are `Int64`.

        Raises:
            MissingDependencyError: pandas is not installed.
        """
        _require("pandas", "to_pandas")
        import pandas as pd
        import pyarrow as pa

        return self.to_arrow().to_pandas(types_mapper={pa.int64(): pd.Int64Dtype()}.get)


class Records(tuple[Row, ...], Frames):
    """Rows of one kind, in order; a slice of them is of the same kind.

    `repr` says how many they are, `str` shows the first ten, a notebook the first twenty.
    """

    noun: ClassVar[str] = "row"
    columns: ClassVar[Columns] = {}

    @overload
    def __getitem__(self, key: SupportsIndex, /) -> Row: ...

    @overload
    def __getitem__(self, key: slice, /) -> Self: ...

    def __getitem__(self, key: SupportsIndex | slice, /) -> Row | Self:
        if isinstance(key, slice):
            return type(self)(super().__getitem__(key))
        return super().__getitem__(key)

    def __repr__(self) -> str:
        return f"<{pluralize(len(self), self.noun)}>"

    def __str__(self) -> str:
        rows = self._cells(SHOWN_IN_TEXT, MOST_IN_TEXT)
        more = len(self) - SHOWN_IN_TEXT
        lines = [
            *aligned([list(self.columns), *rows]),
            *([f"… and {more:,} more"] if more > 0 else []),
        ]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        return html_table(pluralize(len(self), self.noun), self)

    def _cells(self, most: int, characters: int) -> Iterable[list[str]]:
        """The first rows as text, each cell cut at so many characters."""
        for row in tuple(self)[:most]:
            yield [
                _short(value(row), characters, visible if name in NAMES else printable)
                for name, (_, value) in self.columns.items()
            ]

    def to_arrow(self) -> "pa.Table":
        """The rows as an Arrow table; a column has its type even where there is no row."""
        import pyarrow as pa

        types = {"strings": pa.list_(pa.string()), "instant": pa.timestamp("us", "UTC")}
        return pa.table(
            {
                name: pa.array(
                    [value(row) for row in self], types.get(kind) or pa.type_for_alias(kind)
                )
                for name, (kind, value) in self.columns.items()
            }
        )


def html_table(caption: str, records: Records[object]) -> str:
    """The first rows as an HTML table below its caption, every text escaped."""
    numbers = [kind in ("int64", "double") for kind, _ in records.columns.values()]
    head = "".join(f"<th>{escape(name)}</th>" for name in records.columns)
    body = "".join(
        "<tr>"
        + "".join(
            f'<td style="text-align: {"right" if number else "left"}">{escape(cell)}</td>'
            for cell, number in zip(row, numbers, strict=True)
        )
        + "</tr>"
        for row in records._cells(SHOWN, MOST_CHARACTERS)
    )
    more = len(records) - SHOWN
    rest = f"<p>… and {more:,} more</p>" if more > 0 else ""
    # Jupyter would set what stands between two dollar signs as a formula.
    return (
        f'<div class="tex2jax_ignore mathjax_ignore"><p>{escape(printable(caption))}</p>'
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{rest}</div>"
    )


def _short(value: object, most: int, shown: Callable[[str], str]) -> str:
    """The value as text on one line; unknown is empty, and what is long is cut."""
    match value:
        case None:
            text = ""
        case bool():
            text = "true" if value else "false"
        case int():
            text = f"{value:,}"
        case float():
            text = f"{value:.6g}"
        case list() | tuple():
            text = "; ".join(shown(str(each)) for each in value)
        case _:
            text = shown(str(value))
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _require(package: str, method: str) -> None:
    """Returns where the package is installed.

    Raises:
        MissingDependencyError: it is not.
    """
    if find_spec(package) is None:
        command = shlex.join([sys.executable or "python3", "-m", "pip", "install", package])
        raise MissingDependencyError(
            f"{method} needs {package}, not installed here; install it with {command}"
        )
