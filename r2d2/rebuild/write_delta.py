"""A Delta table of one version: its files and its log, by the `deltalake` package."""

from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa

from r2d2.extras import require
from r2d2.rebuild.layout import Layout, NotWritableError
from r2d2.rebuild.sinks import refused


def write_delta(layout: Layout, batches: Iterable[pa.RecordBatch], folder: Path) -> None:
    """Writes the rows as version 0 of a table in the folder.

    Raises:
        MissingDependencyError: the `deltalake` package is not installed.
        NotWritableError: it refuses the schema or a value.
    """
    require("delta", "writing a Delta table")
    from deltalake import WriterProperties, write_deltalake
    from deltalake.exceptions import DeltaError, DeltaProtocolError

    with refused():
        folder.mkdir(parents=True)
        try:
            write_deltalake(
                str(folder),
                pa.RecordBatchReader.from_batches(layout.rows_schema, batches),
                partition_by=list(layout.partition_columns) or None,
                mode="error",
                writer_properties=WriterProperties(compression="SNAPPY"),
            )
        except (DeltaError, DeltaProtocolError) as error:
            raise NotWritableError(str(error).strip().splitlines()[0]) from error
