"""Where a data file keeps the table's columns, checked against its footer."""

from collections.abc import Iterable

import pyarrow as pa
import pyarrow.parquet as pq

from r2d2.formats.delta.conform import conformed, has_ids, positions
from r2d2.formats.delta.schema import Field
from r2d2.lake.delta.widening import meant


def stored_fields(
    columns: Iterable[Field], metadata: pq.FileMetaData, schema: pa.Schema
) -> dict[str, pa.Field]:
    """For each column that the file keeps, the file's field, with the type that it means.

    Raises:
        ValueError: a column's type does not widen to the table's, or ids are missing.
    """
    columns = list(columns)
    by_id = any(column.field_id is not None for column in columns)
    if by_id and not has_ids(schema):
        raise ValueError("no field ids, which the table's column mapping by id needs")
    leaves = [metadata.schema.column(i).physical_type for i in range(metadata.num_columns)]
    meaning = meant(schema, leaves)
    found = {}
    for column, place in zip(columns, positions(meaning, columns), strict=True):
        if place is not None:
            found[column.name] = field = meaning.field(place)
            if column.children or not field.type.equals(column.type):
                conformed(pa.array([], field.type), field.type, column)
    return found
