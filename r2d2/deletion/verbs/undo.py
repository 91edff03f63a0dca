"""undo: deleted tables that were not purged are put back, and compared by SHA-256."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from r2d2.deletion.holds import settle_parents
from r2d2.deletion.journal import Journal
from r2d2.deletion.movers import mover_of
from r2d2.deletion.movers.mover import PersonNeededError
from r2d2.deletion.place import PlaceError
from r2d2.deletion.verbs.fsck import Discrepancy, first_changed, look, put_back, settle, way_out
from r2d2.errors import R2D2Error
from r2d2.lake.deletions import Deletion, Event, State


@dataclass(frozen=True, slots=True)
class Undone:
    """A table that is live again."""

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
                yield _undone(journal, deletion)
            except PlaceError as error:
                yield NotUndone(deletion.table, deletion.id, str(error))
        settle_parents(journal)


def _undone(journal: Journal, deletion: Deletion) -> Undone | NotUndone:
    name, table = deletion.id, deletion.table
    if not deletion.is_kept:
        told = f"it is {deletion.state.value}"
        if deletion.state is State.PURGED:
            told += f": {way_out(deletion, look(journal, deletion))}"
        elif deletion.state is State.GIVEN_UP:
            told += f"; `r2d2 rebuild {name} LAKE --to FOLDER` gives it"
        return NotUndone(table, name, told)
    if (later := journal.of_table(table)) not in (None, deletion):
        return NotUndone(table, name, f"another deletion has its place since: {later.id}")
    mover = mover_of(deletion.record["mover"], journal.place)
    where = look(journal, deletion)
    if where.gone:
        told = f"{min(where.gone)} is not in quarantine"
        why = "and its parents do not give it back" if deletion.holds else "and it was given up"
        anew = f"`r2d2 rebuild {name} LAKE --to FOLDER` may help"
        return NotUndone(table, name, f"{told}, {why}: {anew}")
    if (others := (*sorted(where.live), *where.others)) and not where.may_join:
        told = f"somebody wrote {others[0]} where the table was"
        return NotUndone(table, name, f"{told}: {way_out(deletion, where)}")
    deletion = mover.take_over(deletion, journal.epoch)
    if changed := first_changed(deletion, mover.digests(deletion)):
        told = f"{changed} is not what was moved: its SHA-256 is another"
        anew = f"`r2d2 rebuild {name} LAKE --to FOLDER` gives the table anew"
        return NotUndone(table, name, f"{told}; {anew}")
    journal.append(Event.RESTORING, name)
    try:
        put_back(journal, mover, deletion)
    except PersonNeededError as error:
        again = "" if "`r2d2 fsck" in str(error) else ": `r2d2 fsck LAKE --yes` looks again"
        return NotUndone(table, name, f"{error}{again}")
    return Undone(table, name)


def names_of(journal: Journal, names: Sequence[str], every: bool) -> list[str]:
    """The ids to undo.

    Raises:
        R2D2Error: none was named, or one is no deletion.
    """
    if every:
        return [deletion.id for deletion in undoable(journal)]
    if not names:
        raise R2D2Error("name the deletions to undo, by id or table, or give --all")
    return [journal.deletion(name).id for name in names]
