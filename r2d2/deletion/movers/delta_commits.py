"""Commits that delete a Delta table's rows, bring them back, or fence off an older runner's.

Tables that need more of a writer than these commits do are refused. A commit's `txn` entry tells,
as long as the log lives, what was done last for a deletion: nobody needs the history for it.
"""

import json
import re
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from math import ceil
from typing import Any

from r2d2.formats.delta.actions import Entry, LoggedVersion, path_of
from r2d2.formats.delta.deletion_vectors import content_of_vector, path_of_vector
from r2d2.lake.deletions import Data

RETENTION = "delta.deletedFileRetentionDuration"
APPEND_ONLY = "delta.appendOnly"
DELETED, RESTORED = 1, 2
"""The last step of a deletion, as its `txn` entry has it; of a parent's property, set and unset."""
HOLD = "r2d2-hold"
"""The name under which the last step of a parent's property is in the log."""
FEATURES = frozenset(
    {
        "allowColumnDefaults",
        "appendOnly",
        "changeDataFeed",
        "checkConstraints",
        "checkpointProtection",
        "clustering",
        "columnMapping",
        "deletionVectors",
        "domainMetadata",
        "generatedColumns",
        "identityColumns",
        "inCommitTimestamp",
        "invariants",
        "materializePartitionColumns",
        "rowTracking",
        "timestampNtz",
        "typeWidening",
        "typeWidening-preview",
        "v2Checkpoint",
        "vacuumProtocolCheck",
    }
)
"""Those that ask nothing of a writer that only removes whole files and adds them again."""
_HARMLESS = {
    RETENTION,
    "delta.appendOnly",
    "delta.checkpointInterval",
    "delta.columnMapping.maxColumnId",
    "delta.dataSkippingNumIndexedCols",
    "delta.dataSkippingStatsColumns",
    "delta.enableExpiredLogCleanup",
    "delta.isolationLevel",
    "delta.logRetentionDuration",
    "delta.randomizeFilePrefixes",
    "delta.setTransactionRetentionDuration",
    "delta.targetFileSize",
}
"""Properties that say how a table is written from now on, and nothing of the rows that it has."""
_TUNING = ("delta.autoOptimize.", "delta.checkpoint.", "delta.tuneFileSizes")
_FREE = ("configuration", "description", "name", "schemaString")
"""Of a table's metadata, what is looked at more closely, or may change as its owner likes."""
_MARGIN_DAYS = 7
"""Removed files must outlast the longest apply before the retention begins."""
_UNIT_S = {"second": 1, "minute": 60, "hour": 3600, "day": 86400, "week": 604800}
_INTERVAL = re.compile(r"(\d+)\s+([a-z]+?)s?(?=\s|$)")
_CLOCK = "delta.enableInCommitTimestamps"
_CLOCK_SINCE = "delta.inCommitTimestampEnablement"


def reason_against_version(version: LoggedVersion, log: Iterable[str]) -> str | None:
    """Why r2d2 does not commit after this version, whose log has these files; None where it may."""
    protocol, properties = version.protocol, version.configuration
    versions = protocol["minReaderVersion"], protocol["minWriterVersion"]
    if not (1 <= versions[0] <= 3 and 1 <= versions[1] <= 7):
        return f"r2d2 does not write Delta protocol {versions[0]}/{versions[1]}: keep the table"
    if unknown := version.features - FEATURES:
        told = f"r2d2 does not write tables with the feature {', '.join(sorted(unknown))}"
        return f"{told}: drop the feature, or keep the table"
    if properties.get(APPEND_ONLY, "").lower() == "true":
        return "its property delta.appendOnly forbids deletes: its owner must unset it first"
    if properties.get("delta.universalFormat.enabledFormats"):
        return "other formats' readers use its files: unset delta.universalFormat.enabledFormats"
    if any("/_commits/" in path or "/_staged_commits/" in path for path in log):
        return "a catalogue commits to it (_delta_log/_staged_commits): delete it there"
    for add in version.adds:
        path, vector = path_of(add), add.get("deletionVector") or {}
        if ":" in path.split("/")[0] or path.startswith("/") or ".." in path.split("/"):
            return f"its file {path} is outside its folder, so it is a clone of another table"
        if vector.get("storageType") == "p":
            return f"a deletion vector of {path} is outside its folder: rewrite it by OPTIMIZE"
        if properties.get("delta.checkpoint.writeStatsAsJson") == "false" and "stats" not in add:
            return "its checkpoint has no statistics as text: set delta.checkpoint.writeStatsAsJson"
    return None


def application(deletion: str) -> str:
    """The name under which a deletion's last step is in the log."""
    return f"r2d2-deletion-{deletion}"


def days_kept(retention_days: float) -> int:
    """The days for which Delta must keep removed files so that they outlast the retention."""
    return ceil(retention_days) + _MARGIN_DAYS


