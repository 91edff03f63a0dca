"""URLs of lakes on object stores."""

import pytest

from r2d2.errors import UsageError
from r2d2.storage.url import ObjectUrl, name_problem, object_url, settings_of


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("s3://bucket", ObjectUrl("s3", "bucket", "")),
        ("s3://bucket/", ObjectUrl("s3", "bucket", "")),
        ("s3a://bucket/a/b/", ObjectUrl("s3a", "bucket", "a/b")),
        ("s3://bucket/a%20b#c?d[e]", ObjectUrl("s3", "bucket", "a%20b#c?d[e]")),
        ("gs://bucket/lake", ObjectUrl("gs", "bucket", "lake")),
        (
            "abfss://box@owner.dfs.core.windows.net/lake",
            ObjectUrl("abfss", "box", "lake", "owner"),
        ),
    ],
)
def test_a_url_is_taken_apart_literally(url: str, place: ObjectUrl) -> None:
    assert object_url(url) == place


@pytest.mark.parametrize(
    "url",
    [
        "hdfs://host/lake",
        "s3://",
        "s3:///lake",
        "abfss://box/lake",
        "s3://bucket/a//b",
        "s3://bucket/a/../b",
    ],
)
def test_a_url_of_no_known_form_is_refused(url: str) -> None:
    with pytest.raises(UsageError):
        object_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "s3://key:canary@bucket/lake",
        "s3://canary@bucket/lake",
        "gs://user:canary@bucket/lake",
        "abfss://box:canary@owner.dfs.core.windows.net/lake",
        "abfss://box@owner.dfs.core.windows.net/lake?sv=1&sig=canary",
        "s3://bucket/lake?X-Amz-Signature=canary",
    ],
)
def test_a_url_with_a_secret_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        object_url(url)
    assert "holds a secret" in str(caught.value)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("key", ["a//b", "/a", "a/", "./a", "a/..", "a\nb", "a\x7f"])
def test_a_key_that_is_no_path_has_a_problem(key: str) -> None:
    assert name_problem(key)


@pytest.mark.parametrize("key", ["a b", "a%2Fb", "..a", "...", "a#?[*]", "e\u0301", "\\", " "])
def test_a_strange_key_has_none(key: str) -> None:
    assert name_problem(key) is None


def test_only_settings_without_secret_travel() -> None:
    environment = {
        "AWS_ENDPOINT_URL": "http://user:canary@host",
        "AWS_REGION": "eu-west-1",
        "AWS_SECRET_ACCESS_KEY": "canary",
        "AWS_SESSION_TOKEN": "canary",
    }
    assert settings_of(environment) == {"AWS_REGION": "eu-west-1"}
