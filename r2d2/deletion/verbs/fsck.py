"""fsck: the journal held against the storage, both ways; what a crash left is settled.

| journal | files | settled by |
|---|---|---|
| marked | live, as far as its owner left it | the mark is taken back |
| marked | in quarantine, in part or whole | they are put back, and the mark is taken back |
| marked | gone, all of them | a rebuild into quarantine: it is tombstoned |
| marked | a Delta table's removed, and its owner wrote what cannot be beside | the same |
| tombstoned | in quarantine | nothing: so it should be |
| tombstoned | gone, in part or whole | a rebuild into quarantine from the parents, and an alarm |
| tombstoned | in quarantine, one of another size | the same; then the damaged file is deleted |
| purging | all in quarantine | it is tombstoned again |
| purging | gone, in part or whole | a rebuild into quarantine, and it is tombstoned again |
| purged | gone | nothing |
| given up | any | nothing: nobody needs it any more |
| any that holds | any, a parent of another size | a person is asked whether it still gives it |
| any | others at the old place, or files that no record tells of | a person is asked |
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from r2d2.deletion import record
from r2d2.deletion.holds import is_broken, settle_parents
from r2d2.deletion.journal import Journal
from r2d2.deletion.movers import mover_of
from r2d2.deletion.movers.delta import DeltaMover
from r2d2.deletion.movers.mover import QUARANTINE, Moved, Mover, PersonNeededError, Whereabouts
from r2d2.deletion.parents import LakeNow, sizes_in
from r2d2.deletion.place import LakePlace, PlaceError
from r2d2.deletion.record import remove_tombstone
from r2d2.errors import R2D2Error
from r2d2.lake.deletions import HOME, Deletion, Event, State
from r2d2.lake.groups import earlier_deletions
from r2d2.recipes.grammar import residuals
from r2d2.recipes.json import from_data
from r2d2.storage.local import Listing, read_whole
from r2d2.storage.output import json_text
from r2d2.text_tables import pluralize


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """What does not fit: of which deletion, and what settles it.

    `needs_person`: r2d2 touches nothing of it. `is_alarm`: files went that nobody told to go.
    """

    deletion: str
    table: str
    told: str
    remedy: str
    needs_person: bool = False
    is_alarm: bool = False


def discrepancies(journal: Journal) -> Iterator[Discrepancy]:
    """All that does not fit between the journal and the storage; nothing is changed."""
    place = journal.place

    @cache
    def is_there(parent: str) -> bool:
        return place.file(parent) is not None or bool(place.listing(parent).files)

    for deletion in journal.state.deletions.values():
        if deletion.holds:
            try:
                keeps_place = mover_of(deletion.record["mover"], journal.place).keeps_place
                yield from _discrepancy(deletion, look(journal, deletion), keeps_place)
            except R2D2Error as error:
                remedy = "put that right first"
                told = f"its files cannot be looked at: {error}"
                yield Discrepancy(deletion.id, deletion.table, told, remedy, needs_person=True)
            else:
                yield from _needed(place, deletion, is_there)
    for parent in filter(lambda parent: is_broken(journal, parent), journal.state.properties):
        told = "somebody unset its delta.appendOnly, by which r2d2 kept its rows"
        remedy = "deleted tables are rebuilt from it: see to it that its rows stay"
        yield Discrepancy("", parent, told, remedy, is_alarm=True)
    known = journal.state.deletions
    for file in place.listing(QUARANTINE).files:
        name = file.path.split("/")[2]
        state = known[name].state if name in known else None
        if state not in (State.MARKED, State.PURGING) and not (state and known[name].is_kept):
            told = f"{file.path}: no deletion has files there"
            yield Discrepancy(name, "", told, "look at it, and move it away", needs_person=True)
    for name in unknown_records(journal):
        told = (
            f"{record.folder_of(name)}: the journal knows no such deletion, and its table is gone"
        )
        remedy = "was the journal replaced by an older one? keep the folder: it rebuilds the table"
        yield Discrepancy(name, "", told, remedy, needs_person=True)


def orphan_notes(journal: Journal, listing: Listing) -> Iterator[Discrepancy]:
    """The notes in the listed lake of deletions that no journal tells of."""
    for path in earlier_deletions(journal.place.storage, listing).orphans:
        told = f"{path}: a note of a deletion that no journal here tells of"
        remedy = f"bring {HOME} back beside it: what the deleted table needs is not known"
        yield Discrepancy("", "", told, remedy, needs_person=True)


def changed_parents(journal: Journal, listing: Listing) -> Iterator[Discrepancy]:
    """The parents in the listed lake that are not as long as when tables were deleted.

    Rows that were only appended do no harm, and whether they are, only a rebuild tells.
    """
    size_now = sizes_in(journal.place.storage, listing)
    for parent, deletions in journal.state.held().items():
        try:
            now = {d.id: size_now(json_text(d.record["find"]), parent) for d in deletions}
        except R2D2Error as error:
            told, remedy = f"whether it changed cannot be told: {error}", "put that right first"
            yield Discrepancy("", parent, told, remedy, needs_person=True)
            continue
        then = {d.id: int(d.record["parents"][parent]["size_bytes"]) for d in deletions}
        if changed := [d for d in deletions if now[d.id] not in (None, then[d.id])]:
            yield _changed(parent, changed, then[changed[0].id], now[changed[0].id])


def _changed(parent: str, deletions: Sequence[Deletion], then: int, now: int | None) -> Discrepancy:
    name, table = deletions[0].id, deletions[0].table
    more = f" (and {len(deletions) - 1} more)" if deletions[1:] else ""
    told = f"it changed: {now:,} bytes, and {then:,} when {table}{more} was deleted"
    back = "put its rows back"
    if any(each.state is State.TOMBSTONED for each in deletions):
        back += ", or `r2d2 undo ID LAKE --yes` while the files are in quarantine"
    asked = "is that table still in it?"
    shows = f"`r2d2 rebuild {name} LAKE --to FOLDER` shows it"
    return Discrepancy("", parent, told, f"{asked} {shows}; if not, {back}", is_alarm=True)


def _needed(
    place: LakePlace, deletion: Deletion, is_there: Callable[[str], bool]
) -> Iterator[Discrepancy]:
    """What a rebuild needs and is not there any more."""
    name, table = deletion.id, deletion.table
    if deletion.state is not State.LIVE and deletion.holds:
        for parent in deletion.parents:
            if not is_there(parent):
                told, remedy = f"its parent {parent} is gone", "bring that back under its name"
                yield Discrepancy(name, table, told, remedy, is_alarm=True)
        path = f"{record.folder_of(name)}/{record.RECORD_NAME}"
        if record.is_other(place, deletion):
            told, remedy = f"{path} is not as it was written", "the journal has what it told"
            yield Discrepancy(name, table, told, remedy, is_alarm=True)
        for residual in residuals(from_data(deletion.record["entry"]["recipe"])):
            path = f"{record.folder_of(name)}/{residual.location}"
            if place.file(path) is None:
                told, remedy = f"{path} is gone: its recipe needs it", "bring it back from a backup"
                yield Discrepancy(name, table, told, remedy, is_alarm=True)


def unknown_records(journal: Journal) -> list[str]:
    """The ids of records that the journal does not know, of tables that are not at their place.

    A runner that stopped before it marked a table leaves a record of one that is live, or that
    another runner deleted meanwhile.
    """
    place, found = journal.place, list[str]()
    for file in place.listing(record.RECORDS).files:
        name, _, rest = file.path.removeprefix(f"{record.RECORDS}/").partition("/")
        if rest == record.RECORD_NAME and name not in journal.state.deletions:
            try:
                told = json.loads(read_whole(place.storage, file))
                paths = [path for path, *_ in told["entry"]["files"]]
                is_live = all(place.file(path) is not None for path in paths)
                is_live = is_live or journal.of_table(told["entry"]["table"]) is not None
            except (R2D2Error, ValueError, KeyError, TypeError):
                is_live = False
            if not is_live:
                found.append(name)
    return found


def look(journal: Journal, deletion: Deletion) -> Whereabouts:
    """Where the deletion's files are now."""
    mover = mover_of(deletion.record["mover"], journal.place)
    return mover.look(mover.located(deletion))


