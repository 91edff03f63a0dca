"""A store that does not list the lake: the error says what to set."""

import pytest

from r2d2.errors import LakeError
from r2d2.storage.objects import ObjectStorage
from tests.support.storage.buckets import SHORT, Bucket

NOBODY = "http://127.0.0.1:1"


def refusal(url: str) -> str:
    """The error of listing a lake."""
    with pytest.raises(LakeError) as caught:
        ObjectStorage(url, SHORT).list()
    return str(caught.value)


def test_a_bucket_that_is_not_there(bucket: Bucket) -> None:
    message = refusal("s3://no-such-bucket/lake")
    assert message.startswith("s3://no-such-bucket/lake: no such bucket (404 Not Found")
    assert "AWS_ENDPOINT_URL" in message


def test_a_listing_that_is_denied(small_bucket: Bucket) -> None:
    small_bucket.misbehave(everything="deny")
    message = refusal(f"s3://{small_bucket.name}/lake")
    assert "access denied (403 Forbidden, AccessDenied)" in message
    assert "AWS_ACCESS_KEY_ID" in message


def test_a_store_that_fails(small_bucket: Bucket) -> None:
    small_bucket.misbehave(everything="error")
    assert "answered 500" in refusal(f"s3://{small_bucket.name}/lake")


def test_a_store_that_falls_silent(small_bucket: Bucket) -> None:
    small_bucket.misbehave(everything="silent")
    assert "no answer from the store" in refusal(f"s3://{small_bucket.name}/lake")


def test_an_endpoint_where_nobody_listens(
    small_bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", NOBODY)
    message = refusal("s3://bucket/lake")
    assert "connection to the store failed" in message
    assert "AWS_ENDPOINT_URL" in message


def test_an_endpoint_without_scheme(small_bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "127.0.0.1:9000")
    assert "must be http:// or https://" in refusal("s3://bucket/lake")


def test_plain_http_that_was_not_allowed(
    small_bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ALLOW_HTTP")
    assert "set AWS_ALLOW_HTTP=true" in refusal(f"s3://{small_bucket.name}/lake")


def test_no_credentials_at_all(small_bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_METADATA_ENDPOINT", NOBODY)
    message = refusal(f"s3://{small_bucket.name}/lake")
    assert "no credentials in the environment; set AWS_ACCESS_KEY_ID" in message


def test_azure_without_account_key(small_bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_MSI_ENDPOINT", NOBODY)
    message = refusal("abfss://box@owner.dfs.core.windows.net/lake")
    assert "AZURE_STORAGE_ACCOUNT_KEY" in message
