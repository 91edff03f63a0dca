"""Delta tables: a commit removes their files, which stay where they are until they are purged.

The commit is at exactly the version after the one that was read, so that whoever commits meanwhile
makes it fail. The version's own entries are kept beside the deletion's record, since the log may
forget them: an undo is a commit that adds the same files with the same properties. Once a purge
began it gives them new names, for a runner that only slept may still delete by the old ones. A
table that was rebuilt is in quarantine as a table of its own, and its files are added as new ones.
"""

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, suppress
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from r2d2.deletion.movers.delta_commits import (
    DELETED,
    RESTORED,
    NewName,
    application,
    days_kept,
    deleted_metadata,
    deletion_commit,
    fencing_commit,
    files_of,
    files_of_add,
    joined_metadata,
    only_appends,
    reason_against_version,
    restoring_commit,
)
from r2d2.deletion.movers.delta_log import LOG, DeltaLogs
from r2d2.deletion.movers.mover import QUARANTINE, Moved, MoveError, PersonNeededError, Whereabouts
from r2d2.deletion.movers.rename import RenameMover, damaged_of, digest_of
from r2d2.deletion.place import LocalPlace
from r2d2.deletion.record import folder_of
from r2d2.errors import UnreadableTableError
from r2d2.formats.delta.actions import Entry, LoggedVersion, key_of, path_of
from r2d2.lake.deletions import Data, Deletion, State
from r2d2.model import Table
from r2d2.settings.deletion import RETENTION_DAYS

_KEPT = "delta.json"


