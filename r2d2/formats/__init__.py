"""The formats of tables. Each is a package whose class answers one protocol; FORMATS lists them.

A new format is such a package and an entry in FORMATS: listing, reading, recipes and writing back
ask the protocol alone.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from r2d2.errors import IneligibleTableError, NotWritableError
from r2d2.formats.avro import Avro
from r2d2.formats.csv import Csv
from r2d2.formats.delta import Delta
from r2d2.formats.json import Json
from r2d2.formats.orc import Orc
from r2d2.formats.parquet import Parquet
from r2d2.model import FileInfo, Format, Split, Table

if TYPE_CHECKING:
    import pyarrow as pa

    from r2d2.formats.layout import Layout
    from r2d2.settings.find import Settings
    from r2d2.storage.local import Storage


class TableFormat(Protocol):
    """One format: its tables recognised, read, and written back.

    A file is of the format by the end of its name: `endings` have one part or two (`.csv.gz`), in
    lower case. A folder is one table of the format where `marker` is found in `/` and the path of
    a file: the folder is what stands before the match. `magic` are the bytes that a file begins
    with, none where anything may. `is_columnar`: some columns are read at less cost than all.
    `layout_options` are the keys of the options that its layouts have.
    """

    name: str
    endings: tuple[str, ...]
    marker: re.Pattern[str] | None
    magic: bytes
    is_columnar: bool
    layout_options: frozenset[str]

    def inspect(
        self,
        storage: "Storage",
        location: str,
        files: Sequence[FileInfo],
        settings: "Settings",
        lake: Mapping[str, FileInfo] | None,
    ) -> Table:
        """The table of one file, or of all files of its folder, without its rows where possible.

        `lake` holds every file of the lake by its path; None where it was not listed.

        Raises:
            TableError: the table cannot be read, or its rows have no identity.
        """

    def read(
        self, storage: "Storage", split: Split, columns: Collection[str]
    ) -> "Iterator[pa.RecordBatch]":
        """The split's rows with the top-level columns asked for, in batches of bounded size.

        Raises:
            UnreadableTableError: bytes are damaged, or are not those that were listed.
        """

    def layout(self, storage: "Storage", table: Table) -> "Layout":
        """The layout by which the table can be written back.

        Raises:
            TableError: a file cannot be read.
            NotWritableError: what is there could not be written back.
        """

    def write(self, layout: "Layout", batches: "Iterator[pa.RecordBatch]", path: Path) -> None:
        """Writes the rows as a new table: a file, or a folder where the layout is one's.

        Raises:
            NotWritableError: the format does not take the values, types or names.
            MissingDependencyError: a package that writes the format is not installed.
        """


_UUID = r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}"
ICEBERG_LIST = rf"(?:snap-\d+-\d+-{_UUID}|{_UUID}-m\d+|optimized-m\d*-{_UUID})\.avro"
"""The names that Iceberg gives to manifest lists and manifests."""
_DATE = r"(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?!\d)"
_ID = rf"(?!{_DATE})\d{{7,}}"  # `base_20200101` is a person's folder, unless buckets say otherwise
HIVE_WRITE = (
    rf"/(?:(?:base_{_ID}|(?:delete_)?delta_{_ID}_{_ID})(?:_[v\d]+)*/"
    r"|(?:base|(?:delete_)?delta_\d+)_\d+(?:_[v\d]+)*/"
    r"(?:bucket_\d{5}|_orc_acid_version$|_metadata_acid$))"
)
"""The folder of a write into a transactional table of Hive, or into one of its partitions."""
_SIGNS = tuple(
    (kind, re.compile(sign))
    for kind, sign in (
        ("Hudi", r"^/\.hoodie(?:/|$)"),
        (
            "Iceberg",
            r"\.metadata\.json(?:\.gz)?$"
            rf"|/metadata/(?:version-hint\.text|{ICEBERG_LIST})$",
        ),
        ("a sink of Spark's streaming", r"^/_spark_metadata/"),
        ("a transactional table of Hive", HIVE_WRITE),
        ("Paimon", r"^/(?:snapshot/snapshot-\d|schema/schema-\d)"),
        ("Lance", r"^/_versions/"),
    )
)


class ForeignFormat:
    """Iceberg, Hudi, ACID of Hive and such: not eligible; one of Spark's sources may read them."""

    name: str = Format.OTHER
    endings: tuple[str, ...] = ()
    marker: re.Pattern[str] | None = re.compile(
        r"/(?:metadata/(?:[^/]*\.metadata\.json(?:\.gz)?|version-hint\.text)$|\.hoodie/"
        rf"|_spark_metadata/)|{HIVE_WRITE}"
    )
    magic: bytes = b""
    is_columnar: bool = False
    layout_options: frozenset[str] = frozenset()

    def inspect(
        self,
        storage: "Storage",
        location: str,
        files: Sequence[FileInfo],
        settings: "Settings",
        lake: Mapping[str, FileInfo] | None,
    ) -> Table:
        """Raises IneligibleTableError."""
        inside = ["/" + file.path.removeprefix(location).lstrip("/") for file in files]
        kinds = [kind for kind, sign in _SIGNS if any(map(sign.search, inside))]
        named = kinds[0] if kinds else "Iceberg, Hudi, Paimon or Lance"
        raise IneligibleTableError(f"a table format that r2d2 does not read itself ({named})")

    def read(
        self, storage: "Storage", split: Split, columns: Collection[str]
    ) -> "Iterator[pa.RecordBatch]":
        """Raises IneligibleTableError."""
        raise IneligibleTableError(f"{split.file.path}: of a table that r2d2 does not read")

    def layout(self, storage: "Storage", table: Table) -> "Layout":
        """Raises NotWritableError."""
        raise NotWritableError(f"{table.location}: r2d2 writes no {self.name} tables")

    def write(self, layout: "Layout", batches: "Iterator[pa.RecordBatch]", path: Path) -> None:
        """Raises NotWritableError."""
        raise NotWritableError(f"r2d2 writes no {self.name} tables")


FORMATS: tuple[TableFormat, ...] = (
    Parquet(),
    Delta(),
    Csv(),
    Json(),
    Orc(),
    Avro(),
    ForeignFormat(),
)


def format_named(name: str) -> TableFormat:
    """The format of that name; raises ValueError where there is none."""
    for known in FORMATS:
        if known.name == name:
            return known
    raise ValueError(f"no format is called {name!r}")
