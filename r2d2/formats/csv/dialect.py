"""A delimited text file's dialect: how its text becomes fields."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from r2d2.settings.find import dialect_fields
from r2d2.text_tables import pluralize

# What the head of a file holds until a byte above 127 is met: then UTF-8 or Latin-1 is decided.
ASCII = "ascii"


@dataclass(frozen=True, slots=True)
class CsvDialect:
    """The rules by which a file's text becomes fields.

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


def overridden(dialect: CsvDialect, overrides: Mapping[str, object]) -> CsvDialect:
    """The dialect with what the user's settings fix.

    Raises:
        UsageError: a key is unknown, or its value is not one it can have.
    """
    return replace(dialect, **dialect_fields(overrides)) if overrides else dialect
