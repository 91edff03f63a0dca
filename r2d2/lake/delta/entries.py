"""Entries of commits and checkpoints, read as actions."""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import unquote

from r2d2.errors import UnreadableTableError
from r2d2.lake.delta.actions import (
    Action,
    Add,
    DeletionVector,
    Metadata,
    Protocol,
    Remove,
    Sidecar,
)

# What reading a hostile JSON document's parts as numbers, texts and objects raises.
MALFORMED = (ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError)


def actions_of_json(data: bytes, name: str) -> Iterator[Action]:
    """The actions of a commit, a compaction or a JSON checkpoint, in order.

    Raises:
        UnreadableTableError: a line is cut off or is no action.
    """
    for number, line in enumerate(data.split(b"\n"), start=1):
        if line.strip():
            try:
                yield from actions_of_row(json.loads(line))
            except MALFORMED as error:
                raise UnreadableTableError(
                    f"{name}: line {number} is no Delta action ({error!r})"
                ) from error


def actions_of_row(row: Mapping[str, Any]) -> Iterator[Action]:
    """The actions r2d2 needs of one log entry, which holds one by name; others may be NULL.

    >>> list(actions_of_row({"remove": {"path": "a%20b"}, "add": None}))
    [Remove(key=('a b', None))]
    """
    for name, build in _BUILDERS.items():
        values = row.get(name)
        if values is not None:
            yield build(values)
    if not row.keys():
        raise ValueError("an empty entry")


def _add(values: Mapping[str, Any]) -> Add:
    return Add(
        _path(values),
        _text_map(values["partitionValues"]),
        int(values["size"]),
        _row_count(values),
        _deletion_vector(values.get("deletionVector")),
    )


def _path(values: Mapping[str, Any]) -> str:
    """The path decoded; raises ValueError where it is no text that a file can have as its name."""
    path = unquote(values["path"], errors="strict")
    path.encode()
    return path


def _texts(values: Any) -> tuple[str, ...]:
    found = tuple(values or ())
    if not all(isinstance(value, str) for value in found):
        raise TypeError(f"{values} are not all texts")
    return found


def _text_map(values: Any) -> dict[str, Any]:
    """A map from text to text or NULL."""
    found = dict(values)
    _texts([*found, *(value for value in found.values() if value is not None)])
    return found


def _row_count(values: Mapping[str, Any]) -> int | None:
    stats = values.get("stats")
    if stats:
        count = json.loads(stats).get("numRecords")
    else:
        count = (values.get("stats_parsed") or {}).get("numRecords")
    return None if count is None else int(count)


def _deletion_vector(values: Mapping[str, Any] | None) -> DeletionVector | None:
    if values is None:
        return None
    offset = values.get("offset")
    return DeletionVector(
        str(values["storageType"]),
        str(values["pathOrInlineDv"]),
        None if offset is None else int(offset),
        int(values["sizeInBytes"]),
        int(values["cardinality"]),
    )


def _remove(values: Mapping[str, Any]) -> Remove:
    vector = _deletion_vector(values.get("deletionVector"))
    return Remove((_path(values), vector.identity if vector else None))


def _metadata(values: Mapping[str, Any]) -> Metadata:
    return Metadata(
        str(values["schemaString"]),
        _texts(values.get("partitionColumns")),
        _text_map(values.get("configuration") or {}),
        str(values["format"]["provider"]),
    )


def _protocol(values: Mapping[str, Any]) -> Protocol:
    return Protocol(
        int(values["minReaderVersion"]),
        int(values["minWriterVersion"]),
        frozenset(_texts(values.get("readerFeatures"))),
        frozenset(_texts(values.get("writerFeatures"))),
    )


def _sidecar(values: Mapping[str, Any]) -> Sidecar:
    return Sidecar(_path(values))


_BUILDERS: dict[str, Callable[[Mapping[str, Any]], Action]] = {
    "add": _add,
    "remove": _remove,
    "metaData": _metadata,
    "protocol": _protocol,
    "sidecar": _sidecar,
}
