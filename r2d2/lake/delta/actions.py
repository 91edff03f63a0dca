"""What commits and checkpoints say, as typed actions."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from r2d2.errors import UnreadableTableError


@dataclass(frozen=True, slots=True)
class DeletionVector:
    """Where a set of deleted row numbers is: 'u' and 'p' in a file, 'i' in the log itself."""

    storage: str
    content: str
    offset: int | None
    size_bytes: int
    cardinality: int

    @property
    def identity(self) -> str:
        """The protocol's unique id of the vector."""
        place = "" if self.offset is None else f"@{self.offset}"
        return f"{self.storage}{self.content}{place}"


@dataclass(frozen=True, slots=True)
class Add:
    """A live data file; `path` is decoded, `rows` counts deleted rows too."""

    path: str
    partition_values: Mapping[str, str | None]
    size_bytes: int
    rows: int | None
    deletion_vector: DeletionVector | None

    @property
    def key(self) -> tuple[str, str | None]:
        """What a later action must name to mean this logical file."""
        return self.path, self.deletion_vector.identity if self.deletion_vector else None


@dataclass(frozen=True, slots=True)
class Remove:
    """The key of a logical file that is no longer live."""

    key: tuple[str, str | None]


@dataclass(frozen=True, slots=True)
class Metadata:
    """The table's schema (as the log's JSON text), partitioning and properties."""

    schema_json: str
    partition_columns: tuple[str, ...]
    configuration: Mapping[str, str]
    provider: str


@dataclass(frozen=True, slots=True)
class Protocol:
    """The versions and features that reading and writing ask for."""

    reader_version: int
    writer_version: int
    reader_features: frozenset[str]
    writer_features: frozenset[str]


@dataclass(frozen=True, slots=True)
class Sidecar:
    """The name of a file that holds a part of a v2 checkpoint's actions."""

    name: str


Action = Add | Remove | Metadata | Protocol | Sidecar


def actions_of_json(data: bytes, name: str) -> Iterator[Action]:
    """The actions of a commit, a compaction or a JSON checkpoint, in order.

    Raises:
        UnreadableTableError: a line is cut off or is no action.
    """
    for number, line in enumerate(data.split(b"\n"), start=1):
        if line.strip():
            try:
                yield from actions_of_row(json.loads(line))
            except (ValueError, KeyError, TypeError, AttributeError) as error:
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
        unquote(values["path"], errors="strict"),
        dict(values["partitionValues"]),
        int(values["size"]),
        _row_count(values),
        _deletion_vector(values.get("deletionVector")),
    )


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
    return Remove((unquote(values["path"], errors="strict"), vector.identity if vector else None))


def _metadata(values: Mapping[str, Any]) -> Metadata:
    return Metadata(
        str(values["schemaString"]),
        tuple(values.get("partitionColumns") or ()),
        dict(values.get("configuration") or {}),
        str(values["format"]["provider"]),
    )


def _protocol(values: Mapping[str, Any]) -> Protocol:
    return Protocol(
        int(values["minReaderVersion"]),
        int(values["minWriterVersion"]),
        frozenset(values.get("readerFeatures") or ()),
        frozenset(values.get("writerFeatures") or ()),
    )


def _sidecar(values: Mapping[str, Any]) -> Sidecar:
    return Sidecar(unquote(values["path"], errors="strict"))


_BUILDERS: dict[str, Callable[[Mapping[str, Any]], Action]] = {
    "add": _add,
    "remove": _remove,
    "metaData": _metadata,
    "protocol": _protocol,
    "sidecar": _sidecar,
}
