"""The deletions that a lake's journal tells of: their states, and the parents that they hold.

The journal is numbered files in `_r2d2/journal/` of the lake, each with the SHA-256 of the one
before. Everybody may read it; only `r2d2.deletion` writes it (docs/decisions/0012).
"""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec

from r2d2.errors import DeniedError, R2D2Error, TableError, UnreadableTableError
from r2d2.model import FileInfo
from r2d2.storage.local import Listing, Storage, in_order, read_whole

HOME = "_r2d2"
"""The folder in a lake for what r2d2 keeps there; its name hides it from tables."""
JOURNAL = f"{HOME}/journal"
HEAD = f"{HOME}/head.json"
"""The number and SHA-256 of a late record: a journal that ends before it was cut."""
NOTE_SUFFIX = ".deleted-by-r2d2.json"
_MOST_BYTES = 255  # of a file's name
_RECORD = re.compile(r"\d{10}\.json")
SINCE = "since it was listed"
"""Of the reason why a file is not read that a runner wrote meanwhile."""
Data = dict[str, Any]


class State(StrEnum):
    """The state of a deletion; LIVE: it was taken back, or never came to be.

    GIVEN_UP: its owner needs it no more; what of it is in quarantine yet, a purge may take.
    """

    LIVE = "live"
    MARKED = "marked"
    TOMBSTONED = "tombstoned"
    PURGING = "purging"
    PURGED = "purged"
    REBUILT = "rebuilt"
    GIVEN_UP = "given up"


class Event(StrEnum):
    """What a record says."""

    LEASED = "leased"
    RELEASED = "released"
    APPROVED = "approved"
    MARKED = "marked"
    TOMBSTONED = "tombstoned"
    RESTORING = "restoring"
    RESTORED = "restored"
    PURGING = "purging"
    PURGED = "purged"
    REBUILT = "rebuilt"
    GIVEN_UP = "given up"
    HOLDING = "holding"
    HELD = "held"
    FREEING = "freeing"
    FREED = "freed"


OF_PARENTS = (Event.HOLDING, Event.HELD, Event.FREEING, Event.FREED)
"""Those that tell of a parent's property, which forbids deletes; each step has one before it."""
AFTER = {
    Event.MARKED: State.MARKED,
    Event.TOMBSTONED: State.TOMBSTONED,
    Event.RESTORING: State.MARKED,
    Event.RESTORED: State.LIVE,
    Event.PURGING: State.PURGING,
    Event.PURGED: State.PURGED,
    Event.REBUILT: State.REBUILT,
    Event.GIVEN_UP: State.GIVEN_UP,
}
"""The state of a deletion after each event."""
MAY_FOLLOW = {
    Event.TOMBSTONED: {State.MARKED, State.PURGING, State.TOMBSTONED, State.PURGED},
    Event.RESTORING: {State.TOMBSTONED, State.GIVEN_UP},
    Event.RESTORED: {State.MARKED},
    Event.PURGING: {State.TOMBSTONED, State.GIVEN_UP},
    Event.PURGED: {State.PURGING, State.GIVEN_UP},
    Event.REBUILT: {State.PURGED},
    Event.GIVEN_UP: {State.MARKED, State.TOMBSTONED, State.PURGED},
}
"""The states that a deletion may be in when an event happens to it; it begins with MARKED."""


class JournalError(R2D2Error):
    """The journal cannot be read, or is not as it was written."""

    def __init__(self, problem: str | TableError) -> None:
        remedy = isinstance(problem, TableError) and problem.remedy
        remedy = remedy or "who may, puts it back as it was written"
        super().__init__(f"{problem}; {remedy}: it tells what must not be deleted")


