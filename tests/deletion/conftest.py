"""Servers on which tables in buckets are deleted."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.servers import S3Server, moto_server


@pytest.fixture(scope="session")
def moto() -> Iterator[S3Server]:
    """A real server."""
    with moto_server() as server:
        yield server


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user may reach: pytest's own are closed whenever a pytest begins."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)
