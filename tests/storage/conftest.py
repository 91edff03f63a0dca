"""Buckets on S3-compatible servers, reached by the environment as a user would set it."""

from collections.abc import Iterator

import pytest

from tests.support.servers import S3Server, SmallServer, moto_server, small_server
from tests.support.storage.buckets import Bucket, bucket_on


@pytest.fixture(scope="session")
def moto() -> Iterator[S3Server]:
    """A real server."""
    with moto_server() as server:
        yield server


@pytest.fixture(scope="session")
def small() -> Iterator[SmallServer]:
    """Our own server."""
    with small_server() as server:
        yield server


@pytest.fixture(params=["moto", "small"])
def bucket(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """A bucket on each server: for what every store does alike."""
    return bucket_on(request.getfixturevalue(request.param), monkeypatch)


@pytest.fixture
def small_bucket(small: SmallServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    """A bucket on our own server, which behaves again afterwards."""
    yield bucket_on(small, monkeypatch)
    small.misbehave({})


@pytest.fixture(params=[moto_server, small_server], ids=["moto", "small"])
def mortal_bucket(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Bucket]:
    """A bucket on a server that the test may kill."""
    with request.param() as server:
        yield bucket_on(server, monkeypatch)
