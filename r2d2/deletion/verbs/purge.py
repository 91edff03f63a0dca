"""purge: files of deleted tables whose retention is over are deleted for good, each by its name."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime

from r2d2.deletion.discrepancies import Discrepancy, discrepancies, look
from r2d2.deletion.journal import Journal
from r2d2.deletion.movers import mover_of
from r2d2.deletion.parents import LakeNow
from r2d2.deletion.place import PlaceError
from r2d2.deletion.record import write_tombstone
from r2d2.deletion.verbs.fsck import settle
from r2d2.errors import R2D2Error
from r2d2.lake.deletions import Deletion, Event, State

EARLY = "its retention lasts until"


@dataclass(frozen=True, slots=True)
class Purged:
    """A table whose files are gone, or would be."""

    table: str
    deletion: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class NotPurged:
    """A table whose files stay in quarantine, and why; `is_over`: its retention is over."""

    table: str
    deletion: str
    reason: str
    is_over: bool = True


def would_purge(
    journal: Journal, retention_days: float, only: Collection[str] | None = None
) -> Iterator[Purged | NotPurged | Discrepancy]:
    """What `purge` would delete now, what fsck finds first; nothing is written."""
    yield from discrepancies(journal)
    now = LakeNow(journal.place)
    for deletion in purgeable(journal, only):
        reason = _reason_against(journal, deletion, retention_days, journal.now(), now)
        yield _purged(deletion) if reason is None else _not(deletion, reason)


def purge(
    journal: Journal, retention_days: float, only: Collection[str] | None = None
) -> Iterator[Purged | NotPurged | Discrepancy]:
    """Deletes what may go, of these deletions or of all; what fsck found comes first.

    Raises:
        LeaseError: another runner works on the lake's deletions, or took this one's place.
        R2D2Error, OSError: a step failed: the run ends.
    """
    with journal.lease("purge"):
        yield from settle(journal)
        # A clock that jumps must not end a retention: the storage's has to agree.
        clock = min(journal.now(), journal.place.clock())
        now = LakeNow(journal.place)
        for deletion in purgeable(journal, only):
            reason = _reason_against(journal, deletion, retention_days, clock, now)
            if reason is None:
                yield _done(journal, deletion)
            else:
                yield _not(deletion, reason)


def purgeable(journal: Journal, only: Collection[str] | None = None) -> list[Deletion]:
    """The deletions that have files in quarantine, of those that are named or of all."""
    there = [d for d in journal.state.deletions.values() if d.is_kept]
    return there if only is None else [d for d in there if d.id in only]


def _purged(deletion: Deletion) -> Purged:
    size_bytes = sum(int(size) for size, *_ in deletion.moved.values())
    return Purged(deletion.table, deletion.id, size_bytes)


def _not(deletion: Deletion, reason: str) -> NotPurged:
    return NotPurged(deletion.table, deletion.id, reason, not reason.startswith(EARLY))


def _reason_against(
    journal: Journal, deletion: Deletion, retention_days: float, clock: datetime, now: LakeNow
) -> str | None:
    """Why the files must stay as things are now, None where they may go."""
    ends = deletion.ends_at(retention_days)
    if clock < ends:
        return f"{EARLY} {ends:%Y-%m-%d %H:%M}Z"
    if deletion.state is State.GIVEN_UP:
        return None
    try:
        where = look(journal, deletion)
    except PlaceError as error:
        return str(error)
    if where.gone:
        return f"{sorted(where.gone)[0]} is not in quarantine: run fsck"
    if others := (*sorted(where.live), *where.others):
        return f"somebody wrote {others[0]} where the table was"
    if journal.state.that_needs(deletion.table) is not None:
        return "another deleted table is rebuilt from it"
    for table in now.inventory(deletion.record["find"]).tables:
        if shared := [file.path for file in table.files if file.path in deletion.moved]:
            return f"{table.location} reads {shared[0]}: it is a clone, so rewrite or drop it first"
    try:
        now.check(deletion)
    except R2D2Error as error:
        return f"its parents do not give it back any more: {error}"
    return None


def _done(journal: Journal, deletion: Deletion) -> Purged:
    mover = mover_of(deletion.record["mover"], journal.place)
    deletion = mover.take_over(deletion, journal.epoch)
    journal.append(Event.PURGING, deletion.id)
    where = mover.look(deletion)
    for path in sorted(set(deletion.moved) - (where.live - where.moved)):
        mover.delete(deletion, path)
    left = mover.look(deletion).moved
    if left:
        raise R2D2Error(f"{sorted(left)[0]} was deleted from quarantine, and is there still")
    mover.clear(deletion)
    journal.append(Event.PURGED, deletion.id)
    if deletion.state is not State.GIVEN_UP:
        write_tombstone(journal.place, journal.state.deletions[deletion.id])
    return _purged(deletion)
