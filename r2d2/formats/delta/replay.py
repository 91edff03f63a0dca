"""A log replayed into a snapshot: protocol, metadata and the live files of its newest version."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.parquet as pq

from r2d2.errors import UnreadableTableError
from r2d2.formats.delta.log import Log
from r2d2.lake.delta.actions import Action, Add, Metadata, Protocol, Remove, Sidecar
from r2d2.lake.delta.entries import MALFORMED, actions_of_json, actions_of_row
from r2d2.model import FileInfo
from r2d2.report.words import pluralize
from r2d2.storage.local import Storage

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


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One version of a table."""

    version: int
    protocol: Protocol
    metadata: Metadata
    files: tuple[Add, ...]


@dataclass(slots=True)
class _State:
    protocol: Protocol | None = None
    metadata: Metadata | None = None
    files: dict[tuple[str, str | None], Add] = field(default_factory=dict)
    sidecars: list[str] = field(default_factory=list)

    def apply(self, actions: Iterable[Action]) -> None:
        for action in actions:
            match action:
                case Add():
                    self.files[action.key] = action
                case Remove():
                    self.files.pop(action.key, None)
                case Protocol():
                    self.protocol = action
                case Metadata():
                    self.metadata = action
                case Sidecar():
                    self.sidecars.append(action.name)


def replay(storage: Storage, log: Log) -> Snapshot:
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
        for row in checkpoint.read(_CHECKPOINT_COLUMNS, use_threads=False).to_pylist(
            maps_as_pydicts="strict"
        ):
            yield from actions_of_row(row)
    except (pa.ArrowException, OSError, *MALFORMED) as error:
        raise UnreadableTableError(f"{file.path}: damaged checkpoint ({error})") from error


def _check_once(files: Iterable[Add]) -> None:
    for path, count in Counter(add.path for add in files).items():
        if count > 1:
            raise UnreadableTableError(f"{path} is live {count} times with different deletions")


def _check_sum(snapshot: Snapshot, data: bytes) -> None:
    """Compares with the writer's own count of the version: a commit may have lost whole lines."""
    try:
        told = json.loads(data)
        expected = (int(told["numFiles"]), int(told["tableSizeBytes"]))
    except MALFORMED:
        return  # the checksum file is optional: a damaged one proves nothing about the table
    found = (len(snapshot.files), sum(add.size_bytes for add in snapshot.files))
    if found != expected:
        raise UnreadableTableError(
            f"version {snapshot.version} should have {pluralize(str(expected[0]), 'file')} of"
            f" {pluralize(str(expected[1]), 'byte')} by its checksum file;"
            f" its log tells {found[0]} of {found[1]}"
        )
