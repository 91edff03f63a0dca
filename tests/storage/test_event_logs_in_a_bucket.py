"""Event logs in a bucket: read as files are, and named by their URLs."""

import json
from pathlib import Path

import pytest

from r2d2.cli import main
from r2d2.errors import EXIT_FAILED, EXIT_OK, EXIT_SOME_UNREADABLE
from tests.support.storage.buckets import Bucket

LOGS = Path(__file__).parents[1] / "vmcost" / "logs"


@pytest.fixture
def url(bucket: Bucket) -> str:
    """Two logs and a file that is none, below a prefix."""
    for path in LOGS.glob("find-cluster-*.zstd"):
        bucket.put(f"lake/logs/{path.name}", path.read_bytes())
    bucket.put("lake/logs/notes.txt", b"no event at all\n")
    return f"s3://{bucket.name}/lake/logs"


def test_a_prefix_is_a_folder_of_logs(url: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["vmcost", url, "--json"]) == EXIT_SOME_UNREADABLE
    printed = capfd.readouterr()
    files = {tuple(application["files"]) for application in json.loads(printed.out)}
    assert files == {(f"{url}/find-cluster-1.zstd",), (f"{url}/find-cluster-2.zstd",)}
    assert f"r2d2: {url}/notes.txt: no application starts" in printed.err


def test_an_object_is_a_log(url: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["vmcost", f"{url}/find-cluster-2.zstd", "--json"]) == EXIT_OK
    (application,) = json.loads(capfd.readouterr().out)
    assert application["files"] == [f"{url}/find-cluster-2.zstd"]


def test_what_is_not_there_is_named(url: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["vmcost", f"{url}/nothing"]) == EXIT_FAILED
    assert "no objects there" in capfd.readouterr().err
