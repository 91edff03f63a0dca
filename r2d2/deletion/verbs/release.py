"""release: deletions are given up: nothing is rebuilt any more, so parents need not be held.

A purged table is one that nobody needs again. One in quarantine is given up only where its owner
has another table at its place and wants that one (a marked Delta table, too, that can neither be
put back beside it nor be rebuilt): what was moved stays until the retention, which
begins anew, is over and a purge takes it by its names. Until then `undo` of its id gives it back,
once its place is free.
"""

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass

from r2d2.deletion.discrepancies import Discrepancy, discrepancies, is_blocked, look, way_out
from r2d2.deletion.holds import settle_parents
from r2d2.deletion.journal import Journal
from r2d2.deletion.movers import mover_of
from r2d2.deletion.movers.delta import DeltaMover
from r2d2.deletion.movers.delta_log import LOG
from r2d2.deletion.movers.mover import QUARANTINE, Moved
from r2d2.deletion.parents import LakeNow
from r2d2.deletion.record import remove_tombstone
from r2d2.deletion.verbs.fsck import settle
from r2d2.errors import R2D2Error
from r2d2.lake.deletions import Deletion, Event, State


@dataclass(frozen=True, slots=True)
class GivenUp:
    """A deletion that is given up, or would be; so many bytes stay in quarantine.

    Of its parents some are free now; `held` are those from which other deleted tables are rebuilt,
    each with one of these. `entry` is the table's own in the catalogue, None where none was asked.
    `in_log`: what is left of its rows is in older versions of its own log.
    """

    table: str
    deletion: str
    parents: list[str]
    kept_bytes: int
    held: dict[str, str]
    entry: str | None
    in_log: bool


@dataclass(frozen=True, slots=True)
class NotGivenUp:
    """A deletion that goes on, and why."""

    table: str
    deletion: str
    reason: str


def would_release(
    journal: Journal, names: Sequence[str]
) -> Iterator[GivenUp | NotGivenUp | Discrepancy]:
    """What `release` would do now, what fsck finds first; nothing is written."""
    yield from discrepancies(journal)
    now, gone = LakeNow(journal.place), set[str]()
    for deletion in [journal.deletion(name) for name in names]:
        if reason := _reason_against(journal, deletion, now):
            yield NotGivenUp(deletion.table, deletion.id, reason)
            continue
        gone.add(deletion.id)
        yield _given_up(journal, deletion, _kept(journal, deletion), gone)


def release(journal: Journal, names: Sequence[str]) -> Iterator[GivenUp | NotGivenUp | Discrepancy]:
    """Gives these deletions up, by id or location; what fsck found comes first.

    Raises:
        LeaseError: another runner works on the lake's deletions, or took this one's place.
        R2D2Error, OSError: there is no such deletion, or a step failed: the run ends.
    """
    with journal.lease("release"):
        yield from settle(journal)
        now = LakeNow(journal.place)
        for deletion in [journal.deletion(name) for name in names]:
            if reason := _reason_against(journal, deletion, now):
                yield NotGivenUp(deletion.table, deletion.id, reason)
                continue
            kept = _kept(journal, deletion)
            moved = {path: list(told) for path, told in kept.items()}
            journal.append(Event.GIVEN_UP, deletion.id, {"moved": moved})
            remove_tombstone(journal.place, deletion.table)
            yield _given_up(journal, deletion, kept)
        settle_parents(journal)


def _given_up(
    journal: Journal, deletion: Deletion, kept: Moved, gone: Set[str] = frozenset()
) -> GivenUp:
    kept_bytes = sum(int(size) for size, *_ in kept.values())
    held = dict[str, str]()
    for parent in deletion.parents:
        need = journal.state.of_parents.get(parent, {}).values()
        if others := [each.table for each in need if each.id not in gone]:
            held[parent] = others[0]
    free = [parent for parent in deletion.parents if parent not in held]
    entry = deletion.record.get("catalogue", {}).get("entry")
    name = None if entry is None else ".".join(entry["name"])
    is_delta = deletion.record["mover"] == DeltaMover.name
    in_log = is_delta and not kept and deletion.state is not State.PURGED
    return GivenUp(deletion.table, deletion.id, free, kept_bytes, held, name, in_log)


def _reason_against(journal: Journal, deletion: Deletion, now: LakeNow) -> str | None:
    """Why the deletion cannot be given up as things are now, None where it can."""
    match deletion.state:
        case State.PURGED:
            return None
        case State.MARKED | State.TOMBSTONED:
            try:
                return _reason_against_place(journal, deletion, now)
            except R2D2Error as error:
                return f"its place cannot be looked at: {error}"
        case State.PURGING:
            return f"it is {deletion.state.value}: `r2d2 fsck` settles that first"
        case State.GIVEN_UP:
            return "it is given up already"
    return f"it is {deletion.state.value}: nothing is held for it"


def _reason_against_place(journal: Journal, deletion: Deletion, now: LakeNow) -> str | None:
    where = look(journal, deletion)
    keeps_place = mover_of(deletion.record["mover"], journal.place).keeps_place
    if deletion.state is State.MARKED and not (keeps_place and is_blocked(where)):
        return f"it is {deletion.state.value}: `r2d2 fsck` settles that first"
    wrote = {*where.live, *where.others}
    if any(path.startswith(f"{deletion.table}/{LOG}/") for path in where.others):
        return None  # a Delta table that its owner changed, though it has no rows
    for table in now.inventory(deletion.record["find"]).tables if wrote else ():
        if table.problem is None and any(file.path in wrote for file in table.files):
            return None
    told, way = "its owner has no table in its place", way_out(deletion, where)
    if not wrote:
        return f"{told}: {way}, or let a purge take it and release it then"
    told = f"{told}: {min(wrote)} is there, and is no table that can be read"
    if where.may_join:
        return f"{told}; {way}"
    return f"{told}; move it away, and `r2d2 undo {deletion.id} LAKE --yes` puts the table back"


def _kept(journal: Journal, deletion: Deletion) -> Moved:
    """The files in quarantine that a purge may take later: none that readers see.

    Of a Delta table they are in its own folder, and belong to its owner's log and VACUUM.
    """
    if deletion.state is State.PURGED:
        return {}
    mover = mover_of(deletion.record["mover"], journal.place)
    if mover.keeps_place and not journal.place.listing(f"{QUARANTINE}/{deletion.id}").files:
        return {}
    where = look(journal, deletion)
    away = where.gone | (where.live - where.moved)
    return {path: told for path, told in deletion.moved.items() if path not in away}