class DeltaMover:
    """Deletes Delta tables of a local lake by commits to their logs."""

    name = "delta"
    keeps_place = True

    def __init__(self, place: LocalPlace, retention_days: float = RETENTION_DAYS) -> None:
        self.place = place
        self._days = days_kept(retention_days)
        self._quarantine = RenameMover(place)
        self._logs = DeltaLogs(place)

    def reason_against(self, entry: Data, table: Table) -> str | None:
        """Why r2d2 does not commit to this table's log, None where it does."""
        if entry["table"] == ".":
            return "it is the lake's own folder"
        try:
            version = self._logs.version(entry["table"], table.snapshot)
        except UnreadableTableError as error:
            return str(error)
        listed = self.place.listing(f"{entry['table']}/{LOG}").files
        return reason_against_version(version, [file.path for file in listed])

    def noted(self, entry: Data, table: Table) -> Data:
        """The version to be removed, the SHA-256 of its entries, and the days that files stay."""
        try:
            kept = _kept_bytes(self._logs.version(entry["table"], table.snapshot))
        except UnreadableTableError as error:
            raise MoveError(str(error)) from error
        digest = hashlib.sha256(kept).hexdigest()
        return {"snapshot": table.snapshot, "entries_sha256": digest, "days": self._days}

    def prepare(self, deletion: Deletion) -> None:
        """Keeps the version's entries beside the deletion's record."""
        version = self._logs.version(deletion.table, deletion.record["move"]["snapshot"])
        self.place.put_new(f"{folder_of(deletion.id)}/{_KEPT}", _kept_bytes(version))

    def located(self, deletion: Deletion) -> Deletion:
        """The deletion with the epoch of its rebuilt table in quarantine, where there is one."""
        return self._quarantine.located(deletion)

    def look(self, deletion: Deletion) -> Whereabouts:
        """Where the files are, by the newest version of the log and by what is in the folder.

        Before our commit removed them, and after one restored them, they are their owner's.
        """
        paths = self._paths(deletion)
        try:
            now = self._logs.newest(deletion.table)
            if not self._is_deleted(deletion, now):
                lost = frozenset() if now is None else self._lost(deletion, now)
                return Whereabouts(paths - lost, frozenset(), lost, ())
        except (UnreadableTableError, PersonNeededError):
            now, others = None, [f"{deletion.table}/{LOG}"]
        else:
            others = [] if now is None else list(self._others(deletion, now))
        live = paths & frozenset(files_of(deletion.table, now) if now else ())
        sources = self._sources(deletion)
        kept = {path: self.place.file(sources[path]) for path in paths - live}
        damaged = damaged_of(deletion, kept)
        there = {path for path, file in kept.items() if file is not None} - damaged
        gone = paths - live - there
        may_join = now is not None and self._joined(deletion, now) is not None
        return Whereabouts(live, frozenset(there), gone, tuple(others), may_join, damaged)

    def take_over(self, deletion: Deletion, epoch: int) -> Deletion:
        """The deletion under a new runner; a commit makes that of an older one fail."""
        new = self._quarantine.take_over(deletion, epoch)
        while new.state is State.MARKED:
            now = self._logs.newest(new.table)
            if now is None or self._is_deleted(new, now):
                break
            with suppress(FileExistsError):
                self._logs.commit(
                    new.table, now.version, fencing_commit(now, new.id, datetime.now(UTC))
                )
                break
        return new

    def changed(self, table: Table) -> str | None:
        """The log where it has another version, or the first file that is not as it was listed."""
        now = self._logs.newest(table.location)
        if now is None or f"delta:{now.version}" != table.snapshot:
            return f"{table.location}/{LOG}"
        for file in table.files:
            found = self.place.file(file.path)
            version = file.version.partition("#")[0]
            if found is None or (found.size_bytes, found.version) != (file.size_bytes, version):
                return file.path
        return None

    def move(self, deletion: Deletion) -> None:
        """Commits the removal of all files, and reads it back."""
        before, days = self._kept(deletion), deletion.record["move"]["days"]
        table, now = deletion.table, self._logs.newest(deletion.table)
        if now is None or _kept_bytes(now) != _kept_bytes(before):
            raise MoveError(f"somebody committed to {table} since the lake was listed")
        commit = deletion_commit(now, deletion.id, days, datetime.now(UTC))
        try:
            self._logs.commit(table, now.version, commit)
        except FileExistsError as error:
            told = f"somebody else committed version {now.version + 1} of {table}"
            raise MoveError(told) from error
        after = self._logs.newest(table)
        metadata = deleted_metadata(before.metadata, deletion.id, days)
        if after is None or after.metadata != metadata:
            raise MoveError(f"somebody changed {table} while it was deleted")

    def back(self, deletion: Deletion) -> None:
        """Commits all files and properties as they were, where our removal is the last word."""
        table, now = deletion.table, self._logs.newest(deletion.table)
        if not self._is_deleted(deletion, now):
            return
        sources, before = self._sources(deletion), self._kept(deletion)
        metadata = before.metadata if now is None else self._joined(deletion, now)
        if now is not None and metadata is None:
            told = f"somebody wrote {next(self._others(deletion, now))} where the table was"
            raise PersonNeededError(told)
        live = {key_of(add) for add in now.adds} if now else set()
        back = [each for each in self._adds(deletion, before) if key_of(each[0]) not in live]
        if lost := [path for path in sources if self.place.file(sources[path]) is None]:
            raise PersonNeededError(f"{min(lost)} is gone: `r2d2 fsck LAKE --yes` rebuilds it")
        adds = [self._placed(deletion, *each) for each in back]
        wanted = metadata or before.metadata
        commit = restoring_commit(now, before, wanted, adds, deletion.id, datetime.now(UTC))
        try:
            self._logs.commit(table, -1 if now is None else now.version, commit)
        except FileExistsError as error:
            told = f"somebody else committed to {table} while it was put back"
            raise PersonNeededError(f"{told}: `r2d2 fsck LAKE --yes` looks again") from error

    def moved_table(self, deletion: Deletion, table: Table) -> Table:
        """The table: its files are where they were."""
        for file in table.files:
            found = self.place.file(file.path)
            if found is None or found.version != file.version.partition("#")[0]:
                raise MoveError(f"{file.path} is not what was moved")
        return table

    def digests(self, deletion: Deletion) -> Moved:
        """Bytes and SHA-256 of each removed file, or of the rebuilt table's."""
        if self.place.exists(_home(deletion)):
            return self._quarantine.digests(deletion)
        try:
            return {p: digest_of(self.place.path(p)) for p in sorted(self._paths(deletion))}
        except FileNotFoundError as error:
            raise MoveError(f"{error.filename} vanished while the table was deleted") from error

    def live_digests(self, deletion: Deletion) -> Moved:
        """Bytes and SHA-256 of each file that is live again, whatever its name is now."""
        found, names = {}, self._names_now(deletion)
        for path in sorted(self._paths(deletion)):
            with suppress(FileNotFoundError, NotADirectoryError):
                found[path] = digest_of(self.place.path(names.get(path, path)))
        return found

    def delete(self, deletion: Deletion, path: str) -> None:
        """Deletes one file by its name, unless the newest version has it."""
        if path not in self._paths(deletion):
            self.place.remove(f"{_home(deletion)}/{path}")
            return
        now = self._logs.newest(deletion.table)
        if now is not None and path in files_of(deletion.table, now):
            raise PersonNeededError(f"{path} is live again: nothing more was deleted")
        self.place.remove(self._sources(deletion)[path])

    def rebuilding(self, deletion: Deletion) -> AbstractContextManager[Path]:
        """The runner's folder in quarantine."""
        return self._quarantine.rebuilding(deletion)

    def clear(self, deletion: Deletion) -> None:
        """Removes tables in quarantine that were rebuilt there and are not needed any more.

        Nothing else is ever there: the table's own files stay in its folder.
        """
        home = f"{QUARANTINE}/{deletion.id}"
        if not self.place.exists(home):
            return
        now = self._logs.newest(deletion.table)
        restored = now is not None and now.transactions.get(application(deletion.id)) == RESTORED
        for file in self.place.listing(home).files:
            epoch = file.path.removeprefix(f"{home}/").partition("/")[0]
            if restored or not epoch.isdecimal() or int(epoch) < deletion.epoch:
                self.place.remove(file.path)
        self.place.remove_empty(home)

    # The log.

    def _kept(self, deletion: Deletion) -> LoggedVersion:
        path = f"{folder_of(deletion.id)}/{_KEPT}"
        file = self.place.file(path)
        content = b"" if file is None else self.place.storage.read(file)
        if hashlib.sha256(content).hexdigest() != deletion.record["move"]["entries_sha256"]:
            raise PersonNeededError(f"{path} is gone, or not as it was written")
        told = json.loads(content)
        return LoggedVersion(
            **{**told, "adds": tuple(told["adds"]), "domains": tuple(told["domains"])}
        )

    # What is where.

    def _is_deleted(self, deletion: Deletion, now: LoggedVersion | None) -> bool:
        """Whether the table's files are removed, by our commit or with its log.

        Where the log is gone, or another table's, nobody can tell: then they are taken to be.
        """
        before = self._kept(deletion)
        if now is None or now.metadata.get("id") != before.metadata.get("id"):
            return True
        step = now.transactions.get(application(deletion.id))
        if deletion.state is not State.MARKED or deletion.moved:
            return step != RESTORED
        days = deletion.record["move"]["days"]
        gone = deleted_metadata(before.metadata, deletion.id, days)
        return step == DELETED or (step is None and now.metadata == gone)

    def _others(self, deletion: Deletion, now: LoggedVersion) -> Iterator[str]:
        """Files that the newest version has and that a deleted one has not; its log if it changed.

        The table's own files are among them where its owner restored some of them.
        """
        table, known = deletion.table, self._known(deletion)
        live = [add for add in now.adds if key_of(add) in known]
        beside = [add for add in now.adds if key_of(add) not in known]
        yield from (f"{table}/{path_of(add)}" for add in (*beside, *live))
        if (now.metadata, now.protocol) not in self._expected(deletion):
            yield f"{table}/{LOG}/{now.version:020d}.json"

    def _known(self, deletion: Deletion) -> frozenset[tuple[str, str]]:
        return frozenset(key_of(add) for add in self._kept(deletion).adds)

    def _expected(self, deletion: Deletion) -> tuple[tuple[Entry, Entry], ...]:
        """Metadata and protocol as our commit wrote them, and as they were before."""
        before, days = self._kept(deletion), deletion.record["move"]["days"]
        deleted = deleted_metadata(before.metadata, deletion.id, days)
        return ((deleted, before.protocol), (before.metadata, before.protocol))

    def _joined(self, deletion: Deletion, now: LoggedVersion) -> Entry | None:
        """The metadata with which the table comes back beside what is there; None: it must not.

        It may where its owner restored all of it, or none, and then only appended rows.
        """
        known, live = self._known(deletion), {key_of(add) for add in now.adds}
        is_renamed = _is_rebuilt(deletion) or deletion.purge_began
        is_restored = bool(known) and known <= live and not is_renamed
        (deleted, protocol), (before, _) = self._expected(deletion)
        if now.protocol != protocol or (known & live and not is_restored):
            return None
        if live - known and not is_restored and not self._only_appended(deletion, now):
            return None
        # A file that is named and not there makes the table unreadable: its log was changed.
        if any(self.place.file(path) is None for path in files_of(deletion.table, now)):
            return None
        return before if now.metadata == before else joined_metadata(before, deleted, now.metadata)

    def _only_appended(self, deletion: Deletion, now: LoggedVersion) -> bool:
        """Whether all commits since ours do no more to rows than append some, which may stay."""
        for version in range(self._kept(deletion).version + 2, now.version + 1):
            file = self.place.file(f"{deletion.table}/{LOG}/{version:020d}.json")
            if file is None or not only_appends(self.place.storage.read(file)):
                return False
        return True

    def _paths(self, deletion: Deletion) -> frozenset[str]:
        """The files of rows: those of the version that was removed, or of the rebuilt table."""
        if not deletion.moved:
            return frozenset(files_of(deletion.table, self._kept(deletion)))
        log = f"{deletion.table}/{LOG}/"
        return frozenset(path for path in deletion.moved if not path.startswith(log))

    def _lost(self, deletion: Deletion, now: LoggedVersion) -> frozenset[str]:
        """The files that are live by the log, and gone."""
        there, names = files_of(deletion.table, now), self._names_now(deletion)
        live = {path: names.get(path, path) for path in self._paths(deletion)}
        return frozenset(p for p, n in live.items() if n in there and self.place.file(n) is None)

    def _sources(self, deletion: Deletion) -> Mapping[str, str]:
        """The place of each file of rows, by its path."""
        before = f"{_home(deletion)}/" if _is_rebuilt(deletion) else ""
        return {path: f"{before}{path}" for path in self._paths(deletion)}

    def _adds(
        self, deletion: Deletion, before: LoggedVersion
    ) -> Iterator[tuple[Entry, "NewName | None"]]:
        """The entries to be added, each with its new name where it must have one."""
        if _is_rebuilt(deletion):
            home = f"{_home(deletion)}/{deletion.table}"
            if before.configuration.get("delta.columnMapping.mode", "none") != "none":
                told = f"{deletion.table}: its columns have other names in files"
                raise PersonNeededError(f"{told}: `r2d2 rebuild {deletion.id} LAKE --to FOLDER`")
            made = self._logs.newest(home)
            before = made if made is not None else before
        renamed = _is_rebuilt(deletion) or deletion.purge_began
        for number, add in enumerate(before.adds):
            yield add, NewName(deletion.id, deletion.epoch, number) if renamed else None

    def _placed(self, deletion: Deletion, add: Entry, name: "NewName | None") -> Entry:
        """The entry, its files under their new names."""
        if name is None:
            return add
        table, sources = deletion.table, self._sources(deletion)
        renamed = name.of(add)
        for old, new in zip(files_of_add(table, add), files_of_add(table, renamed), strict=True):
            self._link(sources[old], new)
        return renamed

    def _link(self, source: str, target: str) -> None:
        self.place.make_folder(str(PurePosixPath(target).parent))
        with suppress(FileExistsError):  # its name is of this runner alone
            os.link(self.place.path(source), self.place.path(target), follow_symlinks=False)

    def _names_now(self, deletion: Deletion) -> Mapping[str, str]:
        """The new names of restored files, by their old paths."""
        now, names = self._logs.newest(deletion.table), dict[str, str]()
        if now is None or not (_is_rebuilt(deletion) or deletion.purge_began):
            return names
        table, there = deletion.table, files_of(deletion.table, now)
        epochs = {int(e) for path in there for e in re.findall(rf"r2d2-{deletion.id}-(\d+)-", path)}
        for number, (add, _) in enumerate(self._adds(deletion, self._kept(deletion))):
            for epoch in epochs:
                renamed = NewName(deletion.id, epoch, number).of(add)
                pairs = zip(files_of_add(table, add), files_of_add(table, renamed), strict=True)
                names |= {old: new for old, new in pairs if new in there}
        return names


def _kept_bytes(version: LoggedVersion) -> bytes:
    """A version's entries as they are kept, and compared."""
    told = {
        "version": version.version,
        "protocol": version.protocol,
        "metadata": version.metadata,
        "adds": version.adds,
        "domains": version.domains,
        "transactions": dict(version.transactions),
    }
    return (json.dumps(told, sort_keys=True, indent=1) + "\n").encode()


def _home(deletion: Deletion) -> str:
    return f"{QUARANTINE}/{deletion.id}/{deletion.epoch}"


def _is_rebuilt(deletion: Deletion) -> bool:
    """Whether the table that is kept is one that was rebuilt into quarantine."""
    log = f"{deletion.table}/{LOG}/"
    return any(path.startswith(log) for path in deletion.moved)
