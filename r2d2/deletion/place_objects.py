"""Files that r2d2 writes into a lake in a bucket, and the test of its store as a verb begins.

Here is the choice, too, between a folder and a bucket.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path, PurePosixPath
from uuid import uuid4

from r2d2.deletion.bucket import MOST_BYTES, Bucket, OtherObjectError, Versions
from r2d2.deletion.place import SELF_TEST, LakePlace, LocalPlace, PlaceError
from r2d2.errors import R2D2Error
from r2d2.lake.deletions import HEAD
from r2d2.model import FileInfo
from r2d2.settings.deletion import DeletionSettings
from r2d2.storage import storage_of
from r2d2.storage.local import Listing, LocalStorage
from r2d2.storage.objects import ObjectStorage
from r2d2.storage.scratch import PREFIX, scratch_folder
from r2d2.storage.url import name_problem, object_url

WRONG = '"00000000000000000000000000000000"'
"""An ETag that no object has."""
_ROUNDS = 3
"""Of removing versions: a marker beneath a marker is seen when that is gone."""


def place_of(lake: str, settings: DeletionSettings | None = None) -> LakePlace:
    """The lake, to be written.

    Raises:
        NoSuchLakeError: there is no such folder.
        R2D2Error: its storage cannot be written by r2d2.
    """
    storage = storage_of(lake)
    if isinstance(storage, LocalStorage):
        return LocalPlace(Path(storage.url))
    if not object_url(lake).is_s3:
        told = f"{lake}: r2d2 deletes in folders and in S3 buckets; here it only reports:"
        raise R2D2Error(f"{told} `r2d2 plan` says what could go")
    return BucketPlace(lake, settings)


class BucketPlace:
    """A lake in an S3 bucket."""

    def __init__(self, url: str, settings: DeletionSettings | None = None) -> None:
        self.storage = ObjectStorage(url)
        self.bucket = Bucket(object_url(url))
        self.settings = settings or DeletionSettings()

    def path(self, path: str) -> str:
        """The path, if it is one within the lake.

        Raises:
            PlaceError: it is not.
        """
        if not path or (reason := name_problem(path)):
            raise PlaceError(f"{path!r} is no place within the lake: {reason if path else 'empty'}")
        return path

    def listing(self, below: str) -> Listing:
        """All files below a folder, their paths from the lake's root on."""
        files, left_out = list[FileInfo](), list[tuple[str, str]]()
        for file in self.bucket.listed(f"{self.path(below)}/"):
            if reason := name_problem(file.path.removesuffix("/")):
                left_out.append((file.path, reason))
            elif not file.path.endswith("/"):
                files.append(file)
        return Listing(tuple(sorted(files, key=lambda file: file.path)), left_out=tuple(left_out))

    def put_new(self, path: str, content: bytes) -> None:
        """Writes an object where none is."""
        self.bucket.put_new(self.path(path), content)

    def replace(self, path: str, content: bytes) -> None:
        """Writes an object over an older one."""
        self.bucket.put(self.path(path), content)

    def remove(self, path: str) -> None:
        """Deletes one object, as it is now, by its name."""
        told = self.bucket.head(self.path(path))
        if told is not None:
            with suppress(FileNotFoundError):
                self.bucket.delete(path, told["ETag"])

    def remove_empty(self, path: str) -> None:
        """Nothing: a bucket has no folders."""

    def file(self, path: str) -> FileInfo | None:
        """The object as it is now; None where there is none."""
        told = self.bucket.head(self.path(path))
        return None if told is None else FileInfo(path, told["ContentLength"], told["ETag"])

    def clock(self) -> datetime:
        """The store's time: when it wrote the head."""
        return self.bucket.modified(HEAD)

    @contextmanager
    def building(self) -> Iterator[Path]:
        """A scratch folder, whose files are uploaded when all are written."""
        with self.uploading("") as folder:
            yield folder

    @contextmanager
    def uploading(self, to: str, of: str = "") -> Iterator[Path]:
        """A scratch folder, whose files are uploaded below a path for a deletion.

        Raises:
            PlaceError: another file is where one would be.
        """
        with scratch_folder() as folder:
            yield folder
            for source in sorted(path for path in folder.rglob("*") if path.is_file()):
                inside = source.relative_to(folder)
                if not inside.parts[0].startswith(PREFIX):
                    self.upload(source, (PurePosixPath(to) / inside.as_posix()).as_posix(), of)

    def upload(self, source: Path, path: str, of: str = "") -> None:
        """Writes a file where none is; one with the same bytes may be there.

        Raises:
            PlaceError: another is there, or it is too large for one request.
        """
        if source.stat().st_size > MOST_BYTES:
            raise PlaceError(f"{path}: more than 5 GiB are not written by one request")
        try:
            self.bucket.put_new(self.path(path), source, of)
        except FileExistsError:
            told = self.bucket.head(path)
            if told is None or not self._is_copy(source, path, told["ETag"]):
                raise PlaceError(f"{path}: something else is there") from None

    def _is_copy(self, source: Path, path: str, etag: str) -> bool:
        with scratch_folder() as folder:
            there = folder / "there"
            with there.open("wb") as file:
                self.bucket.read(path, file, etag)
            return there.read_bytes() == source.read_bytes()

    def test(self, verb: str) -> None:
        """Passes where the store refuses what it must; all versions of what it wrote are removed.

        Raises:
            PlaceError: it ignores a condition that keeps rows from being lost.
        """
        path = f"{SELF_TEST}/{uuid4().hex}"
        try:
            ignored = list(self._ignored(path, verb))
        finally:
            self._remove_all_versions(path)
        if ignored:
            told = f"{self.storage.url}: `{verb}` is refused: the store ignores"
            raise PlaceError(f"{told} {' and '.join(ignored)}; rows could be lost without")

    def _ignored(self, path: str, verb: str) -> Iterator[str]:
        """The conditions that the store did not keep to."""
        bucket = self.bucket
        bucket.put_new(path, b"first")
        try:
            bucket.put_new(path, b"second")
            yield "put-if-absent (If-None-Match: *)"
        except FileExistsError:
            pass
        if verb == "approve":
            return
        try:
            bucket.put(path, b"third", WRONG)
            yield "put-if-match (If-Match)"
        except (OtherObjectError, FileNotFoundError):
            pass
        with suppress(OtherObjectError, FileNotFoundError):
            bucket.delete(path, WRONG)
        told = bucket.head(path)
        if told is None:
            yield "delete-if-match (If-Match)"
            return
        bucket.delete(path, told["ETag"])
        if bucket.head(path) is not None:
            yield "deletes"
        if bucket.has_versions:
            hidden = bucket.versions(path).get(path)
            if hidden is None or not hidden.marker or hidden.current is not None:
                yield "versions: a delete leaves no marker"
                return
            bucket.delete_version(path, hidden.marker)
            back = bucket.versions(path)[path].current
            if back is None or back.id != told.get("VersionId"):
                yield "the removal of a delete marker"

    def _remove_all_versions(self, path: str) -> None:
        if not self.bucket.has_versions:
            self.remove(path)
            return
        for _ in range(_ROUNDS):
            left = self.bucket.versions(path).get(path, Versions())
            if left == Versions():
                return
            for version in (*(each.id for each in left.data), left.marker):
                if version:
                    self.bucket.delete_version(path, version)
