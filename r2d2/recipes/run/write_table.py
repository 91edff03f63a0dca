"""Writes a table back: beside its place first, read again there, and only then moved in."""

import os
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pyarrow as pa

from r2d2.errors import R2D2Error
from r2d2.formats.delta.write import write_delta
from r2d2.formats.layout import Layout, NotWritableError
from r2d2.formats.schema import flatten
from r2d2.formats.sink import Sink, file_sink
from r2d2.formats.uniform import fitted
from r2d2.model import Format
from r2d2.rebuild.folders import FolderSink
from r2d2.rebuild.place import free_place, moved_in
from r2d2.rebuild.reread import Tally, check_reread


@dataclass(frozen=True, slots=True)
class Written:
    """The files of a table that was written, by their paths in the lake, and their bytes."""

    files: tuple[str, ...]
    size_bytes: int


def write_table(
    layout: Layout, batches: Iterable[pa.RecordBatch], place: Path, location: str
) -> Written:
    """Writes the rows as the table at `location` of the lake in the folder `place`.

    Nothing is overwritten, and nothing is there before all of it is, read again and found equal:
    one rename where the place is free, else (folders of a partitioned table beside other files)
    one for each of its folders, all taken back where one fails.

    Raises:
        NotWritableError: the table cannot be written as its layout says, or its place is taken.
        MissingDependencyError: a package that writes the format is not installed.
        MisfitError: the rows are not of the layout's columns and types.
    """
    target = free_place(layout, place, location)
    try:
        place.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=place, prefix=".r2d2-") as scratch:
            lake = Path(scratch, "lake")
            lake.mkdir()
            staged = lake / ("table" if layout.is_folder else PurePosixPath(location).name)
            tally = Tally(flatten(layout.rows_schema))
            _write(layout, _tallied(layout, batches, tally), staged)
            check_reread(layout, lake, tally)
            files = moved_in(staged, target)
    except OSError as error:
        raise R2D2Error(f"{target}: cannot be written: {error.strerror or error}") from error
    inside = tuple(sorted(file.relative_to(place).as_posix() for file in files))
    return Written(inside, sum(os.path.getsize(file) for file in files))


def _tallied(
    layout: Layout, batches: Iterable[pa.RecordBatch], tally: Tally
) -> Iterator[pa.RecordBatch]:
    schema = layout.rows_schema
    for batch in batches:
        rows = fitted(batch, schema)
        tally.add(rows)
        yield rows


def _write(layout: Layout, batches: Iterator[pa.RecordBatch], staged: Path) -> None:
    if layout.format is Format.DELTA:
        write_delta(layout, batches, staged)
        return
    sink: Sink
    if layout.is_folder:
        sink = FolderSink(layout, staged, lambda path: file_sink(layout, path))
    else:
        sink = file_sink(layout, staged)
    for batch in batches:
        sink.write(batch)
    sink.close()
    if not staged.exists():
        raise NotWritableError("a partitioned table without rows has no folders")
