"""Servers on which tables in buckets are deleted."""

from collections.abc import Iterator

import pytest

from tests.support.servers import S3Server, moto_server


@pytest.fixture(scope="session")
def moto() -> Iterator[S3Server]:
    """A real server."""
    with moto_server() as server:
        yield server
