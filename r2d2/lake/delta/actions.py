"""The actions of a log that matter to a reader, as typed nouns."""

from collections.abc import Mapping
from dataclasses import dataclass


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
