"""An S3 bucket as deletions need it: written under conditions, and its versions told apart.

boto3 speaks to it: obstore's delete takes no condition. Every delete of a current object is for one
ETag, so that a bucket's policy may ask for that. A request whose answer was lost may have been
done: what is written carries a number of its own, by which it is known again.

A store's message is never passed on: S3 repeats session tokens in it.
"""

import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import IO, Any
from uuid import uuid4

from r2d2.errors import R2D2Error
from r2d2.extras import require
from r2d2.model import FileInfo
from r2d2.storage.connection import endpoint_of, patience_of
from r2d2.storage.url import ObjectUrl, settings_of

WRITE = "r2d2-write"
DELETION = "r2d2-deletion"
MOST_BYTES = 5 << 30
"""Of an object that one request writes."""
_CONFLICT, _REFUSED = 409, 412
_GONE = (404, 405)
"""The statuses of an object that is not there: 405 where a delete marker is named."""
_CODE = re.compile(r"\w{1,60}")


class StoreError(R2D2Error):
    """The store refused a request, or did not answer; it may have been done all the same."""


class OtherObjectError(R2D2Error):
    """The object is not the one that the request was for: nothing was done."""


@dataclass(frozen=True, slots=True)
class ObjectVersion:
    """One version of an object; `is_latest`: readers that name no version see it."""

    id: str
    etag: str
    size_bytes: int
    is_latest: bool


@dataclass(frozen=True, slots=True)
class Versions:
    """The versions of one key, newest first; `marker` hides them all, "" where none does."""

    data: tuple[ObjectVersion, ...] = ()
    marker: str = ""

    @property
    def current(self) -> ObjectVersion | None:
        """The version that readers see, None where they see none."""
        return next((version for version in self.data if version.is_latest), None)

    def has(self, id_: str, size_bytes: int | None = None) -> bool:
        """Whether this version is there still, of this size if one is given."""
        sizes = [version.size_bytes for version in self.data if version.id == id_]
        return bool(sizes) if size_bytes is None else size_bytes in sizes


