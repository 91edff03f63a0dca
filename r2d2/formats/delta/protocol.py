"""The part of Delta's protocol that r2d2 knows; a table that needs anything else is refused."""

from r2d2.errors import UnreadableTableError
from r2d2.formats.delta.replay import DeltaMetadata, DeltaProtocol

READER_FEATURES = frozenset(
    {
        "columnMapping",
        "deletionVectors",
        "timestampNtz",
        "typeWidening",
        "typeWidening-preview",
        "v2Checkpoint",
        "vacuumProtocolCheck",
    }
)
# A reader may ignore features for writers only, and some readers were wrong to: with
# `coordinatedCommits-preview` the newest commits are not in `_delta_log`, and with
# `redirectWriterOnly-preview` they are in another table. So these are listed too.
WRITER_FEATURES = READER_FEATURES | {
    "allowColumnDefaults",
    "appendOnly",
    "changeDataFeed",
    "checkConstraints",
    "checkpointProtection",
    "clustering",
    "domainMetadata",
    "generatedColumns",
    "icebergCompatV1",
    "icebergCompatV2",
    "icebergCompatV3",
    "identityColumns",
    "inCommitTimestamp",
    "invariants",
    "materializePartitionColumns",
    "rowTracking",
}
MAPPING_MODES = ("none", "name", "id")


def check_protocol(protocol: DeltaProtocol, metadata: DeltaMetadata) -> None:
    """Raises UnreadableTableError where the table needs more than r2d2 knows."""
    if not (1 <= protocol.reader_version <= 3 and 1 <= protocol.writer_version <= 7):
        raise UnreadableTableError(
            f"Delta protocol {protocol.reader_version}/{protocol.writer_version} is not known"
        )
    _check_features("reader", protocol.reader_features - READER_FEATURES)
    _check_features("writer", protocol.writer_features - WRITER_FEATURES)
    if metadata.provider != "parquet":
        raise UnreadableTableError(f"the Delta table's data files are {metadata.provider}")


def _check_features(kind: str, unknown: frozenset[str]) -> None:
    if unknown:
        names = ", ".join(sorted(unknown))
        raise UnreadableTableError(f"Delta {kind} feature not supported: {names}")


def mapping_mode(protocol: DeltaProtocol, metadata: DeltaMetadata) -> str:
    """The way to find columns in data files: "none" (by the table's names), "name" or "id"."""
    mode = (metadata.configuration.get("delta.columnMapping.mode") or "none").lower()
    if mode not in MAPPING_MODES:
        raise UnreadableTableError(f"Delta column mapping mode {mode!r} is not known")
    supported = protocol.reader_version == 2 or "columnMapping" in protocol.reader_features
    return mode if supported else "none"
