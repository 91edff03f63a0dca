"""A Delta log replayed into a snapshot: protocol, metadata and live files of its newest version.

Entries of commits and checkpoints become typed actions; those that no reader needs are skipped.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

import pyarrow.parquet as pq

from r2d2.errors import UnreadableTableError
from r2d2.formats.delta.log import DeltaLog
from r2d2.formats.errors import FOREIGN, reason
from r2d2.model import FileInfo
from r2d2.storage.local import Storage
from r2d2.text_tables import pluralize

# Removes in a checkpoint are tombstones for VACUUM: they cancel nothing.
_CHECKPOINT_COLUMNS = [
    "add.path",
    "add.partitionValues",
    "add.size",
    "add.stats",
    "add.stats_parsed.numRecords",
    "add.deletionVector",
    "metaData",
    "protocol",
    "sidecar",
]
_CHECKPOINT_ACTIONS = frozenset(name.partition(".")[0] for name in _CHECKPOINT_COLUMNS)
# A part of a checkpoint may hold others alone, which no reader needs.
_ACTIONS = _CHECKPOINT_ACTIONS | {
    "remove",
    "txn",
    "domainMetadata",
    "checkpointMetadata",
    "commitInfo",
    "cdc",
}
# What reading a hostile JSON document's parts as numbers, texts and objects raises.
MALFORMED = (*FOREIGN, AttributeError, RecursionError)


@dataclass(frozen=True, slots=True)
class DeletionVector:
    """A descriptor of deleted row numbers: 'u' and 'p' are stored in a file, 'i' in the log."""

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
        """The name by which a later action means this logical file."""
        return self.path, self.deletion_vector.identity if self.deletion_vector else None


@dataclass(frozen=True, slots=True)
class DeltaMetadata:
    """The table's schema (as the log's JSON text), partitioning and properties."""

    schema_json: str
    partition_columns: tuple[str, ...]
    configuration: Mapping[str, str]
    provider: str


@dataclass(frozen=True, slots=True)
class DeltaProtocol:
    """The versions and features that reading and writing ask for."""

    reader_version: int
    writer_version: int
    reader_features: frozenset[str]
    writer_features: frozenset[str]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One version of a table."""

    version: int
    protocol: DeltaProtocol
    metadata: DeltaMetadata
    files: tuple[Add, ...]


@dataclass(frozen=True, slots=True)
class Remove:
    """The key of a logical file that is no longer live."""

    key: tuple[str, str | None]


@dataclass(frozen=True, slots=True)
class Sidecar:
    """The name of a file that holds a part of a v2 checkpoint's actions."""

    name: str


Action = Add | Remove | DeltaMetadata | DeltaProtocol | Sidecar


@dataclass(slots=True)
class _State:
    protocol: DeltaProtocol | None = None
    metadata: DeltaMetadata | None = None
    files: dict[tuple[str, str | None], Add] = field(default_factory=dict)
    sidecars: list[str] = field(default_factory=list)

    def apply(self, actions: Iterable[Action]) -> None:
        for action in actions:
            match action:
                case Add():
                    self.files[action.key] = action
                case Remove():
                    self.files.pop(action.key, None)
                case DeltaProtocol():
                    self.protocol = action
                case DeltaMetadata():
                    self.metadata = action
                case Sidecar():
                    self.sidecars.append(action.name)


def replay(storage: Storage, log: DeltaLog) -> Snapshot:
    """The snapshot that the log's files describe.

    Raises:
        UnreadableTableError: a file of the log is damaged, or the log contradicts itself.
    """
    state = _State()
    for file in log.checkpoint:
        state.apply(_actions(storage, file))
    for name in state.sidecars:
        if name not in log.sidecars:
            raise UnreadableTableError(f"checkpoint file _sidecars/{name} is missing")
        state.apply(_actions(storage, log.sidecars[name]))
    for file in log.commits:
        state.apply(_actions(storage, file))
    if state.protocol is None or state.metadata is None:
        missing = "protocol" if state.protocol is None else "metaData"
        raise UnreadableTableError(f"_delta_log has no {missing} action")
    files = tuple(sorted(state.files.values(), key=lambda add: add.path))
    _check_once(files)
    snapshot = Snapshot(log.version, state.protocol, state.metadata, files)
    if log.checksum is not None:
        _check_sum(snapshot, storage.read(log.checksum))
    return snapshot


def _actions(storage: Storage, file: FileInfo) -> Iterator[Action]:
    if file.path.endswith(".json"):
        yield from actions_of_json(storage.read(file), file.path)
        return
    try:
        checkpoint = pq.ParquetFile(storage.open(file), page_checksum_verification=True)
        names = checkpoint.schema_arrow.names
        if _ACTIONS.isdisjoint(names) and checkpoint.metadata.num_rows:
            raise ValueError(f"none of its columns {names} is an action")
        if not _CHECKPOINT_ACTIONS.isdisjoint(names):
            rows = checkpoint.read(_CHECKPOINT_COLUMNS, use_threads=False)
            for row in rows.to_pylist(maps_as_pydicts="strict"):
                yield from actions_of_row(row)
    except MALFORMED as error:
        raise UnreadableTableError(f"{file.path}: damaged checkpoint ({error})") from error


def _check_once(files: Iterable[Add]) -> None:
    for path, count in Counter(add.path for add in files).items():
        if count > 1:
            raise UnreadableTableError(f"{path} is live {count} times with different deletions")


def _check_sum(snapshot: Snapshot, data: bytes) -> None:
    """Compares with the writer's count of the version: a commit may have lost whole lines."""
    try:
        checksum = json.loads(data)
        expected = (int(checksum["numFiles"]), int(checksum["tableSizeBytes"]))
    except MALFORMED:
        return  # the checksum file is optional: a damaged one proves nothing about the table
    found = (len(snapshot.files), sum(add.size_bytes for add in snapshot.files))
    if found != expected:
        raise UnreadableTableError(
            f"version {snapshot.version} should have {pluralize(str(expected[0]), 'file')} of"
            f" {pluralize(str(expected[1]), 'byte')} by its checksum file;"
            f" its log tells {found[0]} of {found[1]}"
        )


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
                told = f"{name}: line {number} is no Delta action"
                is_cut = isinstance(error, json.JSONDecodeError)
                why = "no whole JSON object" if is_cut else reason(error)
                raise UnreadableTableError(f"{told}: {why}") from error


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


def _metadata(values: Mapping[str, Any]) -> DeltaMetadata:
    return DeltaMetadata(
        str(values["schemaString"]),
        _texts(values.get("partitionColumns")),
        _text_map(values.get("configuration") or {}),
        str(values["format"]["provider"]),
    )


def _protocol(values: Mapping[str, Any]) -> DeltaProtocol:
    return DeltaProtocol(
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