def way_out(deletion: Deletion, where: Whereabouts) -> str:
    """The commands for a deleted table, at whose place somebody may have written."""
    name, is_gone = deletion.id, deletion.state in (State.PURGED, State.GIVEN_UP)
    back = f"`r2d2 rebuild {name} LAKE`" if is_gone else f"`r2d2 undo {name} LAKE --yes`"
    if not (where.others or where.live):
        return f"{back} puts the table back"
    if where.may_join:
        return f"{back} puts the table back beside it"
    if deletion.record["mover"] != DeltaMover.name:
        return f"move it away, or, if it is a table, `r2d2 release {name} LAKE --yes` keeps it"
    elsewhere = f"`r2d2 rebuild {name} LAKE --to FOLDER` gives the table's rows elsewhere"
    return f"{elsewhere}, `r2d2 release {name} LAKE --yes` keeps what is there now"


def is_blocked(where: Whereabouts) -> bool:
    """Whether a marked table cannot be put back for what somebody wrote at its place."""
    wrote = where.others or where.live & where.moved
    return bool((where.moved or where.gone) and wrote and not where.may_join)


def _discrepancy(
    deletion: Deletion, where: Whereabouts, keeps_place: bool
) -> Iterator[Discrepancy]:
    name, table = deletion.id, deletion.table
    lost = pluralize(len(where.gone), "file")
    if (where.others or where.live) and deletion.state in (State.TOMBSTONED, State.PURGING):
        path = (*where.others, *sorted(where.live))[0]
        told = f"somebody wrote {path} where the table was"
        yield Discrepancy(name, table, told, way_out(deletion, where), needs_person=True)
    match deletion.state:
        case State.MARKED if is_blocked(where) and keeps_place:
            told = f"its deletion stopped half-way, and somebody wrote {where.others[0]}"
            yield Discrepancy(name, table, told, "it is rebuilt into quarantine, and stays deleted")
        case State.MARKED if is_blocked(where):
            told = "its deletion stopped half-way, and somebody wrote where the table was"
            yield Discrepancy(name, table, told, "move those files away", needs_person=True)
        case State.MARKED:
            is_lost = where.gone and not where.live
            remedy = "it is rebuilt into quarantine" if is_lost else "it is put back"
            yield Discrepancy(name, table, "its deletion stopped half-way", remedy)
        case State.TOMBSTONED if where.damaged:
            told = f"{min(where.damaged)} has another size in quarantine than was journalled"
            told = told if len(where.gone) == 1 else f"{told}, {lost} of it are damaged or gone"
            then = (
                "what is left in its folder stays" if keeps_place else "that file is deleted then"
            )
            remedy = f"it is rebuilt into quarantine from its parents; {then}"
            yield Discrepancy(name, table, told, remedy, is_alarm=True)
        case State.TOMBSTONED if where.gone:
            told = f"{lost} of it went from quarantine, and r2d2 did not delete them"
            yield Discrepancy(name, table, told, "it is rebuilt into quarantine", is_alarm=True)
        case State.PURGING:
            remedy = "it is rebuilt into quarantine" if where.gone else "it stays deleted"
            yield Discrepancy(name, table, "its purge stopped half-way", remedy)
        case State.PURGED if where.moved:
            told = f"{pluralize(len(where.moved), 'file')} of it is in quarantine, though purged"
            yield Discrepancy(name, table, told, "look at it", needs_person=True)


def settle(journal: Journal) -> list[Discrepancy]:
    """Settles what can be settled, under the journal's lease; returns what was found.

    What needs a person stays as it is: the verbs refuse those tables.

    Raises:
        R2D2Error, OSError: a step failed; nothing more was done.
    """
    found = list(discrepancies(journal))
    # What lies at a table's place is not touched: its files in quarantine are settled all the same.
    settled = {each.deletion for each in found if not each.needs_person}
    for deletion in [d for name, d in journal.state.deletions.items() if name in settled]:
        try:
            _settled(journal, deletion)
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
    """Removes records of deletions that never came to be, and empty folders in quarantine."""
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


def _settled(journal: Journal, deletion: Deletion) -> None:
    mover = mover_of(deletion.record["mover"], journal.place)
    deletion = mover.take_over(deletion, journal.epoch)
    where = mover.look(deletion)
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
