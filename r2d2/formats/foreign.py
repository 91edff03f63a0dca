"""Table formats that r2d2 recognises and does not read: Iceberg, Hudi, Paimon and Lance."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from r2d2.errors import IneligibleTableError, NotWritableError
from r2d2.model import FileInfo, Format, Split, Table

if TYPE_CHECKING:
    import pyarrow as pa

    from r2d2.formats.layout import Layout
    from r2d2.settings.find import Settings
    from r2d2.storage.local import Storage


_SIGNS = tuple(
    (kind, re.compile(sign))
    for kind, sign in (
        ("Hudi", r"^\.hoodie(?:/|$)"),
        ("Iceberg", r"\.metadata\.json(?:\.gz)?$"),
        ("Paimon", r"^(?:snapshot/snapshot-\d|schema/schema-\d)"),
        ("Lance", r"^_versions/"),
    )
)


class ForeignFormat:
    """Tables that are listed as ineligible; one of Spark's own sources may read them."""

    name: str = Format.OTHER
    endings: tuple[str, ...] = ()
    marker: re.Pattern[str] | None = re.compile(
        r"/(?:metadata/[^/]*\.metadata\.json(?:\.gz)?$|\.hoodie/)"
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
        inside = [file.path.removeprefix(location).lstrip("/") for file in files]
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