class Bucket:
    """The objects below a lake's prefix; paths are relative to it."""

    def __init__(self, address: ObjectUrl) -> None:
        self.address = address

    @cached_property
    def _client(self) -> Any:
        require("buckets", "deleting in a bucket")
        import boto3
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError

        values, patience = {**settings_of(), **os.environ}, patience_of()
        endpoint = endpoint_of(values)
        is_virtual = values.get("AWS_VIRTUAL_HOSTED_STYLE_REQUEST", "").lower() in ("true", "1")
        style = "virtual" if is_virtual else "path" if endpoint else "auto"
        config = Config(
            connect_timeout=patience.connect_s,
            read_timeout=patience.request_s,
            retries={"mode": "standard", "total_max_attempts": 1 + patience.retries},
            # Other stores than Amazon's do not know its checksums.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            s3={"addressing_style": style},
        )
        region = values.get("AWS_REGION") or values.get("AWS_DEFAULT_REGION")
        try:
            return boto3.client("s3", endpoint_url=endpoint, region_name=region, config=config)
        except (BotoCoreError, ValueError):
            where = f"{self.address.scheme}://{self.address.bucket}"
            raise StoreError(f"{where}: cannot be opened; set {self.address.credentials}") from None

    def _ask(self, method: str, path: str, **arguments: Any) -> Any:
        """The answer to one request.

        Raises:
            FileNotFoundError: there is no such object or version.
            OtherObjectError: the condition does not hold.
            StoreError: as for what the store said.
        """
        from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

        try:
            return getattr(self._client, method)(Bucket=self.address.bucket, **arguments)
        except ClientError as error:
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
            code = str(error.response.get("Error", {}).get("Code", ""))
            if status in _GONE and code != "NoSuchBucket":
                raise FileNotFoundError(path) from None
            if status in (_CONFLICT, _REFUSED):
                raise OtherObjectError(f"{path}: another object is there") from None
            known = code if _CODE.fullmatch(code) else ""
            raise StoreError(f"{path}: the store answered {status} {known}".rstrip()) from None
        except NoCredentialsError:
            told = f"{path}: no credentials in the environment; set {self.address.credentials}"
            raise StoreError(told) from None
        except (BotoCoreError, OSError) as error:
            raise StoreError(f"{path}: the store did not answer: {type(error).__name__}") from None

    def _key(self, path: str) -> dict[str, Any]:
        return {"Key": self.address.key(path)}

    # Reading

    def head(self, path: str, version: str = "") -> Mapping[str, Any] | None:
        """What the store tells of an object, or of one version; None where there is none."""
        named = {"VersionId": version} if version else {}
        try:
            told: Mapping[str, Any] = self._ask("head_object", path, **self._key(path), **named)
        except FileNotFoundError:
            return None
        return told

    def listed(self, below: str) -> Iterator[FileInfo]:
        """The objects whose paths begin so, in order."""
        start = len(self.address.key(""))
        more: dict[str, str] = {}
        while True:
            prefix = self.address.key(below)
            page = self._ask("list_objects_v2", below, Prefix=prefix, **more)
            for found in page.get("Contents", ()):
                yield FileInfo(found["Key"][start:], found["Size"], found["ETag"])
            if not page.get("IsTruncated"):
                return
            more = {"ContinuationToken": page["NextContinuationToken"]}

    def versions(self, below: str) -> dict[str, Versions]:
        """The versions of all objects whose paths begin so, by path."""
        start = len(self.address.key(""))
        data: dict[str, list[ObjectVersion]] = {}
        markers: dict[str, str] = {}
        more: dict[str, str] = {}
        while True:
            prefix = self.address.key(below)
            page = self._ask("list_object_versions", below, Prefix=prefix, **more)
            for found in page.get("Versions", ()):
                path, etag = found["Key"][start:], found["ETag"]
                if not etag.strip('"') and found["IsLatest"]:
                    # SeaweedFS tells no ETag of an empty object in a list.
                    etag = (self.head(path) or found)["ETag"]
                version = ObjectVersion(found["VersionId"], etag, found["Size"], found["IsLatest"])
                data.setdefault(path, []).append(version)
            for found in page.get("DeleteMarkers", ()):
                if found["IsLatest"]:
                    markers[found["Key"][start:]] = found["VersionId"]
            if not page.get("IsTruncated"):
                paths = sorted({*data, *markers})
                return {p: Versions(tuple(data.get(p, ())), markers.get(p, "")) for p in paths}
            more = {"KeyMarker": page["NextKeyMarker"]}
            if page.get("NextVersionIdMarker"):
                more["VersionIdMarker"] = page["NextVersionIdMarker"]

    def read(self, path: str, into: IO[bytes], etag: str, version: str = "") -> tuple[int, str]:
        """Writes a version's bytes, which have this ETag, into a file: how many, their SHA-256."""
        named = {"VersionId": version} if version else {}
        answer = self._ask("get_object", path, **self._key(path), IfMatch=etag, **named)
        digest, size_bytes = hashlib.sha256(), 0
        try:
            for piece in answer["Body"].iter_chunks(1 << 20):
                digest.update(piece)
                size_bytes += len(piece)
                into.write(piece)
        except Exception as error:  # noqa: BLE001 - the reason is in the comment
            # botocore and urllib3 have many kinds of a connection that breaks.
            raise StoreError(f"{path}: the store stopped: {type(error).__name__}") from None
        if size_bytes != answer["ContentLength"] or answer["ETag"] != etag:
            # A store that does not know If-Match gives what is there now.
            raise OtherObjectError(f"{path}: the store gave another object than was asked for")
        return size_bytes, digest.hexdigest()

    # Writing

    def put_new(self, path: str, body: bytes | Path, of: str = "") -> None:
        """Writes an object where none is; `of` is the deletion that it belongs to.

        Raises:
            FileExistsError: there is one.
        """
        try:
            self._put(path, body, {"IfNoneMatch": "*"}, of)
        except OtherObjectError:
            raise FileExistsError(path) from None

    def put(self, path: str, body: bytes, etag: str = "") -> None:
        """Writes an object over the one of this ETag, over any where none is given.

        Raises:
            OtherObjectError: another is there.
        """
        self._put(path, body, {"IfMatch": etag} if etag else {}, "")

    def _put(self, path: str, body: bytes | Path, condition: dict[str, str], of: str) -> None:
        mine = uuid4().hex
        marks = {WRITE: mine} | ({DELETION: of} if of else {})
        arguments = self._key(path) | {"Metadata": marks} | condition
        try:
            with BytesIO(body) if isinstance(body, bytes) else body.open("rb") as file:
                self._ask("put_object", path, Body=file, **arguments)
        except (OtherObjectError, StoreError):
            # The answer to a try that was done may have been lost, and the next try refused.
            told = self.head(path)
            if told is None or told.get("Metadata", {}).get(WRITE) != mine:
                raise

    def delete(self, path: str, etag: str) -> None:
        """Deletes the object of this ETag; with versions it is hidden by a marker.

        Raises:
            FileNotFoundError: there is none.
            OtherObjectError: another is there.
        """
        self._ask("delete_object", path, **self._key(path), IfMatch=etag)

    def delete_version(self, path: str, version: str) -> None:
        """Deletes one version, or one marker, for good; nothing happens where it is gone."""
        self._ask("delete_object", path, **self._key(path), VersionId=version)

    # The bucket itself

    @cached_property
    def _versioning(self) -> str:
        return str(self._ask("get_bucket_versioning", self.address.bucket).get("Status") or "")

    @property
    def has_versions(self) -> bool:
        """Whether a delete leaves a marker over what was there."""
        return self._versioning == "Enabled"

    @property
    def kept_versions(self) -> bool:
        """Whether it had versions, and does not any more: a delete destroys some objects."""
        return self._versioning == "Suspended"

    def lifecycle(self) -> list[Mapping[str, Any]]:
        """The rules by which the store itself deletes."""
        try:
            told = self._ask("get_bucket_lifecycle_configuration", self.address.bucket)
        except FileNotFoundError:
            return []
        return list(told.get("Rules", ()))

    def modified(self, path: str) -> datetime:
        """When the store wrote the object, by its own clock.

        Raises:
            FileNotFoundError: there is none.
        """
        told = self.head(path)
        if told is None:
            raise FileNotFoundError(path)
        return told["LastModified"]  # type: ignore[no-any-return]
