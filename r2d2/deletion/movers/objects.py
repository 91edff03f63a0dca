"""Tables in an S3 bucket: hidden under markers where it keeps versions, else copied if asked for.

A delete in a bucket with versions hides an object under a marker: nothing is copied, and names
stay. Undo removes the markers, each by its id; a purge deletes the versions that were journalled,
each by its id. Two things are copies: what was rebuilt into quarantine, and what comes back after a
purge began. A purge that paused may still delete the journalled version, so a table comes back
under a new one.

Without versions each object is copied into quarantine, read again and compared, and then deleted if
it is still the one that was copied. A runner that paused before that delete may do it an hour late,
when another took the mark back: the copies of a runner that was passed by stay, for a person.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from r2d2.deletion.bucket import DELETION, MOST_BYTES, ObjectVersion, OtherObjectError, Versions
from r2d2.deletion.movers.lifecycle import lifecycle_reason
from r2d2.deletion.movers.mover import QUARANTINE, Moved, MoveError, PersonNeededError, Whereabouts
from r2d2.deletion.place_objects import BucketPlace
from r2d2.lake.deletions import Data, Deletion
from r2d2.model import FileInfo, Format, Table
from r2d2.storage.connection import version_named
from r2d2.storage.scratch import scratch_folder


@dataclass(frozen=True, slots=True)
class KeptObject:
    """One version of an object that holds a file of a deleted table; `path` is where it is."""

    path: str
    id: str
    etag: str
    size_bytes: int


class VersionsMover:
    """Moves tables of a bucket with versions by delete markers."""

    name = "versions"
    keeps_place = False

    def __init__(self, place: BucketPlace) -> None:
        self.place = place
        self.bucket = place.bucket

    def reason_against(self, entry: Data, table: Table) -> str | None:
        """Why this table cannot be hidden so, None where it can."""
        if not self.bucket.has_versions:
            return (
                "the bucket keeps no versions, so that a delete is for good: r2d2 only reports;"
                " turn versioning on, or say `copy_in_buckets = true` in `[deletion]`"
            )
        return self.reason_against_any(entry, table)

    def reason_against_any(self, entry: Data, table: Table) -> str | None:
        """Why the table cannot be moved in a bucket at all."""
        if entry["table"] == ".":
            return "it is the lake's own folder"
        if table.format == Format.DELTA:
            return (
                "a Delta table in a bucket stays: its log does not tell whether all who write to it"
                " commit under a condition, and who does not may replace our commit; let its owner"
                " delete the rows and vacuum, or copy the lake into a folder"
            )
        key, days = self.bucket.address.key, self.place.settings.retention_days
        places = [key(path) for path in _paths_of(entry)]
        return lifecycle_reason(self.bucket.lifecycle(), places, key(""), days)

    def noted(self, entry: Data, table: Table) -> Data:
        """The version of each of the table's objects that readers see."""
        listed = {file.path: file.version for file in table.files}
        there = self._versions(entry)
        noted = {}
        for path in _paths_of(entry):
            current = there.get(path, Versions()).current
            if current is None or listed.get(path, current.etag) != current.etag:
                raise MoveError(f"{path} changed since the lake was listed")
            noted[path] = [path, current.id, current.etag, current.size_bytes]
        return {"objects": noted}

    def prepare(self, deletion: Deletion) -> None:
        """Nothing: a bucket has no folders."""

    def located(self, deletion: Deletion) -> Deletion:
        """The deletion itself: its objects are named by the journal, whoever works on it."""
        return deletion

    def take_over(self, deletion: Deletion, epoch: int) -> Deletion:
        """The deletion under the new runner. A marker of an older one is removed by its id."""
        return replace(deletion, epoch=epoch)

    def look(self, deletion: Deletion) -> Whereabouts:
        """Where the objects are; one that somebody wrote over is among the others."""
        entry, kept = deletion.record["entry"], self.kept(deletion)
        there = self._versions(entry, kept)
        live, moved, gone, others = set(), set(), set(), list[str]()
        damaged = set()
        for path, each in kept.items():
            current = there.get(path, Versions()).current
            if current is not None and self._is_of(deletion, path, current):
                live.add(path)
                continue
            others += [path] if current is not None else []
            if current is not None and not deletion.moved and path != each.path:
                continue
            if not there.get(each.path, Versions()).has(each.id):
                gone.add(path)
            elif deletion.moved and not there[each.path].has(each.id, each.size_bytes):
                damaged.add(path)
            elif self._is_moved(each, there[each.path], current):
                moved.add(path)
        if _is_folder(entry):
            inside = f"{entry['table']}/"
            others += [
                path
                for path, versions in there.items()
                if versions.current is not None
                and (path.startswith(inside) or path == entry["table"])
                and path not in kept
            ]
        lost, bad = frozenset(gone | damaged), frozenset(damaged)
        return Whereabouts(frozenset(live), frozenset(moved), lost, tuple(others), damaged=bad)

    def _is_of(self, deletion: Deletion, path: str, current: ObjectVersion) -> bool:
        """Whether the object that readers see is the deletion's, in place or brought back."""
        noted = KeptObject(*deletion.record["move"]["objects"].get(path, (path, "", "", 0)))
        if (current.id, current.etag) == (noted.id, noted.etag):
            return True
        told = self.bucket.head(path)
        return told is not None and told.get("Metadata", {}).get(DELETION) == deletion.id

    def _is_moved(self, kept: KeptObject, there: Versions, current: ObjectVersion | None) -> bool:
        """Whether the kept version is out of sight, and was not merely written over."""
        return current is None or there.data[0].id == kept.id

    def changed(self, table: Table) -> str | None:
        """The first of the table's objects that is not as it was listed."""
        for file in table.files:
            if self.place.file(file.path) != file:
                return file.path
        return None

    def move(self, deletion: Deletion) -> None:
        """Hides each object, if it is as it was noted."""
        for path, each in self.kept(deletion).items():
            try:
                self.bucket.delete(path, each.etag)
            except (FileNotFoundError, OtherObjectError):
                # Or a first try was done, and its answer lost: then it is hidden by now.
                there = self.bucket.versions(path).get(path, Versions())
                if there.current is not None or not self._is_moved(each, there, None):
                    raise MoveError(f"{path} changed while it was to be moved") from None

    def back(self, deletion: Deletion) -> None:
        """Makes each object visible again, or a copy where it is not the newest of its name."""
        entry, kept = deletion.record["entry"], self.kept(deletion)
        there = self._versions(entry, kept)
        for path, each in kept.items():
            versions = there.get(path, Versions())
            current = versions.current
            if current is not None:
                if deletion.moved and not self._is_of(deletion, path, current):
                    told = f"{path}: something else is at the old place of {deletion.id}"
                    raise PersonNeededError(f"{told}: move it away, or keep the table deleted")
            elif self._comes_back_by_name(deletion, path, each, versions):
                self._show(path)
            else:
                self._copy_back(deletion, path, each)

    def _comes_back_by_name(
        self, deletion: Deletion, path: str, kept: KeptObject, versions: Versions
    ) -> bool:
        """Whether removing markers is enough: before a tombstone, what they hide is right."""
        if deletion.purge_began or kept.path != path or not versions.data:
            return False
        return not deletion.moved or versions.data[0].id == kept.id

    def _show(self, path: str) -> None:
        while marker := self.bucket.versions(path).get(path, Versions()).marker:
            self.bucket.delete_version(path, marker)

    def _copy_back(self, deletion: Deletion, path: str, kept: KeptObject) -> None:
        with scratch_folder() as folder:
            copy = folder / "object"
            try:
                with copy.open("wb") as file:
                    self.bucket.read(kept.path, file, kept.etag, kept.id)
            except (FileNotFoundError, OtherObjectError) as error:
                raise PersonNeededError(f"{path}: it is not in quarantine any more") from error
            self.place.upload(copy, path, deletion.id)

    def moved_table(self, deletion: Deletion, table: Table) -> Table:
        """The table with its hidden versions."""
        kept = self.kept(deletion)

        def moved(file: FileInfo) -> FileInfo:
            each = kept[file.path]
            if each.size_bytes != file.size_bytes:
                raise MoveError(f"{file.path} is not what was moved")
            version = version_named(each.id) if self.bucket.has_versions else each.etag
            return FileInfo(each.path, each.size_bytes, version)

        files = tuple(map(moved, table.files))
        splits = tuple(replace(split, file=moved(split.file)) for split in table.splits)
        return replace(table, files=files, splits=splits)

    def digests(self, deletion: Deletion) -> Moved:
        """Bytes and SHA-256 of each kept object, and the version that holds it."""
        kept = self._rebuilt(deletion) or self.kept(deletion)
        found = {}
        for path, each in kept.items():
            size_bytes, sha256 = self._digest(each.path, each.etag, each.id)
            found[path] = (size_bytes, sha256, each.path, each.id, each.etag)
        return found

    def live_digests(self, deletion: Deletion) -> Moved:
        """Bytes and SHA-256 of each object of the deletion at its old place."""
        found = {}
        for path in sorted(self.kept(deletion)):
            told = self.place.file(path)
            if told is not None:
                with suppress(FileNotFoundError):
                    found[path] = self._digest(path, told.version)
        return found

    def _digest(self, path: str, etag: str, version: str = "") -> tuple[int, str]:
        with open("/dev/null", "wb") as nowhere:
            return self.bucket.read(path, nowhere, etag, version)

    def delete(self, deletion: Deletion, path: str) -> None:
        """Deletes the journalled version of one object for good."""
        each = self.kept(deletion)[path]
        if not self.bucket.has_versions:
            with suppress(FileNotFoundError):
                self.bucket.delete(each.path, each.etag)
            return
        told = self.bucket.head(each.path, each.id)
        if told is not None and told["ETag"] != each.etag:
            raise PersonNeededError(f"{each.path}: its version {each.id} is another object by now")
        self.bucket.delete_version(each.path, each.id)

    def rebuilding(self, deletion: Deletion) -> AbstractContextManager[Path]:
        """A scratch folder that is uploaded into the runner's folder in quarantine."""
        return self.place.uploading(_home(deletion), deletion.id)

    def _rebuilt(self, deletion: Deletion) -> dict[str, KeptObject]:
        """The objects in the runner's folder in quarantine."""
        if not deletion.moved:
            return {}
        home = f"{_home(deletion)}/"
        found = {}
        for path, versions in self.bucket.versions(home).items():
            if (now := versions.current) is not None:
                found[path.removeprefix(home)] = KeptObject(path, now.id, now.etag, now.size_bytes)
        return found

    def clear(self, deletion: Deletion) -> None:
        """Deletes by name what is in quarantine of older runners.

        A table that was never tombstoned may still be deleted by an older runner: its copies stay.
        """
        entry = deletion.record["entry"]
        paths = self.kept(deletion).keys() | {path for path, *_ in entry["files"]}
        for found, versions in self.bucket.versions(f"{QUARANTINE}/{deletion.id}/").items():
            epoch, _, path = found.split("/", 3)[3].partition("/")
            if not epoch.isdecimal() or path not in paths:
                continue
            is_older, is_own = int(epoch) < deletion.epoch, int(epoch) == deletion.epoch
            if is_older if deletion.moved else is_own:
                self._clear(found, versions)

    def _clear(self, path: str, versions: Versions) -> None:
        if not self.bucket.has_versions:
            self.place.remove(path)
            return
        for each in versions.data:
            self.bucket.delete_version(path, each.id)
        if versions.marker:
            self.bucket.delete_version(path, versions.marker)

    def kept(self, deletion: Deletion) -> dict[str, KeptObject]:
        """What holds each file of the table: as journalled with the tombstone, else the mark."""
        if deletion.moved:
            return {
                path: KeptObject(where, version, etag, int(size))
                for path, (size, _, where, version, etag) in deletion.moved.items()
            }
        noted = deletion.record["move"]["objects"]
        return {path: KeptObject(*each) for path, each in noted.items()}

    def _versions(
        self, entry: Data, kept: Mapping[str, KeptObject] | None = None
    ) -> dict[str, Versions]:
        """All versions at the table's old place, and where its files are kept."""
        found: dict[str, Versions] = {}
        for prefix in _prefixes(entry, (kept or {}).values()):
            found |= self.bucket.versions(prefix)
        return found


