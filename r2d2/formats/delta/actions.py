"""A version of a Delta table as its log's own entries, nothing left out that a commit must repeat.

A reader needs little of an entry, and has `replay`. Who removes files and adds them again needs
each as it was written: statistics, tags, row ids, deletion vectors, the properties, the schema's
text.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

import pyarrow.parquet as pq

from r2d2.errors import UnreadableTableError
from r2d2.formats.delta.log import DeltaLog
from r2d2.formats.delta.replay import MALFORMED, replay
from r2d2.model import FileInfo
from r2d2.storage.local import Storage

Entry = dict[str, Any]
_DERIVED = {"partitionValues_parsed", "stats_parsed"}
"""Columns of a checkpoint that repeat an entry's text in other types."""


@dataclass(frozen=True, slots=True)
class LoggedVersion:
    """A version's entries; `adds` are in order of path, `transactions` by application.

    `commit_info` is of the newest commit: what its writer told of it.
    """

    version: int
    protocol: Entry
    metadata: Entry
    adds: tuple[Entry, ...]
    domains: tuple[Entry, ...] = ()
    transactions: Mapping[str, int] = field(default_factory=dict)
    commit_info: Entry = field(default_factory=dict, compare=False)

    @property
    def configuration(self) -> Mapping[str, str]:
        """The table's properties."""
        return self.metadata.get("configuration") or {}

    @property
    def features(self) -> frozenset[str]:
        """The features that the protocol names."""
        named = ("readerFeatures", "writerFeatures")
        return frozenset(f for name in named for f in self.protocol.get(name) or ())


def logged_version(storage: Storage, log: DeltaLog) -> LoggedVersion:
    """The entries of the version that the log's files describe.

    Raises:
        UnreadableTableError: a file of the log is damaged, or the log contradicts itself.
    """
    replay(storage, log)  # a log that a reader refuses is refused here, too
    found = _Entries()
    for file in log.checkpoint:
        found.apply(_entries(storage, file))
    for name in found.sidecars:
        found.apply(_entries(storage, log.sidecars[name]))
    info: Entry = {}
    for file in log.commits:
        entries = list(_entries(storage, file))
        info = next((dict(e["commitInfo"]) for e in entries if e.get("commitInfo")), {})
        found.apply(entries)
    adds = sorted(found.adds.values(), key=lambda add: str(add["path"]))
    domains = tuple(found.domains[name] for name in sorted(found.domains))
    return LoggedVersion(
        log.version,
        found.protocol,
        found.metadata,
        tuple(adds),
        domains,
        found.transactions,
        info,
    )


def path_of(add: Entry) -> str:
    """The path of a data file, decoded."""
    return unquote(str(add["path"]), errors="strict")


def key_of(entry: Entry) -> tuple[str, str]:
    """The name of a logical file: its path, and its deletion vector's unique id."""
    vector = entry.get("deletionVector") or {}
    offset = vector.get("offset")
    place = "" if offset is None else f"@{offset}"
    name = f"{vector['storageType']}{vector['pathOrInlineDv']}{place}" if vector else ""
    return path_of(entry), name


@dataclass(slots=True)
class _Entries:
    protocol: Entry = field(default_factory=dict)
    metadata: Entry = field(default_factory=dict)
    adds: dict[tuple[str, str], Entry] = field(default_factory=dict)
    domains: dict[str, Entry] = field(default_factory=dict)
    transactions: dict[str, int] = field(default_factory=dict)
    sidecars: list[str] = field(default_factory=list)

    def apply(self, entries: Iterable[Mapping[str, Any]]) -> None:
        for entry in entries:
            for name, value in entry.items():
                if value is not None:
                    self._apply(name, value)

    def _apply(self, name: str, value: Entry) -> None:
        match name:
            case "add":
                self.adds[key_of(value)] = value
            case "remove":
                self.adds.pop(key_of(value), None)
            case "protocol":
                self.protocol = value
            case "metaData":
                self.metadata = value
            case "domainMetadata" if value.get("removed"):
                self.domains.pop(value["domain"], None)
            case "domainMetadata":
                self.domains[value["domain"]] = value
            case "txn":
                self.transactions[value["appId"]] = int(value["version"])
            case "sidecar":
                self.sidecars.append(unquote(value["path"]))


def _entries(storage: Storage, file: FileInfo) -> Iterator[Mapping[str, Any]]:
    try:
        if file.path.endswith(".json"):
            lines = storage.read(file).split(b"\n")
            yield from (json.loads(line) for line in lines if line.strip())
            return
        checkpoint = pq.ParquetFile(storage.open(file), page_checksum_verification=True)
        wanted = {"add", "protocol", "metaData", "domainMetadata", "txn", "sidecar"}
        names = [
            path.removesuffix(".list.element").removesuffix(".list.item")
            for path in (column.path for column in checkpoint.schema)
            if path.split(".")[0] in wanted and not _DERIVED & set(path.split(".")[1:2])
        ]
        tops = list(dict.fromkeys(".".join(name.split(".")[:2]) for name in names))
        rows = checkpoint.read(tops, use_threads=False)
        for row in rows.to_pylist(maps_as_pydicts="strict"):
            yield {name: _stored(value) for name, value in row.items() if value is not None}
    except MALFORMED as error:
        raise UnreadableTableError(f"{file.path}: damaged ({error})") from error


def _stored(value: Entry) -> Entry:
    """An entry of a checkpoint as a commit has it: columns that it does not use left out."""
    found = {name: inner for name, inner in value.items() if inner is not None}
    vector = found.get("deletionVector")
    if vector is not None:
        known = ("storageType", "pathOrInlineDv", "offset", "sizeInBytes", "cardinality")
        found["deletionVector"] = {n: vector[n] for n in known if vector.get(n) is not None}
    form = found.get("format")
    if form is not None:
        found["format"] = {n: inner for n, inner in form.items() if inner is not None}
    return found