def deleted_metadata(metadata: Entry, deletion: str, days: int) -> Entry:
    """The table's metadata while it is deleted: files stay for so many days at least."""
    properties = dict(metadata.get("configuration") or {})
    if _seconds(properties.get(RETENTION, "")) < days * 86400:
        properties[RETENTION] = f"interval {days} days"
    told = f"Deleted by r2d2. `r2d2 undo {deletion} LAKE --yes` gives it back until it is purged,"
    told += f" `r2d2 rebuild {deletion} LAKE --to FOLDER` builds it anew."
    return {**metadata, "description": told, "configuration": properties}


def joined_metadata(before: Entry, deleted: Entry, now: Entry) -> Entry | None:
    """The metadata under which rows may come back after their owner changed it; None: they may not.

    What the owner changed since the deletion stays, what the deletion changed is taken back. New
    columns must be ones that old files may lack, new properties must ask nothing of old rows.
    """
    if now == deleted:
        return before
    properties = [dict(each.get("configuration") or {}) for each in (before, deleted, now)]
    names = {*properties[1], *properties[2]}
    changed = [name for name in names if _differs(name, *properties[1:])]
    was, told = ({n: v for n, v in each.items() if n not in _FREE} for each in (deleted, now))
    schemas = (str(each.get("schemaString", "")) for each in (deleted, now))
    if was != told or not _only_adds_columns(*schemas) or not all(map(_is_harmless, changed)):
        return None
    return {**_merged(before, deleted, now), "configuration": _merged(*properties)}