class CopiesMover(VersionsMover):
    """Moves tables of a bucket without versions: copied, compared, deleted under a condition."""

    name = "copies"

    def reason_against(self, entry: Data, table: Table) -> str | None:
        """Why this table cannot be moved so, None where it can."""
        if large := next((f for f in table.files if f.size_bytes > MOST_BYTES), None):
            return f"{large.path} has more than 5 GiB: one request does not write it"
        if self.bucket.kept_versions:
            return "the bucket's versioning is suspended: turn it on, or end it"
        return self.reason_against_any(entry, table)

    def kept(self, deletion: Deletion) -> dict[str, KeptObject]:
        """The copies; before the tombstone those that are there already, by the newest runner."""
        if deletion.moved:
            return super().kept(deletion)
        kept = super().kept(deletion)
        folder, newest = f"{QUARANTINE}/{deletion.id}/", dict[str, int]()
        for found, versions in self.bucket.versions(folder).items():
            epoch, _, path = found.removeprefix(folder).partition("/")
            now = versions.current
            if now is None or path not in kept or newest.get(path, 0) > int(epoch):
                continue
            newest[path] = int(epoch)
            kept[path] = KeptObject(found, now.id, now.etag, now.size_bytes)
        return kept

    def move(self, deletion: Deletion) -> None:
        """Copies all objects, compares each copy, and then deletes each if it is the one copied."""
        noted = super().kept(deletion)
        for path, each in noted.items():
            with scratch_folder() as folder:
                copy = folder / "object"
                try:
                    with copy.open("wb") as file:
                        told = self.bucket.read(path, file, each.etag)
                except (FileNotFoundError, OtherObjectError) as error:
                    raise MoveError(f"{path} changed while it was to be moved") from error
                target = f"{_home(deletion)}/{path}"
                self.place.upload(copy, target, deletion.id)
            there = self.place.file(target)
            if there is None or self._digest(target, there.version) != told:
                raise MoveError(f"{path}: its copy in quarantine is not what was copied")
        for path, each in noted.items():
            try:
                self.bucket.delete(path, each.etag)
            except FileNotFoundError:
                continue
            except OtherObjectError as error:
                if self.bucket.head(path) is not None:
                    raise MoveError(f"{path} changed while it was to be moved") from error


def _prefixes(entry: Data, kept: Iterable[KeptObject]) -> Iterator[str]:
    inside = f"{entry['table']}/"
    if _is_folder(entry):
        yield entry["table"]
    paths = dict.fromkeys((*_paths_of(entry), *(each.path for each in kept)))
    yield from (path for path in paths if not (_is_folder(entry) and path.startswith(inside)))


def _home(deletion: Deletion) -> str:
    return f"{QUARANTINE}/{deletion.id}/{deletion.epoch}"


def _is_folder(entry: Data) -> bool:
    location = str(entry["table"])
    return all(path.startswith(f"{location}/") for path, *_ in entry["files"])


def _paths_of(entry: Data) -> list[str]:
    """The files of the table, and those that go with its folder."""
    inside = entry["inside"] if _is_folder(entry) else ()
    return list(dict.fromkeys([*(path for path, *_ in entry["files"]), *inside]))
