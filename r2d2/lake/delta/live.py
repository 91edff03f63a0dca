"""A live data file of a snapshot: the context of its splits."""

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa

from r2d2.formats.delta.deletion_vectors import Deletions
from r2d2.formats.delta.schema import Field
from r2d2.model import FileInfo


@dataclass(frozen=True, slots=True)
class LiveFile:
    """A file and what reading it needs beside its bytes; picklable.

    `columns` are the table's in order; `constants` are the values of its partition columns.
    `rows` counts what the file holds, deleted rows too; None where the log does not tell.
    """

    info: FileInfo
    columns: tuple[Field, ...]
    constants: Mapping[str, pa.Scalar]
    rows: int | None
    deletions: Deletions | None

    @property
    def stored_columns(self) -> tuple[Field, ...]:
        """The columns whose values are in the file, where it has them at all."""
        return tuple(column for column in self.columns if column.name not in self.constants)

    @property
    def live_rows(self) -> int | None:
        """The rows that are not deleted."""
        if self.rows is None or self.deletions is None:
            return self.rows
        return self.rows - self.deletions.vector.cardinality
