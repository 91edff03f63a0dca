"""An inventory kept in a file, so that a later one opens only what changed since.

It keeps tables of one data file whose splits need nothing beside it: what opening them again would
show is in their footers. A table is unchanged by its file's name, size and version.
"""

from collections.abc import Iterable, Mapping
from itertools import count
from typing import Annotated

import msgspec

from r2d2.formats import format_named
from r2d2.lake.grouping import FileGroup
from r2d2.model import Column, FileInfo, Split, Table

INVENTORY_FILE = "inventory.json"


class _Split(msgspec.Struct, array_like=True):
    row_groups: tuple[int, ...]
    rows: int | None
    size_bytes: int


class _Table(msgspec.Struct, array_like=True):
    """`schema` is the place of the columns in the inventory's list."""

    file: FileInfo
    format: str
    schema: Annotated[int, msgspec.Meta(ge=0)]
    rows: int | None
    snapshot: str
    splits: tuple[_Split, ...]
    details: dict[str, str]


class _Inventory(msgspec.Struct):
    schemas: list[tuple[Column, ...]] = []
    tables: list[_Table] = []


def inventory_json(tables: Iterable[Table]) -> str:
    """The tables whose change can be seen by their files alone, as JSON for `load_inventory`."""
    number = count()
    schemas: dict[tuple[Column, ...], int] = {}
    found = []
    for table in tables:
        if _is_plain(table):
            schema = schemas.setdefault(table.columns, -1)
            if schema < 0:
                schema = schemas[table.columns] = next(number)
            splits = tuple(_Split(s.row_groups, s.rows, s.size_bytes) for s in table.splits)
            details = dict(sorted(table.details.items()))
            found.append(
                _Table(
                    *(table.files[0], table.format, schema, table.rows, table.snapshot),
                    *(splits, details),
                )
            )
    return msgspec.json.encode(_Inventory(list(schemas), found)).decode() + "\n"


def _is_plain(table: Table) -> bool:
    plain = all(s.context is None and s.file == table.files[0] for s in table.splits)
    named = [file.path for file in table.files] == [table.location]
    return table.eligible and named and plain


def load_inventory(text: bytes | str) -> dict[str, Table]:
    """The tables by location; none where the text is not from `inventory_json`.

    They are without bounds: who knows a lake's graph prunes nothing any more.
    """
    try:
        inventory = msgspec.json.decode(text, type=_Inventory)
        return {table.file.path: _table(table, inventory.schemas) for table in inventory.tables}
    except (ValueError, IndexError, RecursionError):
        return {}


def _table(table: _Table, schemas: list[tuple[Column, ...]]) -> Table:
    file, format_ = table.file, format_named(table.format).name
    return Table(
        file.path,
        format_,
        schemas[table.schema],
        table.rows,
        file.size_bytes,
        (file,),
        table.snapshot,
        tuple(Split(format_, file, s.row_groups, s.rows, s.size_bytes) for s in table.splits),
        details=table.details,
    )


def unchanged(group: FileGroup, known: Mapping[str, Table]) -> Table | None:
    """The table that the group was, if it is the same files still."""
    table = known.get(group.location)
    if table is None or group.partitioned:
        return None
    return table if (table.format, table.files) == (group.format, group.files) else None
