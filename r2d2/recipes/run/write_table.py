"""The writing of a rebuilt table: beside its place first, read again there, and then moved in.

Nothing is overwritten. What was written is read again as a table of a lake, and has the columns and
rows that were to be written, before it takes its place.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pyarrow as pa

from r2d2.errors import NotWritableError, R2D2Error, TableError
from r2d2.formats import format_named
from r2d2.formats.layout import Layout
from r2d2.formats.uniform import fitted
from r2d2.hashing.finaliser import Lanes
from r2d2.hashing.multiset import RowTally
from r2d2.hashing.rows import row_hashes
from r2d2.lake.groups import grouped_by_files
from r2d2.lake.inventory import inventory_of, take_inventory
from r2d2.model import Column, Table, Types
from r2d2.recipes.find.reading import read_batches
from r2d2.settings.find import Settings, TextRule
from r2d2.storage.local import LocalStorage, is_hidden
from r2d2.storage.output import make_folders, mode_of
from r2d2.storage.scratch import scratch_folder, sync, uninterrupted


@dataclass(frozen=True, slots=True)
class WrittenTable:
    """The files of a table that was written, by their paths in the lake, and their size."""

    files: tuple[str, ...]
    size_bytes: int


def write_table(
    layout: Layout, batches: Iterable[pa.RecordBatch], place: Path, location: str
) -> WrittenTable:
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
        make_folders(place)
        with scratch_folder(place) as scratch:
            lake = scratch / "lake"
            lake.mkdir()
            staged = lake / ("table" if layout.is_folder else PurePosixPath(location).name)
            tally = RowTally()
            rows = _tallied(layout, batches, tally)
            format_named(layout.format).write(layout, rows, staged)
            _check_reread(layout, lake, tally)
            with uninterrupted():
                files = _move_in(staged, target)
    except OSError as error:
        raise R2D2Error(f"{target}: cannot be written: {error.strerror or error}") from error
    inside = tuple(sorted(file.relative_to(place).as_posix() for file in files))
    return WrittenTable(inside, sum(os.path.getsize(file) for file in files))


def table_at(layout: Layout, place: Path, location: str) -> Table | None:
    """The table with the layout's columns that stands at the location; None where there is none."""
    if not os.path.lexists(place / location):
        return None
    for table in take_inventory(LocalStorage(str(place)), _settings(layout)).tables:
        if table.location == location and table.eligible:
            columns = [(column.path, column.type) for column in table.columns]
            expected = [(column.path, column.type) for column in layout.columns]
            return table if columns == expected else None
    return None


def free_place(layout: Layout, place: Path, location: str) -> Path:
    """The path in `place` that the table is moved to.

    Raises:
        NotWritableError: the location leads out of the place, or something is there already.
    """
    parts = PurePosixPath(location).parts
    if location.startswith("/") or ".." in parts or "\0" in location or not location:
        raise NotWritableError(f"{location!r} is no place within a lake")
    target = place.joinpath(*parts)
    if not target.resolve().is_relative_to(place.resolve()):
        raise NotWritableError(f"{location} leads out of {place} by a link")
    if layout.is_folder and not parts and not layout.partition_columns:
        raise NotWritableError(f"{place}: its own root is no place for a table")
    if not layout.is_folder and not parts:
        raise NotWritableError(f"{location!r} is no file's name")
    taken = _taken(layout, target)
    if taken is not None:
        raise NotWritableError(f"{taken} is there already: nothing is overwritten")
    return target


def _taken(layout: Layout, target: Path) -> Path | None:
    """The path that the table would overwrite, None where there is none."""
    if not os.path.lexists(target):
        return None
    if not layout.is_folder or not target.is_dir():
        return target
    is_plain = layout.file_name != ""
    for entry in sorted(target.iterdir()):
        is_other = "=" not in entry.name if layout.partition_columns else is_hidden(entry.name)
        if not is_plain or not is_other:
            return entry
    return None


