"""Values of r2d2 as bytes for other processes: pickles, with a faster way for dataclasses."""

import io
import pickle
from collections.abc import Callable
from dataclasses import fields
from operator import attrgetter
from typing import Any

from r2d2.engines.scan import Hashed, ScanPiece
from r2d2.model import Bounds, Column, FileInfo, Split, Table
from r2d2.recipes.find.request import ContainedTable, Proposal, Request
from r2d2.recipes.grammar import Field, Output


def dumps(value: object) -> bytes:
    """The value as bytes, for `loads` in another process of the same version of r2d2."""
    buffer = io.BytesIO()
    pickler = pickle.Pickler(buffer, 5)
    pickler.dispatch_table = _REDUCERS
    pickler.dump(value)
    return buffer.getvalue()


def loads(data: Any) -> Any:
    """The value that `dumps` wrote; never given bytes that r2d2 itself did not send."""
    return pickle.loads(data)


def _reducer(kind: type) -> Callable[[Any], tuple[type, tuple[Any, ...]]]:
    """Rebuilds by the constructor: a slotted frozen dataclass restores its state in slow Python."""
    values = attrgetter(*(field.name for field in fields(kind)))
    return lambda value: (kind, values(value))


def _reducer_of_one(kind: type) -> Callable[[Any], tuple[type, tuple[Any, ...]]]:
    """The same for a dataclass of one field."""
    value_of = attrgetter(fields(kind)[0].name)
    return lambda value: (kind, (value_of(value),))


# These types fill what is sent: pickled in their default way, a slotted frozen dataclass calls
# Python code for each value. All other types take that way.
_REDUCERS: dict[type, Callable[[Any], Any]] = {
    kind: _reducer(kind)
    for kind in (
        Bounds,
        ContainedTable,
        Column,
        Request,
        FileInfo,
        Hashed,
        Output,
        ScanPiece,
        Proposal,
        Split,
        Table,
    )
} | {Field: _reducer_of_one(Field)}
