"""undo: deleted tables that were not purged are put back, and compared by SHA-256."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from r2d2.deletion.discrepancies import Discrepancy, discrepancies, look, way_out
from r2d2.deletion.holds import settle_parents
from r2d2.deletion.journal import Journal
from r2d2.deletion.movers import mover_of
from r2d2.deletion.movers.mover import Mover, PersonNeededError, Whereabouts
from r2d2.deletion.parents import LakeNow
from r2d2.deletion.place import PlaceError
from r2d2.deletion.verbs.fsck import first_changed, put_back, settle
from r2d2.errors import R2D2Error, UsageError
from r2d2.lake.deletions import Deletion, Event, State


@dataclass(frozen=True, slots=True)
class Undone:
    """A table that is live again, or would be."""

    table: str
    deletion: str


@dataclass(frozen=True, slots=True)
class NotUndone:
    """A table that stays deleted, and why."""

    table: str
    deletion: str
    reason: str


def undoable(journal: Journal) -> list[Deletion]:
    """The deletions that can be undone: their files are in quarantine."""
    return [d for d in journal.state.deletions.values() if d.state is State.TOMBSTONED]


def would_undo(
    journal: Journal, names: Sequence[str]
) -> Iterator[Undone | NotUndone | Discrepancy]:
    """What `undo` would do now, what fsck finds first; nothing is written."""
    yield from discrepancies(journal)
    now = LakeNow(journal.place)
    for deletion in [journal.deletion(name) for name in names]:
        try:
            reason = _reason_against_now(journal, deletion, now)
        except PlaceError as error:
            reason = str(error)
        yield _undone(deletion) if reason is None else _not(deletion, reason)


def undo(journal: Journal, names: Sequence[str]) -> Iterator[Undone | NotUndone | Discrepancy]:
    """Puts back the tables of these deletions, by id or location; what fsck found comes first.

    Raises:
        LeaseError: another runner works on the lake's deletions, or took this one's place.
        R2D2Error, OSError: there is no such deletion, or a step failed: the run ends.
    """
    with journal.lease("undo"):
        yield from settle(journal)
        for deletion in [journal.deletion(name) for name in names]:
            try:
                reason = _put_back(journal, deletion)
            except PlaceError as error:
                reason = str(error)
            yield _undone(deletion) if reason is None else _not(deletion, reason)
        settle_parents(journal)


def _undone(deletion: Deletion) -> Undone:
    return Undone(deletion.table, deletion.id)


def _not(deletion: Deletion, reason: str) -> NotUndone:
    return NotUndone(deletion.table, deletion.id, reason)


def _reason_against(journal: Journal, deletion: Deletion) -> str | None:
    """Why the table cannot be put back as its state and place are now, None where it can."""
    name = deletion.id
    if not deletion.is_kept:
        told = f"it is {deletion.state.value}"
        if deletion.state is State.PURGED:
            told += f": {way_out(deletion, look(journal, deletion))}"
        elif deletion.state is State.GIVEN_UP:
            told += f"; `r2d2 rebuild {name} LAKE --to FOLDER` gives it"
        return told
    if (later := journal.of_table(deletion.table)) is not None and later.id != name:
        return f"another deletion has its place since: {later.id}"
    where = look(journal, deletion)
    if where.gone:
        told = f"{min(where.gone)} is not in quarantine"
        why = "and its parents do not give it back" if deletion.holds else "and it was given up"
        anew = f"`r2d2 rebuild {name} LAKE --to FOLDER` may help"
        return f"{told}, {why}: {anew}"
    return _reason_against_place(deletion, where)


def _reason_against_place(deletion: Deletion, where: Whereabouts) -> str | None:
    others = (*sorted(where.live), *where.others)
    if not others or where.may_join:
        return None
    return f"somebody wrote {others[0]} where the table was: {way_out(deletion, where)}"


def _reason_against_content(mover: Mover, deletion: Deletion) -> str | None:
    """Why what is in quarantine is not put back, None where it is what was moved."""
    changed = first_changed(deletion, mover.digests(deletion))
    if changed is None:
        return None
    told = f"{changed} is not what was moved: its SHA-256 is another"
    return f"{told}; `r2d2 rebuild {deletion.id} LAKE --to FOLDER` gives the table anew"


def _reason_against_now(journal: Journal, deletion: Deletion, now: LakeNow) -> str | None:
    """The same before anything is settled: lost files are rebuilt where the parents give them."""
    if deletion.state is State.MARKED:
        return "its deletion stopped half-way: `r2d2 fsck LAKE --yes` settles that"
    if deletion.state is State.PURGING:
        deletion = replace(deletion, state=State.TOMBSTONED)
    if deletion.state is State.TOMBSTONED and (where := look(journal, deletion)).gone:
        try:
            now.check(deletion)
        except R2D2Error as error:
            return f"files of it went from quarantine, and it cannot be rebuilt: {error}"
        return _reason_against_place(deletion, where)
    mover = mover_of(deletion.record["mover"], journal.place)
    reason = _reason_against(journal, deletion)
    return reason or _reason_against_content(mover, mover.located(deletion))


def _put_back(journal: Journal, deletion: Deletion) -> str | None:
    """Why the table was not put back, None where it was."""
    if reason := _reason_against(journal, deletion):
        return reason
    mover = mover_of(deletion.record["mover"], journal.place)
    deletion = mover.take_over(deletion, journal.epoch)
    if reason := _reason_against_content(mover, deletion):
        return reason
    journal.append(Event.RESTORING, deletion.id)
    try:
        put_back(journal, mover, deletion)
    except PersonNeededError as error:
        again = "" if "`r2d2 fsck" in str(error) else ": `r2d2 fsck LAKE --yes` looks again"
        return f"{error}{again}"
    return None


def names_of(journal: Journal, names: Sequence[str], every: bool) -> list[str]:
    """The ids to undo, each once.

    Raises:
        UsageError: none was named, or one is no deletion, or some beside all.
    """
    if every and names:
        raise UsageError(f"--all and {names[0]}: give --all, or the deletions to undo")
    if every:
        return [deletion.id for deletion in undoable(journal)]
    if not names:
        raise UsageError("name the deletions to undo, by id or table, or give --all")
    return list(dict.fromkeys(journal.deletion(name).id for name in names))
