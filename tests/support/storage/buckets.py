"""A bucket for one test, and the environment that leads to it."""

import os
from dataclasses import dataclass
from itertools import count

import pytest

from r2d2.model import FileInfo
from r2d2.storage.connection import Patience
from r2d2.storage.local import Listing
from r2d2.storage.objects import ObjectStorage
from tests.support.servers import S3Server, SmallServer

PATIENT = Patience()
# For servers that fall silent; too short for a busy machine to do anything else.
SHORT = Patience(silence_s=0.3, retry_s=0.4)
_NUMBERS = count(1)


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket that one test has for itself."""

    server: S3Server
    name: str

    def put(self, key: str, content: bytes = b"content") -> None:
        """Stores an object."""
        self.server.put(self.name, key, content)

    def delete(self, key: str) -> None:
        """Takes an object away."""
        self.server.delete(self.name, key)

    def storage(self, prefix: str = "lake", patience: Patience = PATIENT) -> ObjectStorage:
        """The lake below a prefix."""
        return ObjectStorage(f"s3://{self.name}/{prefix}", patience)

    def misbehave(self, **faults: str) -> None:
        """Sets the small server's faults by key below `lake/`; of `everything`, or a `listing`."""
        assert isinstance(self.server, SmallServer)
        keys = {"everything": "*", "listing": "LIST"}
        self.server.misbehave({keys.get(k, f"lake/{k}"): fault for k, fault in faults.items()})


def named(listing: Listing, path: str) -> FileInfo:
    """The listed file of that path."""
    (found,) = (file for file in listing.files if file.path == path)
    return found


def bucket_on(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """A new bucket, and the environment that leads to it and to nothing else."""
    for name in os.environ:
        if name.startswith(("AWS_", "AZURE_", "GOOGLE_")):
            monkeypatch.delenv(name)
    for name, value in server.environment().items():
        monkeypatch.setenv(name, value)
    bucket = Bucket(server, f"bucket-{next(_NUMBERS)}")
    server.create_bucket(bucket.name)
    return bucket
