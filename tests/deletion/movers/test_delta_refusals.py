"""Delta tables that need more of a writer than a delete and its undo are refused, with a remedy."""

from typing import Any

import pytest

from r2d2.deletion.movers.delta_commits import (
    deleted_metadata,
    only_appends,
    reason_against_version,
)
from r2d2.formats.delta.actions import LoggedVersion

VECTOR = {"storageType": "p", "pathOrInlineDv": "/x.bin", "sizeInBytes": 1, "cardinality": 1}


def version(
    features: list[str] | None = None, writer: int = 7, add: Any = None, **properties: str
) -> LoggedVersion:
    named = {name.replace("_", "."): value for name, value in properties.items()}
    protocol = {"minReaderVersion": 3, "minWriterVersion": writer}
    protocol |= {"writerFeatures": features or []}  # type: ignore[dict-item]
    return LoggedVersion(3, protocol, {"configuration": named}, (add or {"path": "a.parquet"},))


@pytest.mark.parametrize(
    ("refused", "told"),
    [
        (version(["icebergCompatV2"]), "icebergCompatV2: drop the feature"),
        (version(["catalogManaged"]), "catalogManaged: drop the feature"),
        (version(writer=8), "protocol 3/8"),
        (version(delta_appendOnly="true"), "its owner must unset it"),
        (version(delta_universalFormat_enabledFormats="iceberg"), "unset delta.universalFormat"),
        (version(add={"path": "file:///lake/other/a.parquet"}), "a clone of another table"),
        (version(add={"path": "../other/a.parquet"}), "a clone of another table"),
        (version(add={"path": "a.parquet", "deletionVector": VECTOR}), "by OPTIMIZE"),
        (version(delta_checkpoint_writeStatsAsJson="false"), "no statistics as text"),
    ],
)
def test_a_table_is_refused_with_what_to_do(refused: LoggedVersion, told: str) -> None:
    reason = reason_against_version(refused, [])
    assert reason is not None
    assert told in reason


def test_a_table_whose_commits_a_catalogue_makes_is_refused() -> None:
    reason = reason_against_version(version(), ["t/_delta_log/_staged_commits/4.x.json"])
    assert reason is not None
    assert "catalogue" in reason


def test_a_table_with_known_features_is_not_refused() -> None:
    known = ["columnMapping", "deletionVectors", "rowTracking", "inCommitTimestamp", "clustering"]
    assert reason_against_version(version(known), ["t/_delta_log/0.json"]) is None


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (None, "interval 37 days"),
        ("interval 1 week", "interval 37 days"),
        ("interval 900 hours", "interval 900 hours"),
        ("interval 5 weeks 3 days", "interval 5 weeks 3 days"),
        ("nonsense", "interval 37 days"),
    ],
)
def test_removed_files_stay_for_the_longer_of_the_two_retentions(
    before: str | None, after: str
) -> None:
    name = "delta.deletedFileRetentionDuration"
    metadata = {"configuration": {} if before is None else {name: before}}
    assert deleted_metadata(metadata, "ab", 37)["configuration"][name] == after


@pytest.mark.parametrize(
    ("commit", "is_append"),
    [
        (b'{"commitInfo":{"operation":"VACUUM START"}}', True),
        (b'{"commitInfo":{"isBlindAppend":true}}\n{"add":{"path":"a"}}', True),
        (b'{"commitInfo":{"isBlindAppend":false}}\n{"add":{"path":"a"}}', False),
        (b'{"commitInfo":{"isBlindAppend":true}}\n{"metaData":{}}', True),
        (
            b'{"remove":{"path":"a","dataChange":false}}\n{"add":{"path":"b","dataChange":false}}',
            True,
        ),
        (b'{"remove":{"path":"a","dataChange":false}}\n{"add":{"path":"b"}}', False),
        (b'{"add":{"path":"b","dataChange":false}}\n{"protocol":{}}', False),
        (b'{"add":{"path":"a"}}', False),
        (
            b'{"commitInfo":{"operation":"WRITE","operationParameters":{"mode":"Append"}}}\n'
            b'{"add":{"path":"a"}}',
            True,
        ),
        (
            b'{"commitInfo":{"operation":"WRITE","operationParameters":{"mode":"Overwrite"}}}\n'
            b'{"add":{"path":"a"}}',
            False,
        ),
    ],
)
def test_only_rows_that_need_no_other_rows_may_stay_beside_a_table(
    commit: bytes, is_append: bool
) -> None:
    assert only_appends(commit) == is_append