def _differs(name: str, one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return bool(one.get(name) != other.get(name))


def _merged(before: Entry, deleted: Entry, now: Entry) -> Entry:
    """Of each name the value that is now, where it is not the deletion's."""
    names = {**before, **now}
    found = {n: (now if _differs(n, deleted, now) else before).get(n) for n in names}
    return {name: value for name, value in found.items() if value is not None}


def _only_adds_columns(before: str, now: str) -> bool:
    """Whether files of the one schema can be read as of the other: new columns may be null."""
    if before == now:
        return True
    old, new = (json.loads(schema).get("fields", []) for schema in (before, now))
    added = [column for column in new if column not in old]
    known = {"comment", "delta.columnMapping.id", "delta.columnMapping.physicalName"}
    plain = all(c.get("nullable") and {*(c.get("metadata") or {})} <= known for c in added)
    return plain and [column for column in new if column in old] == old


def _is_harmless(name: str) -> bool:
    return not name.startswith("delta.") or name in _HARMLESS or name.startswith(_TUNING)


def _seconds(interval: str) -> int:
    """The length of Delta's interval; 0 where it is not understood."""
    text = interval.lower().removeprefix("interval").strip()
    parts = _INTERVAL.findall(text)
    if not parts or _INTERVAL.sub("", text).strip() or any(u not in _UNIT_S for _, u in parts):
        return 0
    return sum(int(number) * _UNIT_S[unit] for number, unit in parts)


def deletion_commit(now: LoggedVersion, deletion: str, days: int, at: datetime) -> list[Data]:
    """All files of the version removed, and the retention of removed files set."""
    removed = [{"remove": _removed(add, at)} for add in now.adds]
    told = f"r2d2 deleted the table; `r2d2 undo {deletion} LAKE --yes` gives it back"
    return [
        _info(now, "DELETE", {"predicate": '["true"]'}, deletion, told, at),
        _step(deletion, DELETED, at),
        {"metaData": deleted_metadata(now.metadata, deletion, days)},
        *removed,
    ]


def restoring_commit(
    now: LoggedVersion | None,
    before: LoggedVersion,
    metadata: Entry,
    adds: Iterable[Entry],
    deletion: str,
    at: datetime,
) -> list[Data]:
    """The files of the version `before`, and the metadata; of a log that is gone, a first version.

    `now` is the newest version, None of a table whose log is gone.
    """
    told = f"r2d2 took deletion {deletion} back"
    parameters = {"version": str(before.version)}
    first = list[Data]()
    if now is None:
        kept = {n: v for n, v in before.configuration.items() if not n.startswith(_CLOCK_SINCE)}
        metadata = {**metadata, "configuration": kept}
        first = [{"protocol": before.protocol}]
        first += [{"domainMetadata": domain} for domain in before.domains]
        first += [
            {"txn": {"appId": name, "version": number, "lastUpdated": _millis(at)}}
            for name, number in sorted(before.transactions.items())
        ]
    info = _info(now or replace(before, version=-1), "RESTORE", parameters, deletion, told, at)
    return [
        info,
        *first,
        _step(deletion, RESTORED, at),
        {"metaData": metadata},
        *({"add": {**add, "dataChange": True}} for add in adds),
    ]


def fencing_commit(now: LoggedVersion, deletion: str, at: datetime) -> list[Data]:
    """Nothing but a version more: a commit of an older runner, which may only sleep, fails."""
    told = f"r2d2 took over deletion {deletion}, which had stopped half-way"
    return [_info(now, "MANUAL UPDATE", {}, deletion, told, at)]


def appending_commit(now: LoggedVersion, step: int, at: datetime) -> list[Data]:
    """The property that forbids deletes set, or taken back if it was r2d2 that set it."""
    properties, is_ours = dict(now.configuration), now.transactions.get(HOLD) == DELETED
    if step == DELETED:
        operation, told = "SET TBLPROPERTIES", "deleted tables are rebuilt from this one"
        properties[APPEND_ONLY] = "true"
    else:
        operation, told = (
            "UNSET TBLPROPERTIES",
            "no deleted table is rebuilt from this one any more",
        )
        if is_ours:
            properties.pop(APPEND_ONLY, None)
    parameters = {"properties": json.dumps({APPEND_ONLY: "true"})}
    return [
        _info(now, operation, parameters, "", told, at),
        {"txn": {"appId": HOLD, "version": step, "lastUpdated": _millis(at)}},
        {"metaData": {**now.metadata, "configuration": properties}},
    ]


def only_appends(commit: bytes) -> bool:
    """Whether a commit adds rows, or changes none, whatever else the table holds.

    What it does to the table's metadata is another question.
    """
    entries = [json.loads(line) for line in commit.splitlines() if line.strip()]
    kinds = {kind for entry in entries for kind in entry} - {"metaData"}
    files = [entry[kind] for entry in entries for kind in ("add", "remove") if kind in entry]
    if not kinds & {"protocol", "domainMetadata"} and not any(
        file.get("dataChange", True) for file in files
    ):
        return True
    info: Data = next((entry["commitInfo"] for entry in entries if "commitInfo" in entry), {})
    mode = str((info.get("operationParameters") or {}).get("mode", "")).strip('"').lower()
    blind = info.get("isBlindAppend") is True or (
        "isBlindAppend" not in info and info.get("operation") == "WRITE" and mode == "append"
    )
    return blind and kinds <= {"add", "commitInfo", "txn", "domainMetadata"}


def encoded(entries: Sequence[Data]) -> bytes:
    """A commit as its file has it."""
    lines = (json.dumps(entry, separators=(",", ":")) for entry in entries)
    return "".join(f"{line}\n" for line in lines).encode()


@dataclass(frozen=True, slots=True)
class NewName:
    """The name of a restored file: of the deletion, the runner, and its number in the version."""

    deletion: str
    epoch: int
    number: int

    def of(self, add: Entry) -> Entry:
        """The entry under this name, its deletion vector's file too."""
        folder, _, old = str(add["path"]).rpartition("/")
        ending = old[old.index(".") :] if "." in old else ""
        path = f"r2d2-{self.deletion}-{self.epoch}-{self.number:06d}{ending}"
        renamed = {**add, "path": f"{folder}/{path}" if folder else path}
        vector = add.get("deletionVector")
        if vector and vector["storageType"] == "u":
            prefix = vector["pathOrInlineDv"][:-20]
            name = uuid.uuid5(uuid.UUID(self.deletion), f"{self.epoch} {self.number}")
            content = content_of_vector(prefix, name)
            renamed["deletionVector"] = {**vector, "pathOrInlineDv": content}
        return renamed


def files_of_add(table: str, add: Entry) -> list[str]:
    """The files of an entry, by their paths in the lake: its data, and its deletion vector."""
    found = [f"{table}/{path_of(add)}"]
    vector = add.get("deletionVector")
    if vector and vector["storageType"] == "u":
        found.append(f"{table}/{path_of_vector(vector['pathOrInlineDv'])}")
    return found


def files_of(table: str, version: LoggedVersion) -> set[str]:
    """The files of a version's rows, by their paths in the lake."""
    return {path for add in version.adds for path in files_of_add(table, add)}


def _info(
    now: LoggedVersion,
    operation: str,
    parameters: Mapping[str, Any],
    deletion: str,
    told: str,
    at: datetime,
) -> Data:
    info: Data = {}
    if now.configuration.get(_CLOCK, "").lower() == "true":
        last = int(now.commit_info.get("inCommitTimestamp") or 0)
        info["inCommitTimestamp"] = max(_millis(at), last + 1 if now.version >= 0 else 0)
    info |= {
        "timestamp": _millis(at),
        "operation": operation,
        "operationParameters": dict(parameters),
        "isolationLevel": "Serializable",
        "isBlindAppend": False,
        "engineInfo": "r2d2",
        "txnId": str(uuid.uuid4()),
        "userMetadata": json.dumps({"r2d2": {"deletion": deletion, "told": told}}),
    }
    if now.version >= 0:
        info["readVersion"] = now.version
    return {"commitInfo": info}


def _step(deletion: str, step: int, at: datetime) -> Data:
    told = {"appId": application(deletion), "version": step, "lastUpdated": _millis(at)}
    return {"txn": told}


def _removed(add: Entry, at: datetime) -> Entry:
    kept = ("partitionValues", "size", "tags", "deletionVector", "baseRowId")
    more = {name: add[name] for name in (*kept, "defaultRowCommitVersion") if name in add}
    return {
        "path": add["path"],
        "deletionTimestamp": _millis(at),
        "dataChange": True,
        "extendedFileMetadata": True,
        **more,
    }


def _millis(at: datetime) -> int:
    return int(at.timestamp() * 1000)