def _tallied(
    layout: Layout, batches: Iterable[pa.RecordBatch], tally: RowTally
) -> Iterator[pa.RecordBatch]:
    schema = layout.rows_schema
    for batch in batches:
        rows = fitted(batch, schema)
        tally.add(_hashes(rows, layout.columns))
        yield rows


def _hashes(rows: pa.RecordBatch, columns: Sequence[Column]) -> Lanes:
    (lanes,) = row_hashes(rows, [columns], Types.STRICT)
    return lanes


def _check_reread(layout: Layout, lake: Path, written: RowTally) -> None:
    """Passes where the folder holds one table, with the columns and rows that were written.

    Raises:
        NotWritableError: r2d2 reads something else there.
    """
    storage = LocalStorage(str(lake))
    table = _the_table(layout, storage)
    columns = [(column.path, column.type) for column in table.columns]
    expected = [(column.path, column.type) for column in layout.columns]
    if columns != expected:
        raise NotWritableError(f"what was written is read with columns {columns}, not {expected}")
    reread = RowTally()
    try:
        for batch in read_batches(storage, table, table.columns):
            reread.add(_hashes(batch, layout.columns))
    except TableError as error:
        raise NotWritableError(f"what was written cannot be read: {error}") from error
    if reread != written:
        raise NotWritableError(
            f"what was written is read as other rows ({reread.rows} for {written.rows})"
        )


def _the_table(layout: Layout, storage: LocalStorage) -> Table:
    settings, listing = _settings(layout), storage.list()
    # No journal is asked: each record of the lake's would be read for each table that is written.
    found = grouped_by_files(storage, listing, settings.tables)
    tables = inventory_of(storage, settings, listing, found).tables
    if len(tables) != 1:
        raise NotWritableError(f"what was written is read as {len(tables)} tables")
    if tables[0].problem is not None:
        raise NotWritableError(f"what was written is no table: {tables[0].problem}")
    return tables[0]


def _settings(layout: Layout) -> Settings:
    """Settings to read the table with; a text's dialect is given only where it is not detected.

    Case tells columns apart, but for a key that its folders and its files spell otherwise.
    """
    overrides = layout.text_overrides
    rules = (TextRule("*", overrides),) if overrides else ()
    return Settings(case_sensitive=not layout.has_renamed_keys, text=rules)


def _move_in(staged: Path, target: Path) -> list[Path]:
    """Moves the written file or folder to its place; returns the table's files there.

    Raises:
        NotWritableError: the place was taken meanwhile.
        OSError: it cannot be moved.
    """
    files = [path for path in staged.rglob("*") if path.is_file()] if staged.is_dir() else [staged]
    for path in files:
        sync(path)
    for path in (staged, *staged.rglob("*")):
        path.chmod(mode_of(0o777 if path.is_dir() else 0o666))
    make_folders(target.parent)
    if not staged.is_dir():
        _link(staged, target)
        moved = [target]
    elif not target.exists() or not any(target.iterdir()):
        # A folder takes the place of an empty one, and of nothing else.
        os.rename(staged, target)
        moved = [target / path.relative_to(staged) for path in files]
    else:
        _move_each(staged, target)
        moved = [target / path.relative_to(staged) for path in files]
    sync(target.parent)
    return moved


def _link(staged: Path, target: Path) -> None:
    """Links the file to its place: unlike a rename, this fails where the name is taken."""
    try:
        os.link(staged, target)
    except FileExistsError as error:
        raise NotWritableError(f"{target} is there already: nothing is overwritten") from error


def _move_each(staged: Path, target: Path) -> None:
    moved: list[Path] = []
    try:
        for folder in sorted(staged.iterdir()):
            if os.path.lexists(target / folder.name):
                raise NotWritableError(f"{target / folder.name} is there already")
            os.rename(folder, target / folder.name)
            moved.append(folder)
    except (OSError, NotWritableError):
        for folder in moved:
            os.rename(target / folder.name, folder)
        raise
