"""A store that ignores a condition is refused as a verb begins; lifecycle rules refuse tables."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from r2d2.deletion.movers.lifecycle import lifecycle_reason
from r2d2.deletion.place import PlaceError
from r2d2.deletion.place_objects import place_of
from r2d2.deletion.verbs.apply import Applied, Refused, apply, would_apply
from r2d2.errors import R2D2Error
from r2d2.settings.deletion import DeletionSettings
from tests.support.deletion.bucket_lake import BucketLake
from tests.support.servers import SECRET, S3Server
from tests.support.storage.buckets import bucket_on
from tests.support.storage.s3_proxy import Proxy, proxy_before

DEAF = {
    "put-if-absent": ("PUT", "if-none-match"),
    "put-if-match": ("PUT", "if-match"),
    "delete-if-match": ("DELETE", "if-match"),
}


@pytest.fixture
def proxy(moto: S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """A proxy before the real server, to which the environment leads."""
    bucket_on(moto, monkeypatch)
    with proxy_before(moto.endpoint) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.endpoint)
        yield proxy


@pytest.mark.parametrize("versioned", [True, False], ids=["versioned", "unversioned"])
@pytest.mark.parametrize("verb", ["apply", "undo", "purge", "rebuild", "fsck"])
def test_a_store_that_ignores_a_condition_is_refused_before_a_record_is_written(
    proxy: Proxy, verb: str, versioned: bool
) -> None:
    lake = BucketLake(versioned)
    lake.put("whole.parquet", b"")
    for condition, deaf in DEAF.items():
        proxy.deaf = {deaf}
        with (
            pytest.raises(PlaceError, match=f"`{verb}` is refused: .*{condition}"),
            lake.journal().lease(verb),
        ):
            pass
    proxy.deaf = set(DEAF.values())
    with pytest.raises(PlaceError) as told:
        lake.journal().place.test(verb)
    assert all(condition in str(told.value) for condition in DEAF)
    proxy.deaf = set()
    assert set(lake.objects(own=True)) == {"whole.parquet"}
    with lake.journal().lease(verb):
        pass


@pytest.mark.parametrize(
    ("idle", "told"),
    [("versionId=", "the removal of a delete marker"), ("selftest", "deletes")],
)
def test_a_store_that_only_says_that_it_deleted_is_refused(
    proxy: Proxy, idle: str, told: str
) -> None:
    lake = BucketLake(versioned=True)
    lake.put("whole.parquet", b"")
    proxy.idle = {("DELETE", idle)}
    with pytest.raises(PlaceError, match=told):
        lake.journal().place.test("apply")


def test_an_approval_asks_for_no_more_than_it_needs(proxy: Proxy) -> None:
    lake = BucketLake(versioned=False)
    lake.put("whole.parquet", b"")
    proxy.deaf = {DEAF["delete-if-match"], DEAF["put-if-match"]}
    with lake.journal().lease("approve"):
        pass


def test_a_bucket_without_versions_is_only_reported_on_and_the_remedy_is_said(
    moto: S3Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bucket_on(moto, monkeypatch)
    lake, run = BucketLake(versioned=False), tmp_path / "run"
    lake.write(tmp_path / "source")
    before, plan = lake.objects(), lake.approved(run)
    for steps in (would_apply(lake.journal(), plan, run), apply(lake.journal(), plan, run)):
        reasons = [step.reason for step in steps if isinstance(step, Refused)]
        assert len(reasons) == 3
        assert all("turn versioning on, or say `copy_in_buckets = true`" in r for r in reasons)
    assert lake.objects() == before


def test_a_lifecycle_rule_shorter_than_the_retention_refuses_the_tables_that_it_meets(
    moto: S3Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bucket_on(moto, monkeypatch)
    lake, run = BucketLake(versioned=True), tmp_path / "run"
    lake.write(tmp_path / "source")
    rule = {
        "ID": "a week",
        "Status": "Enabled",
        "Filter": {"Prefix": "lake/rome/"},
        "NoncurrentVersionExpiration": {"NoncurrentDays": 7},
    }
    lake.client.put_bucket_lifecycle_configuration(
        Bucket=lake.name, LifecycleConfiguration={"Rules": [rule]}
    )
    plan = lake.approved(run)
    steps = list(apply(lake.journal(), plan, run))
    assert [s.table for s in steps if isinstance(s, Applied)] == ["half.parquet", "oslo.parquet"]
    (refused,) = (step for step in steps if isinstance(step, Refused))
    assert refused.table == "rome"
    assert "'a week' deletes older versions after 7 days, the retention is 30" in refused.reason


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ({"NoncurrentVersionExpiration": {"NoncurrentDays": 7}}, "_r2d2"),
        ({"Expiration": {"Days": 400}}, "_r2d2"),
        ({"Prefix": "lake/_r2d2/", "Expiration": {"Days": 400}}, "_r2d2"),
        ({"Filter": {"And": {"Prefix": "la"}}, "Expiration": {"Date": "2030-01-01"}}, "_r2d2"),
        ({"Prefix": "lake/a", "Expiration": {"Days": 29}}, "deletes objects after 29"),
        ({"Prefix": "lake/a", "Expiration": {"Date": "2030-01-01"}}, "deletes objects on a date"),
        ({"Prefix": "lake/a", "NoncurrentVersionExpiration": {"NoncurrentDays": 30}}, None),
        ({"Prefix": "lake/b", "NoncurrentVersionExpiration": {"NoncurrentDays": 1}}, None),
        ({"Status": "Disabled", "Expiration": {"Days": 1}}, None),
        ({"AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1}}, None),
        (
            {"NoncurrentVersionTransitions": [{"NoncurrentDays": 1, "StorageClass": "GLACIER"}]},
            "archives older versions after 1",
        ),
    ],
    ids=str,
)
def test_rules_are_read_with_all_their_forms_of_a_prefix(
    rule: dict[str, Any], told: str | None
) -> None:
    reason = lifecycle_reason([{"Status": "Enabled"} | rule], ["lake/a/1.parquet"], "lake/", 30.0)
    assert (reason is None) if told is None else (told in str(reason))


@pytest.mark.parametrize("lake", ["gs://bucket/lake", "abfss://box@account.dfs.core.windows.net/l"])
def test_other_stores_are_only_reported_on(lake: str) -> None:
    with pytest.raises(R2D2Error, match="here it only reports"):
        place_of(lake, DeletionSettings(copy_in_buckets=True))


def test_no_secret_is_in_the_journal_or_in_what_is_told(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", f"session-{SECRET}")
    lake, run = BucketLake(versioned=True), tmp_path / "run"
    lake.write(tmp_path / "source")
    plan = lake.approved(run)
    told = [str(step) for step in apply(lake.journal(), plan, run)]
    proxy.loss = 1.0
    monkeypatch.setenv("R2D2_STORE_RETRIES", "0")
    with pytest.raises(R2D2Error) as failed:
        lake.journal()
    proxy.loss = 0.0
    with pytest.raises(R2D2Error) as missing:
        BucketLake.journal(lake).deletion("no such")
    written = [c for p, c in lake.objects(own=True).items() if "r2d2" in p]
    assert len(written) > 5
    assert not [content for content in written if SECRET.encode() in content]
    assert SECRET not in "".join([*told, repr(failed.value), repr(missing.value)])
