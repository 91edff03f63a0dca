"""A lake of few small tables in a bucket, with a plan that deletes some."""

import os
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from r2d2.deletion.journal import Journal
from r2d2.deletion.place_objects import BucketPlace
from r2d2.deletion.verbs.approve import ApprovalLimits, approve
from r2d2.pipeline import find
from r2d2.plan import make_plan
from r2d2.plan.plan_form import Data
from r2d2.report import write_find
from r2d2.settings.deletion import DeletionSettings
from r2d2.settings.find import Settings
from tests.support.deletion.small_lake import COSTLY, write_lake

PREFIX = "lake"
_NUMBERS = count(1)


class BucketLake:
    """A lake in a bucket of its own, as its owner sees it."""

    def __init__(self, versioned: bool) -> None:
        self.client: Any = boto3.client(
            "s3",
            endpoint_url=os.environ["AWS_ENDPOINT_URL"],
            region_name="us-east-1",
            config=Config(
                s3={"addressing_style": "path"}, request_checksum_calculation="when_required"
            ),
        )
        self.name = f"deletions-{os.getpid()}-{next(_NUMBERS)}"
        self.url = f"s3://{self.name}/{PREFIX}"
        self.client.create_bucket(Bucket=self.name)
        if versioned:
            status = {"Status": "Enabled"}
            self.client.put_bucket_versioning(Bucket=self.name, VersioningConfiguration=status)

    def write(self, folder: Path) -> None:
        """Uploads the small lake, which is made in the folder."""
        write_lake(folder)
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            self.put(path.relative_to(folder).as_posix(), path.read_bytes())

    def put(self, path: str, content: bytes) -> None:
        """Writes an object."""
        self.client.put_object(Bucket=self.name, Key=f"{PREFIX}/{path}", Body=content)

    def delete(self, path: str) -> None:
        """Deletes an object."""
        self.client.delete_object(Bucket=self.name, Key=f"{PREFIX}/{path}")

    def objects(self, own: bool = False, without: str = "\0") -> dict[str, bytes]:
        """The bytes of every object that readers see; r2d2's own too, if asked for."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.name)
        listed = (each["Key"] for page in pages for each in page.get("Contents", ()))
        paths = [path for key in listed if not (path := key[len(PREFIX) + 1 :]).startswith(without)]
        if not own:
            paths = [p for p in paths if not (p.startswith("_r2d2/") or "deleted-by-r2d2" in p)]
        with ThreadPoolExecutor(8) as pool:
            return dict(zip(paths, pool.map(self._content, paths), strict=True))

    def _content(self, path: str) -> bytes:
        body = self.client.get_object(Bucket=self.name, Key=f"{PREFIX}/{path}")["Body"]
        return bytes(body.read())

    def versions(self, path: str = "") -> list[tuple[str, str]]:
        """Paths and ids of all versions below a path, markers not among them."""
        pages = self.client.get_paginator("list_object_versions").paginate(
            Bucket=self.name, Prefix=f"{PREFIX}/{path}"
        )
        listed = (each for page in pages for each in page.get("Versions", ()))
        return [(each["Key"].removeprefix(f"{PREFIX}/"), each["VersionId"]) for each in listed]

    def journal(self, settings: DeletionSettings | None = None) -> Journal:
        """The lake's journal, read anew."""
        return Journal(BucketPlace(self.url, settings))

    def planned(self, run: Path) -> Data:
        """The plan for the lake, with its run's folder."""
        settings = Settings()
        write_find(run, find(self.url, settings), settings, self.url)
        return make_plan(run, COSTLY)

    def approved(self, run: Path) -> Data:
        """A plan for the lake that somebody approved."""
        plan = self.planned(run)
        approve(self.journal(), plan, run, ApprovalLimits())
        return plan