class JournalRecord(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """One record: `at` in UTC, `epoch` the number of its runner's lease, `data` what it tells."""

    number: int
    previous: str
    at: datetime
    by: str
    epoch: int
    event: Event
    deletion: str = ""
    data: Data = {}

    def encoded(self) -> bytes:
        """The record as its file has it."""
        data = msgspec.to_builtins(self)
        return (json.dumps(data, sort_keys=True, ensure_ascii=True, indent=1) + "\n").encode()


@dataclass(frozen=True, slots=True)
class Deletion:
    """One deletion: its state since when, and what its records told.

    `record` is of MARKED: all that is needed to rebuild the table. `epoch` is of the runner that
    last worked on it. `moved` are the files as they are in quarantine, by path: their bytes and
    SHA-256. `purge_began`: its files may be gone in part. `tombstoned_at` begins the retention; of
    one that is given up with files in quarantine, that was then. `undone_in` is the number of the
    record by which a tombstoned table came back, `back` its files then: their bytes and versions.
    """

    id: str
    state: State
    since: datetime
    epoch: int
    record: Data
    moved: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    purge_began: bool = False
    tombstoned_at: datetime | None = None
    undone_in: int = 0
    back: Mapping[str, Sequence[Any]] = field(default_factory=dict)

    @property
    def table(self) -> str:
        """The table's location in the lake."""
        return str(self.record["entry"]["table"])

    @property
    def parents(self) -> list[str]:
        """The tables that its recipe reads."""
        return list(self.record["entry"]["parents"])

    @property
    def holds(self) -> bool:
        """Whether its parents are needed to rebuild it."""
        return self.state not in (State.LIVE, State.REBUILT, State.GIVEN_UP)

    def ends_at(self, retention_days: float) -> datetime:
        """When its retention is over."""
        return (self.tombstoned_at or self.since) + timedelta(days=retention_days)

    @property
    def is_kept(self) -> bool:
        """Whether its files are in quarantine, and a purge may take them after the retention."""
        return self.state is State.TOMBSTONED or (self.state is State.GIVEN_UP and bool(self.moved))


@dataclass(slots=True)
class JournalState:
    """What all records say together; each that is added changes it.

    `last` is the newest record, None of an empty journal. `lease` is the record of the runner at
    work, None where there is none. `approvals` are the records of approved plans by the plan's
    SHA-256. `of_tables` and `of_parents` are the deletions that hold, by table and by parent.
    `properties` is the last step of each parent's property that r2d2 sets.
    """

    last: JournalRecord | None = None
    last_sha256: str = ""
    lease: JournalRecord | None = None
    deletions: dict[str, Deletion] = field(default_factory=dict)
    approvals: dict[str, JournalRecord] = field(default_factory=dict)
    of_tables: dict[str, dict[str, Deletion]] = field(default_factory=dict)
    of_parents: dict[str, dict[str, Deletion]] = field(default_factory=dict)
    properties: dict[str, Event] = field(default_factory=dict)

    @property
    def next_number(self) -> int:
        """The number that the next record has."""
        return 1 if self.last is None else self.last.number + 1

    def of_table(self, location: str) -> Deletion | None:
        """The deletion by which the table is not live, None where it is."""
        return next(iter(self.of_tables.get(location, {}).values()), None)

    def that_needs(self, parent: str) -> Deletion | None:
        """A deletion that is rebuilt from the table, None where there is none."""
        return next(iter(self.of_parents.get(parent, {}).values()), None)

    def held(self) -> dict[str, list[Deletion]]:
        """The deletions that need each parent, by its location."""
        return {parent: [*found.values()] for parent, found in self.of_parents.items() if found}

    def check(self, record: JournalRecord) -> None:
        """Passes where the record may be the next.

        Raises:
            JournalError: a deletion cannot come to what the record says.
        """
        if record.event in AFTER:
            _deletion(self.deletions.get(record.deletion), record)

    def add(self, record: JournalRecord, sha256: str) -> None:
        """Adds a record, of which this is the SHA-256.

        Raises:
            JournalError: a deletion cannot come to what the record says; nothing was added.
        """
        match record.event:
            case Event.LEASED:
                self.lease = record
            case Event.RELEASED:
                self.lease = None
            case Event.APPROVED:
                self.approvals[str(record.data["plan_sha256"])] = record
            case _:
                if record.event in OF_PARENTS:
                    self.properties[str(record.data["parent"])] = record.event
                else:
                    self._put(_deletion(self.deletions.get(record.deletion), record))
                if self.lease is not None and self.lease.number == record.epoch:
                    self.lease = msgspec.structs.replace(self.lease, at=record.at)
        self.last, self.last_sha256 = record, sha256

    def _put(self, deletion: Deletion) -> None:
        self.deletions[deletion.id] = deletion
        by_parent = ((self.of_parents, parent) for parent in deletion.parents)
        for index, place in ((self.of_tables, deletion.table), *by_parent):
            if deletion.holds:
                index.setdefault(place, {})[deletion.id] = deletion
            else:
                index.get(place, {}).pop(deletion.id, None)


def _deletion(before: Deletion | None, record: JournalRecord) -> Deletion:
    told = f"record {record.number} of the journal: {record.deletion} is {record.event.value}"
    if record.event is Event.MARKED:
        if before is not None:
            raise JournalError(f"{told} twice")
        return Deletion(record.deletion, State.MARKED, record.at, record.epoch, record.data)
    if before is None:
        raise JournalError(f"{told}, and was never marked")
    if before.state not in MAY_FOLLOW[record.event]:
        raise JournalError(f"{told}, and was {before.state.value}")
    after = replace(before, state=AFTER[record.event], since=record.at, epoch=record.epoch)
    match record.event:
        case Event.TOMBSTONED:
            first = before.tombstoned_at or record.at
            again = before.state is State.MARKED
            moved = record.data.get("moved") or before.moved
            return replace(after, moved=moved, tombstoned_at=record.at if again else first)
        case Event.RESTORED if before.moved:
            return replace(after, undone_in=record.number, back=record.data.get("files", {}))
        case Event.GIVEN_UP:
            began = before.tombstoned_at if before.state is State.PURGED else record.at
            return replace(after, moved=record.data["moved"], tombstoned_at=began)
        case Event.PURGING:
            # What was given up stays so: what is left of it, the next purge takes.
            state = before.state if before.state is State.GIVEN_UP else after.state
            return replace(after, state=state, purge_began=True)
        case Event.PURGED if before.state is State.GIVEN_UP:
            return replace(after, state=before.state, moved={})
    return after


def read_records(
    storage: Storage, files: Iterable[FileInfo], within: str = ""
) -> Iterator[tuple[JournalRecord, str]]:
    """The records of the journal in that folder in order, each with the SHA-256 of its bytes.

    The one after it vouches for a record's bytes; the last must have the form of all.

    Raises:
        JournalError: one is missing, unreadable, no record, or not the one that was written.
    """
    previous, before = "", list[tuple[JournalRecord, str]]()
    ordered = sorted(files, key=lambda file: file.path)
    contents = in_order(storage, partial(_record_content, storage), ordered)
    for number, file in enumerate(ordered, 1):
        wanted = f"{within}{record_path(number)}"
        if file.path != wanted:
            raise JournalError(f"{file.path}: {wanted} is missing before it")
        try:
            content = next(contents)
            record = msgspec.json.decode(content, type=JournalRecord)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise JournalError(f"{file.path}: no record of the journal: {error}") from error
        has_form = number < len(ordered) or record.encoded() == content
        if (record.number, record.previous) != (number, previous) or not has_form:
            raise JournalError(f"{file.path}: not as it was written after record {number - 1}")
        yield from before
        previous = hashlib.sha256(content).hexdigest()
        before = [(record, previous)]
    yield from before


def record_files(files: Iterable[FileInfo], within: str = "") -> list[FileInfo]:
    """Those of the files that are records of the journal in that folder, by their names."""
    journal = f"{within}{JOURNAL}/"
    return [file for file in files if _RECORD.fullmatch(file.path.removeprefix(journal))]


def record_path(number: int) -> str:
    """The place of a record in the lake."""
    return f"{JOURNAL}/{number:010d}.json"


def journal_state(storage: Storage, listing: Listing, within: str = "") -> JournalState:
    """The state of the journal that is among the listed files; empty where nothing was deleted.

    It is that of the lake itself, or of one `within` it, a folder with a slash at its end.

    Raises:
        JournalError: the journal cannot be read, or is not as it was written.
    """
    home, journal = f"{within}{HOME}", f"{within}{JOURNAL}/"
    # A runner may be at work: its scratch files come and go, records stay.
    needed = (home, journal.rstrip("/"), f"{within}{HEAD}")
    for path, reason in listing.left_out:
        if path in needed or (path.startswith(journal) and "/." not in path):
            raise JournalError(DeniedError(f"{path}: {reason}"))
    state = JournalState()
    head = next((file for file in listing.files if file.path == f"{within}{HEAD}"), None)
    number, sha256 = (0, "") if head is None else _head(storage, head)
    for record, digest in read_records(storage, record_files(listing.files, within), within):
        try:
            state.add(record, digest)
        except (KeyError, TypeError, ValueError) as error:
            raise JournalError(f"{within}{record_path(record.number)}: no {error} in it") from error
        if record.number == number and digest != sha256:
            raise JournalError(f"{within}{record_path(number)}: not the record of {HEAD}")
    if number >= state.next_number:
        raise JournalError(f"the journal in {home} ends before its record {number}: it was cut")
    kept = (f"{home}/records/", f"{home}/quarantine/")
    if state.last is None and any(file.path.startswith(kept) for file in listing.files):
        raise JournalError(f"the journal in {home} is gone, and deleted tables are kept there")
    return state


def _record_content(storage: Storage, file: FileInfo) -> bytes:
    """The record's bytes; it is itself, though its entry changes as its writer ends with it."""
    try:
        return read_whole(storage, file)
    except TableError as error:
        place = Path(storage.absolute(file.path))
        if "://" in storage.url or SINCE not in str(error) or not place.is_file():
            raise JournalError(error) from error
        return place.read_bytes()


def _head(storage: Storage, head: FileInfo) -> tuple[int, str]:
    """The number and the SHA-256 that it names; 0 where a runner writes it just now."""
    try:
        told = json.loads(read_whole(storage, head))
        if int(told["number"]) > 0:
            return int(told["number"]), str(told["sha256"])
        raise ValueError(told["number"])
    except UnreadableTableError as error:
        if SINCE in str(error):
            return 0, ""
        raise JournalError(error) from error
    except (TableError, ValueError, KeyError, TypeError) as error:
        raise JournalError(f"{HEAD}: cannot be read, or is not as it was written") from error


def tombstone_path(location: str) -> str:
    """The place of the note; its name hides it from tables."""
    place = PurePosixPath(location)
    name = f"_{place.name}{NOTE_SUFFIX}"
    if len(name.encode()) > _MOST_BYTES:
        name = f"_{hashlib.sha256(place.name.encode()).hexdigest()[:16]}{NOTE_SUFFIX}"
    return str(place.with_name(name))


def without_home(listing: Listing) -> Listing:
    """The listing without r2d2's own files, of lakes within it too: quarantine is no table's."""

    def is_own(path: str) -> bool:
        return HOME in path.split("/")

    if not any(f"{HOME}/" in file.path for file in listing.files):
        return listing
    files = tuple(file for file in listing.files if not is_own(file.path))
    left_out = tuple(each for each in listing.left_out if not is_own(each[0]))
    return replace(listing, files=files, left_out=left_out)
