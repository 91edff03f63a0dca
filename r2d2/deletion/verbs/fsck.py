"""fsck: the journal held against the storage, both ways; what a crash left is settled.

| journal | files | settled by |
|---|---|---|
| marked | live, as far as its owner left it | the mark is taken back |
| marked | in quarantine, in part or whole | they are put back, and the mark is taken back |
| marked | gone, all of them | a rebuild into quarantine: it is tombstoned |
| marked | a Delta table's removed, and its owner wrote what cannot be beside | the same |
| tombstoned | in quarantine | nothing: so it should be |
| tombstoned | gone, in part or whole | a rebuild into quarantine from the parents, and an alarm |
| tombstoned | in quarantine, one damaged | the same; then the damaged file is deleted |
| purging | all in quarantine | it is tombstoned again |
| purging | gone, in part or whole | a rebuild into quarantine, and it is tombstoned again |
| purged | gone | nothing |
| given up | any | nothing: nobody needs it any more |
| any that holds | any, a parent of another size | a person is asked whether it still gives it |
| any | others at the old place, or files that no record tells of | a person is asked |
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from r2d2.deletion import record
from r2d2.deletion.discrepancies import (
    Discrepancy,
    discrepancies,
    is_blocked,
    is_waiting,
    unknown_records,
    with_damage,
)
from r2d2.deletion.holds import settle_parents
from r2d2.deletion.journal import Journal
from r2d2.deletion.movers import mover_of
from r2d2.deletion.movers.mover import QUARANTINE, Moved, Mover, PersonNeededError, Whereabouts
from r2d2.deletion.parents import LakeNow
from r2d2.deletion.place import PlaceError
from r2d2.deletion.record import remove_tombstone
from r2d2.errors import R2D2Error
from r2d2.lake.deletions import HOME, Deletion, Event, State
from r2d2.text_tables import pluralize


def settle(journal: Journal, reads_data: bool = False) -> list[Discrepancy]:
    """Settles what can be settled, under the journal's lease; returns what was found.

    `reads_data`: files in quarantine are read whole, not only their sizes.
    What needs a person stays as it is: the verbs refuse those tables.

    Raises:
        R2D2Error, OSError: a step failed; nothing more was done.
    """
    found = list(discrepancies(journal, reads_data))
    # What lies at a table's place is not touched: its files in quarantine are settled all the same.
    settled = {each.deletion for each in found if not each.needs_person}
    for deletion in [d for name, d in journal.state.deletions.items() if name in settled]:
        try:
            _settled(journal, deletion, reads_data)
        except (PersonNeededError, PlaceError) as error:
            told, others = str(error), "the other tables go on"
            found.append(Discrepancy(deletion.id, deletion.table, told, others, True))
    settle_parents(journal)
    _clear(journal)
    return found


def left(journal: Journal, settled: Sequence[Discrepancy]) -> list[Discrepancy]:
    """What does not fit after `settle` returned these; of what it could not settle, why."""
    found = list(discrepancies(journal))
    still = {each.deletion for each in found}
    why = [each for each in settled if each.needs_person and each.deletion in still]
    refused = {each.deletion for each in why}
    rest = (e for e in found if e.deletion not in refused or e.needs_person or e.is_alarm)
    return list(dict.fromkeys([*why, *rest]))


def _clear(journal: Journal) -> None:
    """Removes records of deletions that never came to be, and what killed runners left."""
    for file in filter(is_waiting, journal.place.listing(HOME).files):
        journal.place.remove(file.path)
    deletions, kept = journal.state.deletions, set(unknown_records(journal))
    for file in journal.place.listing(record.RECORDS).files:
        name = file.path.split("/")[2]
        is_live = name in deletions and deletions[name].state is State.LIVE
        if is_live or (name not in deletions and name not in kept):
            journal.place.remove(file.path)
    for deletion in deletions.values():
        mover = mover_of(deletion.record["mover"], journal.place)
        if mover.keeps_place and deletion.state in (State.LIVE, State.PURGED):
            mover.clear(replace(deletion, epoch=journal.epoch))
    journal.place.remove_empty(QUARANTINE)


def _settled(journal: Journal, deletion: Deletion, reads_data: bool) -> None:
    mover = mover_of(deletion.record["mover"], journal.place)
    deletion = mover.take_over(deletion, journal.epoch)
    where = mover.look(deletion)
    where = with_damage(mover, deletion, where) if reads_data else where
    match deletion.state:
        case State.MARKED if is_blocked(where):
            _stay_deleted(journal, mover, deletion, where)
        case State.MARKED if where.gone and where.live and where.moved:
            told = f"{deletion.table}: {pluralize(len(where.gone), 'file')} of it is nowhere"
            raise PersonNeededError(f"{told}, though nothing was to be deleted yet")
        case State.MARKED if where.live or not where.gone:
            put_back(journal, mover, deletion)
        case State.MARKED | State.TOMBSTONED | State.PURGING if where.gone:
            rebuild_moved(journal, mover, deletion)
        case State.PURGING:
            journal.append(Event.TOMBSTONED, deletion.id)


def _stay_deleted(journal: Journal, mover: Mover, deletion: Deletion, where: Whereabouts) -> None:
    """Ends the deletion of a table that cannot be put back: it is rebuilt into quarantine.

    What was removed at its place may be vacuumed before the retention that begins now is over.

    Raises:
        PersonNeededError: its parents do not give it back, or its mover must put it back.
    """
    wrote = (*where.others, *sorted(where.live))[0]
    if not mover.keeps_place:
        raise PersonNeededError(f"{deletion.table}: move {wrote} away")
    try:
        rebuild_moved(journal, mover, deletion)
    except PersonNeededError as error:
        told = f"somebody wrote {wrote}, and {error}; bring the parents' rows back"
        keeps = f"`r2d2 release {deletion.id} LAKE --yes` keeps what is there now"
        raise PersonNeededError(f"{told}, or {keeps}") from error


def put_back(journal: Journal, mover: Mover, deletion: Deletion) -> None:
    """Puts a marked table back, compares it, and takes the mark back.

    Raises:
        PersonNeededError: something is at its old place, or it is not as it was moved.
    """
    try:
        mover.back(deletion)
    except PersonNeededError:
        # Removed files of a Delta table may be vacuumed before a retention that begins now ends.
        is_safe = deletion.moved and journal.place.listing(f"{QUARANTINE}/{deletion.id}").files
        if mover.keeps_place and is_safe:
            journal.append(Event.TOMBSTONED, deletion.id)
        raise
    where = mover.look(deletion)
    # Of a table that never moved, what its owner deleted meanwhile is deleted.
    if where.moved or (where.gone and (deletion.moved or not where.live)):
        raise PersonNeededError(f"{deletion.table}: it could not be put back whole")
    files = _versions(journal, deletion)
    back = mover.live_digests(deletion) if deletion.moved else {}
    if wrong := [p for p in back if list(back[p][:2]) != list(deletion.moved[p][:2])]:
        told = f"{wrong[0]} is not what it was when it was moved: its SHA-256 is another"
        anew = f"`r2d2 rebuild {deletion.id} LAKE --to FOLDER` gives the table anew"
        raise PersonNeededError(f"{told}; {anew}")
    is_known = not mover.keeps_place and files == _versions(journal, deletion)
    journal.append(Event.RESTORED, deletion.id, {"files": files} if files and is_known else {})
    remove_tombstone(journal.place, deletion.table)
    record.remove(journal.place, deletion.id)
    # A copy that this very runner rebuilt is not needed any more, either.
    mover.clear(replace(deletion, epoch=deletion.epoch + 1) if deletion.moved else deletion)


def _versions(journal: Journal, deletion: Deletion) -> dict[str, list[Any]]:
    """Bytes and version of each file of the deletion that is at its old place."""
    found = {path: journal.place.file(path) for path in deletion.moved}
    return {p: [file.size_bytes, file.version] for p, file in found.items() if file is not None}


def first_changed(deletion: Deletion, found: Moved) -> str | None:
    """The first file that is not what was moved, None where all that were moved are."""
    moved = deletion.moved.items()
    return next((p for p, told in moved if list(found.get(p, ())) != list(told)), None)


def rebuild_moved(journal: Journal, mover: Mover, deletion: Deletion) -> None:
    """Rebuilds a deleted table into quarantine, from its parents, and journals its new files.

    Raises:
        PersonNeededError: its parents do not give it back.
    """
    fresh = replace(deletion, epoch=journal.renew())
    try:
        with mover.rebuilding(fresh) as folder:
            LakeNow(journal.place).rebuild(fresh, folder)
    except R2D2Error as error:
        told = (
            f"{deletion.table}: files in quarantine are gone or damaged, and it cannot be rebuilt"
        )
        raise PersonNeededError(f"{told}: {error}") from error
    moved = {path: list(each) for path, each in mover.digests(fresh).items()}
    journal.append(Event.TOMBSTONED, deletion.id, {"moved": moved})
    mover.clear(replace(journal.state.deletions[deletion.id], epoch=fresh.epoch))
