"""Discrepancies between the journal of deletions and the storage, looked for both ways."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache

from r2d2.deletion import record
from r2d2.deletion.holds import is_broken
from r2d2.deletion.journal import Journal
from r2d2.deletion.movers import mover_of
from r2d2.deletion.movers.delta import DeltaMover
from r2d2.deletion.movers.mover import QUARANTINE, Mover, Whereabouts
from r2d2.deletion.parents import sizes_in
from r2d2.deletion.place import LakePlace
from r2d2.errors import R2D2Error
from r2d2.lake.deletions import HOME, JOURNAL, Deletion, State, record_files
from r2d2.lake.groups import earlier_deletions
from r2d2.model import FileInfo
from r2d2.recipes.grammar import residuals
from r2d2.recipes.json import from_data
from r2d2.storage.local import Listing, read_whole
from r2d2.storage.output import json_text
from r2d2.storage.scratch import PREFIX
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


def discrepancies(journal: Journal, reads_data: bool = False) -> Iterator[Discrepancy]:
    """All that does not fit between the journal and the storage; nothing is changed.

    Files in quarantine are compared by their size; `reads_data`: by their SHA-256, too.
    """
    place = journal.place

    @cache
    def is_there(parent: str) -> bool:
        return place.file(parent) is not None or bool(place.listing(parent).files)

    for deletion in journal.state.deletions.values():
        if deletion.holds:
            try:
                keeps_place = mover_of(deletion.record["mover"], journal.place).keeps_place
                where = look(journal, deletion, reads_data)
                yield from _discrepancy(deletion, where, keeps_place)
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
    there = place.listing(JOURNAL).files
    records = {file.path for file in record_files(there)}
    for file in there:
        if file.path not in records and not is_waiting(file):
            told, remedy = f"{file.path}: no record of the journal", "move it away"
            yield Discrepancy("", "", told, remedy, needs_person=True)
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


def is_waiting(file: FileInfo) -> bool:
    """Whether a runner, which may have been killed, wrote the file to give it its name then.

    In quarantine files have the names that their owners gave them.
    """
    is_ours = file.path.startswith(f"{HOME}/") and not file.path.startswith(f"{QUARANTINE}/")
    return is_ours and file.path.rpartition("/")[2].startswith(PREFIX)


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


def look(journal: Journal, deletion: Deletion, reads_data: bool = False) -> Whereabouts:
    """Where the deletion's files are now; `reads_data`: files of other bytes are damaged."""
    mover = mover_of(deletion.record["mover"], journal.place)
    located = mover.located(deletion)
    where = mover.look(located)
    return with_damage(mover, located, where) if reads_data else where


def with_damage(mover: Mover, deletion: Deletion, where: Whereabouts) -> Whereabouts:
    """The same once the files in quarantine were read: those of other bytes are damaged."""
    if where.gone or deletion.state is not State.TOMBSTONED:
        return where
    found, told = mover.digests(deletion), deletion.moved
    bad = frozenset(p for p in where.moved if list(found[p][:2]) != list(told[p][:2]))
    return replace(where, moved=where.moved - bad, gone=bad, damaged=bad)


def way_out(deletion: Deletion, where: Whereabouts) -> str:
    """The commands for a deleted table, at whose place somebody may have written."""
    name, is_gone = deletion.id, deletion.state in (State.PURGED, State.GIVEN_UP)
    back = f"`r2d2 rebuild {name} LAKE`" if is_gone else f"`r2d2 undo {name} LAKE --yes`"
    if not (where.others or where.live):
        return f"{back} puts the table back"
    if where.may_join:
        return f"{back} puts the table back beside it"
    if deletion.state is State.GIVEN_UP:
        return f"move it away, or `r2d2 rebuild {name} LAKE --to FOLDER` gives the rows elsewhere"
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
            told = f"{min(where.damaged)} is not in quarantine as it was moved there"
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
