"""A parent's columns, encoded one by one when the search for predicates comes to them.

Made once for a parent and used for all of its children. People filter by partitions and by time
first, so most predicates are found before the other columns are looked at, or even read.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.types as pt

from r2d2.recipes.encoding import FEW_VALUES, EncodedColumn, Worth, encode, plain_type
from r2d2.recipes.grammar import Path

FEW_ROWS = 1 << 16
SAMPLE_ROWS = 1 << 14


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """A column that was not looked at yet: `read` gives its values by row."""

    path: Path
    position: int
    type: pa.DataType
    is_partition: bool
    read: Callable[[], pa.ChunkedArray]


class Encoded:
    """The parent's columns that may take part in a predicate, and the number of its rows."""

    def __init__(self, sources: Sequence[Source], rows: int) -> None:
        self.rows = rows
        self._sources = [source for source in sources if plain_type(source.type) is not None]
        self._arrays: dict[int, pa.ChunkedArray] = {}
        self._columns: dict[int, EncodedColumn | None] = {}

    @classmethod
    def of(
        cls,
        rows: pa.Table,
        paths: Mapping[str, Path] | None = None,
        partitions: Collection[str] = (),
    ) -> "Encoded":
        """The parent's rows with every column that can take part.

        `paths` leads from the table's column names into the parent's fields, where a name is not
        itself the way; `partitions` are names of columns by which the parent is laid out.
        """
        sources = [
            Source(
                (paths or {}).get(name, (name,)),
                position,
                rows.schema.types[position],
                name in partitions,
                lambda position=position: rows.column(position),  # type: ignore[misc]
            )
            for position, name in enumerate(rows.column_names)
        ]
        return cls(sources, rows.num_rows)

    @property
    def columns(self) -> tuple[EncodedColumn, ...]:
        """All of them, in the table's order."""
        return tuple(self._encoded(self._sources))

    def stages(self) -> Iterator[tuple[Worth, list[EncodedColumn]]]:
        """The columns, best first, each lot with the least worth of any column after it.

        Where the rows are few there is a lot for those laid out by, one for time, and one for all
        others; where they are many, of these come first the ones that seem to have few values.
        """
        partitions = [source for source in self._sources if source.is_partition]
        others = [source for source in self._sources if not source.is_partition]
        yield Worth.PARTITION, self._encoded(partitions)
        yield Worth.TIME, self._encoded([s for s in others if _is_time(s.type)])
        others = [source for source in others if not _is_time(source.type)]
        if self.rows > FEW_ROWS:
            few = [source for source in others if self._seems_few(source)]
            yield Worth.FEW, self._encoded(few)
            others = [source for source in others if source not in few]
        yield Worth.MANY, self._encoded(others)

    def _encoded(self, sources: Sequence[Source]) -> list[EncodedColumn]:
        found = (self._column(source) for source in sources)
        return [column for column in found if column is not None]

    def _column(self, source: Source) -> EncodedColumn | None:
        place = source.position
        if place not in self._columns:
            array = self._array(source)
            self._columns[place] = encode(array, source.path, place, source.is_partition)
        return self._columns[place]

    def _array(self, source: Source) -> pa.ChunkedArray:
        if source.position not in self._arrays:
            self._arrays[source.position] = source.read()
        return self._arrays[source.position]

    def _seems_few(self, source: Source) -> bool:
        """False where the column surely has many values."""
        return len(self._array(source).slice(0, SAMPLE_ROWS).unique()) <= FEW_VALUES


def _is_time(type_: pa.DataType) -> bool:
    return bool(pt.is_temporal(plain_type(type_)))
