"""What the footer of a live file adds to the log: its rows, and bounds of the live ones."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.parquet as pq

from r2d2.errors import TableError, UnreadableTableError
from r2d2.lake.bounds import RANK_MAX, RANK_MIN
from r2d2.lake.delta.conform import position
from r2d2.lake.delta.fields import Field
from r2d2.lake.delta.live import LiveFile
from r2d2.lake.delta.stored import stored_fields
from r2d2.lake.footer import bounds_of, check_calendar
from r2d2.lake.footer_file import sound_metadata, tail_of
from r2d2.lake.schema import flatten, quoted
from r2d2.lake.storage import Storage
from r2d2.model import Bounds, Column

_NUMBERS = ("int", "uint", "float", "decimal")
_ALL_NULL = Bounds(has_nulls=True, has_values=False)


@dataclass(frozen=True, slots=True)
class Footed:
    """A live file with its footer and the bounds of the table's columns in it."""

    file: LiveFile
    metadata: pq.FileMetaData
    bounds: Mapping[str, Bounds]


def footed(storage: Storage, file: LiveFile, columns: Sequence[Column]) -> Footed:
    """The file, its rows counted and its bounds known; `columns` are the table's, flattened.

    Raises:
        TableError: the footer is damaged, or contradicts the log or the table's schema.
    """
    try:
        tail = tail_of(storage, file.info)
        metadata = sound_metadata(tail, file.info.size_bytes)
        schema = metadata.schema.to_arrow_schema()
        _check_rows(file, metadata)
        stored = stored_fields(file.stored_columns, metadata, schema)
        check_calendar(file.info, metadata)
        physical = _physical_bounds(metadata, schema)
    except TableError as error:
        raise type(error)(f"{file.info.path}: {error}") from error
    except (pa.ArrowException, OSError, ValueError) as error:
        raise UnreadableTableError(f"{file.info.path}: {error}") from error
    whole = {
        column.name: _column_bounds(column, file, stored, physical)
        for column in columns
    }
    bounds = whole if file.deletions is None else {n: _outward(b) for n, b in whole.items()}
    return Footed(replace(file, rows=metadata.num_rows), metadata, bounds)
