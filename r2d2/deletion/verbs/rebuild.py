"""rebuild: deleted tables from their recipes, each held against its fingerprint and its promise."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from r2d2.deletion.journal import Journal
from r2d2.deletion.movers import mover_of
from r2d2.deletion.movers.mover import Mover
from r2d2.deletion.parents import LakeNow
from r2d2.deletion.tombstone import remove_tombstone
from r2d2.deletion.verbs.fsck import put_back
from r2d2.errors import R2D2Error
from r2d2.formats.errors import table_problem
from r2d2.lake.deletions import Deletion, Event, State
from r2d2.plan.rebuild import LostTable, RebuiltTable


@dataclass(frozen=True, slots=True)
class Back:
    """A table that came back, and the seconds that its plan promised."""

    deletion: str
    rebuilt: RebuiltTable
    promised_s: float


def rebuild(journal: Journal, names: Sequence[str], to: Path | None) -> Iterator[Back | LostTable]:
    """Each table below a folder, or (None) at its old place in the lake, if it was purged.

    Raises:
        R2D2Error: there is no such deletion.
        LeaseError: another runner works on the lake's deletions.
    """
    deletions = [journal.deletion(name) for name in names]
    now = LakeNow(journal.place)
    if to is not None:
        for deletion in deletions:
            yield _back(now, deletion, to)
        return
    with journal.lease("rebuild"):
        for deletion in deletions:
            if deletion.state is not State.PURGED:
                told = f"it is {deletion.state.value}: `r2d2 undo` puts it back, or give --to"
                yield LostTable(deletion.table, told)
                continue
            mover = mover_of(deletion.record["mover"], journal.place)
            if mover.keeps_place:
                yield _back_into_place(journal, mover, now, deletion)
                continue
            with journal.place.building() as lake:
                back = _back(now, deletion, lake)
            if isinstance(back, Back):
                journal.append(Event.REBUILT, deletion.id)
                remove_tombstone(journal.place, deletion.table)
            yield back


def _back_into_place(
    journal: Journal, mover: Mover, now: LakeNow, deletion: Deletion
) -> Back | LostTable:
    """The table in quarantine first, where it is deleted and not purged, and back from there."""
    fresh = replace(deletion, epoch=journal.renew())
    with mover.rebuilding(fresh) as folder:
        back = _back(now, fresh, folder)
    if isinstance(back, Back):
        moved = {path: list(each) for path, each in mover.digests(fresh).items()}
        journal.append(Event.TOMBSTONED, deletion.id, {"moved": moved})
        journal.append(Event.RESTORING, deletion.id)
        restored = journal.state.deletions[deletion.id]
        put_back(journal, mover, replace(restored, epoch=fresh.epoch))
    return back


def _back(now: LakeNow, deletion: Deletion, to: Path) -> Back | LostTable:
    try:
        rebuilt = now.rebuild(deletion, to)
    except R2D2Error as error:
        return LostTable(deletion.table, str(error))
    except Exception as error:  # noqa: BLE001 - one table's trouble is that table's
        return LostTable(deletion.table, table_problem(error))
    return Back(deletion.id, rebuilt, deletion.record["entry"]["rebuild_p95_s"])
